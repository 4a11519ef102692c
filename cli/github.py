"""GitHub's API, and with it the deliveries of a webhook: a repository's, an organisation's, or a GitHub App's.

Limits are waited for, the ones that GitHub announces and the ones it has not (a "secondary" one, which no header tells
until it is met); a server error is tried again. What is wrong otherwise is a GitHubError that says what to do.
"""

from __future__ import annotations

import json
import os
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import urllib3

from routes.settings import AppHook, GitHubHook, OrganizationHook, RepositoryHook

API = "https://api.github.com"
API_URL, TOKEN, APP_KEY = "GITHUB_API_URL", "GITHUB_TOKEN", "GITHUB_APP_PRIVATE_KEY"
"""Environment variables. Each of the two secrets may be a file instead, in the variable with `_FILE` behind it."""

PAGE = 100
SLACK = timedelta(minutes=1)
"""GitHub lists attempts in their order, those of one minute perhaps not."""
TRIES = 4
MOST_LIMITS = 10
"""So often in a row a limit is waited for."""
CHANGE_EVERY = 1.0
"""Seconds between two requests that change something: GitHub asks for as much."""
SECONDARY_SECONDS = 60.0
"""How long GitHub wants to be left alone where it does not say how long; twice as long each further time."""

RIGHTS = {
    "repository": "a fine-grained token needs the repository permission Webhooks (read and write), a classic one the"
    " scope admin:repo_hook",
    "organization": "a fine-grained token needs the organization permission Webhooks (read and write), a classic one"
    " the scope admin:org_hook",
    "app": "the key must be one of this very App",
}


class GitHubError(Exception):
    """GitHub could not be asked, or says no. The text says why and what to do."""


class RefusedError(GitHubError):
    """GitHub will not do it for this one delivery."""


@dataclass(frozen=True)
class Attempt:
    """One attempt to hand a delivery over. Its redelivery is a further attempt, with the same `guid`."""

    id: int
    guid: str
    at: datetime
    event: str
    action: str
    code: int
    status: str
    redelivery: bool

    @property
    def handed_over(self) -> bool:
        return 200 <= self.code < 300


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What GitHub is asked with: a token, or a GitHub App's private key. `source` says where it is from."""

    secret: str = field(repr=False)
    source: str

    def bearer(self, hook: GitHubHook) -> str:
        """Raises GitHubError for a key that is none."""
        if not isinstance(hook, AppHook):
            return self.secret
        now = int(time.time())
        try:
            # A minute back, for clocks that differ; GitHub takes ten minutes at most.
            key = self.secret.replace("\\n", "\n")  # as variables and Secrets often hold a PEM
            return jwt.encode({"iat": now - 60, "exp": now + 300, "iss": hook.id}, key, algorithm="RS256")
        except (jwt.PyJWTError, ValueError):
            raise GitHubError(f"{self.source} holds no private key of a GitHub App (PEM, RSA)") from None


def variable_of(hook: GitHubHook) -> str:
    """The environment variable that holds what GitHub is asked with."""
    return APP_KEY if isinstance(hook, AppHook) else TOKEN


def from_environment(hook: GitHubHook, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """The token or key in the environment, or in the file that it names; None for none. Raises GitHubError."""
    variable = variable_of(hook)
    if given := environment.get(variable, "").strip():
        return Credentials(secret=given, source=variable)
    if not (path := environment.get(f"{variable}_FILE")):
        return None
    try:
        text = Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GitHubError(f"{variable}_FILE names {path}: {getattr(error, 'strerror', 'no text')}") from None
    if not text:
        raise GitHubError(f"{variable}_FILE names {path}, which is empty")
    return Credentials(secret=text, source=path)


def api_url(default: str = API, environment: Mapping[str, str] = os.environ) -> str:
    """Where the API is. Raises GitHubError for one that a token must not be sent to."""
    url = (environment.get(API_URL) or default).rstrip("/")
    if not is_private(url):
        raise GitHubError(f"{API_URL} is {url}, to which a token is not sent: write https://…, for example {API}")
    return url


def is_private(url: str) -> bool:
    """Whether nobody else hears what goes there."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost")


def in_words(hook: GitHubHook) -> str:
    match hook:
        case RepositoryHook():
            return f"the webhook of the repository {hook.name}"
        case OrganizationHook():
            return f"the webhook of the organization {hook.name}"
        case AppHook():
            return f"the webhook of the GitHub App {hook.id}"


def _owner(hook: GitHubHook) -> str:
    match hook:
        case RepositoryHook():
            return f"/repos/{hook.name}"
        case OrganizationHook():
            return f"/orgs/{hook.name}"
        case AppHook():
            return "/app"


def _nobody(_: str) -> None:
    """Tells nobody."""


@dataclass(kw_only=True)
class Api(ABC):
    """GitHub's API as somebody with a token or a key may use it.

    `told` hears of waits, and `sleep` does them; none is longer than `patience`, in seconds.
    """

    credentials: Credentials
    url: str = API
    told: Callable[[str], None] = _nobody
    patience: float = 3600.0
    sleep: Callable[[float], None] = time.sleep
    _not_before: float = 0.0
    _changed: float = 0.0
    _http: urllib3.PoolManager = field(default_factory=urllib3.PoolManager, repr=False)

    def _bearer(self) -> str:
        return self.credentials.secret

    @abstractmethod
    def _error(self, response: urllib3.BaseHTTPResponse, *, one: bool) -> GitHubError:
        """What an answer that is none means here. `one`: it is about one thing, and the rest may go on without."""

    def _pages(self, url: str) -> Iterator[Any]:
        """The items of a list, over all its pages."""
        while url:
            response = self._ask("GET", url)
            yield from json_of(response)
            url = self._next(response)

    def _change(self, method: str, url: str, body: object = None, *, one: bool = False) -> urllib3.BaseHTTPResponse:
        self._pause(self._changed + CHANGE_EVERY - time.monotonic())
        try:
            return self._ask(method, url, body, one=one)
        finally:
            self._changed = time.monotonic()

    def _next(self, response: urllib3.BaseHTTPResponse) -> str:
        found = re.search(r'<([^<>]+)>; *rel="next"', response.headers.get("Link", ""))
        if not found:
            return ""
        if not found.group(1).startswith(f"{self.url}/"):
            raise GitHubError(f"{self.url} names a next page elsewhere, to which the token is not sent")
        return found.group(1)

    def _ask(
        self, method: str, url: str, body: object = None, *, one: bool = False, elsewhere: bool = False
    ) -> urllib3.BaseHTTPResponse:
        """An answer that is no error. `elsewhere`: one that names another place is none either."""
        failures, limits = 0, 0
        while True:
            self._pause(self._not_before - time.time())
            self._not_before = 0.0
            headers = {
                "Authorization": f"Bearer {self._bearer()}",
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": "2022-11-28",
                "User-Agent": "github-to-argo",
            }
            try:
                response = self._http.request(method, url, headers=headers, json=body, timeout=30.0, retries=False)
            except urllib3.exceptions.HTTPError as error:
                failures += 1
                if failures == TRIES:
                    raise GitHubError(f"{self.url} does not answer: {error}") from None
                self._pause(2.0**failures)
                continue
            if wait := _limited(response, limits):
                limits += 1
                if limits > MOST_LIMITS:
                    raise GitHubError(
                        f"GitHub's rate limit is still met after {MOST_LIMITS} waits: {said_by(response)}"
                    )
                self._not_before = time.time() + wait
            elif response.status >= 500 and failures + 1 < TRIES:
                failures += 1
                self._pause(2.0**failures)
            elif response.status >= 300 and not (elsewhere and response.status == 302):
                raise self._error(response, one=one)
            else:
                if response.headers.get("x-ratelimit-remaining") == "0":
                    self._not_before = _reset(response)
                return response

    def _pause(self, seconds: float) -> None:
        if seconds <= 0:
            return
        if seconds > self.patience:
            raise GitHubError(
                f"GitHub's rate limit of {self.credentials.source} is used up for {seconds / 60:.0f} minutes; run it"
                " again then: what was asked for is not asked for twice"
            )
        if seconds > 5:
            until = datetime.fromtimestamp(time.time() + seconds, UTC)
            self.told(f"GitHub's rate limit: goes on at {until:%H:%M:%S} UTC")
        self.sleep(seconds)


@dataclass(kw_only=True)
class GitHub(Api):
    """The deliveries of one webhook. `endpoint` is its path, by which it is found where the hook names no id."""

    hook: GitHubHook
    endpoint: str = "/"
    _path: str = ""

    def _bearer(self) -> str:
        return self.credentials.bearer(self.hook)

    def attempts(self, since: datetime) -> Iterator[Attempt]:
        """Every attempt since then, the newest first."""
        for item in self._pages(f"{self.url}{self._hook_path()}/deliveries?per_page={PAGE}"):
            attempt = _attempt(item)
            if attempt.at < since - SLACK:
                return
            if attempt.at >= since:
                yield attempt

    def record(self, attempt: Attempt) -> dict[str, Any]:
        """GitHub's record of an attempt, with headers and payload."""
        record: dict[str, Any] = json_of(self._ask("GET", f"{self.url}{self._hook_path()}/deliveries/{attempt.id}"))
        return record

    def redeliver(self, attempt: Attempt) -> None:
        """Asks GitHub to hand it over once more. Raises RefusedError where it will not."""
        self._change("POST", f"{self.url}{self._hook_path()}/deliveries/{attempt.id}/attempts", one=True)

    def _hook_path(self) -> str:
        """The path of the webhook in the API."""
        if not self._path:
            owner = _owner(self.hook)
            if isinstance(self.hook, AppHook):
                self._path = f"{owner}/hook"
            else:
                self._path = f"{owner}/hooks/{self.hook.id or self._only_hook(owner)}"
        return self._path

    def _only_hook(self, owner: str) -> int:
        """The id of the one webhook that posts to the stack's endpoint."""
        hooks = {
            int(hook["id"]): str(hook.get("config", {}).get("url", ""))
            for hook in json_of(self._ask("GET", f"{self.url}{owner}/hooks?per_page={PAGE}"))
        }
        ours = [number for number, url in hooks.items() if urlsplit(url).path == self.endpoint]
        if len(ours) == 1:
            return ours[0]
        parts = {number: urlsplit(url) for number, url in hooks.items()}  # a query may hold a secret
        listed = "; ".join(f"{number} posts to {url.hostname}{url.path}" for number, url in parts.items())
        raise GitHubError(
            f"which webhook is it? {'Several post' if ours else 'None posts'} to the path {self.endpoint}; name one"
            f" with --hook ID: {listed or 'there is none'}"
        )

    def _error(self, response: urllib3.BaseHTTPResponse, *, one: bool) -> GitHubError:
        said = said_by(response)
        hook = f"{in_words(self.hook)}" + (f" ({self._path})" if self._path else "")
        match response.status:
            case 401:
                return GitHubError(
                    f"GitHub does not know the token or key in {self.credentials.source} (401 {said}): it is mistyped,"
                    " revoked or has expired"
                )
            case 403:
                wanted = response.headers.get("x-accepted-github-permissions") or response.headers.get(
                    "x-accepted-oauth-scopes"
                )
                asked = f"; GitHub asks for {wanted}" if wanted else ""
                return GitHubError(
                    f"{self.credentials.source} may not do this with {hook} (403 {said}): {RIGHTS[self.hook.kind]}"
                    f"{asked}"
                )
            case 404 if not one:
                return GitHubError(
                    f"GitHub shows no such webhook: {hook} (404 {said}). Its name or --hook is wrong, or"
                    f" {self.credentials.source} may not see it: {RIGHTS[self.hook.kind]}"
                )
            case 301 | 302 | 307 | 308:
                return GitHubError(f"{hook} has another name now ({response.status}): give the new one")
            case status if one and status < 500:
                return RefusedError(f"{status} {said}")
            case status:
                return GitHubError(f"GitHub answers {status} {said} for {hook}; see https://www.githubstatus.com")


def _limited(response: urllib3.BaseHTTPResponse, met: int) -> float:
    """How many seconds GitHub wants to be left alone; 0 where this is no answer about a limit."""
    if response.status not in (403, 429):
        return 0.0
    if after := response.headers.get("retry-after"):
        return max(1.0, float(after))
    if response.headers.get("x-ratelimit-remaining") == "0":
        return max(1.0, _reset(response) - time.time())
    if response.status == 429 or "rate limit" in said_by(response).lower():
        return SECONDARY_SECONDS * 2.0**met
    return 0.0


def _reset(response: urllib3.BaseHTTPResponse) -> float:
    """When the limit is a new one; GitHub says the second, not when in it."""
    return float(response.headers.get("x-ratelimit-reset", 0)) + 1


def json_of(response: urllib3.BaseHTTPResponse) -> Any:
    try:
        return json.loads(response.data)
    except ValueError:
        raise GitHubError(f"what answers at {API_URL} is not GitHub's API: no JSON") from None


def said_by(response: urllib3.BaseHTTPResponse) -> str:
    """GitHub's own words of an error."""
    try:
        message = json.loads(response.data)["message"]
    except (ValueError, KeyError, TypeError):
        return response.reason or ""
    return str(message)


def _attempt(item: Mapping[str, Any]) -> Attempt:
    return Attempt(
        id=int(item["id"]),
        guid=str(item["guid"]),
        at=datetime.fromisoformat(str(item["delivered_at"])),
        event=str(item["event"]),
        action=str(item.get("action") or ""),
        code=int(item.get("status_code") or 0),
        status=str(item.get("status") or ""),
        redelivery=bool(item.get("redelivery")),
    )
