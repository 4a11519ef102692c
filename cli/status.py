"""What a stack does now, asked of its live cluster: the Workflows, JetStream, the pods and the dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kubernetes import client

from cli.cluster import Cluster, told
from cli.dead_letters import DeadLetter, dead_letters
from cli.workflow import Workflow, route_of
from components.jetstream import JetStream, Unknown, look
from routes import FAMILIES
from routes.compiler import EVENT_SOURCE, CompiledStack, compile_stack, monitor_of
from routes.consumers import durable_names
from routes.model import Rate, Route
from routes.settings import StackSettings

PHASE = "workflows.argoproj.io/phase"
"""The label in which the workflow-controller keeps a Workflow's phase."""

STILL = timedelta(minutes=2)
"""How long a route with deliveries that wait may acknowledge none, beyond what its rate asks for."""


@dataclass(frozen=True)
class Pods:
    """How many of the pods that an object wants are ready."""

    ready: int
    wanted: int

    @property
    def down(self) -> bool:
        return self.ready < self.wanted or not self.wanted


@dataclass(frozen=True, kw_only=True)
class RouteStatus:
    """One route. `waiting`: deliveries that its Sensor has not acknowledged; Unknown where JetStream cannot be asked.

    `oldest` is how long the oldest of these has waited, at most where not `exact`. `idle` is how long it has
    acknowledged none. `phases` counts its Workflows that are kept; `recent`, those that were created within one unit of
    its rate.
    """

    route: Route
    rate: Rate | None
    pods: Pods
    waiting: int | Unknown
    idle: timedelta | None
    phases: Mapping[str, int]
    recent: int
    failure: str = ""
    oldest: timedelta | None = None
    exact: bool = False

    @property
    def started(self) -> int:
        return sum(self.phases.values())

    @property
    def failed(self) -> int:
        return self.phases.get("Failed", 0) + self.phases.get("Error", 0)

    @property
    def stands_still(self) -> bool:
        """Whether deliveries wait, and longer than the rate makes them: an outage, retries, or the NATS hang."""
        if isinstance(self.waiting, Unknown) or not self.waiting or self.idle is None:
            return False
        every = timedelta(seconds=self.rate.seconds / self.rate.limit) if self.rate else timedelta()
        return self.idle > every + STILL


@dataclass(frozen=True, kw_only=True)
class SemaphoreStatus:
    """How many Workflows hold a semaphore, how many may, and how many wait for it."""

    name: str
    held: int
    limit: int
    waiting: int


@dataclass(frozen=True, kw_only=True)
class Status:
    """A stack at one moment. `accepted`: deliveries that were answered 200 since the stream was made.

    `dead_letters` are those that nobody has brought back.
    """

    event_source: Pods
    accepted: int | Unknown
    routes: tuple[RouteStatus, ...]
    semaphores: tuple[SemaphoreStatus, ...]
    dead_letters: tuple[DeadLetter, ...] = field(default=())

    @property
    def wrong(self) -> bool:
        """Whether somebody should look."""
        return bool(
            self.event_source.down or self.dead_letters or any(r.pods.down or r.stands_still for r in self.routes)
        )


def status(settings: StackSettings, cluster: Cluster, now: datetime | None = None) -> Status:
    """The stack as it is. Raises ClusterError."""
    now = now or datetime.now(UTC)
    stack = compile_stack(FAMILIES, settings)
    with told():
        jetstream = look(cluster.api, monitor_of(settings))
        deployments = client.AppsV1Api(cluster.api).list_namespaced_deployment(cluster.namespace).items
    workflows = list(cluster.metadata_of_workflows())
    letters = dead_letters(cluster, workflows)
    routes = [route for family in FAMILIES for route in family.routes if settings.route(route).enabled]
    return Status(
        event_source=_pods(deployments, "eventsource-name", EVENT_SOURCE),
        accepted=jetstream if isinstance(jetstream, Unknown) else jetstream.accepted or 0,
        routes=tuple(
            _route(route, settings, stack, cluster, jetstream, deployments, _of(workflows, route), now)
            for route in routes
        ),
        semaphores=tuple(_semaphores(routes, settings, workflows)),
        dead_letters=tuple(letter for letter in letters if not letter.workflow),
    )


def _of(workflows: Iterable[Workflow], route: Route) -> list[Workflow]:
    return [workflow for workflow in workflows if route_of(workflow) == route.sensor]


def _phase(workflow: Workflow) -> str:
    return str(workflow["metadata"]["labels"].get(PHASE, "Pending"))


def _created(workflow: Workflow) -> datetime:
    return datetime.fromisoformat(workflow["metadata"]["creationTimestamp"])


def _route(
    route: Route,
    settings: StackSettings,
    stack: CompiledStack,
    cluster: Cluster,
    jetstream: JetStream | Unknown,
    deployments: Iterable[Any],
    workflows: list[Workflow],
    now: datetime,
) -> RouteStatus:
    (consumer,) = durable_names(stack.sensor(route.sensor))
    waiting: int | Unknown
    done = oldest = None
    if isinstance(jetstream, Unknown):
        waiting = jetstream
    else:
        count, done = jetstream.waiting.get(consumer), jetstream.done.get(consumer)
        waiting = Unknown("its consumer is not there, or its leader did not answer") if count is None else count
        oldest = jetstream.oldest if count else None
    rate = settings.rate(route)
    unit = timedelta(seconds=rate.seconds if rate else 60)
    failed = [workflow for workflow in workflows if _phase(workflow) in ("Failed", "Error")]
    return RouteStatus(
        route=route,
        rate=rate,
        pods=_pods(deployments, "sensor-name", route.sensor),
        waiting=waiting,
        idle=now - done if done else None,
        phases=Counter(map(_phase, workflows)),
        recent=sum(now - _created(workflow) <= unit for workflow in workflows),
        failure=_words(cluster, max(failed, key=_created)) if failed else "",
        oldest=max(now - oldest, timedelta()) if oldest else None,
        exact=not isinstance(jetstream, Unknown) and consumer in jetstream.at_oldest,
    )


def _words(cluster: Cluster, workflow: Workflow) -> str:
    """What the workflow-controller says of a Workflow that failed."""
    name = workflow["metadata"]["name"]
    message = cluster.workflow(name).get("status", {}).get("message", "")
    return f"{name}: {' '.join(str(message).split()) or 'no message'}"


def _pods(deployments: Iterable[Any], label: str, name: str) -> Pods:
    found = [d for d in deployments if (d.metadata.labels or {}).get(label) == name]
    return Pods(sum(d.status.ready_replicas or 0 for d in found), sum(d.spec.replicas or 0 for d in found))


def _semaphores(
    routes: Iterable[Route], settings: StackSettings, workflows: list[Workflow]
) -> Iterable[SemaphoreStatus]:
    sharing: dict[str, list[Route]] = {}
    for route in routes:
        sharing.setdefault(route.semaphore, []).append(route)
    for name, of in sharing.items():
        phases = Counter(_phase(workflow) for route in of for workflow in _of(workflows, route))
        limit = settings.at_once(of[0].semaphore)
        yield SemaphoreStatus(name=name, held=phases["Running"], limit=limit, waiting=phases["Pending"])
