"""Where the commands of README and docs run."""

READS_FILES_ALONE = ("diff", "explain", "render", "settings", "show", "stacks")
"""Commands of `python -m cli`, of make too, that tests/docs/test_console.py runs. Any other has to be listed below."""

_CLI = ".venv/bin/python -m cli"

ON_THE_LAB = {
    "make up": f"{_CLI} deliver",  # the last thing that it does; the lab is up
    "make status STACK=lab": "make status STACK=lab",
    f"{_CLI} dead-letters --stack prod": f"{_CLI} dead-letters --stack lab",
    f"{_CLI} redeliver --stack prod --since 2h --organization acme": (
        f"{_CLI} redeliver --stack lab --since 2h --organization acme"
    ),
    f"{_CLI} rerun 7815e107-13f9-4429-a415-d1cbb76762e8 --stack prod": (
        f"{_CLI} rerun 7815e107-13f9-4429-a415-d1cbb76762e8 --stack lab"
    ),
    f"{_CLI} rerun c5a0f2b9-8534-418f-bdf6-61cd8917c01a --stack prod --organization acme": (
        f"{_CLI} rerun c5a0f2b9-8534-418f-bdf6-61cd8917c01a --stack lab --organization acme"
    ),
    **{
        command: command
        for command in (
            "kubectl get configmaps -l github-to-argo/dead-letter"
            " -o custom-columns=ROUTE:.metadata.labels.github-to-argo/dead-letter,DELIVERY:.data.delivery",
            "kubectl get workflows -l github-to-argo/repository=Codertocat.Hello-World,github-to-argo/pr=2",
        )
    },
}
"""Run by tests/e2e/test_docs.py: what a page says, and what runs there. The lab has its own stack in place of prod."""

IN_A_FOLDER = (
    "pulumi stack init dev",
    'pulumi config set kubeContext "$(kubectl config current-context)"',
    "pulumi config set namespace argo-events",
    "pulumi config set --path webhookSecret.store my-secret-store",
)
"""Run by the same, in a folder that has nothing but the stack's files: they write those."""

IN_THE_STACKS_FOLDER = {"pulumi refresh --yes --stack prod": "pulumi refresh --yes --stack lab"}
"""Run by the same, where the lab has its stack's settings."""

PAGES_OF_THEIR_OWN = {
    "adding-a-route.md": "tests/docs/test_adding_a_route.py, in a copy that has the route",
}
"""Pages whose commands another test runs."""

NOT_RUN = {
    "make down": "ends the lab under the other tests; .ci/run does it at the end",
    "export GITHUB_TOKEN=…": "there is no token here",
    "make engine && mkdir engine && cp -r ~/.cache/github-to-argo/engine/explain-* engine/ && docker build .": (
        "there is no Docker here"
    ),
    "nats consumer rm default group-3995407356": (
        "the nats CLI is not in the lab; tests/e2e/test_deploys.py sends what it sends"
    ),
    "pulumi import --yes --generate-code=false --protect=false --parent webhook=urn:pulumi:prod::github-to-argo"
    "::github-to-argo:index:GitHubEventSource::webhook --provider cluster=urn:pulumi:prod::github-to-argo"
    "::pulumi:providers:kubernetes::cluster kubernetes:argoproj.io/v1alpha1:EventSource webhook-eventsource"
    " argo-events/github-es": "tests/e2e/test_other_clusters.py runs it, by the lab's names",
    "kubectl -n argo-events delete eventsource,sensor --all": "what the other tests are about would be gone",
    "make golden docs matrix": "what it writes is held by test_goldens.py, test_generated.py and test_matrix.py",
    "make pr-report": "compares with origin/main, which a clone need not have; tests/cli/test_report.py has one",
}
"""By nothing, and why."""
