"""GitHub's own example deliveries, and named patches on them. Nothing here is typed by hand but what a patch changes.

The examples are the npm package `@octokit/webhooks-examples`, pinned by package-lock.json and installed by `make`.
Bodies share what they have in common, so none is ever changed in place.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Body = dict[str, Any]

EXAMPLES = Path(__file__).parent / "node_modules/@octokit/webhooks-examples/api.github.com/index.json"


@functools.cache
def _examples() -> dict[str, list[Body]]:
    if not EXAMPLES.exists():
        raise FileNotFoundError("GitHub's example payloads are not installed; run: make payloads")
    return {event["name"]: event["examples"] for event in json.loads(EXAMPLES.read_text())}


def events() -> list[str]:
    """Every X-GitHub-Event that there are examples of."""
    return list(_examples())


def examples(event: str) -> list[Body]:
    """All examples of an X-GitHub-Event. Raises KeyError for an event without any."""
    return list(_examples()[event])


def patched(body: Body, patch: Mapping[str, object]) -> Body:
    """`body` with the values at dotted paths set. Raises KeyError where a path's parent is missing."""
    for path, value in patch.items():
        body, parent, last = _place(body, path)
        parent[last] = value
    return body


def pruned(body: Body, paths: Iterable[str]) -> Body:
    """`body` without what is at dotted paths. Raises KeyError where there is nothing."""
    for path in paths:
        body, parent, last = _place(body, path)
        del parent[last]
    return body


def _place(body: Body, path: str) -> tuple[Body, Body, str]:
    """A body whose objects along the path are its own, the object at the path's last key, and that key."""
    *parents, last = path.split(".")
    node = changed = dict(body)
    for key in parents:
        node[key] = dict(node[key])
        node = node[key]
    return changed, node, last


@dataclass(frozen=True)
class Payload:
    """One delivery's body, and the X-GitHub-Event that it comes with."""

    event: str
    body: Body

    def but(self, **patch: object) -> Payload:
        """This payload with dotted paths set, there before or not; `__` stands for the dot."""
        return Payload(self.event, patched(self.body, {path.replace("__", "."): v for path, v in patch.items()}))

    def without(self, *paths: str) -> Payload:
        """This payload without what is at dotted paths."""
        return Payload(self.event, pruned(self.body, paths))

    def sent_as(self, event: str) -> Payload:
        """This body under another X-GitHub-Event."""
        return Payload(event, self.body)


def example(event: str, like: Callable[[Body], bool] = lambda _: True) -> Payload:
    """The first example of an event that is `like` this."""
    return Payload(event, next(body for body in _examples()[event] if like(body)))


def acted(event: str, action: str) -> Payload:
    """The first example of an event with this action."""
    return example(event, lambda body: body["action"] == action)


def alerts() -> dict[str, Payload]:
    """For each further dependency of the setting `securityEvents`, by its name, a delivery that fires it."""
    dependabot = acted("dependabot_alert", "created")
    where = {key: dependabot.body[key] for key in ("repository", "sender")}
    page = f"{where['repository']['html_url']}/security"
    return {
        # No example of an advisory or of a secret: these have GitHub's fields, as its schema names them.
        "repoadv": Payload(
            "repository_advisory",
            {
                "action": "reported",
                "repository_advisory": {
                    "ghsa_id": "GHSA-c3gp-4rp9-hjmw",
                    "html_url": f"{page}/advisories/GHSA-c3gp-4rp9-hjmw",
                    "summary": "Path traversal in the upload",
                    "severity": "high",
                    "author": {"login": "reporter", "type": "User"},
                    "state": "triage",
                    "published_at": None,
                },
                **where,
            },
        ),
        "codescan": acted("code_scanning_alert", "created"),
        "secretscan": Payload(
            "secret_scanning_alert",
            {
                "action": "created",
                "alert": {
                    "number": 7,
                    "html_url": f"{page}/secret-scanning/7",
                    "secret_type": "github_personal_access_token",
                    "resolution": None,
                    "validity": "unknown",
                    "publicly_leaked": False,
                },
                **where,
            },
        ),
        "depalert": dependabot,
    }


def one_of_each() -> dict[str, Payload]:
    """For each dependency of the route table, by its name, a delivery that fires it and no other."""
    return {
        "pr": acted("pull_request", "opened"),
        "ic": acted("issue_comment", "created"),
        "prc": acted("pull_request_review_comment", "created"),
        # No example of a run that failed.
        "wr": example("workflow_run", lambda body: body["workflow_run"]["conclusion"] == "success").but(
            workflow_run__conclusion="failure"
        ),
        "cr": example("check_run", lambda body: body["check_run"]["conclusion"] == "failure"),
        "issues": acted("issues", "opened"),
        "secadv": acted("security_advisory", "published"),
        # No example of a scan.
        "secscan": example("workflow_run", lambda body: body["workflow_run"]["conclusion"] == "success").but(
            workflow__name="Code scanning"
        ),
        "push": example("push", lambda body: body["ref"] == "refs/heads/master" and not body["deleted"]),
        # The examples' closed pull requests were not merged.
        "merged": acted("pull_request", "closed").but(pull_request__merged=True),
    }


PUSHED_AT_MOST = 2048
"""GitHub tells no more commits of a push."""


def large_push(size: int = 0) -> Payload:
    """The push of one_of_each with as many commits as GitHub tells of, and of about `size` bytes if that is more."""
    push = one_of_each()["push"]
    commit = push.body["head_commit"]
    files = [f"services/payment/src/main/java/module_{number:04d}.java" for number in range(1_000)]

    def of(listed: int) -> Payload:
        ids = (f"{number:040x}" for number in range(PUSHED_AT_MOST))
        return push.but(commits=[commit | {"id": name, "modified": files[:listed]} for name in ids])

    one_more = PUSHED_AT_MOST * len(json.dumps(f"{files[0]}, "))
    return of(max(0, round((size - _size(of(0))) / one_more)))


def large_pull_request(size: int) -> Payload:
    """The pull request of one_of_each with a text that makes it of about `size` bytes."""
    opened = one_of_each()["pr"]
    line = "What this changes, and why: the second attempt did not wait for the first, see #7 and the log below.\n"
    room = (size - _size(opened)) // len(json.dumps(line, ensure_ascii=False).encode()[1:-1])
    return opened.but(pull_request__body=line * max(0, room))


def _size(payload: Payload) -> int:
    return len(json.dumps(payload.body, ensure_ascii=False).encode())


def corpus() -> dict[str, Payload]:
    """Every example, named `event/number action` as it stands in `examples(event)`, and what one_of_each patches."""
    named = {
        f"{event}/{number}": Payload(event, body)
        for event in _examples()
        for number, body in enumerate(examples(event))
    }
    known = list(named.values())
    named |= {f"{p.event}/{name}": p for name, p in one_of_each().items() if p not in known}
    return {" ".join(filter(None, [name, p.body.get("action")])): p for name, p in named.items()}
