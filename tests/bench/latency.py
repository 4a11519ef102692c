"""From the POST of a delivery to its Workflow, and to the same Workflow when it is created at the API server itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import urllib3
from kubernetes import client

from cli.delivery import WORKFLOWS
from cli.workflow import DELIVERY
from payloads import Body, Payload, one_of_each
from routes import FAMILIES
from tests.bench.hollow import standing_still
from tests.bench.stack import BenchStack

REPEATS: Mapping[int, int] = {1_000: 12, 30_000: 12, 300_000: 6, 1_000_000: 4}
"""By the size of a body in bytes, how often each route is measured, unless there is time for more."""
MANY = 100
"""How often then, of each size: a p99 of one route alone is then not just the slowest."""
SECONDS = 30.0
ROUND_SECONDS = 0.6
"""For all routes once, at least: a Sensor then makes fewer than the five requests a second that its client allows."""
READ = frozenset(
    [
        "action",
        "after",
        "app",
        "body",
        "comment",
        "conclusion",
        "default_branch",
        "deleted",
        "draft",
        "full_name",
        "ghsa_id",
        "head",
        "html_url",
        "issue",
        "login",
        "merged",
        "name",
        "number",
        "owner",
        "pull_request",
        "ref",
        "repository",
        "security_advisory",
        "sender",
        "sha",
        "slug",
        "title",
        "type",
        "user",
        "workflow",
        "workflow_run",
        "check_run",
    ]
)
"""The members of a body that a small one keeps: what filters, parameters and labels read."""
LINE = "What this changes, and why: the second attempt did not wait for the first, see #7 and the log below.\n"


@dataclass(frozen=True)
class Latency:
    """Of one route and size, in seconds, in pairs: by way of a delivery, and directly."""

    route: str
    size: int
    delivered: list[float] = field(default_factory=list)
    direct: list[float] = field(default_factory=list)


def latency(stack: BenchStack, say: Callable[[str], None], *, many: bool = False) -> list[Latency]:
    """Each route and size in turn, one delivery at a time, while the workflow-controller stands still.

    `many`: each MANY times, six minutes in place of half a one.
    """
    payloads = one_of_each()
    firsts = {route.sensor: payloads[route.deliveries[0].name] for family in FAMILIES for route in family.routes}
    found: list[Latency] = []
    with standing_still("workflow-controller"), Appearances(stack.stack.api, stack.stack.namespace) as seen:
        for size, few in REPEATS.items():
            repeats = MANY if many else few
            of_size = [Latency(route, size) for route in firsts]
            for _ in range(repeats):
                began = time.monotonic()
                for one in of_size:
                    _measure(stack, seen, one, sized(firsts[one.route], size))
                time.sleep(max(0.0, began + ROUND_SECONDS - time.monotonic()))
            found += of_size
            say(f"latency of {size:,} bytes: {len(of_size) * repeats} deliveries")
            stack.stack.delete_workflows()
    return found


def _measure(stack: BenchStack, seen: Appearances, into: Latency, payload: Payload) -> None:
    posted = stack.stack.sender.post(payload)
    assert posted.status == 200, posted.answer
    name, at = seen.of(posted.delivery)
    into.delivered.append(at - posted.at)
    api = stack.stack.api
    workflow = client.CustomObjectsApi(api).get_namespaced_custom_object(
        *WORKFLOWS, stack.stack.namespace, "workflows", name
    )
    metadata = {key: workflow["metadata"][key] for key in ("labels", "annotations")}
    metadata["annotations"][DELIVERY] = f"direct-{posted.delivery}"
    body = json.dumps({**workflow, "metadata": {**metadata, "name": f"direct-{posted.delivery}"}}).encode()
    url = f"{api.configuration.host}/apis/{'/'.join(WORKFLOWS)}/namespaces/{stack.stack.namespace}/workflows"
    began = time.monotonic()
    response = api.rest_client.pool_manager.request("POST", url, body=body, headers=_headers(api))
    assert response.status == 201, response.data
    _, at = seen.of(f"direct-{posted.delivery}")
    into.direct.append(at - began)


def _headers(api: client.ApiClient) -> dict[str, str]:
    token = api.configuration.get_api_key_with_prefix("BearerToken") or (
        api.configuration.get_api_key_with_prefix("authorization")
    )
    return {"Authorization": str(token), "Content-Type": "application/json", "Accept": "application/json"}


def sized(payload: Payload, size: int) -> Payload:
    """A payload of about so many bytes: what is read of it, and if that is less, a text beside it."""
    body = payload.body if _bytes(payload.body) <= size else _read(payload.body)
    missing = size - _bytes(body) - len('"padding": "", ')
    each = len(json.dumps(LINE)) - 2
    return Payload(payload.event, {**body, "padding": LINE * max(0, missing // each)})


def _read(body: Body) -> Body:
    return {
        key: _read(value) if isinstance(value, dict) else value
        for key, value in body.items()
        if key in READ and not isinstance(value, list)
    }


def _bytes(body: Body) -> int:
    return len(json.dumps(body, ensure_ascii=False).encode())


class Appearances:
    """When each Workflow of a namespace appeared to a watch, by its delivery; of the Workflows only the metadata."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        self._api = api
        self._path = f"/apis/{'/'.join(WORKFLOWS)}/namespaces/{namespace}/workflows"
        self._seen: dict[str, tuple[str, float]] = {}
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()

    def of(self, delivery: str) -> tuple[str, float]:
        """The name of a delivery's Workflow and the monotonic second of its appearance. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: delivery in self._seen, timeout=SECONDS):
                raise TimeoutError(f"no Workflow of {delivery}")
            return self._seen[delivery]

    def _run(self) -> None:
        url = f"{self._api.configuration.host}{self._path}?watch=true&timeoutSeconds=300"
        headers = _headers(self._api) | {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
        while not self._over.is_set():
            try:
                response = self._api.rest_client.pool_manager.request(
                    "GET", url, headers=headers, preload_content=False
                )
                rest = b""
                for chunk in response.stream(amt=None):
                    now = time.monotonic()
                    *lines, rest = (rest + chunk).split(b"\n")
                    for line in lines:
                        self._saw(json.loads(line), now)
                    if self._over.is_set():
                        return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)

    def _saw(self, change: dict[str, Any], now: float) -> None:
        metadata = change["object"]["metadata"]
        if change["type"] == "ADDED":
            with self._changed:
                self._seen.setdefault(metadata["annotations"][DELIVERY], (metadata["name"], now))
                self._changed.notify_all()
