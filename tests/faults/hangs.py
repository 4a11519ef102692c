"""NATS comes back while triggers are slow: a Sensor of one pod may then take nothing more, for good.

The engine ends its old subscription in two steps. Where a message was fetched behind the one that is worked on, the
first may leave nobody to take it, and the second waits for ever (`trigger_conn.go` of Argo Events 1.9.11).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.away import kill
from lab.layout import Layout
from tests.faults.burst import Burst, plan
from tests.faults.stack import FaultStack, wait_until

SLOW = {"limit": 10, "unit": "Minute"}
"""As the route table has it for issues, security and merges: one Workflow in six seconds."""

SETTLED = 22.0
"""Seconds in which a Sensor that goes on has subscribed again: it looks every five, and ends what it works on first."""

STILL = 20.0
"""Seconds in which a Sensor that goes on has taken at least one message more."""


@dataclass(frozen=True)
class Hangs:
    """Of Sensors of so many pods, at a NATS of so many servers: which of them hung, each time that one was killed."""

    servers: int
    replicas: int
    sensors: int
    hung: list[list[str]]


def hangs(stack: FaultStack, *, replicas: int, kills: int) -> Hangs:
    """Fills the queues, kills NATS again and again, of several servers one after the other, and looks who goes on.

    Kills the pods of a Sensor that hangs. Raises Late where it does not go on then.
    """
    sensors = stack.sensors()
    servers = sorted(stack.servers())
    Burst(stack.sender, 100).send(plan(21 * (4 + 3 * kills)))
    found: list[list[str]] = []
    for number in range(kills):
        before = waiting(stack)
        assert min(before.values()) > 0, f"nothing waits for one of the Sensors: {before}"
        kill(Layout(), servers[number % len(servers)])
        time.sleep(SETTLED)
        hung = _still(stack)
        found.append(hung)
        if hung:
            _cure(stack, hung)
    return Hangs(len(servers), replicas, len(sensors), found)


def _cure(stack: FaultStack, hung: list[str]) -> None:
    stuck = waiting(stack)
    kill(Layout(), *stack.pods(*hung))
    wait_until(
        lambda: all(waiting(stack)[sensor] < stuck[sensor] for sensor in hung),
        f"{', '.join(hung)}: hangs still, after its pods were killed",
        seconds=90,
    )


def waiting(stack: FaultStack) -> dict[str, int]:
    bus = stack.bus()
    assert bus, "JetStream does not answer"
    return {sensor: bus.consumers[consumer].waiting for sensor, consumer in stack.sensors().items()}


def _still(stack: FaultStack) -> list[str]:
    """The Sensors for which as much waits as before."""
    before = waiting(stack)
    time.sleep(STILL)
    after = waiting(stack)
    return [sensor for sensor in before if before[sensor] == after[sensor] > 0]
