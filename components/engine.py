"""What Pulumi cannot see by itself: whether the engine runs what was applied, and whether the Sensors have subscribed.

Asked of the cluster: the Deployments that the Argo Events controller makes, and JetStream's own list of consumers.
"""

from __future__ import annotations

import base64
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import pulumi
from kubernetes import client, config

from components.jetstream import JetStream, Silent, Unknown, look
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
            for sensor in sensors:
                name, namespace = sensor["metadata"]["name"], sensor["metadata"]["namespace"]
                log = f"see: kubectl -n {namespace} logs -l sensor-name={name}"
                if not _runs_as_applied(api, sensor):
                    yield _not_running(api, sensor)
                elif isinstance(found, JetStream) and not durable_names(sensor) <= found.waiting.keys():
                    yield f"{name}: its consumer is not there; {log}"
                elif isinstance(found, JetStream) and not saved.get(name, -math.inf) >= _started(api, sensor) - CLOCKS:
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
        self._wait(
            lambda: iter([] if _runs_as_applied(api, event_source) else [_not_running(api, event_source)]),
            "the EventSource does not run as applied",
        )

    def _api(self) -> client.ApiClient:
        return config.new_client_from_config(context=self.kube_context)

    def _wait(self, missing: Callable[[], Iterator[str]], failure: str) -> None:
        deadline = time.monotonic() + self.seconds
        while reasons := list(missing()):
            if time.monotonic() > deadline:
                told = "\n".join(f"  {reason}" for reason in reasons)
                raise pulumi.RunError(f"after {self.seconds} s (setting verdictSeconds) {failure}.\n{told}")
            time.sleep(0.5)


def _not_running(api: client.ApiClient, manifest: Manifest) -> str:
    """Where to look, and what the cluster says of the Deployment itself: pods that were refused are nowhere else."""
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    label, _ = DEPLOYED[manifest["kind"]]
    told = {
        condition.type: condition.message
        for deployment in _deployments(api, manifest)
        for condition in deployment.status.conditions or []
        if (condition.type, condition.status) in (("ReplicaFailure", "True"), ("Available", "False"))
    }
    why = told.get("ReplicaFailure") or told.get("Available") or ""
    return f"{name}: its pod does not run as applied{f' ({why})' if why else ''};" + (
        f" see: kubectl -n {namespace} describe pod -l {label}={name}"
    )


def _deployments(api: client.ApiClient, manifest: Manifest) -> list[Any]:
    label, _ = DEPLOYED[manifest["kind"]]
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    try:
        listed = client.AppsV1Api(api).list_namespaced_deployment(namespace, label_selector=f"{label}={name}")
    except client.ApiException as error:
        raise pulumi.RunError(f"cannot see whether {name} runs: list deployments: {error.reason}") from None
    found: list[Any] = listed.items
    return found


CLOCKS = 2.0
"""Seconds: the clocks of nodes, API server and NATS count whole ones, and none is compared with another."""


def _started(api: client.ApiClient, sensor: Manifest) -> float:
    """When the first of a Sensor's pods started, by our own monotonic clock: only they can have written since.

    One of them leads, and writes down what it is once it does.
    """
    name, namespace = sensor["metadata"]["name"], sensor["metadata"]["namespace"]
    try:
        listed, _, headers = client.CoreV1Api(api).list_namespaced_pod_with_http_info(
            namespace, label_selector=f"{DEPLOYED['Sensor'][0]}={name}"
        )
    except client.ApiException as error:
        raise pulumi.RunError(f"cannot see when {name} started: list pods: {error.reason}") from None
    now = parsedate_to_datetime(headers["Date"])
    running = [status.state.running for pod in listed.items for status in pod.status.container_statuses or []]
    ages = [(now - one.started_at).total_seconds() for one in running if one]
    return time.monotonic() - max(ages, default=-math.inf)


def _runs_as_applied(api: client.ApiClient, manifest: Manifest) -> bool:
    """Whether the controller has seen this very spec, and all pods and only pods of it run.

    The conditions do not tell: they stay True from before until the controller has looked again.
    """
    _, variable = DEPLOYED[manifest["kind"]]
    found = _deployments(api, manifest)
    return bool(found) and all(
        _deployed(deployment, variable, manifest["spec"])
        and deployment.status.observed_generation == deployment.metadata.generation
        and deployment.status.replicas == deployment.spec.replicas
        and deployment.status.updated_replicas == deployment.spec.replicas
        and deployment.status.available_replicas == deployment.spec.replicas
        for deployment in found
    )


def _deployed(deployment: Any, variable: str, spec: Manifest) -> bool:
    environment = {e.name: e.value for c in deployment.spec.template.spec.containers for e in c.env or []}
    return variable in environment and holds(json.loads(base64.b64decode(environment[variable]))["spec"], spec)


def holds(found: Any, wanted: Any) -> bool:
    """Whether all of `wanted` is in `found`, which may have more keys: the engine writes its zero values too."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and holds(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)
