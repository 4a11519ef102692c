"""How many deliveries a second the whole of it takes for as long as anybody sends them, and what stops it there."""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from cli.engine import Engine
from payloads import Payload, corpus, one_of_each
from routes import FAMILIES
from routes.consumers import durable_names
from routes.manifests import Manifest
from tests.bench.cost import deliveries, started
from tests.bench.figures import growth_per_second
from tests.bench.stack import BenchStack, processor_time
from tests.faults.burst import Sampler

CONNECTIONS = 8
BURST = 280
"""Deliveries of which each Sensor has as many to start a Workflow for."""
STEPS = (0.5, 0.9, 1.1, 1.5)
"""Offered, as parts of what was drained a second."""
STEP_SECONDS = 12.0
FLAT = 0.05
"""A backlog grows when it grows by more than this part of what is offered."""
RATED_SECONDS = 45.0


@dataclass(frozen=True)
class Offered:
    """So many deliveries a second were offered; `waiting` is the backlog of the slowest Sensor, by the second."""

    rate: float
    waiting: list[tuple[float, float]]

    @property
    def grows(self) -> float:
        """Deliveries a second, once the queue of eleven that the engine's limiters let through is over."""
        return growth_per_second([(at, count) for at, count in self.waiting if at > STEP_SECONDS / 3])


@dataclass(frozen=True)
class Throughput:
    """Deliveries a second.

    quiet: of those that start nothing, as many as eight connections send; `busy`: what each part of the stack took
    meanwhile, as processors. drained: of those that start a Workflow, each Sensor alike often, with no rates; `each`:
    by Sensor, each of which looks at all of them. rated: Workflows a second by Sensor with the rates of the route
    table, beside what the table says.
    """

    quiet: float
    quiet_waiting: int
    busy: dict[str, float]
    drained: float
    each: dict[str, float]
    steps: list[Offered]
    rated: dict[str, tuple[float, float]]


def throughput(stack: BenchStack, say: Callable[[str], None]) -> Throughput:
    """With rates `unlimited` first, then with those of the route table."""
    sensors = stack.compiled.all_sensors()
    quiet, left, busy = _quiet(stack, sensors)
    say(f"{quiet:.0f} deliveries a second that start nothing; {left} waited at the end")
    each = _drained(stack, sensors)
    drained = min(each.values())
    say(f"{drained:.1f} deliveries a second drained that start a Workflow")
    steps = []
    for part in STEPS:
        steps.append(_offered(stack, sensors, drained * part))
        say(f"offered {steps[-1].rate:.1f} a second: the backlog grows by {steps[-1].grows:.2f}")
        stack.drain(sensors)
        stack.stack.delete_workflows()
    rated = _rated(stack, sensors)
    say(f"with rates: {', '.join(f'{found * 60:.1f} of {said * 60:.0f} a minute' for found, said in rated.values())}")
    return Throughput(quiet, left, busy, drained, each, steps, rated)


def _quiet(stack: BenchStack, sensors: Sequence[Manifest]) -> tuple[float, int, dict[str, float]]:
    with Engine() as engine:
        fires = {name for name, _ in started(engine, stack.compiled, sensors, deliveries())}
    payloads = [payload for name, payload in corpus().items() if name not in fires] * 4
    pods = stack.pods()
    began, before = time.monotonic(), processor_time(pods)
    _post(stack, payloads)
    sent = time.monotonic() - began
    left = max(stack.waiting(sensors).values())
    stack.drain(sensors)
    took, after = time.monotonic() - began, processor_time(pods)
    busy: dict[str, float] = {}
    for pod in pods:
        busy[pod.kind] = busy.get(pod.kind, 0) + (after[pod.name] - before[pod.name]) / took
    return len(payloads) / max(sent, took), left, busy


def _drained(stack: BenchStack, sensors: Sequence[Manifest]) -> dict[str, float]:
    """How fast the queue of each Sensor shrinks, once the first are through that the client's own burst lets pass."""
    with watched(stack, sensors) as seen:
        _post(stack, _alike(BURST))
        stack.drain(sensors)
    stack.stack.delete_workflows()
    found = {}
    for sensor in sensors:
        (name,) = durable_names(sensor)
        queue = [(at, waiting[name]) for at, waiting in seen]
        most, since = max((count, at) for at, count in queue)
        falling = [(at, float(count)) for at, count in queue if at > since and 0 < count < most * 0.8]
        found[sensor["metadata"]["name"]] = -growth_per_second(falling)
    return found


def _offered(stack: BenchStack, sensors: Sequence[Manifest], rate: float) -> Offered:
    with watched(stack, sensors) as seen:
        began = time.monotonic()
        _post(stack, _alike(round(rate * STEP_SECONDS)), pace=rate)
        ended = time.monotonic()
    return Offered(rate, [(at - began, max(waiting.values())) for at, waiting in seen if began <= at <= ended])


def _rated(stack: BenchStack, sensors: Sequence[Manifest]) -> dict[str, tuple[float, float]]:
    """Workflows a second while enough waits for each Sensor, with the rates of the route table."""
    rates = {route.sensor: route.rate for family in FAMILIES for route in family.routes}
    limited = [_limited(sensor, rates[sensor["metadata"]["name"]].limit) for sensor in sensors]
    stack.put(limited)
    per_sensor = max(round(rate.limit / rate.seconds * RATED_SECONDS) for rate in rates.values()) + 12
    _post(stack, _alike(per_sensor * len(sensors)))
    time.sleep(5)
    before = _count(stack)
    time.sleep(RATED_SECONDS)
    after = _count(stack)
    stack.put(sensors)
    stack.stack.delete_workflows()
    return {
        name: ((after.get(name, 0) - before.get(name, 0)) / RATED_SECONDS, rate.limit / rate.seconds)
        for name, rate in rates.items()
    }


def _limited(sensor: Manifest, limit: int) -> Manifest:
    (trigger,) = sensor["spec"]["triggers"]
    limited = {**trigger, "rateLimit": {"unit": "Minute", "requestsPerUnit": limit}}
    return {**sensor, "spec": {**sensor["spec"], "triggers": [limited]}}


def _count(stack: BenchStack) -> dict[str, int]:
    found: dict[str, int] = {}
    for _, sensor in stack.stack.started():
        found[sensor] = found.get(sensor, 0) + 1
    return found


def _alike(size: int) -> list[Payload]:
    """Deliveries that start a Workflow each, every Sensor as many."""
    payloads = one_of_each()
    firsts = [payloads[route.deliveries[0].name] for family in FAMILIES for route in family.routes]
    return [firsts[number % len(firsts)] for number in range(size)]


def _post(stack: BenchStack, payloads: Sequence[Payload], *, pace: float = 10_000.0) -> None:
    """Posts each once, over eight connections, at most `pace` a second. Raises AssertionError where one is refused."""
    left = deque(enumerate(payloads))
    began = time.monotonic()
    refused: list[str] = []

    def work() -> None:
        while True:
            try:
                number, payload = left.popleft()
            except IndexError:
                return
            time.sleep(max(0.0, began + number / pace - time.monotonic()))
            posted = stack.stack.sender.post(payload, delivery=str(uuid.uuid4()))
            if posted.status != 200:
                refused.append(posted.answer)

    threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not refused, refused[:3]


@contextmanager
def watched(stack: BenchStack, sensors: Sequence[Manifest]) -> Iterator[list[tuple[float, dict[str, int]]]]:
    """What waits for each consumer, twice a second."""
    seen: list[tuple[float, dict[str, int]]] = []

    def look() -> None:
        seen.append((time.monotonic(), stack.waiting(sensors)))

    with Sampler(look):
        yield seen
