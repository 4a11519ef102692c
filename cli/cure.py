"""Sensors that hang since NATS came back: told from those that retry, that wait for their rate, that have just begun.

A Sensor hangs where, for as long as one attempt may take at the very most, the same deliveries wait, it takes none, it
asks for none, and it tries none. What cannot be seen is no hang.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from cli.cluster import Cluster, told
from components.cluster import ANSWER_SECONDS
from components.jetstream import JetStream, Unknown, look
from routes import FAMILIES
from routes.compiler import compile_stack, monitor_of
from routes.consumers import durable_names
from routes.curing import OF_SENSOR, patience_of
from routes.network import METRICS
from routes.settings import StackSettings

EVERY_SECONDS = 5.0
"""How often it is looked."""

_ATTEMPTS = re.compile(r"^argo_events_action_(?:triggered|failed|retries_failed)_total\{.*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Look:
    """A Sensor at one moment.

    `delivered`: how often a delivery was handed to it, ever. `asks`: whether it asks for one. `pod` is the one that
    leads, and `process` which of its processes; `attempts`, how often that has tried to start a Workflow.
    """

    waiting: int
    delivered: int = 0
    asks: bool = False
    pod: str = ""
    process: str = ""
    attempts: float = 0

    def hangs_since(self, before: Look) -> bool:
        """Whether it has done nothing since then, though something waits."""
        still = (self.delivered, self.process, self.attempts) == (before.delivered, before.process, before.attempts)
        return still and min(self.waiting, before.waiting) > 0 and not (self.asks or before.asks)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A Sensor, looked at for so many seconds. `hangs` where it does; else `unknown` is why nobody can say."""

    sensor: str
    waiting: int
    seconds: float = 0
    hangs: bool = False
    pod: str = ""
    unknown: str = ""


Looks = Mapping[str, Look | Unknown]


def watch(
    patience: Mapping[str, float],
    see: Callable[[list[str]], Looks],
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Judged]:
    """Each Sensor as soon as it can be judged; those that go on at once. `patience` is in seconds, by Sensor."""
    first: dict[str, tuple[float, Look]] = {}
    left = list(patience)
    while left:
        moment, seen = clock(), see(left)
        for sensor in list(left):
            now = seen[sensor]
            began, before = first.setdefault(sensor, (moment, now)) if isinstance(now, Look) else (moment, None)
            judged = _judged(sensor, before, now, moment - began, patience[sensor])
            if judged:
                left.remove(sensor)
                yield judged
        if left:
            sleep(EVERY_SECONDS)


def _judged(sensor: str, before: Look | None, now: Look | Unknown, seconds: float, patience: float) -> Judged | None:
    if isinstance(now, Unknown) or before is None:
        return Judged(sensor=sensor, waiting=0, unknown=str(now))
    if not now.hangs_since(before):
        return Judged(sensor=sensor, waiting=now.waiting, seconds=seconds)
    if seconds < patience:
        return None
    return Judged(sensor=sensor, waiting=now.waiting, seconds=seconds, hangs=True, pod=now.pod)


def judged(settings: StackSettings, cluster: Cluster) -> Iterator[Judged]:
    """Every Sensor of the stack. Raises ClusterError."""
    stack = compile_stack(FAMILIES, settings)
    consumers = {s["metadata"]["name"]: consumer for s in stack.all_sensors() for consumer in durable_names(s)}
    monitor = monitor_of(settings)

    def see(sensors: list[str]) -> Looks:
        with told():
            jetstream = look(cluster.api, monitor)
        return {sensor: _look(cluster, sensor, consumers[sensor], jetstream) for sensor in sensors}

    routes = (route for family in FAMILIES for route in family.routes if route.sensor in consumers)
    return watch({route.sensor: patience_of(settings.rate(route)) for route in routes}, see)


def restart(cluster: Cluster, pod: str) -> None:
    """Deletes it: the next one goes on with what waits. Raises ClusterError. One that is gone already is well."""
    with told():
        try:
            client.CoreV1Api(cluster.api).delete_namespaced_pod(pod, cluster.namespace)
        except client.ApiException as error:
            if error.status != 404:
                raise


def _look(cluster: Cluster, sensor: str, consumer: str, jetstream: JetStream | Unknown) -> Look | Unknown:
    if isinstance(jetstream, Unknown):
        return jetstream
    waiting, delivered = jetstream.waiting.get(consumer), jetstream.delivered.get(consumer)
    if waiting is None or delivered is None:
        return Unknown("its consumer is not there, or its leader did not answer")
    if not waiting or consumer in jetstream.asked:
        return Look(waiting=waiting, delivered=delivered, asks=consumer in jetstream.asked)
    leading = _leading(cluster, sensor)
    if isinstance(leading, Unknown):
        return leading
    pod, attempts = leading
    process = f"{pod.metadata.uid} {sum(one.restart_count for one in pod.status.container_statuses)}"
    return Look(waiting=waiting, delivered=delivered, pod=pod.metadata.name, process=process, attempts=attempts)


def _leading(cluster: Cluster, sensor: str) -> tuple[Any, float] | Unknown:
    """The pod that leads, and how often it has tried: of several only that one counts anything."""
    core = client.CoreV1Api(cluster.api)
    with told():
        found = core.list_namespaced_pod(cluster.namespace, label_selector=f"{OF_SENSOR}={sensor}").items
    leading: list[tuple[Any, float]] = []
    for pod in found:
        if pod.metadata.deletion_timestamp or not _ready(pod):
            continue
        text = _metrics(cluster, pod.metadata.name)
        if isinstance(text, Unknown):
            return text
        if counts := [float(count) for count in _ATTEMPTS.findall(text)]:
            leading.append((pod, sum(counts)))
    if len(leading) != 1:
        return Unknown(f"{len(leading) or 'none'} of its pods lead{'' if leading else 's'}")
    return leading[0]


def _ready(pod: Any) -> bool:
    return any(one.type == "Ready" and one.status == "True" for one in pod.status.conditions or [])


def _metrics(cluster: Cluster, pod: str) -> str | Unknown:
    """What it counts, at its metrics port, through the API server's proxy."""
    path = f"/api/v1/namespaces/{cluster.namespace}/pods/{pod}:{METRICS}/proxy/metrics"
    try:
        asked = cluster.api.param_serialize("GET", path, auth_settings=["BearerToken"])
        response = cluster.api.call_api(*asked, _request_timeout=ANSWER_SECONDS)
        text = response.read().decode()
    except HTTPError:
        return Unknown(f"{pod} does not answer")
    if response.status == 403:
        return Unknown(f"no right to ask {pod} for its metrics (get pods/proxy)")
    return text if response.status == 200 else Unknown(f"{pod} does not answer ({response.status})")
