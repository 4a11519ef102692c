"""What a delivery costs: the processor time of EventSource, NATS and all Sensors, and of the Sensors' filters alone.

The deliveries are GitHub's examples of all events, each once. Every Sensor sees every one; 32 of 332 start a Workflow.
"""

from __future__ import annotations

import base64
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cli.engine import Delivery, Engine
from payloads import Payload, corpus
from routes.compiler import CompiledStack
from routes.manifests import Manifest
from tests.bench import forms
from tests.bench.stack import BenchStack, idle, processor_time
from tests.e2e.large import Process

ROUNDS = 2
FILTER_ROUNDS = 3
IDLE_SECONDS = 2.0
OURS = "as compiled"
PARTS = {"EventSource": "EventSource", "NATS": "NATS", "Sensor": "Sensors"}
"""What is measured, by the kind of its process."""


@dataclass(frozen=True)
class Cost:
    """Of one form of the Sensors: milliseconds of processor time a delivery, by part, for each round."""

    form: str
    parts: Mapping[str, list[float]]
    memory: Mapping[str, int]

    @property
    def total(self) -> list[float]:
        return [sum(round) for round in zip(*self.parts.values(), strict=True)]


@dataclass(frozen=True)
class Sifted:
    """Of one form of the Sensors, microseconds of processor time for each delivery, a number for each round."""

    form: str
    micros: list[float] = field(default_factory=list)


ENVIRONMENT = 128 * 1024
"""The largest value of a process's environment, on Linux. A Sensor's pod has the Sensor in one, in base64."""


def variable(sensor: Manifest) -> int:
    """The bytes that a Sensor takes in its pod's environment, at least."""
    return len(base64.b64encode(json.dumps(sensor).encode()))


def live_forms(stack: CompiledStack) -> dict[str, list[Manifest]]:
    """The forms of the Sensors that are run."""
    ours = stack.all_sensors()
    return {
        OURS: ours,
        "expressions": forms.expressions(ours),
        "Lua scripts": forms.scripts(ours),
        "log of warnings only": forms.quiet(ours),
    }


def library_forms(stack: CompiledStack) -> dict[str, list[Manifest]]:
    """The forms of the Sensors whose filters are run as a library: what was tried."""
    ours = stack.all_sensors()
    return {
        OURS: ours,
        "the event looked at last": forms.event_last(ours),
        "never by the event's type": forms.never_by_type(ours),
        "a push's branch by a template": forms.branch_by_template(ours),
        "no dependency that never passes": forms.without_never(ours),
        "one Sensor": forms.one_sensor(ours),
        "expressions": forms.expressions(ours),
        "Lua scripts": forms.scripts(ours),
        "no filter at all": forms.unfiltered(ours),
    }


def cost(stack: BenchStack, say: Callable[[str], None]) -> list[Cost]:
    """Each form in turn, round by round."""
    payloads = list(corpus().values())
    parts: dict[str, dict[str, list[float]]] = {}
    memory: dict[str, dict[str, int]] = {}
    chosen = live_forms(stack.compiled)
    same(stack.compiled, chosen, deliveries())
    for _ in range(ROUNDS):
        for form, sensors in chosen.items():
            stack.put(sensors)
            for part, millis in _measure(stack, sensors, payloads).items():
                parts.setdefault(form, {}).setdefault(part, []).append(millis)
            memory[form] = {part: max(p.peak() for p in of) for part, of in _by_part(stack.pods()).items()}
            say(f"{form}: {sum(of[-1] for of in parts[form].values()):.2f} ms of CPU a delivery")
    stack.put(chosen[OURS])
    return [Cost(form, parts[form], memory[form]) for form in chosen]


def _measure(stack: BenchStack, sensors: Sequence[Manifest], payloads: Sequence[Payload]) -> dict[str, float]:
    pods = stack.pods()
    resting = idle(pods, seconds=IDLE_SECONDS)
    began, before = time.monotonic(), processor_time(pods)
    for payload in payloads:
        posted = stack.stack.sender.post(payload)
        assert posted.status == 200, posted.answer
    stack.drain(sensors)
    took, after = time.monotonic() - began, processor_time(pods)
    spent = {name: after[name] - before[name] - resting[name] * took for name in after}
    return {
        part: 1000 * sum(spent[process.name] for process in of) / len(payloads) for part, of in _by_part(pods).items()
    }


def _by_part(pods: Sequence[Process]) -> dict[str, list[Process]]:
    return {part: [pod for pod in pods if pod.kind == kind] for kind, part in PARTS.items()}


def filters(stack: CompiledStack, say: Callable[[str], None]) -> list[Sifted]:
    """The engine's own code over the same deliveries, as a library: each form in turn, round by round."""
    chosen = library_forms(stack)
    all_of_them = deliveries()
    same(stack, {form: sensors for form, sensors in chosen.items() if form != "no filter at all"}, all_of_them)
    request = {
        "eventSource": stack.event_source,
        "sensors": [sensor for sensors in chosen.values() for sensor in sensors],
        "deliveries": [{"headers": d.headers, "body": base64.b64encode(d.body).decode()} for d in all_of_them],
        "rounds": FILTER_ROUNDS,
    }
    with Engine() as engine:
        costs = iter(engine.ask(request)["costs"])
    found = []
    for form, sensors in chosen.items():
        rounds = zip(*(next(costs) for _ in sensors), strict=True)
        found.append(Sifted(form, [sum(nanos) / len(all_of_them) / 1000 for nanos in rounds]))
        say(f"filters, {form}: {statistics.median(found[-1].micros):.0f} µs a delivery")
    return found


def same(stack: CompiledStack, chosen: Mapping[str, Sequence[Manifest]], deliveries: Sequence[Delivery]) -> None:
    """Raises AssertionError where one form starts something that another does not."""
    with Engine() as engine:
        found = {form: started(engine, stack, sensors, deliveries) for form, sensors in chosen.items()}
    right = found[OURS]
    assert right, "nothing is started"
    for form, starts in found.items():
        assert starts == right, (form, starts ^ right)


def started(
    engine: Engine, stack: CompiledStack, sensors: Sequence[Manifest], deliveries: Sequence[Delivery]
) -> set[tuple[str, str]]:
    """Each delivery by its name, and the dependency by which it starts a Workflow: the engine says so."""
    return {
        (delivery.name, outcome.dependency)
        for delivery, taken in zip(deliveries, engine.deliver(stack, deliveries, sensors=sensors), strict=True)
        for outcomes in taken.sensors
        for outcome in outcomes
        if outcome.object
    }


def deliveries() -> list[Delivery]:
    """All of GitHub's examples."""
    return [
        Delivery(
            name=name,
            headers={
                "X-GitHub-Event": payload.event,
                "X-GitHub-Delivery": f"bench-{number}",
                "Content-Type": "application/json",
            },
            body=json.dumps(payload.body, ensure_ascii=False).encode(),
        )
        for number, (name, payload) in enumerate(corpus().items())
    ]
