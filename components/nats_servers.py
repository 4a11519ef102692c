"""Whether NATS of a native EventBus serves: its condition says only that a StatefulSet was made.

A Sensor that finds no NATS ends, to be started again later and later. A server that is slow to start may be left out of
the cluster, for good: the one that leads took it for one without JetStream, all are "ok" and "ready", and no stream of
three copies finds its servers ("no suitable peers for placement", seen with nats-server 2.10.29 on a busy machine).
Started again it is taken in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pulumi
from kubernetes import client

from components.cluster import delete, read
from components.jetstream import JetStream, Silent, Unknown, look, members
from routes.manifests import Manifest
from routes.settings import Monitor

LEFT_OUT_SECONDS = 10.0
"""How long a server that is ready may take until the others know it."""


@dataclass(frozen=True, kw_only=True)
class NatsServers:
    """Those of a native EventBus, looked at again and again."""

    api: client.ApiClient
    event_bus: Manifest
    monitor: Monitor
    _alone_since: dict[str, float] = field(default_factory=dict)
    _restarted: set[str] = field(default_factory=set)

    @property
    def _name(self) -> str:
        return str(self.event_bus["metadata"]["name"])

    @property
    def _namespace(self) -> str:
        return str(self.event_bus["metadata"]["namespace"])

    def missing(self) -> Iterator[str]:
        """What is not yet as it is to be, in words with where to look; most servers will do once they have a stream.

        Restarts a server that the others leave out, once. Warns where the servers cannot be seen.
        """
        stateful_set = f"eventbus-{self._name}-js"
        where = f"kubectl -n {self._namespace}"
        try:
            found = read(self.api, f"/apis/apps/v1/namespaces/{self._namespace}/statefulsets/{stateful_set}")
        except client.ApiException as error:
            if error.status == 404:
                yield f"{self._name}: it has no StatefulSet yet; see: {where} describe eventbus {self._name}"
            else:
                told = f"cannot see whether NATS of EventBus {self._name} runs: get statefulset: {error.reason}"
                pulumi.log.warn(told)
            return
        status, wanted = found["status"], found["spec"]["replicas"]
        seen = status.get("observedGeneration") == found["metadata"]["generation"]
        ready = status.get("readyReplicas", 0) if seen else 0
        if ready > wanted / 2 and self._has_stream():
            return
        if ready < wanted:
            see = f"see: {where} describe pod -l eventbus-name={self._name}"
            yield f"{self._name}: {ready} of {wanted} servers of NATS are ready; {see}"
        elif wanted > 1:
            yield from self._left_out({f"{stateful_set}-{number}" for number in range(wanted)})

    def _has_stream(self) -> bool:
        found = look(self.api, self.monitor)
        return isinstance(found, JetStream) and found.config is not None

    def _left_out(self, servers: set[str]) -> Iterator[str]:
        known = members(self.api, self.monitor)
        if isinstance(known, Unknown):
            if isinstance(known, Silent):
                yield f"{self._name}: {known}"
            return
        for server in self._alone_since.keys() & known:
            del self._alone_since[server]
        for server in sorted(servers - known):
            alone = time.monotonic() - self._alone_since.setdefault(server, time.monotonic())
            if alone > LEFT_OUT_SECONDS and server not in self._restarted:
                self._restart(server)
            restart = f"kubectl -n {self._namespace} delete pod {server}"
            yield f"{self._name}: the other servers of NATS leave {server} out; restart it: {restart}"

    def _restart(self, server: str) -> None:
        self._restarted.add(server)
        try:
            delete(self.api, f"/api/v1/namespaces/{self._namespace}/pods/{server}")
        except client.ApiException as error:
            pulumi.log.warn(f"the other servers of NATS leave {server} out, and restarting it failed: {error.reason}")
        else:
            pulumi.log.warn(
                f"the other servers of NATS left {server} out, so it was restarted; no stream was there yet"
            )
