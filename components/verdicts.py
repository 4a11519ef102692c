"""The engine's own words, and a Gateway's, where its verdict is not what `pulumi up` waits for.

Pulumi waits for the conditions in the annotation `pulumi.com/waitFor`, and says "timed out" when it waits in vain. What
the engine says meanwhile stands in those conditions: it is told here, as a warning while there is hope and as an error
at the end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import pulumi
from kubernetes import client, config

from components.cluster import each
from routes.compiler import WAIT_FOR
from routes.manifests import Manifest

PLURALS = {
    "EventBus": "eventbus",
    "EventSource": "eventsources",
    "ExternalSecret": "externalsecrets",
    "HTTPRoute": "httproutes",
    "Sensor": "sensors",
}

PATIENCE_SECONDS = 5
"""How long a condition may be False before that is worth a warning: each is for a moment, on the way up."""

LOOK_SECONDS = 2
"""How long it does not look: hundreds of Sensors are megabytes."""


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """Looks at `objects` while they come up, for `seconds` each, as long as Pulumi waits."""

    kube_context: str
    objects: Sequence[Manifest]
    seconds: int

    def watch(self) -> asyncio.Future[None] | None:
        """Looks on beside the program, as long as the caller keeps what is returned; not at preview."""
        return None if pulumi.runtime.is_dry_run() else asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        began: dict[str, float] = {}
        told: set[tuple[str, bool]] = set()
        api: client.ApiClient | None = None
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                api = api or config.new_client_from_config(context=self.kube_context)
                unmet = await asyncio.to_thread(list, self._look(api))
            except Exception:  # a cluster that cannot be reached is Pulumi's to tell
                continue
            now = time.monotonic()
            began = {name: began.get(name, now) for name, _ in unmet}
            for name, words in unmet:
                last = now - began[name] > self.seconds - PATIENCE_SECONDS
                if now - began[name] > PATIENCE_SECONDS and (words, last) not in told:
                    told.add((words, last))
                    (pulumi.log.error if last else pulumi.log.warn)(words)

    def _look(self, api: client.ApiClient) -> Iterator[tuple[str, str]]:
        """Each object that is there and whose conditions are not all True, and what the engine says of it."""
        names = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in self.objects}
        kinds = {(o["kind"], o["apiVersion"], o["metadata"]["namespace"]) for o in self.objects}
        for kind, version, namespace in sorted(kinds):
            path = f"/apis/{version}/namespaces/{namespace}/{PLURALS[kind]}"
            with suppress(client.ApiException):  # nothing is there yet
                for found in each(api, path):
                    if (kind, name := found["metadata"]["name"]) in names:
                        yield from _unmet(kind, name, found)


def _unmet(kind: str, name: str, found: Manifest) -> Iterator[tuple[str, str]]:
    status = found.get("status", {})
    # An HTTPRoute's stand below each of its Gateways.
    said = [status, *status.get("parents", [])]
    conditions = {c["type"]: c for by in said for c in by.get("conditions", [])}
    for wanted in WAIT_FOR[kind]:
        condition = conditions.get(wanted, {"status": "not said yet"})
        if condition["status"] != "True":
            words = condition.get("message") or condition.get("reason") or ""
            yield name, f"{kind} {name}: {wanted} is {condition['status']}: {words}"
            return
