"""The edges of the route table and of the contract: each a patch on a delivery of GitHub's, with its reason.

What a case does not name must not fire. All expectations are written by hand, from the requirements and design: none
is what the engine happened to say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from payloads import Body, Payload, acted, example, one_of_each
from routes.manifests import Manifest
from tests.engine.asking import DELIVERY_ID, Question, Started

BASE = one_of_each()

CODERTOCAT = {"owner": "Codertocat", "repo": "Hello-World"}
OCTO = {"owner": "octo-org", "repo": "octo-repo"}
CODERUN = {"pr": "", "issue": "", "branch": "", "includeComments": "", "commentBody": "", "taskId": ""}

PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "pr": CODERTOCAT | {"pr": "2", "branch": "changes", "taskId": ""},
    "ic": CODERTOCAT
    | CODERUN
    | {
        "issue": "1",
        "agent": "rex",
        "includeComments": "true",
        "commentBody": "You are totally right! I'll get this fixed right away.",
    },
    "prc": CODERTOCAT
    | CODERUN
    | {
        "pr": "2",
        "branch": "changes",
        "agent": "rex",
        "includeComments": "true",
        "commentBody": "Maybe you should use more emoji on this line.",
    },
    "wr": OCTO | CODERUN | {"agent": "triage"},
    "cr": CODERTOCAT | CODERUN | {"agent": "triage"},
    "issues": CODERTOCAT | {"issue": "1", "agent": "rex", "taskId": ""},
    "secadv": {"owner": "", "repo": ""} | CODERUN | {"agent": "security"},
    "secscan": OCTO | CODERUN | {"agent": "security"},
    "push": CODERTOCAT | {"pr": "", "branch": "refs/heads/master", "taskId": ""},
    "merged": CODERTOCAT | {"pr": "2", "branch": "changes", "taskId": ""},
}
"""Every parameter but `event` of the Workflow that `one_of_each` starts, by dependency."""


def by(
    dependency: str,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **parameters: str,
) -> dict[str, Started]:
    """That a dependency fires, with the parameters of `one_of_each` but for these."""
    return started(dependency, parameters, labels=labels, annotations=annotations)


def started(
    dependency: str,
    parameters: Mapping[str, str],
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Started]:
    """As `by`, of parameters whose names are data."""
    return {
        dependency: Started(
            parameters={**PARAMETERS[dependency], **parameters}, labels=labels or {}, annotations=annotations or {}
        )
    }


def short(text: object) -> str:
    """What a case is called after."""
    told = repr(text)
    return told if len(told) < 60 else f"{told[:30]}…{told[-10:]}, {len(told) - 2} long"


def named(started: Mapping[str, Started], name: str) -> dict[str, Started]:
    """The same under an exact name."""
    return {dependency: replace(expected, name=name) for dependency, expected in started.items()}


NOTHING: dict[str, Started] = {}


# --- One of each, whole

WHOLE: Mapping[str, tuple[str, str, str, str, dict[str, str], dict[str, str]]] = {
    # Sensor, WorkflowTemplate, semaphore, beginning of the name, labels, annotations
    "pr": (
        "github-pr-to-pr-validation",
        "pr-validation",
        "pr-validation",
        "pr-validation",
        {"event": "pull_request", "repository": "Codertocat.Hello-World", "pr": "2"},
        {
            "sender": "Codertocat",
            "sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
            "ref": "changes",
            "url": "https://github.com/Codertocat/Hello-World/pull/2",
        },
    ),
    "ic": (
        "github-issue-comment-to-rex",
        "coderun-template",
        "coderun",
        "coderun-rex",
        {"event": "issue_comment", "repository": "Codertocat.Hello-World", "pr": "", "issue": "1", "agent": "rex"},
        {
            "sender": "Codertocat",
            "sha": "",
            "ref": "",
            "url": "https://github.com/Codertocat/Hello-World/issues/1#issuecomment-492700400",
        },
    ),
    "prc": (
        "github-pr-review-comment-to-rex",
        "coderun-template",
        "coderun",
        "coderun-rex",
        {"event": "pull_request_review_comment", "repository": "Codertocat.Hello-World", "pr": "2", "agent": "rex"},
        {
            "sender": "Codertocat",
            "sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
            "ref": "changes",
            "url": "https://github.com/Codertocat/Hello-World/pull/2#discussion_r284312630",
        },
    ),
    "wr": (
        "github-ci-failures-to-triage",
        "coderun-template",
        "coderun",
        "coderun-triage",
        {"event": "workflow_run", "repository": "octo-org.octo-repo", "agent": "triage"},
        {
            "sender": "Codertocat",
            "sha": "3484a3fb816e0859fd6e1cea078d76385ff50625",
            "ref": "master",
            "url": "https://github.com/octo-org/octo-repo/actions/runs/289782451",
        },
    ),
    "cr": (
        "github-ci-failures-to-triage",
        "coderun-template",
        "coderun",
        "coderun-triage",
        {"event": "check_run", "repository": "Codertocat.Hello-World", "agent": "triage"},
        {
            "sender": "Codertocat",
            "sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
            "ref": "changes",
            "url": "https://github.com/Codertocat/Hello-World/runs/128620228",
        },
    ),
    "issues": (
        "github-issues-to-implementation",
        "implementation",
        "implementation",
        "implementation",
        {"event": "issues", "repository": "Codertocat.Hello-World", "issue": "1", "agent": "rex"},
        {
            "sender": "Codertocat",
            "sha": "",
            "ref": "",
            "url": "https://github.com/Codertocat/Hello-World/issues/1",
        },
    ),
    "secadv": (
        "github-security-to-agent",
        "coderun-template",
        "coderun",
        "coderun-security",
        {"event": "security_advisory", "repository": "", "agent": "security"},
        {"sender": "", "sha": "", "ref": "", "url": ""},
    ),
    "secscan": (
        "github-security-to-agent",
        "coderun-template",
        "coderun",
        "coderun-security",
        {"event": "workflow_run", "repository": "octo-org.octo-repo", "agent": "security"},
        {
            "sender": "Codertocat",
            "sha": "3484a3fb816e0859fd6e1cea078d76385ff50625",
            "ref": "master",
            "url": "https://github.com/octo-org/octo-repo/actions/runs/289782451",
        },
    ),
    "push": (
        "github-push-merge-to-orchestrator",
        "orchestrator-resume-close",
        "orchestrator",
        "orchestrator",
        {"event": "push", "repository": "Codertocat.Hello-World", "pr": ""},
        {
            "sender": "Codertocat",
            "sha": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
            "ref": "refs/heads/master",
            "url": "https://github.com/Codertocat/Hello-World/commit/6113728f27ae82c7b1a177c8d03f9e96e0adf246",
        },
    ),
    "merged": (
        "github-push-merge-to-orchestrator",
        "orchestrator-resume-close",
        "orchestrator",
        "orchestrator",
        {"event": "pull_request", "repository": "Codertocat.Hello-World", "pr": "2"},
        {
            "sender": "Codertocat",
            "sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
            "ref": "changes",
            "url": "https://github.com/Codertocat/Hello-World/pull/2",
        },
    ),
}

ORDER = {
    "pr-validation": ("event", "owner", "repo", "pr", "branch", "taskId"),
    "coderun-template": (
        *("event", "owner", "repo", "pr", "issue", "branch"),
        *("agent", "includeComments", "commentBody", "taskId"),
    ),
    "implementation": ("event", "owner", "repo", "issue", "agent", "taskId"),
    "orchestrator-resume-close": ("event", "owner", "repo", "pr", "branch", "taskId"),
}
"""The parameters of each WorkflowTemplate."""


def whole(dependency: str) -> Manifest:
    """The Workflow that `one_of_each` starts, with an empty `event`."""
    sensor, template, semaphore, beginning, labels, annotations = WHOLE[dependency]
    values = {"event": ""} | dict(PARAMETERS[dependency])
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": f"{beginning}-{DELIVERY_ID}",
            "namespace": "argo-events",
            "labels": {f"github-to-argo/{key}": value for key, value in ({"route": sensor} | labels).items()},
            "annotations": {
                f"github-to-argo/{key}": value
                for key, value in ({"delivery": DELIVERY_ID, "reduced": ""} | annotations).items()
            },
        },
        "spec": {
            "workflowTemplateRef": {"name": template},
            "arguments": {"parameters": [{"name": name, "value": values[name]} for name in ORDER[template]]},
            "synchronization": {"semaphores": [{"configMapKeyRef": {"name": "workflow-semaphores", "key": semaphore}}]},
            "serviceAccountName": "argo-workflow-runner",
            "ttlStrategy": {"secondsAfterCompletion": 345_600},
        },
    }


def complete() -> Iterator[Question]:
    for dependency, payload in BASE.items():
        yield Question(
            name=f"one of each: {dependency}",
            why="the whole Workflow, as the requirements and the contract have it",
            payload=payload,
            fires={dependency: Started(parameters=PARAMETERS[dependency], whole=whole(dependency))},
        )


# --- Which deliveries

DOCUMENTED = {
    # Every action that GitHub documents.
    "pr": (
        *("assigned", "auto_merge_disabled", "auto_merge_enabled", "closed", "converted_to_draft", "demilestoned"),
        *("dequeued", "edited", "enqueued", "labeled", "locked", "milestoned", "opened", "ready_for_review"),
        *("reopened", "review_request_removed", "review_requested", "synchronize", "unassigned", "unlabeled"),
        "unlocked",
    ),
    "issues": (
        *("assigned", "closed", "deleted", "demilestoned", "edited", "labeled", "locked", "milestoned", "opened"),
        *("pinned", "reopened", "transferred", "typed", "unassigned", "unlabeled", "unlocked", "unpinned", "untyped"),
    ),
    "ic": ("created", "deleted", "edited", "pinned", "unpinned"),
    "prc": ("created", "deleted", "edited"),
    "wr": ("completed", "in_progress", "requested"),
    "cr": ("completed", "created", "requested_action", "rerequested"),
    "secscan": ("completed", "in_progress", "requested"),
    "merged": ("closed", "opened", "edited", "synchronize"),
}
WANTED = {
    "pr": ("opened", "reopened", "synchronize", "ready_for_review"),
    "issues": ("opened",),
    "ic": ("created",),
    "prc": ("created",),
    "wr": ("completed",),
    "cr": ("completed",),
    "secscan": ("completed",),
    "merged": ("closed",),
}
NEAR = (
    *("{}ed", "re{}", "not_{}", " {}", "{} ", "{}\n", "\n{}", "{}|", "{}.", '{}"', '"{}', '["{}"]'),
    *("{}\nopened", "x\n{}\nx", "{}{}"),
)


def actions() -> Iterator[Question]:
    for dependency, documented in DOCUMENTED.items():
        wanted = WANTED[dependency]
        for action in documented:
            payload = BASE[dependency].but(action=action)
            fires = by(dependency) if action in wanted else NOTHING
            if dependency == "merged" and action in WANTED["pr"]:
                fires = by("pr")  # a body that no one sends: still the other route's
            yield Question(
                name=f"{dependency}: action {action}",
                why="an action that GitHub documents, all else as the route wants it",
                payload=payload,
                fires=fires,
            )
        near: list[object] = [
            *(form.replace("{}", action) for action in wanted for form in NEAR),
            *(action.capitalize() for action in wanted),
            *(action.upper() for action in wanted),
            *(action[:-1] for action in wanted),
            *(action[1:] for action in wanted),
            *("", None, True, 0, list(wanted), {wanted[0]: wanted[0]}, "|".join(wanted)),
        ]
        for odd in near:
            if odd not in documented:  # `reopened` is one that a pull request has
                yield Question(
                    name=f"{dependency}: action {odd!r}",
                    why="letter for letter, or not at all",
                    payload=BASE[dependency].but(action=odd),
                )
        yield Question(
            name=f"{dependency}: no action",
            why="what is missing never matches",
            payload=BASE[dependency].without("action"),
        )
    for any_action in ("published", "updated", "withdrawn", "performed", "", None):
        yield Question(
            name=f"secadv: action {any_action!r}",
            why="a security advisory is looked at whatever happens to it",
            payload=BASE["secadv"].but(action=any_action),
            fires=by("secadv"),
        )


def drafts_and_merges() -> Iterator[Question]:
    for draft in (True, None, "false", "true", 0, "", [], [False]):
        for action in WANTED["pr"]:
            yield Question(
                name=f"pr: {action}, draft {draft!r}",
                why="a draft starts nothing, nor does what is not the boolean false",
                payload=BASE["pr"].but(action=action, pull_request__draft=draft),
            )
    yield Question(
        name="pr: no draft",
        why="GitHub leaves draft out at times: what is missing never matches",
        payload=BASE["pr"].without("pull_request.draft"),
    )
    yield Question(
        name="pr: draft at the top",
        why="only the pull request's own draft counts",
        payload=BASE["pr"].but(pull_request__draft=True, draft=False),
    )
    for action in WANTED["pr"]:
        yield Question(
            name=f"pr: a real {action}",
            why="GitHub's own example of the action",
            payload=acted("pull_request", action),
            fires={"pr": Started()},
        )
    for merged in (False, None, "true", "false", 1, "", [True]):
        yield Question(
            name=f"merged: closed, merged {merged!r}",
            why="closed without a merge, or not told to be one",
            payload=BASE["merged"].but(pull_request__merged=merged),
        )
    yield Question(
        name="merged: no merged",
        why="what is missing never matches",
        payload=BASE["merged"].without("pull_request.merged"),
    )
    yield Question(
        name="merged: merged at the top",
        why="only the pull request's own merged counts",
        payload=BASE["merged"].but(pull_request__merged=False, merged=True),
    )
    for base in ("main", "release/1", "feature"):
        yield Question(
            name=f"merged: into {base}",
            why="the requirements say pull_request.merged, and of no branch",
            payload=BASE["merged"].but(pull_request__base__ref=base),
            fires=by("merged"),
        )
    yield Question(
        name="merged: a draft",
        why="whether it was a draft says nothing of a merge",
        payload=BASE["merged"].but(pull_request__draft=True),
        fires=by("merged"),
    )
    yield Question(
        name="pr: merged, and opened",
        why="only a closed pull request is a merge",
        payload=BASE["pr"].but(pull_request__merged=True),
        fires=by("pr"),
    )


CONCLUSIONS = (
    *("success", "failure", "neutral", "cancelled", "timed_out", "action_required", "stale", "skipped"),
    *("startup_failure", None),
)
FAILED = ("failure", "timed_out")


def conclusions() -> Iterator[Question]:
    for dependency, path in (("wr", "workflow_run"), ("cr", "check_run")):
        near = (
            *("Failure", "FAILURE", "failures", "failur", "ailure", "failure ", " failure", "failure\n", "failed"),
            *("timed_out_", "timed-out", "xtimed_out", "imed_out", "timed_ou", "timedXout", "failure|timed_out"),
            *('["failure"]', "", True, ["failure"]),
        )
        for conclusion in (*CONCLUSIONS, *near):
            yield Question(
                name=f"{dependency}: conclusion {conclusion!r}",
                why="failure and timed_out are triaged and nothing else",
                payload=BASE[dependency].but(**{f"{path}__conclusion": conclusion}),
                fires=by(dependency) if conclusion in FAILED else NOTHING,
            )
        yield Question(
            name=f"{dependency}: no conclusion",
            why="what is missing never matches",
            payload=BASE[dependency].without(f"{path}.conclusion"),
        )
        yield Question(
            name=f"{dependency}: a conclusion at the top",
            why="only the run's own counts",
            payload=BASE[dependency].but(**{f"{path}__conclusion": "success", "conclusion": "failure"}),
        )
        yield Question(
            name=f"{dependency}: a conclusion elsewhere",
            why="a check's conclusion says nothing of a run, nor the reverse",
            payload=BASE[dependency].but(
                **{
                    f"{path}__conclusion": "success",
                    "workflow_run" if path == "check_run" else "check_run": {"conclusion": "failure"},
                }
            ),
        )
    for conclusion in CONCLUSIONS:
        yield Question(
            name=f"secscan: conclusion {conclusion!r}",
            why="a scan is looked into whatever its result; one that failed is triaged too, the only such overlap",
            payload=BASE["secscan"].but(workflow_run__conclusion=conclusion),
            fires=by("secscan") | (by("wr") if conclusion in FAILED else NOTHING),
        )
    yield Question(
        name="wr: the conclusion of its check suite",
        why="a check's suite may have failed before",
        payload=BASE["cr"].but(check_run__conclusion="success", check_run__check_suite__conclusion="failure"),
    )


def who_comments() -> Iterator[Question]:
    for dependency in ("ic", "prc"):
        payload = BASE[dependency]
        for kind in ("User", "Organization", "Mannequin", "bot", "BOT", "Bots", "Robot", "Bot ", 'Bot"'):
            yield Question(
                name=f"{dependency}: a {kind!r} comments",
                why="whoever has a type that is not Bot, letter for letter, is answered",
                payload=payload.but(comment__user__type=kind),
                fires=by(dependency),
            )
        nobodies: tuple[object, ...] = ("Bot", None, "", True, 7, [], ["User"], {"type": "User"})
        for none in nobodies:
            yield Question(
                name=f"{dependency}: type {none!r} comments",
                why="bots are not answered, nor is what has no type",
                payload=payload.but(comment__user__type=none),
            )
        yield Question(
            name=f"{dependency}: no type comments",
            why="what is missing never matches",
            payload=payload.without("comment.user.type"),
        )
        yield Question(
            name=f"{dependency}: nobody comments",
            why="GitHub sends null for an account that is gone",
            payload=payload.but(comment__user=None),
        )
        yield Question(
            name=f"{dependency}: no user comments",
            why="what is missing never matches",
            payload=payload.without("comment.user"),
        )
        yield Question(
            name=f"{dependency}: a bot comments and a person sent it",
            why="it is the comment's author who counts, not the sender",
            payload=payload.but(comment__user__type="Bot", sender__type="User"),
        )
        yield Question(
            name=f"{dependency}: a person comments by a bot",
            why="it is the comment's author who counts, not the sender",
            payload=payload.but(sender__type="Bot"),
            fires=by(dependency),
        )
    yield Question(
        name="ic: a person comments on a bot's issue",
        why="it is the comment's author who counts, not the issue's",
        payload=BASE["ic"].but(issue__user__type="Bot"),
        fires=by("ic"),
    )
    yield Question(
        name="ic: a bot comments on a person's issue",
        why="it is the comment's author who counts, not the issue's",
        payload=BASE["ic"].but(comment__user__type="Bot", user={"type": "User"}),
    )


def what_is_commented() -> Iterator[Question]:
    link = {"url": "https://api.github.com/repos/Codertocat/Hello-World/pulls/1"}
    yield Question(
        name="ic: on a pull request",
        why="then the issue's number is the pull request's",
        payload=BASE["ic"].but(issue__pull_request=link),
        fires=by("ic", pr="1", issue="1", labels={"pr": "1", "issue": "1"}),
    )
    yield Question(
        name="ic: on an issue with pull_request null",
        why="null is no pull request",
        payload=BASE["ic"].but(issue__pull_request=None),
        fires=by("ic", pr="", issue="1", labels={"pr": "", "issue": "1"}),
    )
    yield Question(
        name="ic: with a pull_request of its own",
        why="a comment's body has none: only the issue says what it is on",
        payload=BASE["ic"].but(pull_request={"number": 9, "head": {"ref": "x"}}),
        fires=by("ic"),
    )
    yield Question(
        name="prc: with an issue of its own",
        why="a review comment is on a pull request only",
        payload=BASE["prc"].but(issue={"number": 9}, number=9),
        fires=by("prc"),
    )
    yield Question(
        name="pr: the number at the top and in the pull request differ",
        why="the contract says `number`, the requirements' word",
        payload=BASE["pr"].but(number=7),
        fires=by("pr", pr="7", labels={"pr": "7"}),
    )
    yield Question(
        name="issues: with a number at the top",
        why="the issue's own number counts",
        payload=BASE["issues"].but(number=9),
        fires=by("issues"),
    )
    yield Question(
        name="issues: transferred here",
        why="a transferred issue arrives as opened with changes.old_issue: a new issue of this repository",
        payload=BASE["issues"].but(
            changes={"old_issue": {"number": 77, "title": "task: OLD-1"}, "old_repository": {"name": "old"}}
        ),
        fires=by("issues"),
    )
    for name in ("ic", "prc"):
        for body in (None, ""):
            yield Question(
                name=f"{name}: a comment {body!r}",
                why="nothing was said, and that is no reason to lose it",
                payload=BASE[name].but(comment__body=body),
                fires=by(name, commentBody=""),
            )
        yield Question(
            name=f"{name}: no comment body",
            why="what is missing is empty",
            payload=BASE[name].without("comment.body"),
            fires=by(name, commentBody=""),
        )
    yield Question(
        name="issues: a null body",
        why="issues need no text",
        payload=BASE["issues"].but(issue__body=None),
        fires=by("issues"),
    )


def names_of_workflows() -> Iterator[Question]:
    quiet = BASE["secscan"].but(workflow__name="Tests", workflow_run__name="Tests")
    for name in (
        *("Security", "SECURITY SCAN", "security", "scan", "Scan", "Code scanning", "Container-Scan", "scandal"),
        *("insecurity", "nightly (security)", "xSCANx", "Security\nCheck", "🐙 scan", '"scan"', "{{=1}} scan"),
    ):
        yield Question(
            name=f"secscan: a workflow {name!r}",
            why="security or scan anywhere in the name, in any case",
            payload=quiet.but(workflow__name=name),
            fires=by("secscan"),
        )
    for other in ("Tests", "secure", "s can", "sca n", "securit y", "se curity", "", None, "securit", "ecurity"):
        yield Question(
            name=f"secscan: a workflow {other!r}, its run a Security Scan",
            why="where there is a workflow, only its name counts: a run's title is text a stranger may have chosen",
            payload=quiet.but(workflow__name=other, workflow_run__name="Security Scan"),
        )
    for name in ("Security Scan", "security"):
        yield Question(
            name=f"secscan: no workflow, its run {name!r}",
            why="without a workflow the run's name is all there is",
            payload=quiet.but(workflow=None, workflow_run__name=name),
            fires=by("secscan"),
        )
        yield Question(
            name=f"secscan: the workflow is missing, its run {name!r}",
            why="without a workflow the run's name is all there is",
            payload=quiet.but(workflow_run__name=name).without("workflow"),
            fires=by("secscan"),
        )
        yield Question(
            name=f"secscan: a workflow without name, its run {name!r}",
            why="the first of the two that the body has",
            payload=quiet.but(workflow_run__name=name).without("workflow.name"),
            fires=by("secscan"),
        )
    runs: tuple[str | None, ...] = ("", None, "Tests")
    for run in runs:
        yield Question(
            name=f"secscan: no workflow, its run {run!r}",
            why="no name is no security scan",
            payload=quiet.but(workflow=None, workflow_run__name=run),
        )
    yield Question(
        name="secscan: neither a workflow nor a run's name",
        why="what is missing never matches",
        payload=quiet.but(workflow=None, workflow_run__head_branch="security-scan").without("workflow_run.name"),
    )
    yield Question(
        name="secscan: security elsewhere",
        why="neither the title, nor the path, nor the repository makes it a scan",
        payload=quiet.but(
            name="scan",
            workflow_run__display_title="Security scan",
            workflow_run__path=".github/workflows/scan.yml",
            workflow_run__head_branch="security-scan",
            repository__name="security-scan",
        ),
    )
    yield Question(
        name="secscan: a failed Security Scan",
        why="it is both: triaged as a failure and looked into as a scan, the only such overlap",
        payload=quiet.but(workflow__name="Security Scan", workflow_run__conclusion="failure"),
        fires=by("secscan") | by("wr"),
    )
    yield Question(
        name="cr: a check called Security Scan",
        why="only workflow runs are scans",
        payload=BASE["cr"].but(check_run__name="Security Scan", check_run__conclusion="success"),
    )


def pushes() -> Iterator[Question]:
    push = BASE["push"]
    elsewhere = push.but(repository__default_branch="trunk")
    for name in ("main", "master", "trunk"):
        yield Question(
            name=f"push: to {name}, the default is trunk",
            why="main, master and the default branch",
            payload=elsewhere.but(ref=f"refs/heads/{name}"),
            fires=by("push", branch=f"refs/heads/{name}", annotations={"ref": f"refs/heads/{name}"}),
        )
        yield Question(
            name=f"push: {name} deleted",
            why="there is nothing on it to go on with",
            payload=elsewhere.but(ref=f"refs/heads/{name}", deleted=True, head_commit=None, after="0" * 40, commits=[]),
        )
    for ref in (
        *("refs/heads/main-old", "refs/heads/feature/main", "refs/heads/refs/heads/main", "refs/heads/Main"),
        *("refs/heads/MAIN", "refs/heads/mai", "refs/heads/ain", "refs/heads/mainmaster", "refs/heads/", "refs/heads"),
        *("refs/heads/master2", "refs/heads/xmaster", "refs/heads/Master", "refs/heads/trunk2", "refs/heads/Trunk"),
        *("refs/tags/main", "refs/tags/master", "refs/tags/trunk", "refs/tags/v1", "main", "master", "trunk"),
        *("/refs/heads/main", "refs/heads/main ", " refs/heads/main", "refs/heads/main\n", "xrefs/heads/main", ""),
        *("refs/heads/gh-readonly-queue/main/pr-7-0123456789abcdef", "refs/heads/dependabot/npm/main", "refs/pull/7"),
        *("refs/heads/main|master", "refs/heads/*", "refs/heads/main' || 'a' == 'a", "' || true || '"),
    ):
        yield Question(
            name=f"push: to {ref!r}, the default is trunk",
            why="a ref that only looks like one of them",
            payload=elsewhere.but(ref=ref),
        )
    no_refs: tuple[object, ...] = (None, 7, True, [], ["refs/heads/main"], {"ref": "refs/heads/main"})
    for none in no_refs:
        yield Question(
            name=f"push: the ref {none!r}",
            why="what is no text never matches, and is no error either",
            payload=push.but(ref=none),
        )
    yield Question(name="push: no ref", why="what is missing never matches", payload=push.without("ref"))
    no_names: tuple[object, ...] = (None, "", 7, True, [], {"name": "master"})
    for default in no_names:
        yield Question(
            name=f"push: to feature, the default {default!r}",
            why="what is no name never matches, and is no error either",
            payload=push.but(ref="refs/heads/feature", repository__default_branch=default),
        )
        yield Question(
            name=f"push: to main, the default {default!r}",
            why="main does not need a default branch",
            payload=push.but(ref="refs/heads/main", repository__default_branch=default),
            fires=by("push", branch="refs/heads/main"),
        )
    yield Question(
        name="push: to refs/heads/ with an empty default",
        why="no branch is called nothing",
        payload=push.but(ref="refs/heads/", repository__default_branch=None),
    )
    yield Question(
        name="push: to feature, no default",
        why="what is missing never matches",
        payload=push.but(ref="refs/heads/feature").without("repository.default_branch"),
    )
    yield Question(
        name="push: to main, no default",
        why="main does not need a default branch",
        payload=push.but(ref="refs/heads/main").without("repository.default_branch"),
        fires=by("push", branch="refs/heads/main"),
    )
    for base in ("refs/heads/main", "refs/heads/master", "master"):
        yield Question(
            name=f"push: a new branch cut from {base}",
            why="base_ref says where it was cut, not what was pushed",
            payload=push.but(ref="refs/heads/feature", base_ref=base, created=True),
        )
    yield Question(
        name="push: a branch called as the repository's master_branch",
        why="GitHub's old name for it, which may be stale: only default_branch counts",
        payload=push.but(ref="refs/heads/old", repository__master_branch="old", default_branch="old"),
    )
    yield Question(
        name="push: a default branch with a slash",
        why="it is a branch as any other",
        payload=push.but(ref="refs/heads/release/2.x", repository__default_branch="release/2.x"),
        fires=by("push", branch="refs/heads/release/2.x"),
    )
    for deleted in (True, None, "false", 0, "", [False]):
        yield Question(
            name=f"push: deleted {deleted!r}",
            why="only the boolean false is no deletion",
            payload=push.but(deleted=deleted),
        )
    yield Question(name="push: no deleted", why="what is missing never matches", payload=push.without("deleted"))
    yield Question(
        name="push: a forced one",
        why="what reached the branch counts, however",
        payload=push.but(forced=True),
        fires=by("push"),
    )
    yield Question(
        name="push: a tag, GitHub's own example",
        why="a tag is no branch",
        payload=example("push", lambda body: body["ref"].startswith("refs/tags/")),
    )


def what_is_missing() -> Iterator[Question]:
    for dependency, payload in BASE.items():
        if "repository" not in payload.body:
            continue
        nowhere = {"owner": "", "repo": ""}
        for name, without in (
            ("no repository", payload.without("repository")),
            ("repository null", payload.but(repository=None)),
        ):
            # master is the default branch of this push, and a name that counts by itself.
            yield Question(
                name=f"{dependency}: {name}",
                why="a delivery without a repository is not lost: owner and repo are empty",
                payload=without,
                fires=started(dependency, nowhere, labels={"repository": ""}),
            )
        yield Question(
            name=f"{dependency}: the owner null",
            why="absent is empty, never null",
            payload=payload.but(repository__owner=None),
            fires=by(dependency, owner=""),
        )
        for name, without in (
            ("no sender", payload.without("sender")),
            ("sender null", payload.but(sender=None)),
            ("no login of the sender", payload.without("sender.login")),
        ):
            yield Question(
                name=f"{dependency}: {name}",
                why="who caused it is a note and no condition",
                payload=without,
                fires=by(dependency, annotations={"sender": ""}),
            )
    for dependency in ("pr", "prc", "merged"):
        yield Question(
            name=f"{dependency}: the fork is deleted",
            why="GitHub sends head.repo null then; the branch still has its name",
            payload=BASE[dependency].but(pull_request__head__repo=None, pull_request__head__user=None),
            fires=by(dependency),
        )
        yield Question(
            name=f"{dependency}: from a fork",
            why="owner and repo are where the pull request is, not where it comes from",
            payload=BASE[dependency].but(
                pull_request__head__repo={"full_name": "stranger/fork", "name": "fork", "fork": True},
                pull_request__head__ref="main",
            ),
            fires=by(dependency, branch="main"),
        )
        yield Question(
            name=f"{dependency}: no head",
            why="absent is empty, never a lost delivery",
            payload=BASE[dependency].but(pull_request__head=None),
            fires=by(dependency, branch="", annotations={"sha": "", "ref": ""}),
        )
    for dependency, path in (("wr", "workflow_run.head_branch"), ("secscan", "workflow_run.head_branch")):
        yield Question(
            name=f"{dependency}: the head branch null",
            why="GitHub sends null for a run of a branch that is gone",
            payload=BASE[dependency].but(**{path.replace(".", "__"): None, "workflow_run__actor": None}),
            fires=by(dependency, annotations={"ref": ""}),
        )
    empties: tuple[tuple[str, object], ...] = (("app", None), ("check_suite", None), ("pull_requests", []))
    for key, value in empties:
        yield Question(
            name=f"cr: {key} {value}",
            why="GitHub sends it so for checks of others",
            payload=BASE["cr"].but(**{f"check_run__{key}": value}),
            fires=by("cr", annotations={"ref": ""} if key == "check_suite" else {}),
        )
    yield Question(
        name="secadv: with a repository",
        why="no advisory has one; if it had, it would be told",
        payload=BASE["secadv"].but(repository=BASE["pr"].body["repository"]),
        fires=started("secadv", CODERTOCAT, labels={"repository": "Codertocat.Hello-World"}),
    )
    yield Question(
        name="secadv: a brace at the end of its sender and its repository",
        why="it meets what a template author writes next",
        payload=BASE["secadv"].but(sender={"login": "x{"}, repository={"name": "y{", "owner": {"login": "z{"}}),
        fires=by("secadv", owner="z{ ", repo="y{ ", annotations={"sender": "x{ "}),
    )
    yield Question(
        name="secadv: nothing at all",
        why="the event alone makes it one",
        payload=Payload("security_advisory", {}),
        fires=by("secadv"),
    )
    for dependency in ("pr", "merged", "prc", "ic", "issues"):
        path = "issue.title" if dependency in ("ic", "issues") else "pull_request.title"
        for title in (None, "", 7):
            yield Question(
                name=f"{dependency}: the title {title!r}",
                why="no title, no task",
                payload=BASE[dependency].but(**{path.replace(".", "__"): title}),
                fires=by(dependency),
            )
        yield Question(
            name=f"{dependency}: no title",
            why="no title, no task",
            payload=BASE[dependency].without(path),
            fires=by(dependency),
        )


CONTAINING = {
    "pr": (
        *("pull_request_review", "pull_request_review_comment", "pull_request_review_thread", "pull_request_target"),
        *("xpull_request", "Pull_request", "PULL_REQUEST", "pull_reques", "ull_request"),
    ),
    "issues": ("issue_comment", "issue", "issues_x", "sub_issues", "issue_dependencies", "ssues", "Issues"),
    "ic": ("issues", "issue_comments", "commit_comment", "discussion_comment", "xissue_comment", "issue_commen"),
    "prc": (
        *("pull_request", "pull_request_review", "pull_request_review_thread", "pull_request_review_comments"),
        *("xpull_request_review_comment", "commit_comment", "discussion_comment"),
    ),
    "wr": ("workflow_job", "workflow_dispatch", "workflow_runs", "xworkflow_run", "workflow_ru", "check_run"),
    "cr": ("check_suite", "check_runs", "xcheck_run", "check_ru", "workflow_run", "check_run_x"),
    "secadv": (
        *("repository_advisory", "security_and_analysis", "security_advisory_x", "xsecurity_advisory", "security"),
        *("security_advisor", "repository_vulnerability_alert", "code_scanning_alert", "secret_scanning_alert"),
        "dependabot_alert",
    ),
    "secscan": ("workflow_job", "workflow_dispatch", "workflow_runs", "xworkflow_run", "workflow_ru"),
    "push": ("xpush", "pushed", "pus", "ush", "Push", "create", "delete", "package", "page_build"),
    "merged": ("pull_request_review", "pull_request_review_thread", "pull_request_target", "xpull_request"),
}


def events_that_contain_each_other() -> Iterator[Question]:
    for dependency, events in CONTAINING.items():
        for event in (*events, "", "ping", "meta"):
            yield Question(
                name=f"{dependency}: its body as {event or 'no event'}",
                why="the header says what a delivery is, whole; its body never does",
                payload=BASE[dependency].sent_as(event),
            )
    yield Question(
        name="pr: a body that names itself push",
        why="what the EventSource writes into the body is the header's",
        payload=BASE["pr"].but(**{"X-GitHub-Event": "push"}).sent_as("ping"),
    )


# --- What they carry

TASKS: tuple[tuple[str, str], ...] = (
    ("task: T-7", "T-7"),
    ("Task #12", "12"),
    ("TASK ID: abc_9", "abc_9"),
    ("TaskID: T-7", "T-7"),
    ("task-id: 42", "42"),
    ("task_id:42", "42"),
    ("Task Id # 4", "4"),
    ("taskid: z", "z"),
    ("task:x", "x"),
    ("task#x", "x"),
    ("task :7", "7"),
    ("task \t : \t 7", "7"),
    ("task:: #7", "7"),
    ("task #: 9", "9"),
    ("task:\tT-7", "T-7"),
    ("task : T-8", "T-8"),
    ("please do task 42 now", "42"),
    ("task  42", "42"),
    ("task-42", "42"),
    ("task-id-9", "9"),
    ("task_id 9", "9"),
    ("taskID 77", "77"),
    ("task id T-7", "T-7"),
    ("task id 5", "5"),
    ("task-id T-7", "T-7"),
    ("task v2", "v2"),
    ("task 7up", "7up"),
    ("task x-1-y", "x-1-y"),
    ("task a_1", "a_1"),
    ("task 7Up", "7Up"),
    ("task 4_x", "4_x"),
    ("task 7-x", "7-x"),
    ("task v22", "v22"),
    ("task A_b-C1_d-E", "A_b-C1_d-E"),
    ("task id5", "id5"),
    ("task ideas2", "ideas2"),
    ("task: T-7.", "T-7"),
    ("task: T-7-", "T-7-"),
    ("task: T_7_x", "T_7_x"),
    ("task: Zz9", "Zz9"),
    ("task: 0", "0"),
    ("task: null", "null"),
    ("task: hard", "hard"),
    ("task: fixLogin", "fixLogin"),
    ("(task: fix-login)", "fix-login"),
    ("my-task: 9", "9"),
    ("x.task: 4", "4"),
    ("https://example.com/task-7", "7"),
    ("task: 1 task: 2", "1"),
    ("see task 7, then task 8", "7"),
    ("see task is done in task 12", "12"),
    ("task: é5 task 6", "6"),
    ("first line\ntask: T-9\nlast", "T-9"),
    ("task: T{{1}}", "T"),
    ("task: " + "a" * 300, "a" * 300),
    ("this task is hard", ""),
    ("multitasking: 5", ""),
    ("multitask: 5", ""),
    ("subtask: 5", ""),
    ("sub_task: 5", ""),
    ("tasks: 5", ""),
    ("tasks 5", ""),
    ("task5", ""),
    ("taskid5", ""),
    ("task_42", ""),
    ("task: --help", ""),
    ("task: _x", ""),
    ("task -7", ""),
    ("task--7", ""),
    ("task -- 7", ""),
    ("task,7", ""),
    ("task(7)", ""),
    ("task/7", ""),
    ("task\t42", ""),
    ("task\n42", ""),
    ("task\n: 7", ""),
    ("task:\n7", ""),
    ("task\u00a07", ""),
    ("task", ""),
    ("task:", ""),
    ("task #", ""),
    ("task id", ""),
    ("task id:", ""),
    ("task force", ""),
    ("task e-mail", ""),
    ("task of 2024", ""),
    ("task idle 5", ""),
    ("task id is 9", ""),
    ("task__id: 5", ""),
    ("task  id: 5", ""),
    ("task.id: 5", ""),
    ("t ask: 5", ""),
    ("tas: 5", ""),
    ("ask: 5", ""),
    ("id: 5", ""),
    ("#5", ""),
    ("task: 日本", ""),
    ("task: {{x}}", ""),
    ("task: é5", ""),
)
"""A text, and the task id in it; empty where there is none."""


TELLING = ("Task Id # 4", "please do task 42 now", "task x-1-y", "task: hard", "this task is hard", "multitasking: 5")
"""Some of these texts: the rule is one, and looked at in full where issues are opened and commented."""


def task_ids() -> Iterator[Question]:
    for text, task in TASKS:
        why = "the rule of the contract" if task else "no task id by the rule of the contract"
        for dependency, path in (
            ("issues", "issue__title"),
            ("ic", "comment__body"),
            ("ic", "issue__title"),
            ("prc", "comment__body"),
            ("prc", "pull_request__title"),
            ("pr", "pull_request__title"),
            ("merged", "pull_request__title"),
        ):
            if (dependency, path) in (("issues", "issue__title"), ("ic", "comment__body")) or text in TELLING:
                said = {"commentBody": text.replace("{{", "{ {")} if path == "comment__body" else {}
                yield Question(
                    name=f"{dependency}: {path.replace('__', '.')} {short(text)}",
                    why=why,
                    payload=BASE[dependency].but(**{path: text}),
                    fires=started(dependency, {"taskId": task} | said),
                )
    for dependency, path in (("ic", "issue__title"), ("prc", "pull_request__title")):
        for comment, title, task in (
            ("task: C-1", "task: T-1", "C-1"),
            ("this task is hard", "task: T-1", "T-1"),
            ("", "Task #12 of many", "12"),
            (None, "task: T-1", "T-1"),
            ("task 5", "", "5"),
            ("task 5", None, "5"),
            ("no id", "nor here", ""),
        ):
            yield Question(
                name=f"{dependency}: the comment {comment!r} under the title {title!r}",
                why="the comment first, then the title",
                payload=BASE[dependency].but(comment__body=comment, **{path: title}),
                fires=by(dependency, taskId=task, commentBody=comment or ""),
            )
    yield Question(
        name="issues: a task in the body",
        why="the requirements say comment or title",
        payload=BASE["issues"].but(issue__body="task: T-1"),
        fires=by("issues"),
    )
    yield Question(
        name="ic: a task in the issue's body",
        why="the requirements say comment or title",
        payload=BASE["ic"].but(issue__body="task: T-1"),
        fires=by("ic"),
    )
    for dependency in ("pr", "prc", "merged"):
        hunk = {"comment__diff_hunk": "task: T-2"} if dependency == "prc" else {}
        yield Question(
            name=f"{dependency}: a task in the body and the branch{' and the lines' if hunk else ''}",
            why="the requirements say comment or title",
            payload=BASE[dependency].but(pull_request__body="task: T-1", pull_request__head__ref="task-7", **hunk),
            fires=by(dependency, branch="task-7"),
        )
    for dependency in ("push", "wr", "cr", "secscan", "secadv"):
        yield Question(
            name=f"{dependency}: a title with a task",
            why="there is neither comment nor title by the contract",
            payload=BASE[dependency].but(
                title="task: T-1",
                issue={"title": "task: T-1", "number": 5},
                comment={"body": "task: T-1"},
                pull_request={"title": "task: T-1", "number": 5, "head": {"ref": "x", "sha": "y"}},
            ),
            fires=by(dependency),
        )


HOSTILE: Mapping[str, tuple[str, str]] = {
    # What is sent, and what a parameter holds.
    "an expression": ("{{=1+1}}", "{ {=1+1}}"),
    "a variable": ("{{workflow.name}}", "{ {workflow.name}}"),
    "three braces": ("{{{", "{ { { "),
    "four braces": ("{{{{inputs.parameters.event}}}}", "{ { { {inputs.parameters.event}}}}"),
    "five braces": ("a{{{{{b", "a{ { { { {b"),
    "one brace": ("{a}", "{a}"),
    "braces apart": ("{ {", "{ { "),
    "a marked secret": ("${{ secrets.TOKEN }}", "${ { secrets.TOKEN }}"),
    "no value, within": ("a <no value> b", "a <no value> b"),
    "quotes": ("\"a\" 'b' `c`", "\"a\" 'b' `c`"),
    "backslashes": ("\\ \\\\ \\n \\u0041 \\{{", "\\ \\\\ \\n \\u0041 \\{ { "),
    "markup": ("<script>&amp;</script>", "<script>&amp;</script>"),
    "control characters": ("\x00\x01\x1b[31m\x7f\u0085", "\ufffd\ufffd\ufffd[31m\ufffd\u0085"),
    "all that fails a Workflow": ("\x07\x0b\x0e\x1f\U000e0067\U0010ffff", "\ufffd" * 6),
    "beyond U+FFFF": (
        "\U00010000\U0001d165\U0001d7d8\U00010100\U0001f419\b\f",
        "\U00010000\U0001d165\U0001d7d8\U00010100\U0001f419\b\f",
    ),
    "line ends": ("a\r\nb\u2028c\u2029d", "a\r\nb\u2028c\u2029d"),
    "emoji": ("🐙👩‍👩‍👧 é 日本", "🐙👩‍👩‍👧 é 日本"),
    "right to left": ("\u202eabc\u202c\ufeff", "\u202eabc\u202c\ufeff"),
    "json": ('{"a": [1, null]}', '{"a": [1, null]}'),
    "yaml": ("- a: b\n  c: !!x", "- a: b\n  c: !!x"),
    "null": ("null", "null"),
    "a number": ("12e3", "12e3"),
    "white space": ("  \t ", "  \t "),
    "a template of Go": ('{{ env "HOME" }}{{ end }}', '{ { env "HOME" }}{ { end }}'),
    "dollars": ("$1 ${1} $$ %s", "$1 ${1} $$ %s"),
    "very long": ("{{x" + "y" * 16_000, "{ {x" + "y" * 16_000),
}


PLACES: Mapping[str, tuple[str, ...]] = {
    # Where people write what they like, besides the repository and the sender.
    "pr": ("pull_request.title", "pull_request.body", "pull_request.head.ref"),
    "ic": ("comment.body", "issue.title", "issue.body"),
    "prc": ("comment.body", "pull_request.title", "pull_request.head.ref"),
    "wr": ("workflow_run.name", "workflow_run.head_branch"),
    "cr": ("check_run.name", "check_run.check_suite.head_branch"),
    "issues": ("issue.title", "issue.body"),
    "secadv": ("security_advisory.summary", "security_advisory.description"),
    "secscan": ("workflow_run.name", "workflow_run.head_branch"),
    "push": ("repository.default_branch", "ref"),
    "merged": ("pull_request.title", "pull_request.body", "pull_request.head.ref"),
}
CARRIED = {"pr": ("branch",), "ic": ("commentBody",), "prc": ("commentBody", "branch"), "merged": ("branch",)}
"""Parameters that hold the text of one of these places."""

PULL_REQUEST = {"sender": "sender.login", "sha": "pull_request.head.sha", "ref": "pull_request.head.ref"}
RUN = {
    "sender": "sender.login",
    "sha": "workflow_run.head_sha",
    "ref": "workflow_run.head_branch",
    "url": "workflow_run.html_url",
}
NOTES: Mapping[str, Mapping[str, str]] = {
    # Where the text of each annotation stands in the delivery.
    "pr": PULL_REQUEST | {"url": "pull_request.html_url"},
    "ic": {"sender": "sender.login", "url": "comment.html_url"},
    "prc": PULL_REQUEST | {"url": "comment.html_url"},
    "wr": RUN,
    "cr": {
        "sender": "sender.login",
        "sha": "check_run.head_sha",
        "ref": "check_run.check_suite.head_branch",
        "url": "check_run.html_url",
    },
    "issues": {"sender": "sender.login", "url": "issue.html_url"},
    "secadv": {},
    "secscan": RUN,
    "push": {"sender": "sender.login", "sha": "after", "ref": "ref", "url": "compare"},
    "merged": PULL_REQUEST | {"url": "pull_request.html_url"},
}


def hostile_text() -> Iterator[Question]:
    why = "payload text is data: nothing in it is live, and nothing of it is lost"
    for name, (text, shown) in HOSTILE.items():
        for dependency, payload in BASE.items():
            patch = dict.fromkeys((place.replace(".", "__") for place in PLACES[dependency]), text)
            parameters = dict.fromkeys(CARRIED.get(dependency, ()), shown)
            ref = shown
            if dependency == "push":
                patch["ref"] = f"refs/heads/{text}"
                parameters["branch"] = ref = f"refs/heads/{shown}"
            notes = {note: ref if note == "ref" else shown for note in NOTES[dependency]}
            patch = dict.fromkeys((path.replace(".", "__") for path in NOTES[dependency].values()), text) | patch
            if dependency != "secadv":
                patch |= dict.fromkeys(("repository__name", "repository__owner__login", "repository__full_name"), text)
                parameters |= {"owner": shown, "repo": shown}
            yield Question(
                name=f"{dependency}: {name}, wherever someone may write",
                why=why,
                payload=payload.but(**patch),
                fires=started(dependency, parameters, annotations=notes),
            )
    for dependency in ("ic", "prc"):
        yield Question(
            name=f"{dependency}: a comment that is just <no value>",
            why="the engine takes this very text for no text; with a blank before it, it is one",
            payload=BASE[dependency].but(comment__body="<no value>"),
            fires=by(dependency, commentBody=" <no value>"),
        )
    for dependency in ("pr", "prc", "merged"):
        yield Question(
            name=f"{dependency}: names that are just <no value>",
            why="the engine takes this very text for none: neither git nor GitHub lets anything be called so",
            payload=BASE[dependency].but(
                pull_request__head__ref="<no value>", repository__name="<no value>", sender__login="<no value>"
            ),
            fires=by(dependency, branch="", repo="", annotations={"ref": "", "sender": ""}),
        )
    for dependency, payload in BASE.items():
        yield Question(
            name=f"{dependency}: keys that are live",
            why="keys are text too",
            payload=payload.but(**{"{{=1+1}}": {"{{{x": ["{{y}}", {"{{": "{{{{"}]}}),
            fires=by(dependency),
        )


def numbers() -> Iterator[Question]:
    for number, text in ((1_000_000, "1000000"), (2**31, "2147483648"), (123_456_789, "123456789")):
        for dependency, path, parameter in (
            ("pr", "number", "pr"),
            ("merged", "number", "pr"),
            ("prc", "pull_request__number", "pr"),
            ("issues", "issue__number", "issue"),
            ("ic", "issue__number", "issue"),
        ):
            yield Question(
                name=f"{dependency}: number {number}",
                why="to the template a number is a float, which would be written 1e+06",
                payload=BASE[dependency].but(**{path: number}),
                fires=started(dependency, {parameter: text}, labels={parameter: text}),
            )
    for dependency, path, parameter in (
        ("pr", "number", "pr"),
        ("merged", "number", "pr"),
        ("prc", "pull_request.number", "pr"),
        ("issues", "issue.number", "issue"),
        ("ic", "issue.number", "issue"),
    ):
        for name, payload in (
            ("null", BASE[dependency].but(**{path.replace(".", "__"): None})),
            ("missing", BASE[dependency].without(path)),
        ):
            yield Question(
                name=f"{dependency}: number {name}",
                why="absent is empty, never a lost delivery",
                payload=payload,
                fires=started(dependency, {parameter: ""}, labels={parameter: ""}),
            )
        for nothing in (-1, 0.5, 0, "abc"):
            yield Question(
                name=f"{dependency}: number {nothing!r}",
                why="no pull request and no issue has it: a label with a minus would fail the Workflow",
                payload=BASE[dependency].but(**{path.replace(".", "__"): nothing}),
                fires=started(dependency, {parameter: ""}, labels={parameter: ""}),
            )
    on_one = {"url": "https://api.github.com/repos/Codertocat/Hello-World/pulls/1000000"}
    for sent, text in ((1_000_000, "1000000"), (1, "1"), (0.5, "")):
        yield Question(
            name=f"ic: on pull request {sent}",
            why="then the issue's number is the pull request's",
            payload=BASE["ic"].but(issue__pull_request=on_one, issue__number=sent),
            fires=by("ic", pr=text, issue=text, labels={"pr": text, "issue": text}),
        )
    yield Question(
        name="ic: numbers where texts are",
        why="all values are texts",
        payload=BASE["ic"].but(comment__body=7, repository__name=8, sender__login=9),
        fires=by("ic", commentBody="7", repo="8", annotations={"sender": "9"}),
    )
    for value in (2**53, 2**53 + 1, 2**63 - 1, 2**64 + 1, -(2**53) - 1, 0.5, 1e300, -0.0, 1.0):
        for dependency in BASE:
            yield Question(
                name=f"{dependency}: a value {value}",
                why="ids above 2^53 are rounded by the EventSource, to what a float has; nothing else is",
                payload=BASE[dependency].but(installation={"id": value}),
                fires=by(dependency),
            )


LEAST: Mapping[str, Body] = {
    # Nothing but what the filters look at.
    "pr": {"action": "opened", "pull_request": {"draft": False}},
    "ic": {"action": "created", "comment": {"user": {"type": "User"}}},
    "prc": {"action": "created", "comment": {"user": {"type": "User"}}},
    "wr": {"action": "completed", "workflow_run": {"conclusion": "failure"}},
    "cr": {"action": "completed", "check_run": {"conclusion": "failure"}},
    "issues": {"action": "opened"},
    "secadv": {},
    "secscan": {"action": "completed", "workflow": {"name": "scan"}},
    "push": {"deleted": False, "ref": "refs/heads/main"},
    "merged": {"action": "closed", "pull_request": {"merged": True}},
}


def of_the_least(dependency: str) -> dict[str, str]:
    """The parameters of a Workflow that the least starts."""
    empty = {name: "" for name in PARAMETERS[dependency] if name not in ("agent", "includeComments")}
    return empty | ({"branch": "refs/heads/main"} if dependency == "push" else {})


def hashed(event: str, body: Body) -> str:
    """What a delivery without id is called after: its body, with what the EventSource writes into it."""
    whole = {"X-GitHub-Delivery": "", "X-GitHub-Event": event} | body
    return hashlib.sha256(json.dumps(whole, separators=(",", ":"), sort_keys=True).encode()).hexdigest()[:40]


def least() -> Iterator[Question]:
    for dependency, body in LEAST.items():
        event = BASE[dependency].event
        notes = dict.fromkeys(("sender", "sha", "ref", "url"), "") | (
            {"ref": "refs/heads/main"} if dependency == "push" else {}
        )
        for identity in (DELIVERY_ID, ""):
            yield Question(
                name=f"{dependency}: the least{'' if identity else ', and no delivery id'}",
                why="a delivery that has all that the filters look at is not lost for what else it lacks",
                payload=Payload(event, body),
                delivery_id=identity,
                fires=named(
                    started(
                        dependency,
                        of_the_least(dependency),
                        annotations=notes | {"delivery": identity},
                        labels={"repository": ""},
                    ),
                    f"{WHOLE[dependency][3]}-{identity or hashed(event, body)}",
                ),
            )


IDS = (
    # A delivery id, and whether a name can end with it: else 40 digits of its SHA-256 do.
    ("0b989ba4-242f-11e5-81e1-c7b6966d2516", True),
    ("a", True),
    ("7", True),
    ("ab", True),
    ("a-1", True),
    ("a" * 40, True),
    ("z09-" * 9 + "z09z", True),
    ("a" * 41, False),
    ("a" * 200, False),
    ("a" * 199 + "b", False),
    ("0B989BA4-242F-11E5-81E1-C7B6966D2516", False),
    ("A", False),
    ("a-", False),
    ("-a", False),
    ("-", False),
    ("a.b", False),
    ("a_b", False),
    ("a/b", False),
    ("a b", False),
    ("../../etc", False),
    ("{{", False),
    ("{{=1+1}}", False),
    ("{{{", False),
    ("a\u20ac", False),
    ("null", True),
    ("é" * 999 + "a", False),
    ("é" * 1000 + "a", False),
)


def delivery_ids() -> Iterator[Question]:
    for dependency, body in LEAST.items():
        for identity, plain in IDS:
            end = identity if plain else hashlib.sha256(identity.encode()).hexdigest()[:40]
            # Of a thousand letters a Workflow keeps all, of more the first thousand.
            shown = identity[:1000].replace("{{", "{ {").replace("{{", "{ {") + (" " if identity.endswith("{") else "")
            noted = started(dependency, of_the_least(dependency), annotations={"delivery": shown})
            yield Question(
                name=f"{dependency}: delivery {short(identity)}",
                why="one Workflow for each delivery: its name is made of the id, and valid whatever that is",
                payload=Payload(BASE[dependency].event, body),
                delivery_id=identity,
                fires=named(noted, f"{WHOLE[dependency][3]}-{end}"),
            )


REPOSITORIES = (
    # A full name, and the label made of it.
    ("octo-org/octo-repo", "octo-org.octo-repo"),
    ("octo-org/.github", "octo-org..github"),
    ("_a-/b_.", "a-.b"),
    ("-.a/b-_", "a.b"),
    ("AZaz/09_-.x", "AZaz.09_-.x"),
    ("é/日本", ""),
    ("a b/c  d", "a-b.c-d"),
    ("a\n{{x}}/b", "a-x-.b"),
    ("a/b/c", "a.b.c"),
    ("a--b/c", "a--b.c"),
    ("a" * 63, "a" * 63),
    ("a" * 64, "a" * 63),
    ("a" * 62 + "/bc", "a" * 62),
    ("a" * 61 + "/-_bc", "a" * 61),
    ("a" * 39 + "/" + "r" * 100, "a" * 39 + "." + "r" * 23),
    ("-" * 70 + "a", "a"),
    ("...", ""),
    ("", ""),
    (None, ""),
    (7, "7"),
)


def labels_and_annotations() -> Iterator[Question]:
    for dependency, payload in BASE.items():
        if dependency != "secadv":
            for full_name, label in REPOSITORIES:
                yield Question(
                    name=f"{dependency}: the repository {short(full_name)}",
                    why="a label value is valid whatever the payload holds",
                    payload=Payload(payload.event, LEAST[dependency] | {"repository": {"full_name": full_name}}),
                    fires=started(dependency, of_the_least(dependency), labels={"repository": label}),
                )
            yield Question(
                name=f"{dependency}: owner and name elsewhere",
                why="the contract says repository.owner.login and repository.name",
                payload=payload.but(
                    repository__owner__name="x",
                    owner="x",
                    repo="x",
                    repository__login="x",
                    login="x",
                    organization={"login": "x"},
                ),
                fires=by(dependency),
            )
        for note, path in NOTES[dependency].items():
            if dependency == "push" and note == "ref":
                continue  # a condition
            carried = {"branch": ""} if path == "pull_request.head.ref" else {}
            for name, lacking in (
                ("null", payload.but(**{path.replace(".", "__"): None})),
                ("missing", payload.without(path)),
            ):
                yield Question(
                    name=f"{dependency}: {path} {name}",
                    why="absent is empty",
                    payload=lacking,
                    fires=started(dependency, carried, annotations={note: ""}),
                )


# --- All of them

SUBJECTS: tuple[Callable[[], Iterator[Question]], ...] = (
    complete,
    actions,
    drafts_and_merges,
    conclusions,
    who_comments,
    what_is_commented,
    names_of_workflows,
    pushes,
    what_is_missing,
    events_that_contain_each_other,
    task_ids,
    hostile_text,
    numbers,
    delivery_ids,
    least,
    labels_and_annotations,
)


def cases() -> list[Question]:
    """All of them. Their names are unique."""
    return [case for subject in SUBJECTS for case in subject()]
