"""The stack that is measured, on the lab: stack lab's settings, no rate of our own, and other Sensors in its place."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kubernetes import client

from cli.delivery import WORKFLOWS
from cli.stacks import settings_from
from components.engine import Engine
from lab.host import read_status
from lab.layout import NATS_NAMESPACE, NATS_SERVICE
from routes import FAMILIES
from routes.compiler import CompiledStack, compile_stack
from routes.consumers import durable_names
from routes.manifests import Manifest
from routes.settings import Monitor, StackSettings
from tests.e2e.large import Process
from tests.faults.stack import FaultStack, exotic, fault_stack, wait_until

NAME = "bench"
TICKS = 100
"""Of processor time in a second, as /proc has it."""


@dataclass(frozen=True)
class BenchStack:
    """The stack, up, in a namespace and a NATS account of its own."""

    stack: FaultStack

    @property
    def settings(self) -> StackSettings:
        return settings_from(self.stack.stack.file)

    @property
    def compiled(self) -> CompiledStack:
        return compile_stack(FAMILIES, self.settings)

    def put(self, sensors: Sequence[Manifest]) -> None:
        """These Sensors in place of those that are there; returns when they have subscribed and nothing waits."""
        objects = client.CustomObjectsApi(self.stack.api)
        where = (*WORKFLOWS, self.stack.namespace, "sensors")
        wanted = {sensor["metadata"]["name"]: sensor for sensor in sensors}
        there = {s["metadata"]["name"]: s for s in objects.list_namespaced_custom_object(*where)["items"]}
        for name in there.keys() - wanted.keys():
            objects.delete_namespaced_custom_object(*where, name)
        for name, sensor in wanted.items():
            if name in there:
                body = {**there[name], "spec": sensor["spec"]}
                objects.replace_namespaced_custom_object(*where, name, body)
            else:
                objects.create_namespaced_custom_object(*where, sensor)
        monitor = Monitor.model_validate({"namespace": NATS_NAMESPACE, "service": NATS_SERVICE, "account": NAME})
        Engine(kube_context="lab", monitor=monitor, seconds=60).subscribed(sensors)
        wait_until(lambda: len(self.pods("Sensor")) == len(sensors), "there are still pods of before", seconds=60)
        self.drain(sensors)

    def drain(self, sensors: Sequence[Manifest], *, seconds: float = 120) -> None:
        """Returns when nothing waits for these Sensors."""
        wait_until(lambda: not any(self.waiting(sensors).values()), "deliveries wait", seconds=seconds)

    def waiting(self, sensors: Sequence[Manifest]) -> dict[str, int]:
        """How much waits for each of their consumers."""
        found = self.stack.bus()
        consumers = found.consumers if found else {}
        names = [name for sensor in sensors for name in durable_names(sensor)]
        return {name: consumers[name].waiting for name in names}

    def pods(self, *kinds: str) -> list[Process]:
        """Its processes, and the NATS, of these kinds, or all."""
        status = read_status() or {"processes": []}
        running = [(p["pid"], p["name"]) for p in status["processes"] if p["pid"]]
        found = [
            Process(pid, "Sensor" if "-sensor-" in name else "EventSource", name)
            for pid, name in running
            if name.startswith(f"{self.stack.namespace}.")
        ]
        found += [Process(pid, "NATS", name) for pid, name in running if name == "nats-server"]
        return [process for process in found if not kinds or process.kind in kinds]


def processor_time(processes: Sequence[Process]) -> Mapping[str, float]:
    """Seconds that each of them has used, by its name."""
    return {process.name: _used(process.pid) for process in processes}


def _used(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / TICKS


def idle(processes: Sequence[Process], *, seconds: float) -> Mapping[str, float]:
    """What each of them uses in a second in which nothing is delivered."""
    before = processor_time(processes)
    time.sleep(seconds)
    return {name: (used - before[name]) / seconds for name, used in processor_time(processes).items()}


@contextmanager
def bench_stack() -> Iterator[BenchStack]:
    """The stack with no rates, and one pod for each Sensor."""
    with fault_stack(NAME, exotic(NAME), rate="unlimited", replicas=1) as stack:
        yield BenchStack(stack)
