"""What is done to the lab in the middle of a burst, a row each, and what is measured of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.away import kill
from lab.layout import Layout
from routes.compiler import EVENT_SOURCE
from tests.faults.burst import Burst, Sampler, plan
from tests.faults.judging import Verdict, judge, should_start
from tests.faults.stack import FaultStack, wait_until

STORE = "2Mi"
"""How much the store that is full holds: less than half of either burst."""

CONTROLLERS = ("argo-events-controller", "workflow-controller")


@dataclass(frozen=True)
class Size:
    """How large a row is.

    pace: deliveries a second at most. api_away, away: seconds that the API server and others stay away.
    """

    deliveries: int
    pace: float
    api_away: float
    away: float


LONG = Size(deliveries=1000, pace=50, api_away=60, away=10)
SHORT = Size(deliveries=210, pace=60, api_away=15, away=10)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault. `on`: the stack that it needs. repeats: what was not answered 200 is sent again until it is."""

    name: str
    what: str
    strike: Callable[[FaultStack, Size], None]
    on: str = "faults"
    repeats: bool = False


@dataclass(frozen=True)
class Measured:
    """A row's numbers. `backlog`: what waited for each Sensor at the moment of the fault, the least and the most.

    repeated: attempts beyond the first. seconds: from the fault until nothing waited. waiting: messages for the slowest
    Sensor, by seconds from the fault.
    """

    row: Row
    size: Size
    backlog: tuple[int, int]
    verdict: Verdict
    repeated: int
    seconds: float
    waiting: list[tuple[float, int]]


def _nothing(stack: FaultStack, size: Size) -> None:
    pass


def _sensors(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *stack.pods(*stack.sensors()))


def _event_source(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *stack.pods(EVENT_SOURCE))


def _nats(stack: FaultStack, size: Size) -> None:
    kill(Layout(), "nats-server", seconds=size.away)


def _api(stack: FaultStack, size: Size) -> None:
    kill(Layout(), "etcd", "kube-apiserver", seconds=size.api_away)


def _controllers(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *CONTROLLERS, seconds=size.away)


def _full(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *stack.pods(*stack.sensors()), seconds=size.away)


def _roll(stack: FaultStack, size: Size) -> None:
    stack.changed(retryMinutes=20).up()


ROWS = (
    Row(name="no fault", what="what the others are compared with", strike=_nothing),
    Row(name="Sensors", what="kill -9 of all seven Sensors", strike=_sensors),
    Row(name="EventSource", what="kill -9 of the EventSource", strike=_event_source, repeats=True),
    Row(name="NATS", what="kill -9 of NATS, started again on its store", strike=_nats, repeats=True),
    Row(name="API server", what="kill -9 of etcd and the API server", strike=_api),
    Row(name="controllers", what="kill -9 of both controllers", strike=_controllers),
    Row(name="rolled", what="every Sensor rolled by `pulumi up`", strike=_roll),
    Row(name="full store", what="no Sensor runs, and the store fills up", strike=_full, on="full", repeats=True),
)


def run(row: Row, size: Size, stack: FaultStack) -> Measured:
    """Raises AssertionError where nothing waited at the moment of the fault, Late where the backlog does not end."""
    sensors = stack.sensors()
    planned = plan(size.deliveries)
    fault: list[float] = []
    backlog: list[int] = []

    def waiting() -> int | None:
        bus = stack.bus()
        return bus.waiting if bus else None

    def due() -> bool:
        bus = stack.bus()
        backlog[:] = [bus.consumers[consumer].waiting for consumer in sensors.values()] if bus else [0]
        return min(backlog) > 0

    def strike() -> None:
        fault.append(time.monotonic())
        row.strike(stack, size)

    wait_until(lambda: waiting() == 0, "messages of an earlier run still wait", seconds=120)
    stack.delete_workflows()
    burst = Burst(stack.sender, size.pace)
    with Sampler(waiting) as sampler:
        answers = burst.send(planned, strike, due)
        assert fault, f"{row.name}: nothing waited for one of the Sensors when it was time for the fault: {backlog}"
        told = burst.repeat(answers, seconds=300) if row.repeats else answers
        wait_until(lambda: waiting() == 0, f"{waiting()} messages still wait", seconds=300)
        seconds = time.monotonic() - fault[0]
    return Measured(
        row=row,
        size=size,
        backlog=(min(backlog), max(backlog)),
        verdict=judge(told, stack.started(), should_start(), posted=len(planned)),
        repeated=len(told) - len(answers),
        seconds=seconds,
        waiting=[(at - fault[0], count) for at, count in sampler.seen],
    )
