"""A server on loopback that behaves like GitHub's API: webhooks' deliveries, which it delivers, and pull requests."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import urllib3

from cli.delivery import Sender
from payloads import Payload

ACME = "/repos/acme/api"
REPOSITORY, ORGANIZATION, APP = f"{ACME}/hooks/11", "/orgs/acme/hooks/12", "/app/hook"
TOKEN = "ghp_TheTokenThatIsNeverShown"


@dataclass(frozen=True)
class Answer:
    status: int
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


def says(status: int, message: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"message": message, "documentation_url": "https://docs.github.com/rest"}, named)


@dataclass(kw_only=True)
class Webhook:
    """A webhook that posts to `url`, signed with `secret`; without one it has only what a test says it has."""

    url: str = ""
    secret: bytes = b"the webhook's secret"
    shown_url: str = "https://hooks.example/events?key=hidden"
    attempts: list[dict[str, Any]] = field(default_factory=list)
    too_old: set[str] = field(default_factory=set)

    def deliver(self, payload: Payload, *, guid: str = "", code: int | None = None, at: datetime | None = None) -> str:
        """A delivery: a real one where `code` does not say what came of it. Its guid."""
        guid = guid or str(uuid.uuid4())
        self._attempt(payload, guid, code, at)
        return guid

    def _attempt(self, payload: Payload, guid: str, code: int | None, at: datetime | None = None) -> None:
        status = "OK" if code and code < 300 else "Service Unavailable"
        if code is None:
            code, status = self._post(payload, guid)
        redelivery = any(attempt["guid"] == guid for attempt in self.attempts)
        self.attempts.append(
            {
                "id": 9_007_199_254_740_993 + len(self.attempts),  # no double has it
                "guid": guid,
                "delivered_at": f"{at or datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
                "redelivery": redelivery,
                "duration": 0.1,
                "status": status,
                "status_code": code,
                "event": payload.event,
                "action": payload.body.get("action"),
                "installation_id": None,
                "repository_id": 1,
                "payload": payload,
            }
        )

    def _post(self, payload: Payload, guid: str) -> tuple[int, str]:
        try:
            posted = Sender(url=self.url, secret=self.secret).post(payload, delivery=guid)
        except urllib3.exceptions.HTTPError:
            return 0, "failed to connect to host"
        return posted.status, "OK" if posted.status == 200 else f"Invalid HTTP Response: {posted.status}"

    def again(self, number: int) -> Answer:
        attempt = next((a for a in self.attempts if a["id"] == number), None)
        if attempt is None:
            return says(404, "Not Found")
        if attempt["guid"] in self.too_old:
            return says(422, "Delivery cannot be redelivered")
        self._attempt(attempt["payload"], attempt["guid"], None if self.url else 200)
        return Answer(202, {})

    def listed(self) -> list[dict[str, Any]]:
        newest_first = sorted(self.attempts, key=lambda a: a["delivered_at"], reverse=True)
        return [{key: value for key, value in a.items() if key != "payload"} for a in newest_first]

    def record(self, number: int) -> Answer:
        attempt = next((a for a in self.attempts if a["id"] == number), None)
        if attempt is None:
            return says(404, "Not Found")
        payload: Payload = attempt["payload"]
        headers = {"X-GitHub-Event": payload.event, "X-GitHub-Delivery": attempt["guid"]}
        request = {"headers": headers | {"content-type": "application/json"}, "payload": payload.body}
        return Answer(200, attempt | {"payload": None, "url": "", "request": request, "response": {}})


@dataclass(kw_only=True)
class Reviewed:
    """The pull requests of acme/api: their comments by number, and the artifacts of the one run 42, by name."""

    pulls: list[dict[str, Any]] = field(default_factory=list)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    author: str = "github-actions[bot]"

    def listed(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        return [pull for pull in self.pulls if [pull["head"]["label"]] == query.get("head")]

    def comment(self, number: int, body: str, author: str = "") -> Answer:
        made = {"id": 900 + sum(map(len, self.comments.values())), "user": {"login": author or self.author}}
        self.comments.setdefault(number, []).append(made | {"body": body})
        return Answer(201, made)

    def edit(self, number: int, body: str) -> Answer:
        found = [one for comments in self.comments.values() for one in comments if one["id"] == number]
        for one in found:
            one["body"] = body
        return Answer(200, {}) if found else says(404, "Not Found")

    def run(self) -> Answer:
        artifacts = [{"id": n, "name": name, "expired": False} for n, name in enumerate(self.artifacts)]
        return Answer(200, {"total_count": len(artifacts), "artifacts": artifacts})


@dataclass
class GitHubServer:
    """`refuses` is what it answers next in place of what it would; `asked` are the requests it had."""

    webhooks: dict[str, Webhook] = field(default_factory=dict)
    reviewed: Reviewed = field(default_factory=Reviewed)
    asked: list[tuple[str, str]] = field(default_factory=list)
    refuses: list[Answer] = field(default_factory=list)
    after: Callable[[str, str], Answer | None] = lambda method, path: None
    app_key: str = ""
    app_id: str = "4711"
    page: int = 3
    remaining: int = 5000
    reset: float = 0.0
    url: str = ""

    def posts(self) -> list[str]:
        return [path for method, path in self.asked if method == "POST"]

    def answer(self, method: str, target: str, authorization: str, body: bytes = b"") -> Answer:
        parts = urlsplit(target)
        self.asked.append((method, parts.path))
        if parts.path.startswith("/blobs/"):  # elsewhere, so to say: without a limit, and no token may reach it
            return says(400, "token") if authorization else Answer(200, self.reviewed.artifacts[parts.path[7:]])
        if self.refuses:
            return self.refuses.pop(0)
        if self.remaining == 0 and time.time() >= self.reset:
            self.remaining = 5000
        if self.remaining == 0:
            return Answer(403, {"message": "API rate limit exceeded for user ID 1."}, self._limits())
        self.remaining -= 1
        if not self._known(parts.path, authorization):
            return says(401, "Bad credentials")
        if refused := self.after(method, parts.path):
            return refused
        if parts.path.startswith(f"{ACME}/hooks") or not parts.path.startswith(f"{ACME}/"):
            answer = self._of_hooks(method, parts.path, parse_qs(parts.query))
        else:
            answer = self._of_pulls(method, parts.path.removeprefix(ACME), parse_qs(parts.query), body)
        return Answer(answer.status, answer.body, answer.headers | self._limits())

    def _limits(self) -> dict[str, str]:
        return {"x-ratelimit-remaining": str(self.remaining), "x-ratelimit-reset": str(int(self.reset))}

    def _known(self, path: str, authorization: str) -> bool:
        given = authorization.removeprefix("Bearer ")
        if not path.startswith("/app/"):
            return given == TOKEN
        try:
            claims = jwt.decode(given, self.app_key, algorithms=["RS256"], issuer=self.app_id)
        except jwt.PyJWTError:
            return False
        return bool(claims["exp"] - claims["iat"] <= 600)

    def _of_hooks(self, method: str, path: str, query: dict[str, list[str]]) -> Answer:
        if method == "GET" and (owner := re.fullmatch("(/repos/acme/api|/orgs/acme)/hooks", path)):
            mine = {prefix: hook for prefix, hook in self.webhooks.items() if prefix.startswith(owner.group(1))}
            return Answer(
                200,
                [
                    {"id": int(prefix.rpartition("/")[2]), "active": True, "config": {"url": hook.shown_url}}
                    for prefix, hook in mine.items()
                ],
            )
        for prefix, hook in self.webhooks.items():
            rest = path.removeprefix(f"{prefix}/deliveries")
            if rest == path:
                continue
            if method == "GET" and not rest:
                return self._page(prefix, hook, query)
            if method == "GET" and (one := re.fullmatch(r"/(\d+)", rest)):
                return hook.record(int(one.group(1)))
            if method == "POST" and (one := re.fullmatch(r"/(\d+)/attempts", rest)):
                return hook.again(int(one.group(1)))
        return says(404, "Not Found")

    def _of_pulls(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> Answer:
        match method, path.strip("/").split("/"):
            case "GET", ["pulls"]:
                return Answer(200, self.reviewed.listed(query))
            case "GET", ["issues", number, "comments"]:
                first = int(query.get("page", ["0"])[0])
                comments = self.reviewed.comments.get(int(number), [])
                after = f"{self.url}{ACME}{path}?page={first + self.page}"
                headers = {"Link": f'<{after}>; rel="next"'} if first + self.page < len(comments) else {}
                return Answer(200, comments[first : first + self.page], headers)
            case "POST", ["issues", number, "comments"]:
                return self.reviewed.comment(int(number), json.loads(body)["body"])
            case "PATCH", ["issues", "comments", number]:
                return self.reviewed.edit(int(number), json.loads(body)["body"])
            case "GET", ["actions", "runs", "42", "artifacts"]:
                return self.reviewed.run()
            case "GET", ["actions", "artifacts", number, "zip"]:
                name = list(self.reviewed.artifacts)[int(number)]
                return Answer(302, {}, {"Location": f"{self.url}/blobs/{name}"})
        return says(404, "Not Found")

    def _page(self, prefix: str, hook: Webhook, query: dict[str, list[str]]) -> Answer:
        listed = hook.listed()
        first = 0
        if cursor := query.get("cursor"):
            first = next(i for i, a in enumerate(listed) if f"v1_{a['id']}" == cursor[0])
        size = min(self.page, int(query.get("per_page", ["30"])[0]))
        headers = {}
        if first + size < len(listed):
            after = f"v1_{listed[first + size]['id']}"
            headers["Link"] = f'<{self.url}{prefix}/deliveries?per_page={size}&cursor={after}>; rel="next"'
        return Answer(200, listed[first : first + size], headers)


@contextmanager
def serving(server: GitHubServer) -> Iterator[GitHubServer]:
    """The server at its `url`, until the `with` is over."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            given = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = server.answer(self.command, self.path, self.headers.get("Authorization", ""), given)
            body = json.dumps(answer.body, default=str).encode() if answer.body is not None else b"<html>no JSON"
            body = answer.body if isinstance(answer.body, bytes) else body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _any

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_port}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join(10)


def ago(**time_: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time_)
