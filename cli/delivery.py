"""A delivery as GitHub makes it, and the Workflows that come of it."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import threading
import time
import urllib.parse
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import urllib3
from kubernetes import client, watch

from cli.workflow import FINISHED, Workflow, delivery_of, phase_of
from payloads import Payload

WORKFLOWS = ("argoproj.io", "v1alpha1")


def signature(secret: bytes, body: bytes) -> str:
    """The X-Hub-Signature-256 of a body."""
    return "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Posted:
    """What was sent and what the EventSource answered; `at` is the monotonic second before the request."""

    delivery: str
    event: str
    status: int
    answer: str
    at: float


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Posts deliveries to a webhook `url`, signed with `secret`. GitHub waits for an answer as long as this does."""

    url: str
    secret: bytes = field(repr=False)
    timeout: float = 10.0

    def listening(self, seconds: float) -> bool:
        """Waits until something answers at the URL's host, whatever it says, or `seconds` are over."""
        root = (
            urllib.parse.urlsplit(self.url)._replace(path="/").geturl()
        )  # at its own path the engine would log an error
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                urllib3.request("HEAD", root, timeout=2.0, retries=False)
                return True
            except urllib3.exceptions.HTTPError:
                time.sleep(0.2)
        return False

    def post(self, payload: Payload, *, delivery: str | None = None, signed: str | None = None) -> Posted:
        """One delivery; its id is new unless given, its signature right unless given, none if empty.

        Raises urllib3's HTTPError when nothing listens at the URL.
        """
        delivery = delivery or str(uuid.uuid4())
        body = json.dumps(payload.body, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/lab",
            "X-GitHub-Event": payload.event,
            "X-GitHub-Delivery": delivery,
        }
        sign = signature(self.secret, body) if signed is None else signed
        if sign:
            headers["X-Hub-Signature-256"] = sign
        at = time.monotonic()
        response = urllib3.request("POST", self.url, body=body, headers=headers, timeout=self.timeout, retries=False)
        return Posted(delivery, payload.event, response.status, response.data.decode(errors="replace").strip(), at)


class Watcher:
    """Sees the Workflows of a namespace as they appear and finish, from the `with` on."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self._api = client.CustomObjectsApi(api)
        self._namespace = namespace
        self._changed = threading.Condition()
        self._workflows: dict[str, Workflow] = {}
        self._seen: dict[str, float] = {}
        self._version = ""
        self._over = threading.Event()
        self._watch = watch.Watch()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._list()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        self._watch.stop()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._follow()
            except (
                urllib3.exceptions.HTTPError,
                client.ApiException,
            ):  # the API server went away, or forgot so far back
                self._over.wait(0.5)
                with contextlib.suppress(urllib3.exceptions.HTTPError, client.ApiException):
                    self._list()

    def _list(self) -> None:
        listed = self._api.list_namespaced_custom_object(*WORKFLOWS, self._namespace, "workflows")
        for workflow in listed["items"]:
            self._saw(workflow)
        self._version = listed["metadata"]["resourceVersion"]

    def _follow(self) -> None:
        stream = self._watch.stream(
            self._api.list_namespaced_custom_object,
            *WORKFLOWS,
            self._namespace,
            "workflows",
            resource_version=self._version,
        )
        for change in stream:
            if not change:  # a line that was cut short: ask again from the last whole one
                return
            self._saw(change["object"])
            self._version = change["object"]["metadata"]["resourceVersion"]

    def _saw(self, workflow: Workflow) -> None:
        with self._changed:
            name = workflow["metadata"]["name"]
            self._seen.setdefault(name, time.monotonic())
            self._workflows[name] = workflow
            self._changed.notify_all()

    def of(self, deliveries: Iterable[str], *, seconds: float, finished: bool = True) -> list[tuple[Workflow, float]]:
        """The Workflows of these deliveries with the monotonic second of each one's appearance.

        Waits until each delivery has one, and it has finished, or `seconds` are over.
        """
        wanted = set(deliveries)

        def mine() -> list[Workflow]:
            return [w for w in self._workflows.values() if delivery_of(w) in wanted]

        def complete() -> bool:
            done = [w for w in mine() if phase_of(w) in FINISHED or not finished]
            return {delivery_of(w) for w in done} == wanted

        with self._changed:
            self._changed.wait_for(complete, timeout=seconds)
            return [(w, self._seen[w["metadata"]["name"]]) for w in mine()]
