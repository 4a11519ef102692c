"""A stack with so many times as many Sensors; its other objects stay as they are."""

from __future__ import annotations

import copy
from dataclasses import replace

from routes.compiler import CompiledStack
from routes.manifests import Manifest


def many(stack: CompiledStack, copies: int) -> CompiledStack:
    """The first copy of each Sensor is the Sensor itself."""
    sensors = {
        family if number == 1 else f"{family}-{number}": [_named(sensor, number) for sensor in of_family]
        for number in range(1, copies + 1)
        for family, of_family in stack.sensors.items()
    }
    return replace(stack, sensors=sensors)


def _named(sensor: Manifest, number: int) -> Manifest:
    if number == 1:
        return sensor
    other = copy.deepcopy(sensor)
    other["metadata"]["name"] += f"-{number}"
    return other
