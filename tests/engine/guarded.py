"""What guards let pass and stop, on stack prod and by each setting alone: patches on deliveries of GitHub's."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.stacks import read_settings
from payloads import Payload, alerts, one_of_each
from routes import FAMILIES
from routes.guards import fires_on
from tests.engine.asking import DELIVERY_ID, Question, Started
from tests.engine.cases import CODERUN, hashed

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

ELSEWHERE = {"repository__full_name": "another/api", "workflow_run__head_repository__full_name": "another/api"}

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
    ("wr", ELSEWHERE),
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
    ("secscan", ELSEWHERE),
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
"""To a delivery of `ACCEPTED` the one change that a condition of stack prod stops, for each condition: its first."""

OWN: dict[str, tuple[str, Patch]] = {
    "a comment with its own token": ("ic", {"comment__user__login": "my-agent"}),
    "a comment as its App": ("ic", {"comment__user__login": "my-agent-app[bot]", "comment__user__type": "Bot"}),
    "a comment by its App for a member": ("ic", {"comment__performed_via_github_app": {"slug": "my-agent-app"}}),
    "an answer on a line of a pull request": ("prc", {"comment__user__login": "my-agent"}),
    "an issue with its own token": ("issues", {"issue__user__login": "my-agent"}),
    "an issue as its App": ("issues", {"issue__user__login": "my-agent-app[bot]", "issue__user__type": "Bot"}),
    "its red branch": ("wr", {"workflow_run__head_branch": "agent/fix"}),
    "its red push to another branch": ("wr", {"workflow_run__actor__login": "my-agent"}),
    "its App's red push to another branch": ("wr", {"workflow_run__actor__login": "my-agent-app[bot]"}),
    "a person's red run that it ran again": ("wr", {"workflow_run__triggering_actor__login": "my-agent-app[bot]"}),
    "a red check of its branch": ("cr", {"check_run__check_suite__head_branch": "agent/fix"}),
    "a red check of its push": ("cr", {"sender__login": "my-agent-app[bot]"}),
    "a scan of its branch": ("secscan", {"workflow_run__head_branch": "agent/fix"}),
    "an alert in its branch": ("codescan", {"ref": "refs/heads/agent/fix"}),
}
"""What the agents of stack prod do themselves."""


def of_prod() -> Iterator[Question]:
    """What stack prod is asked: what it accepts, and what each condition and the agents' own doing stops."""
    for name, payload in ACCEPTED.items():
        yield Question(
            name=f"prod: {name}",
            why="it passes every guard",
            payload=payload,
            fires={name: Started()},
        )
        if "repository" in payload.body:
            spelled = {path: "My-ORG/API" for path, value in FITS_PROD[name].items() if value == REPOSITORY}
            yield Question(
                name=f"prod: {name} in My-ORG/API",
                why="GitHub's names are the same in any letter case",
                payload=payload.but(**spelled),
                fires={name: Started()},
            )
    for login in ("my-agent", "My-Agent-App[bot]"):
        yield Question(
            name=f"prod: pull request of {login}",
            why="the agents' own pull requests are validated, whatever they are to the repository",
            payload=ACCEPTED["pr"].but(pull_request__user__login=login, pull_request__author_association="NONE"),
            fires={"pr": Started()},
        )
    for number in (1, 2, 10, 1_000_000, 2**31):
        chosen = zlib.adler32(f"{REPOSITORY}#{number}".encode()) % 5
        yield Question(
            name=f"prod: pull request {number}",
            why="one Workflow at a time for each pull request, five together",
            payload=ACCEPTED["pr"].but(number=number),
            fires={"pr": Started(mutex=f"pr-validation-{chosen}")},
        )
    elsewhere = [(name, {"repository__full_name": "my-orga/api"}) for name in ACCEPTED if name != "secadv"]
    by_app = [
        (name, {path: "my-agent-app[bot]"})
        for name, path in (
            ("ic", "comment__user__login"),
            ("prc", "comment__user__login"),
            ("secscan", "workflow_run__actor__login"),
            ("secscan", "workflow_run__triggering_actor__login"),
        )
    ]
    for name, patch in (*STOPPED, *OWN.values(), *elsewhere, *by_app):
        yield Question(
            name=f"prod: {name} {json.dumps(patch)}",
            why="one condition stops what meets all others",
            payload=ACCEPTED[name].but(**patch),
        )


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

    def questions(self) -> Iterator[Question]:
        """What it lets pass and stops, asked of a stack with its settings."""
        for patch in (*self.passes, *self.stops):
            yield Question(
                name=f"{self.name}: {json.dumps(patch)}",
                why="the setting's words",
                payload=KNOWN[self.of].but(**patch),
                fires={self.of: Started()} if patch in self.passes else {},
            )


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
        ]
        + associations("pr", "OWNER", "MEMBER", "COLLABORATOR"),
        [
            {"pull_request__author_association": "NONE", "pull_request__user__login": login}
            for login in ("my-agent2", "not-my-agent", "my-app", "OWNER", '","OWNER', None)
        ]
        + associations("pr", "CONTRIBUTOR", *STRANGERS)
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
        [{"comment__user__login": login} for login in ("my-agent", "Robot_acme", "My-App[bot]")],
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
            {"issue__user__login": "ROBOT_acme"},
            {"issue__user__login": "my-app[bot]"},
            {"issue__performed_via_github_app": {"slug": "my-app"}},
            {"issue__performed_via_github_app": {"slug": "MY-app"}},
        ],
    ),
    Guard(
        "repoadv",
        {"neverAnswered": AGENTS, "securityEvents": ["repository_advisory"]},
        [
            {"repository_advisory__author": None},
            {"repository_advisory__author__login": "my-agent2"},
            {"action": "published"},
        ],
        [{"repository_advisory__author__login": login} for login in ("my-agent", "robot_acme", "My-App[bot]")]
        + [{"action": "edited"}],
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
        [{"check_run__app__slug": "github-actions"}, {"check_run__app__slug": "GitHub-Actions"}],
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
                {"repository": None},
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
        [{"ref": f"refs/{ref}"} for ref in ("heads/agent/x", "heads/Agent/x/y", "pull/1/merge", "pull/1/head")],
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


# --- What a further event carries


def of_alerts() -> Iterator[Question]:
    """What a stack is asked that takes every further event, and has no guard."""
    nothing = {"owner": "", "repo": "", "agent": "security"}
    for name, payload in alerts().items():
        where, sender = payload.body["repository"], payload.body["sender"]["login"]
        names = {"owner": where["owner"]["login"], "repo": where["name"]}
        page = (payload.body.get("alert") or payload.body["repository_advisory"])["html_url"]
        told = {"sender": sender, "url": page, "sha": "", "ref": "", "delivery": DELIVERY_ID, "reduced": ""}
        if name == "codescan":
            told |= {"sha": payload.body["commit_oid"], "ref": payload.body["ref"]}
        labels = {
            "route": "github-security-to-agent",
            "event": payload.event,
            "repository": where["full_name"].replace("/", "."),
            "agent": "security",
        }
        yield Question(
            name=f"{name}: all that it carries",
            why="its repository, its page and where it is, by the contract",
            payload=payload,
            fires={
                name: Started(
                    parameters=CODERUN | nothing | names,
                    labels=labels,
                    annotations=told,
                    name=f"coderun-security-{DELIVERY_ID}",
                )
            },
        )
        least = {"action": payload.body["action"]} | ({"ref": "refs/heads/main"} if name == "codescan" else {})
        empty = dict.fromkeys(told, "") | ({"ref": "refs/heads/main"} if name == "codescan" else {})
        yield Question(
            name=f"{name}: the least",
            why="absent is empty, never a lost delivery",
            payload=Payload(payload.event, least),
            delivery_id="",
            fires={
                name: Started(
                    parameters=CODERUN | nothing,
                    labels={"repository": ""},
                    annotations=empty,
                    name=f"coderun-security-{hashed(payload.event, least)}",
                )
            },
        )
        for event in (f"x{payload.event}", f"{payload.event}x"):
            yield Question(
                name=f"{name}: its body as {event}",
                why="the header says what a delivery is, whole",
                payload=payload.sent_as(event),
            )
        patch: Patch = {"sender__login": "x{", "repository__name": "y{", "repository__owner__login": "z{"}
        subject = "repository_advisory" if name == "repoadv" else "alert"
        patch |= {f"{subject}__html_url": "u{"} | ({"ref": "r{", "commit_oid": "c{"} if name == "codescan" else {})
        live = {"sender": "x{ ", "url": "u{ "} | ({"ref": "r{ ", "sha": "c{ "} if name == "codescan" else {})
        yield Question(
            name=f"{name}: a brace at the end of each text",
            why="it meets what a template author writes next",
            payload=payload.but(**patch),
            delivery_id="d{",
            fires={
                name: Started(
                    parameters=CODERUN | nothing | {"owner": "z{ ", "repo": "y{ "},
                    annotations=live | {"delivery": "d{ "},
                )
            },
        )
    for ref in ("refs/pull/1/merge", "refs/pull/7/head"):
        yield Question(
            name=f"codescan: in {ref}",
            why="a pull request's alerts are its validation's",
            payload=alerts()["codescan"].but(ref=ref),
        )
    yield Question(
        name="codescan: the ref null",
        why="what is nowhere is not in a pull request either; absent is empty",
        payload=alerts()["codescan"].but(ref=None),
        fires={"codescan": Started(annotations={"ref": ""})},
    )
