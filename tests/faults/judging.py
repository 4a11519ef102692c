"""Exactly once: one Workflow for each delivery that was accepted and each Sensor that it fits."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cli.engine import Delivery, Engine
from cli.stacks import compiled
from payloads import one_of_each
from tests.faults.burst import Answer

Started = tuple[str, str]
"""A delivery's id and the Sensor that started a Workflow for it."""


@dataclass(frozen=True)
class Verdict:
    """What became of a burst of `posted` deliveries, counted by their ids but for the last four, which are Workflows.

    accepted: answered 200 at least once. refused, unanswered: not at first, which is what GitHub leaves it at.
    unaccepted: Workflows of deliveries that were never answered 200. strange: Workflows that no delivery should start.
    """

    posted: int
    redelivered: int
    accepted: int
    refused: int
    unanswered: int
    created: int
    lost: list[Started]
    doubled: list[Started]
    unaccepted: int
    strange: list[Started]


def should_start() -> dict[str, frozenset[str]]:
    """The Sensors that start a Workflow for each dependency's delivery: the engine's own code says so."""
    stack, payloads = compiled("lab"), one_of_each()
    names = [sensor["metadata"]["name"] for sensor in stack.all_sensors()]
    asked = [
        Delivery(
            name=name,
            headers={"X-GitHub-Event": payload.event, "X-GitHub-Delivery": name, "Content-Type": "application/json"},
            body=json.dumps(payload.body).encode(),
        )
        for name, payload in payloads.items()
    ]
    with Engine() as engine:
        taken = engine.deliver(stack, asked)
    return {
        name: frozenset(
            sensor for sensor, outcomes in zip(names, one.sensors, strict=True) if any(o.object for o in outcomes)
        )
        for name, one in zip(payloads, taken, strict=True)
    }


def judge(
    answers: Sequence[Answer], started: Iterable[Started], should: Mapping[str, frozenset[str]], *, posted: int
) -> Verdict:
    """`answers` are to the burst's `posted` deliveries, and after them to what was repeated."""
    dependency = {answer.delivery: answer.dependency for answer in answers}
    accepted = {answer.delivery for answer in answers if answer.status == 200}
    first = {answer.delivery: answer.status for answer in reversed(answers[:posted])}
    found = Counter(started)
    right = {(delivery, sensor) for delivery, kind in dependency.items() for sensor in should[kind]}
    return Verdict(
        posted=posted,
        redelivered=posted - len(first),
        accepted=len(accepted),
        refused=sum(status not in (0, 200) for status in first.values()),
        unanswered=sum(status == 0 for status in first.values()),
        created=found.total(),
        lost=sorted(one for one in right if one[0] in accepted and one not in found),
        doubled=sorted(one for one, times in found.items() if times > 1),
        unaccepted=sum(times for one, times in found.items() if one in right and one[0] not in accepted),
        strange=sorted(found.keys() - right),
    )
