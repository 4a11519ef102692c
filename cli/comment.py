"""The comment on a pull request: one, however often its checks run.

Which pull request it is GitHub says, in the event `workflow_run`. What the run itself has left may be a stranger's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
from pydantic import BaseModel, ValidationError

from cli.github import PAGE, Api, GitHubError, is_private, json_of, said_by
from cli.report import LONGEST_REPORT, Checked, Report, ReportError, unpack

MARK = "<!-- github-to-argo: pr-check -->"
ARTIFACTS = ("with-previews", "report")
"""Of a run, the one that says more first."""
AUTHOR = "github-actions[bot]"
"""Who the comment is by. A stranger could write the mark too."""


class EventError(Exception):
    """What GitHub should have said of the run, and has not. The text says which."""


class _Owner(BaseModel):
    login: str


class _Repository(BaseModel):
    full_name: str
    owner: _Owner


class _Run(BaseModel):
    id: int
    head_branch: str
    head_sha: str
    head_repository: _Repository | None
    conclusion: str | None
    html_url: str


class _Event(BaseModel):
    repository: _Repository
    workflow_run: _Run


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of a pull request's checks. `head` is its branch as owner:name, `sha` its commit there."""

    id: int
    repository: str
    head: str
    sha: str
    checked: Checked


def run_of(event: Path) -> Run:
    """The run that the event `workflow_run` in a file is about. Raises EventError."""
    try:
        found = _Event.model_validate_json(event.read_bytes())
    except (OSError, ValidationError):
        raise EventError(
            f"{event} does not hold GitHub's event workflow_run; GITHUB_EVENT_PATH names it in a workflow"
        ) from None
    run = found.workflow_run
    if run.head_repository is None:
        raise EventError("the fork that the pull request comes from is gone")
    own = run.head_repository.full_name == found.repository.full_name
    return Run(
        id=run.id,
        repository=found.repository.full_name,
        head=f"{run.head_repository.owner.login}:{run.head_branch}",
        sha=run.head_sha,
        checked=Checked(
            conclusion=run.conclusion or "unfinished",
            url=run.html_url,
            fork="" if own else run.head_repository.full_name,
        ),
    )


@dataclass(kw_only=True)
class PullRequests(Api):
    """The pull requests of one repository, as owner/name."""

    repository: str

    def of(self, run: Run) -> list[int]:
        """The open pull requests whose newest commit the run is about."""
        url = f"{self._here}/pulls?state=open&head={quote(run.head, safe='')}&per_page={PAGE}"
        return [int(one["number"]) for one in self._pages(url) if one["head"]["sha"] == run.sha]

    def report(self, run: Run) -> Report | None:
        """What the run has left: of a fork, without previews, which it cannot have made. None: it has left nothing.

        Raises ReportError.
        """
        listed = json_of(self._ask("GET", f"{self._here}/actions/runs/{run.id}/artifacts?per_page={PAGE}"))
        left = {one["name"]: one for one in listed["artifacts"] if not one["expired"]}
        for name in ARTIFACTS:
            if name in left:
                found = unpack(self._artifact(left[name]))
                return found.without_previews() if run.checked.fork else found
        return None

    def _artifact(self, one: Mapping[str, Any]) -> bytes:
        """An artifact's zip file, which GitHub keeps elsewhere: the token does not go there."""
        answer = self._ask("GET", f"{self._here}/actions/artifacts/{int(one['id'])}/zip", elsewhere=True)
        place = answer.headers.get("Location", "")
        if not is_private(place):
            raise GitHubError(f"GitHub names no place of the artifact {one['name']}")
        response = self._http.request("GET", place, timeout=30.0, preload_content=False)
        try:
            content = bytes(response.read(LONGEST_REPORT + 1))
        finally:
            response.release_conn()
        if response.status != 200 or len(content) > LONGEST_REPORT:
            raise ReportError(f"the artifact {one['name']} is not there, or has more than {LONGEST_REPORT:,} bytes")
        return content

    def say(self, number: int, text: str) -> str:
        """Has the one comment say this. What was done for it: made, updated, or nothing."""
        body = f"{MARK}\n{text}"
        for one in self._pages(f"{self._here}/issues/{number}/comments?per_page={PAGE}"):
            if one["user"]["login"] == AUTHOR and one["body"].startswith(MARK):
                if one["body"] == body:
                    return "is as it was"
                self._change("PATCH", f"{self._here}/issues/comments/{int(one['id'])}", {"body": body})
                return "was updated"
        self._change("POST", f"{self._here}/issues/{number}/comments", {"body": body})
        return "was made"

    @property
    def _here(self) -> str:
        return f"{self.url}/repos/{self.repository}"

    def _error(self, response: urllib3.BaseHTTPResponse, *, one: bool) -> GitHubError:
        told = f"GitHub answers {response.status} {said_by(response)} for pull requests of {self.repository}"
        if response.status in (401, 403, 404):
            told += f": {self.credentials.source} needs the permission pull-requests: write"
        return GitHubError(told)
