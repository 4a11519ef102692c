"""What is done to the lab in the middle of a burst, a row each, and what is measured of it."""

from __future__ import annotations

import json
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass

from lab.away import kill
from lab.host import read_status
from lab.layout import Layout
from routes.compiler import EVENT_SOURCE
from routes.streams import STREAM
from tests.faults.burst import Answer, Burst, Sampler, plan
from tests.faults.judging import Started, Verdict, judge, should_start
from tests.faults.stack import FaultStack, Late, exotic, native, wait_until

STORE = 2 * 1024**2
"""How many bytes the store that is full holds: less than half of either burst."""

EVENT_BUSES = {"faults": exotic("faults"), "native1": native(1, version="2.15.1"), "native3": native(3)}
"""By stack. A single server of 2.10.29 may lose its streams at the second start after a kill (test_nats_store.py)."""

CURE_EVERY = 60.0
"""Seconds between two runs of `cure` while something waits. A Sensor may hang when NATS was away (docs/cure.md)."""

DRAINED_SECONDS = 600.0
"""Time for what waits, and for a hang: `cure` looks at a Sensor for more than 150 seconds before it calls it one."""

CONTROLLERS = ("argo-events-controller", "workflow-controller")


@dataclass(frozen=True)
class Size:
    """How large a row is.

    pace: deliveries a second at most. api_away, away: seconds that the API server and others stay away. sensors_away:
    those for which the store is full.
    """

    deliveries: int
    pace: float
    api_away: float
    away: float
    sensors_away: float


LONG = Size(deliveries=1000, pace=50, api_away=60, away=10, sensors_away=10)
SHORT = Size(deliveries=150, pace=60, api_away=8, away=3, sensors_away=7)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault, and in what it happens. `on`: the stack that it needs.

    refuses: whether deliveries are not answered 200, which are then sent again until they are; None: that depends on
    which server the EventSource is connected to, or on how soon one is back.
    """

    name: str
    what: str
    strike: Callable[[FaultStack, Size], None]
    within: Callable[[FaultStack], AbstractContextManager[None]] = lambda _: nullcontext()
    on: str = "faults"
    refuses: bool | None = False


@dataclass(frozen=True)
class Measured:
    """A row's numbers. `backlog`: what waited for each Sensor at the moment of the fault, the least and the most.

    repeated: attempts beyond the first. seconds: from the fault until nothing waited. hung: the Sensors that `cure`
    restarted. waiting: messages for the slowest Sensor, by seconds from the fault.
    """

    row: Row
    size: Size
    backlog: tuple[int, int]
    verdict: Verdict
    repeated: int
    seconds: float
    hung: list[str]
    waiting: list[tuple[float, int]]


def _nothing(stack: FaultStack, size: Size) -> None:
    pass


def _sensors(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *stack.pods(*stack.sensors()))


def _event_source(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *stack.pods(EVENT_SOURCE))


def _nats(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *stack.servers(), seconds=size.away)


def _api(stack: FaultStack, size: Size) -> None:
    kill(Layout(), "etcd", "kube-apiserver", seconds=size.api_away)


def _controllers(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *CONTROLLERS, seconds=size.away)


def _api_then_nats(stack: FaultStack, size: Size) -> None:
    """NATS once the burst is over, when every Sensor is at a try that fails and has fetched a message more."""
    servers = stack.servers()
    kill(Layout(), "etcd", "kube-apiserver", seconds=size.api_away)
    time.sleep(size.api_away / 2)
    kill(Layout(), *servers)


def _full(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *stack.pods(*stack.sensors()), seconds=size.sensors_away)


def _roll(stack: FaultStack, size: Size) -> None:
    stack.changed(retryMinutes=20).up()


def _pod(stack: FaultStack, size: Size) -> None:
    kill(Layout(), *stack.servers())
    stack.delete_server()


def _leader(stack: FaultStack, size: Size) -> None:
    kill(Layout(), stack.servers()[0], seconds=size.away)


@contextmanager
def _small(stack: FaultStack) -> Iterator[None]:
    """The stream holds STORE bytes meanwhile."""
    config = stack.request(f"$JS.API.STREAM.INFO.{STREAM}")["config"]
    stack.request(f"$JS.API.STREAM.UPDATE.{STREAM}", config | {"max_bytes": STORE})
    try:
        yield
    finally:
        stack.request(f"$JS.API.STREAM.UPDATE.{STREAM}", config)


ROWS = (
    Row(name="no fault", what="what the others are compared with", strike=_nothing),
    Row(name="full store", what="no Sensor runs, and the store fills up", strike=_full, within=_small, refuses=True),
    Row(name="Sensors", what="kill -9 of all seven Sensors", strike=_sensors),
    Row(name="EventSource", what="kill -9 of the EventSource", strike=_event_source, refuses=True),
    Row(name="NATS", what="kill -9 of NATS, started again on its store", strike=_nats, refuses=True),
    Row(name="API server", what="kill -9 of etcd and the API server", strike=_api),
    Row(name="API server, NATS", what="the same, and kill -9 of NATS while they are away", strike=_api_then_nats),
    Row(name="controllers", what="kill -9 of both controllers", strike=_controllers),
    Row(name="rolled", what="every Sensor rolled by `pulumi up`", strike=_roll),
)


def _sensors_and_controllers(stack: FaultStack, size: Size) -> None:
    _controllers(stack, size)
    _sensors(stack, size)


NATIVE_ROWS = (
    Row(name="native 1, no fault", what="what the next is compared with", strike=_nothing, on="native1"),
    Row(
        name="native 1, NATS",
        what="kill -9 of its server, whose pod is deleted: another one on its volume",
        strike=_pod,
        on="native1",
        refuses=None,
    ),
    Row(name="native 3, no fault", what="what the next two are compared with", strike=_nothing, on="native3"),
    Row(
        name="native 3, one of NATS",
        what="kill -9 of the server that leads the stream",
        strike=_leader,
        on="native3",
        refuses=None,
    ),
    Row(
        name="native 3, all of NATS",
        what="kill -9 of all three, started again on their volumes",
        strike=_nats,
        on="native3",
        refuses=True,
    ),
)


def _named(name: str) -> Row:
    return next(row for row in ROWS + NATIVE_ROWS if row.name == name)


SERIES = {
    "native1": (
        _named("full store"),
        Row(name="Sensors, controllers", what="kill -9 of all of them", strike=_sensors_and_controllers),
        _named("EventSource"),
        _named("native 1, NATS"),
        _named("API server, NATS"),
        _named("rolled"),
    ),
    "native3": (_named("native 3, one of NATS"),),
}
"""The faults of all rows, one after the other on a stack: those that do no harm to each other, in one."""


@dataclass(frozen=True)
class Struck:
    """A row whose burst is sent: every answer, the backlog at the fault, and when that was."""

    row: Row
    answers: list[Answer]
    repeated: int
    backlog: list[int]
    at: float

    def verdict(self, started: Sequence[Started], size: Size) -> Verdict:
        """`started`: all Workflows, other bursts' too."""
        own = {answer.delivery for answer in self.answers}
        found = [one for one in started if one[0] in own]
        return judge(self.answers, found, should_start(), posted=size.deliveries)


def strike(row: Row, size: Size, stack: FaultStack) -> Struck:
    """Sends a burst, and strikes in its middle. Raises AssertionError where nothing waited at that moment."""
    sensors = stack.sensors()
    fault: list[float] = []
    backlog: list[int] = []

    def due() -> bool:
        bus = stack.bus()
        backlog[:] = [bus.consumers[consumer].waiting for consumer in sensors.values()] if bus else [0]
        return min(backlog) > 0

    def struck() -> None:
        fault.append(time.monotonic())
        row.strike(stack, size)

    burst = Burst(stack.sender, size.pace)
    with row.within(stack):
        # What is to be refused is sent for sure while it is: on a slow machine a kill takes as long as half a burst.
        answers = burst.send(plan(size.deliveries), struck, due, after=size.deliveries // 10 if row.refuses else 0)
        statuses = Counter(answer.status for answer in answers)
        assert fault, f"{row.name}: nothing waited for one of the Sensors when it was time: {backlog}; {statuses}"
        told = answers if row.refuses is False else burst.repeat(answers, seconds=300)
    return Struck(row, told, len(told) - len(answers), list(backlog), fault[0])


def drained(stack: FaultStack) -> list[str]:
    """Returns when nothing waits: the Sensors that hung, and that `cure` restarted meanwhile. Raises Late."""
    hung: list[str] = []
    deadline = time.monotonic() + DRAINED_SECONDS
    while time.monotonic() < deadline:
        with suppress(Late):
            wait_until(lambda: waiting(stack) == 0, "something waits", seconds=CURE_EVERY)
            return hung
        cured = stack.cure()
        with suppress(ValueError):  # where the cluster does not answer it says so in words
            hung += [one["sensor"] for one in json.loads(cured.stdout) if one["restarted"]]
    raise Late(f"{waiting(stack)} messages still wait; cure says: {cured.output}")


def waiting(stack: FaultStack) -> int | None:
    """None while nobody can say; a NATS that has just started has no consumers yet."""
    bus = stack.bus()
    return bus.waiting if bus and bus.consumers else None


def run(row: Row, size: Size, stack: FaultStack) -> Measured:
    """One row by itself. Raises AssertionError where nothing waited at the fault, Late where what waits stays."""
    drained(stack)
    stack.delete_workflows()
    with Sampler(lambda: waiting(stack)) as sampler:
        struck = strike(row, size, stack)
        hung = drained(stack)
        seconds = time.monotonic() - struck.at
    return Measured(
        row=row,
        size=size,
        backlog=(min(struck.backlog), max(struck.backlog)),
        verdict=struck.verdict(stack.started(), size),
        repeated=struck.repeated,
        seconds=seconds,
        hung=hung,
        waiting=[(at - struck.at, count) for at, count in sampler.seen],
    )


def series(rows: Sequence[Row], size: Size, stack: FaultStack) -> dict[str, Verdict]:
    """One row after the other, each once all of the lab runs again; what waits is waited for once, at the end."""
    struck = []
    for row in rows:
        wait_until(lambda: _all_run() and stack.takes(), f"before {row.name}: not all runs again", seconds=60)
        struck.append(strike(row, size, stack))
    if hung := drained(stack):
        warnings.warn(f"{', '.join(hung)}: hung, and went on once `cure` had restarted it", stacklevel=2)
    started = stack.started()
    return {one.row.name: one.verdict(started, size) for one in struck}


def _all_run() -> bool:
    return all(process["pid"] for process in (read_status() or {"processes": []})["processes"])
