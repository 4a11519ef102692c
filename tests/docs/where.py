"""Which commands of README and docs run elsewhere than on the fast floor, or nowhere. All others run there."""

ON_THE_LAB = (
    "make up",
    "make status STACK=lab",
    ".venv/bin/python -m cli dead-letters --stack lab",
    "kubectl get configmaps -l github-to-argo/dead-letter"
    " -o custom-columns=ROUTE:.metadata.labels.github-to-argo/dead-letter,DELIVERY:.data.delivery",
    ".venv/bin/python -m cli rerun 7815e107-13f9-4429-a415-d1cbb76762e8 --stack lab",
    "kubectl get workflows -l github-to-argo/repository=Codertocat.Hello-World,github-to-argo/pr=2",
)
"""In this order, by tests/e2e/test_docs.py."""

PAGES_OF_THEIR_OWN = {
    "adding-a-route.md": "tests/docs/test_adding_a_route.py, in a copy that has the route",
}
"""Pages whose commands another test runs."""

_STACK = "a stack of yours: it would write Pulumi.dev.yaml here"
_GITHUB = "asks GitHub; tests/e2e/test_redeliver.py has it ask a server that behaves like it"

NOT_RUN = {
    "make down": "ends the lab under the other tests; .ci/run does it at the end",
    "export GITHUB_TOKEN=…": "there is no token here",
    ".venv/bin/python -m cli redeliver --stack prod --since 2h --organization acme": _GITHUB,
    ".venv/bin/python -m cli rerun c5a0f2b9-8534-418f-bdf6-61cd8917c01a --stack prod --organization acme": _GITHUB,
    "make engine && mkdir engine && cp -r ~/.cache/github-to-argo/engine/explain-* engine/ && docker build .": (
        "there is no Docker here"
    ),
    "nats consumer rm default group-3995407356": (
        "the nats CLI is not in the lab; tests/e2e/test_deploys.py sends what it sends"
    ),
    "make golden docs matrix": "what it writes is held by test_goldens.py, test_generated.py and test_matrix.py",
    "make pr-report": "compares with origin/main, which a clone need not have; tests/cli/test_report.py has one",
    "pulumi stack init dev": _STACK,
    'pulumi config set kubeContext "$(kubectl config current-context)"': _STACK,
    "pulumi config set namespace argo-events": _STACK,
    "pulumi config set --path webhookSecret.store my-secret-store": _STACK,
}
"""By nothing, and why."""
