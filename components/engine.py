"""What Pulumi cannot see by itself: whether NATS and what was applied run, and whether the Sensors have subscribed.

Asked of the cluster: what the Argo Events controller makes (StatefulSet, Deployments), and JetStream's own list of
consumers.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pulumi
from kubernetes import client, config

from components.cluster import each, pages
from components.jetstream import JetStream, Silent, Unknown, look
from components.nats_servers import NatsServers
from routes.consumers import durable_names
from routes.manifests import Manifest
from routes.settings import Monitor

# The label of an object's Deployment, and the variable that holds the object in its pod: JSON in base64.
DEPLOYED = {"EventSource": ("eventsource-name", "EVENTSOURCE_OBJECT"), "Sensor": ("sensor-name", "SENSOR_OBJECT")}


@dataclass(frozen=True, kw_only=True)
class Engine:
    """The Argo Events of a cluster, given `seconds` for each thing that is waited for.

    `monitor` None: JetStream cannot be asked, and that the pods run must do.
    """

    kube_context: str
    monitor: Monitor | None
    seconds: int

    def serving(self, event_bus: Manifest) -> None:
        """Returns when NATS of a native EventBus serves. Raises RunError when that takes too long."""
        if self.monitor and "jetstream" in event_bus["spec"]:
            servers = NatsServers(api=self._api(), event_bus=event_bus, monitor=self.monitor)
            self._wait(servers.missing, "NATS does not run, so the Sensors were left as they are")

    def subscribed(self, sensors: Sequence[Manifest]) -> None:
        """Returns when each Sensor runs as applied and has its consumers; warns where JetStream cannot be asked.

        Raises RunError, naming Sensors and where to look, when that takes too long.
        """
        api = self._api()
        found: JetStream | Unknown = Unknown()
        saved: dict[str, float] = {}

        def missing() -> Iterator[str]:
            nonlocal found
            found = look(api, self.monitor)
            if isinstance(found, Silent):
                found = JetStream(None, {})
            if isinstance(found, JetStream):
                now = time.monotonic()
                for name, age in found.saved.items():
                    saved[name] = max(saved.get(name, -math.inf), now - age.total_seconds())
            deployed = _deployed(api, sensors)
            began = _started(api, sensors) if isinstance(found, JetStream) else {}
            for sensor in sensors:
                name, namespace = sensor["metadata"]["name"], sensor["metadata"]["namespace"]
                log = f"see: kubectl -n {namespace} logs -l sensor-name={name}"
                if not _runs(deployed[name]):
                    yield _not_running(deployed[name], sensor)
                elif isinstance(found, JetStream) and not durable_names(sensor) <= found.waiting.keys():
                    yield f"{name}: its consumer is not there; {log}"
                elif isinstance(found, JetStream) and not saved.get(name, -math.inf) >= began[name] - CLOCKS:
                    yield f"{name}: its consumer may be one that it deletes when it starts, and it has not yet; {log}"

        self._wait(
            missing,
            "not every Sensor has subscribed, so the EventSource was left as it is: a delivery would be lost",
        )
        if isinstance(found, Unknown):
            pulumi.log.warn(f"{found}: `pulumi up` sees the Sensors' pods run, not that they have subscribed")

    def listening(self, event_source: Manifest) -> None:
        """Returns when the EventSource runs as applied. Raises RunError when that takes too long."""
        api = self._api()

        def missing() -> Iterator[str]:
            (found,) = _deployed(api, [event_source]).values()
            if not _runs(found):
                yield _not_running(found, event_source)

        self._wait(missing, "the EventSource does not run as applied")

    def _api(self) -> client.ApiClient:
        return config.new_client_from_config(context=self.kube_context)

    def _wait(self, missing: Callable[[], Iterator[str]], failure: str) -> None:
        deadline = time.monotonic() + self.seconds
        while reasons := list(missing()):
            if time.monotonic() > deadline:
                told = "\n".join(f"  {reason}" for reason in reasons)
                raise pulumi.RunError(f"after {self.seconds} s (setting verdictSeconds) {failure}.\n{told}")
            time.sleep(0.5)


@dataclass(frozen=True)
class Deployed:
    """A Deployment of the controller's. `why`: what the cluster says of its pods, where that is no good."""

    as_applied: bool
    why: str


def _runs(deployed: Sequence[Deployed]) -> bool:
    return bool(deployed) and all(one.as_applied for one in deployed)


def _not_running(deployed: Sequence[Deployed], manifest: Manifest) -> str:
    """Where to look, and what the cluster says of the Deployment itself: pods that were refused are nowhere else."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    label, _ = DEPLOYED[manifest["kind"]]
    why = next((f" ({one.why})" for one in deployed if one.why), "")
    return f"{name}: its pod does not run as applied{why}; see: kubectl -n {namespace} describe pod -l {label}={name}"


def _deployed(api: client.ApiClient, manifests: Sequence[Manifest]) -> dict[str, list[Deployed]]:
    """The Deployments of each of these, which are of one kind, by its name."""
    wanted = {manifest["metadata"]["name"]: manifest for manifest in manifests}
    found: dict[str, list[Deployed]] = {name: [] for name in wanted}
    for kind, namespace in {(manifest["kind"], manifest["metadata"]["namespace"]) for manifest in manifests}:
        label, _ = DEPLOYED[kind]
        try:
            for one in each(api, f"/apis/apps/v1/namespaces/{namespace}/deployments", labelSelector=label):
                if (name := one["metadata"]["labels"][label]) in found:
                    found[name].append(Deployed(_runs_as_applied(one, wanted[name]), _why(one)))
        except client.ApiException as error:
            names = ", ".join(found)
            raise pulumi.RunError(f"cannot see whether {names} runs: list deployments: {error.reason}") from None
    return found


def _why(deployment: Manifest) -> str:
    told = {
        condition["type"]: condition.get("message")
        for condition in deployment.get("status", {}).get("conditions", [])
        if (condition["type"], condition["status"]) in (("ReplicaFailure", "True"), ("Available", "False"))
    }
    return told.get("ReplicaFailure") or told.get("Available") or ""


CLOCKS = 2.0
"""Seconds: the clocks of nodes, API server and NATS count whole ones, and none is compared with another."""


def _started(api: client.ApiClient, sensors: Sequence[Manifest]) -> dict[str, float]:
    """When the first of each Sensor's pods started, by our own monotonic clock: only they can have written since.

    One of them leads, and writes down what it is once it does.
    """
    label, _ = DEPLOYED["Sensor"]
    found = {sensor["metadata"]["name"]: math.inf for sensor in sensors}
    for namespace in {sensor["metadata"]["namespace"] for sensor in sensors}:
        try:
            for pods, headers in pages(api, f"/api/v1/namespaces/{namespace}/pods", labelSelector=label):
                now, ours = parsedate_to_datetime(headers["Date"]), time.monotonic()
                for pod in pods:
                    name = pod["metadata"]["labels"][label]
                    for status in pod.get("status", {}).get("containerStatuses", []):
                        if name in found and (running := status["state"].get("running")):
                            age = now - datetime.fromisoformat(running["startedAt"])
                            found[name] = min(found[name], ours - age.total_seconds())
        except client.ApiException as error:
            names = ", ".join(found)
            raise pulumi.RunError(f"cannot see when {names} started: list pods: {error.reason}") from None
    return found


def _runs_as_applied(deployment: Manifest, manifest: Manifest) -> bool:
    """Whether the controller has seen this very spec, and all pods and only pods of it run.

    The conditions do not tell: they stay True from before until the controller has looked again.
    """
    _, variable = DEPLOYED[manifest["kind"]]
    return (
        _has_in(deployment, variable, manifest["spec"])
        and deployment["status"].get("observedGeneration") == deployment["metadata"]["generation"]
        and all(
            deployment["status"].get(count, 0) == deployment["spec"]["replicas"]
            for count in ("replicas", "updatedReplicas", "availableReplicas")
        )
    )


def _has_in(deployment: Manifest, variable: str, spec: Manifest) -> bool:
    containers = deployment["spec"]["template"]["spec"]["containers"]
    environment = {e["name"]: e.get("value", "") for c in containers for e in c.get("env", [])}
    return variable in environment and holds(json.loads(base64.b64decode(environment[variable]))["spec"], spec)


def holds(found: Any, wanted: Any) -> bool:
    """Whether all of `wanted` is in `found`, which may have more keys: the engine writes its zero values too."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and holds(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)
