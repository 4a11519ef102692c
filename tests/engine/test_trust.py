"""Who is answered, by the engine's own code: for each rule and guard a delivery that passes and one that is stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from cli.engine import Delivery, Engine
from cli.explain import explain
from cli.stacks import read_settings
from payloads import Payload, acted, alerts, one_of_each
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.guards import fires_on
from routes.model import EVENT
from routes.settings import StackSettings, parse_settings
from routes.words import path_of, wanted
from tests.routes.test_settings import MINIMAL

Patch = dict[str, Any]

PROD = read_settings("prod")
REPOSITORY = "my-org/api"
ROUTES = [route for family in FAMILIES for route in family.routes]
KNOWN = one_of_each() | alerts()
FITS_PROD: dict[str, Patch] = {name: {"repository__full_name": REPOSITORY} for name in KNOWN} | {
    "wr": {"repository__full_name": REPOSITORY, "workflow_run__head_repository__full_name": REPOSITORY},
    "secscan": {"repository__full_name": REPOSITORY, "workflow_run__head_repository__full_name": REPOSITORY},
    "cr": {"repository__full_name": REPOSITORY, "check_run__app__slug": "jenkins"},
    "secadv": {},
}
ACCEPTED = {
    name: payload.but(**FITS_PROD[name])
    for name, payload in KNOWN.items()
    if name in {kind.name for route in ROUTES for kind in fires_on(route, PROD)}
}
"""For each dependency of stack prod a delivery that starts its Workflow."""


def delivered(payload: Payload) -> Delivery:
    headers = {"X-GitHub-Event": payload.event, "X-GitHub-Delivery": "d-1", "Content-Type": "application/json"}
    return Delivery(name=payload.event, headers=headers, body=json.dumps(payload.body).encode())


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as running:
        yield running


def started(engine: Engine, settings: StackSettings, payloads: Sequence[Payload]) -> list[set[str]]:
    """By which dependencies each delivery starts a Workflow. No filter may meet an error: it would log the payload."""
    stack = compile_stack(FAMILIES, settings)
    found = []
    for taken in engine.deliver(stack, [delivered(payload) for payload in payloads], filters=True):
        assert taken.status == 200
        outcomes = [outcome for outcomes in taken.sensors for outcome in outcomes]
        assert [o.error for o in outcomes if o.error] == []
        assert [o.failure for o in outcomes if o.failure] == []
        found.append({o.dependency for o in outcomes if o.object})
    return found


# --- Stack prod: each condition of each kind of delivery


def test_each_kind_of_delivery_passes_every_guard_of_prod_and_starts_one_workflow(engine: Engine) -> None:
    assert started(engine, PROD, list(ACCEPTED.values())) == [{name} for name in ACCEPTED]


STOPPED: list[tuple[str, Patch]] = [
    ("pr", {"action": "edited"}),
    ("pr", {"pull_request__draft": True}),
    ("pr", {"repository__full_name": "another/api"}),
    ("pr", {"pull_request__author_association": "NONE"}),
    ("ic", {"action": "edited"}),
    ("ic", {"comment__user__type": "Bot"}),
    ("ic", {"repository__full_name": "another/api"}),
    ("ic", {"comment__author_association": "CONTRIBUTOR"}),
    ("ic", {"comment__user__login": "My-Agent"}),
    ("ic", {"comment__performed_via_github_app": {"slug": "my-agent-app"}}),
    ("prc", {"action": "deleted"}),
    ("prc", {"comment__user__type": "Bot"}),
    ("prc", {"repository__full_name": "another/api"}),
    ("prc", {"comment__author_association": "FIRST_TIMER"}),
    ("prc", {"comment__user__login": "my-agent"}),
    ("wr", {"action": "requested"}),
    ("wr", {"workflow_run__conclusion": "cancelled"}),
    ("wr", {"repository__full_name": "another/api"}),
    ("wr", {"workflow_run__head_repository__full_name": "stranger/api"}),
    ("wr", {"workflow_run__head_branch": "agent/fix"}),
    ("wr", {"workflow_run__actor__login": "my-agent-app[bot]"}),
    ("wr", {"workflow_run__triggering_actor__login": "my-agent"}),
    ("cr", {"action": "created"}),
    ("cr", {"check_run__conclusion": "stale"}),
    ("cr", {"repository__full_name": "another/api"}),
    ("cr", {"check_run__app__slug": "github-actions"}),
    ("cr", {"check_run__check_suite__head_branch": None}),
    ("cr", {"check_run__check_suite__head_branch": "agent/fix"}),
    ("cr", {"sender__login": "my-agent"}),
    ("issues", {"action": "reopened"}),
    ("issues", {"repository__full_name": "another/api"}),
    ("issues", {"issue__author_association": "NONE"}),
    ("issues", {"issue__user__login": "my-agent-app[bot]"}),
    ("issues", {"issue__performed_via_github_app": {"slug": "my-agent-app"}}),
    ("secscan", {"action": "in_progress"}),
    ("secscan", {"workflow__name": "Lint"}),
    ("secscan", {"repository__full_name": "another/api"}),
    ("secscan", {"workflow_run__head_repository": None}),
    ("secscan", {"workflow_run__head_branch": "agent/fix"}),
    ("secscan", {"workflow_run__actor__login": "my-agent"}),
    ("secscan", {"workflow_run__triggering_actor__login": "my-agent"}),
    ("codescan", {"action": "fixed"}),
    ("codescan", {"ref": "refs/pull/7/merge"}),
    ("codescan", {"ref": "refs/heads/agent/fix"}),
    ("codescan", {"repository__full_name": "another/api"}),
    ("secretscan", {"action": "resolved"}),
    ("secretscan", {"repository__full_name": "another/api"}),
    ("depalert", {"action": "dismissed"}),
    ("depalert", {"repository__full_name": "another/api"}),
    ("push", {"ref": "refs/heads/feature"}),
    ("push", {"deleted": True}),
    ("push", {"repository__full_name": "another/api"}),
    ("merged", {"action": "edited"}),
    ("merged", {"pull_request__merged": False}),
    ("merged", {"repository__full_name": "another/api"}),
]


def test_every_condition_of_prod_stops_a_delivery_that_meets_all_others_and_explain_says_which() -> None:
    answers = explain(PROD, [delivered(ACCEPTED[name].but(**patch)) for name, patch in STOPPED])
    told = []
    for (name, patch), answer in zip(STOPPED, answers, strict=True):
        (look,) = (look for look in answer.looks if look.kind.name == name)
        assert look.stopped, (name, patch)
        assert not look.stopped.error
        (value,) = patch.values()
        (path,) = (key.replace("__", ".") for key in patch)
        assert look.stopped.path.startswith(path) or path in look.stopped.path, (name, patch, look.stopped)
        if not isinstance(value, dict | None):
            assert look.stopped.found == json.dumps(value)
        told.append((name, look.stopped.path, look.stopped.wanted.split(", here ")[0]))
    conditions = [
        (kind.name, path_of(condition), wanted(condition, PROD))
        for route in ROUTES
        for kind in fires_on(route, PROD)
        for condition in kind.conditions
        if path_of(condition) != EVENT
    ]
    assert sorted(told) == sorted(conditions)


# --- Each setting by itself


@dataclass(frozen=True)
class Guard:
    """A setting, and patches on the delivery of a dependency that it lets pass and that it stops."""

    of: str
    settings: dict[str, Any]
    passes: Sequence[Patch]
    stops: Sequence[Patch] = field(default=())

    @property
    def name(self) -> str:
        return f"{self.of} {json.dumps(self.settings)}"


STRANGERS = ("NONE", "FIRST_TIMER", "FIRST_TIME_CONTRIBUTOR", "MANNEQUIN", "owner", "", None)
CARRIES = {"pr": "pull_request", "ic": "comment", "prc": "comment", "issues": "issue"}
AGENTS = {"logins": ["my-agent", "Robot_acme"], "apps": ["my-app"]}


def associations(of: str, *values: str | None) -> list[Patch]:
    return [{f"{CARRIES[of]}__author_association": value} for value in values]


def trust() -> Iterator[Guard]:
    members, contributors = ("OWNER", "MEMBER", "COLLABORATOR"), ("CONTRIBUTOR",)
    for of in CARRIES:
        (sensor,) = (route.sensor for route in ROUTES for kind in route.deliveries if kind.name == of)
        everyone = associations(of, *members, *contributors, *STRANGERS)
        some = associations(of, *members, *contributors), associations(of, *STRANGERS)
        few = associations(of, *members), associations(of, *contributors, *STRANGERS)
        yield Guard(of, {"trust": "anyone"}, everyone)
        yield Guard(of, {"trust": "contributors"}, *some)
        yield Guard(of, {"trust": "members"}, *few)
        yield Guard(of, {"routes": {sensor: {"trust": "members"}}}, *few)
        yield Guard(of, {"trust": "members", "routes": {sensor: {"trust": "contributors"}}}, *some)
        yield Guard(of, {"trust": "members", "routes": {sensor: {"trust": "anyone"}}}, everyone)


GUARDS = [
    *trust(),
    # A merge is the act of who may write, whoever wrote the pull request.
    Guard("merged", {"trust": "members"}, [{"pull_request__author_association": "NONE"}]),
    Guard(
        "pr",
        {"trust": "members", "neverAnswered": AGENTS},
        [
            {"pull_request__author_association": "NONE", "pull_request__user__login": login}
            for login in ("my-agent", "MY-AGENT", "robot_acme", "my-app[bot]")
        ],
        [
            {"pull_request__author_association": "NONE", "pull_request__user__login": login}
            for login in ("my-agent2", "not-my-agent", "my-app", "OWNER", '","OWNER', None)
        ]
        + [
            {"pull_request__author_association": None, "pull_request__user__login": "OWNER"},
            {"pull_request__author_association": "NONE", "pull_request__user": None},
        ],
    ),
    Guard(
        "ic",
        {"neverAnswered": AGENTS},
        [
            {"comment__user__login": "my-agent2"},
            {"comment__user__login": "my"},
            {"comment__performed_via_github_app": None},
            {"comment__performed_via_github_app": {"slug": "slack"}},
            {"comment__performed_via_github_app": {"slug": None}},
            {"issue__user__login": "my-agent"},
        ],
        [
            {"comment__user__login": "my-agent"},
            {"comment__user__login": "MY-agent"},
            {"comment__user__login": "robot_ACME"},
            {"comment__user__login": "my-app[bot]"},
            {"comment__performed_via_github_app": {"slug": "my-app"}},
            {"comment__performed_via_github_app": {"slug": "My-App"}},
        ],
    ),
    Guard(
        "prc",
        {"neverAnswered": AGENTS},
        [{"comment__user__login": "someone"}, {"pull_request__user__login": "my-agent"}],
        [{"comment__user__login": "my-agent"}, {"comment__user__login": "My-App[bot]"}],
    ),
    Guard(
        "issues",
        {"neverAnswered": AGENTS},
        [
            {"issue__user": None},
            {"issue__user__login": "someone"},
            {"issue__performed_via_github_app": None},
            {"issue__performed_via_github_app": {"slug": "my-app-2"}},
        ],
        [
            {"issue__user__login": "my-agent"},
            {"issue__user__login": "my-app[bot]"},
            {"issue__performed_via_github_app": {"slug": "my-app"}},
        ],
    ),
    Guard(
        "repoadv",
        {"neverAnswered": AGENTS, "securityEvents": ["repository_advisory"]},
        [{"repository_advisory__author": None}, {"action": "published"}],
        [{"repository_advisory__author__login": "my-agent"}, {"action": "edited"}],
    ),
    Guard("pr", {"neverAnswered": AGENTS}, [{"pull_request__user__login": "my-agent"}]),
    *(
        Guard(
            of,
            {"repositories": ["acme/*", "octo/api"]},
            [{"repository__full_name": name} for name in ("acme/api", "Acme/x.y_z", "octo/api", "OCTO/API")],
            [
                {"repository__full_name": name}
                for name in ("acme-evil/api", "my-acme/api", "octo/api2", "octo/web", "x/acme/api", "", None)
            ],
        )
        for of in ("pr", "ic", "prc", "wr", "cr", "issues", "secscan", "push", "merged")
    ),
    Guard("secadv", {"repositories": ["acme/*"]}, [{}]),
    Guard("push", {"repositories": ["*/*"]}, [{"repository__full_name": "whoever/what"}]),
    Guard("cr", {"triage": {"checkRuns": "all"}}, [{"check_run__app__slug": "github-actions"}]),
    Guard(
        "cr",
        {"triage": {"checkRuns": "external"}},
        [{"check_run__app__slug": "jenkins"}, {"check_run__app": None}],
        [{"check_run__app__slug": "github-actions"}],
    ),
    Guard("wr", {"triage": {"checkRuns": "external"}}, [{}]),
    *(
        Guard(
            of,
            {"triage": {"forks": "skip"}},
            [{}],
            [
                {"workflow_run__head_repository__full_name": "stranger/octo-repo"},
                {"workflow_run__head_repository__full_name": None},
                {"workflow_run__head_repository": None},
                {"workflow_run__head_repository": None, "repository__full_name": ""},
            ],
        )
        for of in ("wr", "secscan")
    ),
    Guard("wr", {"triage": {"forks": "run"}}, [{"workflow_run__head_repository__full_name": "stranger/octo-repo"}]),
    Guard("cr", {"triage": {"forks": "skip"}}, [{}], [{"check_run__check_suite__head_branch": None}]),
    Guard("cr", {"triage": {"forks": "run"}}, [{"check_run__check_suite__head_branch": None}]),
    *(
        Guard(
            of,
            {"triage": {"branchesIgnore": ["agent/*", "r&d-<bot>"]}},
            [{path: branch} for branch in ("main", "my-agent/x", "agent", None)],
            [{path: branch} for branch in ("agent/x", "agent/x/y", 'agent/"x"', "Agent/x", "r&d-<bot>")],
        )
        for of, path in {
            "wr": "workflow_run__head_branch",
            "secscan": "workflow_run__head_branch",
            "cr": "check_run__check_suite__head_branch",
        }.items()
    ),
    Guard(
        "codescan",
        {"triage": {"branchesIgnore": ["agent/*"]}, "securityEvents": ["code_scanning_alert"]},
        [{"ref": ref} for ref in ("refs/heads/main", "refs/heads/my/agent/x", "agent/x", "", None)],
        [{"ref": "refs/heads/agent/x"}, {"ref": "refs/pull/1/merge"}, {"ref": "refs/pull/1/head"}],
    ),
    *(
        Guard(
            of,
            {"triage": {"actorsIgnore": ["my-agent[bot]", "robot"]}},
            [{path: login} for path in paths for login in ("my-agent", "robot2", None)],
            [{path: login} for path in paths for login in ("my-agent[bot]", "Robot")],
        )
        for of, paths in {
            "wr": ("workflow_run__actor__login", "workflow_run__triggering_actor__login"),
            "secscan": ("workflow_run__actor__login", "workflow_run__triggering_actor__login"),
            "cr": ("sender__login",),
        }.items()
    ),
    Guard(
        "pr",
        {"drafts": "skip"},
        [{"action": "ready_for_review"}, {"action": "synchronize"}],
        [
            {"pull_request__draft": True},
            {"pull_request__draft": None},
            {"action": "converted_to_draft", "pull_request__draft": True},
        ],
    ),
    Guard(
        "pr",
        {"drafts": "run"},
        [
            {"action": action, "pull_request__draft": draft}
            for action in ("opened", "reopened", "synchronize")
            for draft in (True, False, None)
        ],
        [{"action": "ready_for_review"}, {"action": "converted_to_draft", "pull_request__draft": True}],
    ),
    *(
        Guard(
            of,
            {"securityEvents": [alerts()[of].event]},
            [{"action": action} for action in new],
            [{"action": action} for action in known],
        )
        for of, new, known in (
            ("repoadv", ("published", "reported"), ("withdrawn",)),
            (
                "codescan",
                ("created", "appeared_in_branch", "reopened", "reopened_by_user"),
                ("closed_by_user", "fixed"),
            ),
            (
                "secretscan",
                ("created", "reopened", "publicly_leaked"),
                ("assigned", "unassigned", "resolved", "validated", "revoked"),
            ),
            (
                "depalert",
                ("created", "reintroduced", "reopened", "auto_reopened"),
                ("auto_dismissed", "dismissed", "fixed"),
            ),
        )
    ),
    *(Guard(of, {"securityEvents": []}, [], [{}]) for of in alerts()),
]


@pytest.mark.parametrize("guard", [pytest.param(guard, id=guard.name) for guard in GUARDS])
def test_a_guard_lets_pass_and_stops(engine: Engine, guard: Guard) -> None:
    settings = parse_settings(MINIMAL | guard.settings, source="test")
    patches = [*guard.passes, *guard.stops]
    fired = started(engine, settings, [KNOWN[guard.of].but(**patch) for patch in patches])
    assert [(patch, guard.of in by) for patch, by in zip(patches, fired, strict=True)] == [
        *((patch, True) for patch in guard.passes),
        *((patch, False) for patch in guard.stops),
    ]


# --- Loops end at the first round


OWN: dict[str, tuple[str, Patch]] = {
    "a comment with its own token": ("ic", {"comment__user__login": "my-agent"}),
    "a comment as its App": ("ic", {"comment__user__login": "my-agent-app[bot]", "comment__user__type": "Bot"}),
    "a comment by its App for a member": ("ic", {"comment__performed_via_github_app": {"slug": "my-agent-app"}}),
    "an answer on a line of a pull request": ("prc", {"comment__user__login": "my-agent"}),
    "an issue with its own token": ("issues", {"issue__user__login": "my-agent"}),
    "an issue as its App": ("issues", {"issue__user__login": "my-agent-app[bot]", "issue__user__type": "Bot"}),
    "its red branch": ("wr", {"workflow_run__head_branch": "agent/fix"}),
    "its red push to another branch": ("wr", {"workflow_run__actor__login": "my-agent-app[bot]"}),
    "a person's red run that it ran again": ("wr", {"workflow_run__triggering_actor__login": "my-agent-app[bot]"}),
    "a red check of its branch": ("cr", {"check_run__check_suite__head_branch": "agent/fix"}),
    "a red check of its push": ("cr", {"sender__login": "my-agent-app[bot]"}),
    "a scan of its branch": ("secscan", {"workflow_run__head_branch": "agent/fix"}),
    "an alert in its branch": ("codescan", {"ref": "refs/heads/agent/fix"}),
}


@pytest.mark.parametrize(("of", "patch"), OWN.values(), ids=OWN)
def test_what_an_agent_does_itself_starts_nothing(engine: Engine, of: str, patch: Patch) -> None:
    assert started(engine, PROD, [ACCEPTED[of].but(**patch)]) == [set()]


@pytest.mark.parametrize("login", ["my-agent", "my-agent-app[bot]"])
def test_an_agents_own_pull_request_is_validated_and_its_merge_goes_on(engine: Engine, login: str) -> None:
    own = {"pull_request__user__login": login, "pull_request__author_association": "NONE"}
    pushed = acted("pull_request", "synchronize").but(repository__full_name=REPOSITORY, **own)
    payloads = [ACCEPTED["pr"].but(**own), pushed, ACCEPTED["merged"].but(**own)]
    assert started(engine, PROD, payloads) == [{"pr"}, {"pr"}, {"merged"}]


def test_without_the_guards_an_agent_answers_itself(engine: Engine) -> None:
    open_to_all = parse_settings(MINIMAL, source="test")
    user = [name for name, (of, patch) in OWN.items() if patch.get("comment__user__type") != "Bot" and of != "codescan"]
    payloads = [ACCEPTED[of].but(**patch) for of, patch in (OWN[name] for name in user)]
    assert started(engine, open_to_all, payloads) == [{OWN[name][0]} for name in user]


# --- What a further event carries


def test_an_alert_carries_its_repository_its_page_and_where_it_is(engine: Engine) -> None:
    every = parse_settings(MINIMAL | {"securityEvents": [p.event for p in alerts().values()]}, source="test")
    stack = compile_stack(FAMILIES, every)
    carried = {}
    for name, payload in alerts().items():
        (taken,) = engine.deliver(stack, [delivered(payload)])
        (workflow,) = (o.object for outcomes in taken.sensors for o in outcomes if o.object)
        parameters = {p["name"]: p["value"] for p in workflow["spec"]["arguments"]["parameters"]}
        repository = payload.body["repository"]
        assert json.loads(parameters.pop("event")) == payload.body
        assert {key: value for key, value in parameters.items() if value} == {
            "owner": repository["owner"]["login"],
            "repo": repository["name"],
            "agent": "security",
        }
        labels, notes = workflow["metadata"]["labels"], workflow["metadata"]["annotations"]
        assert labels["github-to-argo/event"] == payload.event
        assert labels["github-to-argo/repository"] == repository["full_name"].replace("/", ".")
        assert notes["github-to-argo/sender"] == payload.body["sender"]["login"]
        carried[name] = {key: notes[f"github-to-argo/{key}"] for key in ("url", "ref", "sha")}
    alert = alerts()["codescan"].body
    assert carried["codescan"] == {
        "url": alert["alert"]["html_url"],
        "ref": "refs/heads/code-feature",
        "sha": alert["commit_oid"],
    }
    assert carried["depalert"]["url"] == alerts()["depalert"].body["alert"]["html_url"]
    assert carried["secretscan"]["url"].endswith("/security/secret-scanning/7")
    assert carried["repoadv"]["url"].endswith("/security/advisories/GHSA-c3gp-4rp9-hjmw")
    assert all(not notes["ref"] and not notes["sha"] for name, notes in carried.items() if name != "codescan")


def test_an_alert_without_a_sender_still_starts_its_workflow(engine: Engine) -> None:
    secret = alerts()["secretscan"]
    alone = Payload(secret.event, {key: value for key, value in secret.body.items() if key != "sender"})
    settings = parse_settings(MINIMAL | {"securityEvents": [secret.event]}, source="test")
    assert started(engine, settings, [alone]) == [{"secretscan"}]
