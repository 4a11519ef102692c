"""The JetStream consumers of a Sensor: their names, and which of them a changed Sensor loses with all that waits there.

The rules are the engine's: argo-events 1.9.11, `pkg/eventbus/jetstream/sensor`, which it goes by when a Sensor starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A consumer that a changed Sensor no longer reads: what waits in it starts nothing. `why` is for a reviewer.

    `left`: the engine does not delete it, since its Sensor has another name now.
    """

    sensor: str
    trigger: str
    consumer: str
    why: str
    left: bool = False


def durable_names(sensor: Manifest) -> set[str]:
    """The names of a Sensor's consumers (`getDurableName`)."""
    return {_durable_name(sensor, *consumer) for consumer in _consumers(sensor)}


def dropped(old: Manifest | None, new: Manifest | None) -> list[Loss]:
    """What is lost when a Sensor of one name goes from `old` to `new`; None: there is none. On one EventBus.

    The engine deletes a consumer when its trigger is gone, when the text of the trigger's conditions is another, and
    when the hash of the dependency that it is named after is. A change of an earlier dependency of the same event
    deletes what does not exist, and the new filter judges what waits. Parameters, rates and retries lose nothing.

    The hash is over the dependency as the engine's types hold it, where null is absent and unknown fields are dropped.
    Our closed models emit neither, so two hashes are equal just when the two manifests are.

    Nothing deletes the consumers of a Sensor that is gone. What waits in them, and all that comes meanwhile, is read if
    that Sensor comes back.
    """
    return [] if old is None else list(_losses(old, new))


def renamed(live: Mapping[str, Manifest], wanted: Mapping[str, Manifest]) -> dict[str, str]:
    """Sensors that go and come back by another name, old to new: a route's deliveries are no other route's."""
    comes = {frozenset(_dependencies(sensor)): name for name, sensor in wanted.items() if name not in live}
    return {
        name: comes[deliveries]
        for name, sensor in live.items()
        if name not in wanted and (deliveries := frozenset(_dependencies(sensor))) in comes
    }


def _losses(old: Manifest, new: Manifest | None) -> Iterator[Loss]:
    before, after = _dependencies(old), _dependencies(new) if new else {}
    were, are = _conditions(old), _conditions(new) if new else {}
    for trigger, dependency in _consumers(old):
        if new is None:
            why = "the Sensor is gone"
        elif trigger not in are:
            why = "the trigger is gone"
        elif are[trigger] != were[trigger]:
            why = f"its conditions changed from {were[trigger]} to {are[trigger]}"
        elif after[dependency] != before[dependency]:
            why = f"dependency {dependency}: its {_changed(before[dependency], after[dependency])} changed"
        else:
            continue
        yield Loss(
            sensor=old["metadata"]["name"],
            trigger=trigger,
            consumer=_durable_name(old, trigger, dependency),
            why=why,
        )


def _changed(before: Manifest, after: Manifest) -> str:
    return " and ".join(key for key in before | after if before.get(key) != after.get(key))


def _consumers(sensor: Manifest) -> Iterator[tuple[str, str]]:
    """Of each consumer, the trigger it is for and the dependency it is named after.

    There is one for each trigger and event name, however many dependencies look at it: named after the one that comes
    last in the trigger's conditions.
    """
    dependencies = _dependencies(sensor)
    for trigger, conditions in _conditions(sensor).items():
        last: dict[tuple[str, str], str] = {}
        for name in dict.fromkeys(re.findall(r"[^\s&|()]+", conditions)):
            last[dependencies[name]["eventSourceName"], dependencies[name]["eventName"]] = name
        for name in last.values():
            yield trigger, name


def _dependencies(sensor: Manifest) -> dict[str, Manifest]:
    return {dependency["name"]: dependency for dependency in sensor["spec"]["dependencies"]}


def _conditions(sensor: Manifest) -> dict[str, str]:
    every = " && ".join(_dependencies(sensor))
    templates = [trigger["template"] for trigger in sensor["spec"]["triggers"]]
    return {template["name"]: template.get("conditions") or every for template in templates}


def _durable_name(sensor: Manifest, trigger: str, dependency: str) -> str:
    return f"group-{_fnv1a('-'.join((sensor['metadata']['name'], trigger, dependency)))}"


def _fnv1a(text: str) -> int:
    """FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
