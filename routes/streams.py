"""The stream that the engine keeps deliveries in: what a stack wants of it, and how a stream that is there differs.

The engine reads `streamConfig` when it makes the stream, and never again: argo-events 1.9.11,
`pkg/eventbus/jetstream/base`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import yaml

from routes.manifests import Manifest

STREAM = "default"

RETENTIONS = ("limits", "interest", "workqueue")
DISCARDS = ("old", "new")
CLI_SAYS = {"workqueue": "work"}


@dataclass(frozen=True)
class Difference:
    """A setting of a stream, by the engine's name; `flag` of `nats stream edit` makes it what is wanted."""

    name: str
    found: str
    wanted: str
    flag: str


def stream_config(event_bus: Manifest) -> dict[str, object]:
    """What an EventBus says of its stream. The engine's own settings stand behind what it does not say."""
    (bus,) = event_bus["spec"].values()
    return {str(key): value for key, value in (yaml.safe_load(bus.get("streamConfig") or "") or {}).items()}


@dataclass(frozen=True)
class Servers:
    """Those of a native EventBus: how many, and how many bytes each holds, None where it does not say."""

    count: int
    room: int | None


def servers_of(event_bus: Manifest | None) -> Servers | None:
    """None where there is no EventBus, or its NATS is not the engine's own."""
    bus = (event_bus or {"spec": {}})["spec"].get("jetstream")
    if bus is None:
        return None
    room = (yaml.safe_load(bus.get("settings") or "") or {}).get("max_file_store")
    return Servers(int(bus["replicas"]), room if isinstance(room, int) else None)


def differences(wanted: Mapping[str, object], found: Mapping[str, object]) -> list[Difference]:
    """What of `wanted`, a stream_config, is otherwise in a stream's configuration as JetStream tells it."""
    return list(_differences(wanted, found))


def _differences(wanted: Mapping[str, object], found: Mapping[str, object]) -> Iterator[Difference]:
    for name, (theirs, flag, normal) in SETTINGS.items():
        if name in wanted and (want := normal(wanted[name])) != (there := normal(found.get(theirs, 0))):
            yield Difference(name, there, want, f"--{flag}={CLI_SAYS.get(want, want)}")


def _count(value: object) -> str:
    """JetStream writes -1 where there is no limit; the engine takes 0 for that too."""
    return str(max(int(str(value)), -1) or -1)


def _number(value: object) -> str:
    return str(value)


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    """The engine's number for it, or JetStream's word."""
    return lambda value: words[int(str(value))] if str(value).isdecimal() else str(value)


UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def _duration(value: object) -> str:
    """Go's text for a duration, or nanoseconds, in the largest unit that has no remainder."""
    text = str(value)
    nanoseconds = (
        int(text)
        if text.isdecimal()
        else int(sum(float(n) * UNITS[unit] for n, unit in re.findall(r"([0-9.]+)(ns|us|µs|ms|s|m|h)", text)))
    )
    unit = next(unit for unit in ("h", "m", "s", "ms", "us", "ns") if nanoseconds % UNITS[unit] == 0)
    return f"{nanoseconds // UNITS[unit]}{unit}"


# By the engine's name: JetStream's own, the flag of the nats CLI, and one text for both sides' values.
SETTINGS: Mapping[str, tuple[str, str, Callable[[object], str]]] = {
    "replicas": ("num_replicas", "replicas", _number),
    "maxAge": ("max_age", "max-age", _duration),
    "maxMsgs": ("max_msgs", "max-msgs", _count),
    "maxBytes": ("max_bytes", "max-bytes", _count),
    "duplicates": ("duplicate_window", "dupe-window", _duration),
    "discard": ("discard", "discard", _one_of(DISCARDS)),
    "retention": ("retention", "retention", _one_of(RETENTIONS)),
}
