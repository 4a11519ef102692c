"""What a change does: two stacks' Sensors hear the same deliveries, by the engine's own code, and the rest is compared.

Pure but for the engine. Where the sides come from is `cli/revision.py`'s; how it reads is `cli/diffed.py`'s.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from cli.engine import Delivery, Engine, EngineError, Outcome
from cli.records import payload
from payloads import corpus
from routes.compiler import PREFIX
from routes.consumers import dropped
from routes.manifests import Manifest

Path = tuple[str, ...]


class DiffError(Exception):
    """Two sides that cannot be compared. The text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two stacks. `name` is what a person calls it; `settings` are those of its file."""

    name: str
    settings: Mapping[str, object]
    objects: Sequence[Manifest]

    @cached_property
    def sensors(self) -> dict[str, Manifest]:
        return {o["metadata"]["name"]: o for o in self.objects if o["kind"] == "Sensor"}

    def one(self, kind: str) -> Manifest:
        """The object of a kind that there is one of. Raises DiffError."""
        found = [o for o in self.objects if o["kind"] == kind]
        if len(found) != 1:
            raise DiffError(f"{self.name} has {len(found)} objects of kind {kind}, not one: it cannot be compared")
        return found[0]


@dataclass(frozen=True)
class Rerouted:
    """Deliveries that start, or do not start, something else than before. `was` and `now`: what each started."""

    was: tuple[str, ...]
    now: tuple[str, ...]
    deliveries: tuple[str, ...]


@dataclass(frozen=True)
class Altered:
    """The same difference in some Workflows: `what` of theirs, as it `was` and is `now` in the first of them.

    None: it is not there. `values`: how many different pairs there are. `delivery`: what starts the first.
    """

    what: str
    was: object
    now: object
    values: int
    workflows: int
    sensors: tuple[str, ...]
    delivery: str


@dataclass(frozen=True)
class Waiting:
    """What becomes of the events that wait, in words. `sensors`: those that lose them."""

    what: str
    sensors: tuple[str, ...]


@dataclass(frozen=True)
class Changed:
    """The same difference in some objects, unless an `Altered` shows it. An empty path: the object itself."""

    objects: tuple[str, ...]
    path: str
    was: object
    now: object


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What differs between two sides; false where nothing does. `replayed`: how many deliveries both heard.

    `waiting` is None where neither takes the place of the other.
    """

    old: str
    new: str
    replayed: int
    rerouted: tuple[Rerouted, ...]
    altered: tuple[Altered, ...]
    workflows: int
    waiting: tuple[Waiting, ...] | None
    changed: tuple[Changed, ...]

    def __bool__(self) -> bool:
        return bool(self.rerouted or self.altered or self.waiting or self.changed)

    @property
    def losing(self) -> set[str]:
        """The Sensors that lose what waits for them."""
        return {sensor for waiting in self.waiting or () for sensor in waiting.sensors}


def samples() -> list[Delivery]:
    """GitHub's examples as deliveries, each with the same id every time."""
    return [payload(name, json.dumps(p.body, ensure_ascii=False).encode(), p.event) for name, p in corpus().items()]


def diff(old: Side, new: Side, deliveries: Sequence[Delivery], *, deployed: bool) -> Diff:
    """What differs. `deployed`: `new` takes the place of `old`, so that events wait which it may lose.

    Raises EngineError where the engine cannot be asked, DiffError where a side has not what every stack has.
    """
    with Engine() as engine:
        before, after = _both(engine, old, new, deliveries)
    altered: dict[tuple[str, bool, bool], list[_Difference]] = defaultdict(list)
    differing: set[tuple[str, str]] = set()
    for difference in _differences(deliveries, before, after):
        altered[difference.what, not difference.was, not difference.now].append(difference)
        differing.add((difference.delivery, difference.sensor))
    return Diff(
        old=old.name,
        new=new.name,
        replayed=len(deliveries),
        rerouted=_rerouted(deliveries, before, after),
        altered=tuple(sorted(map(_altered, altered.values()), key=lambda one: -one.workflows)),
        workflows=len(differing),
        waiting=tuple(_waiting(old, new)) if deployed else None,
        changed=_grouped(
            _changed(old, new, {shown for found in altered.values() for d in found for shown in d.places})
        ),
    )


# --- What the deliveries show


@dataclass(frozen=True)
class _Heard:
    """What a side makes of one delivery: the outcomes of its Sensors by their names; none where it is `refused`."""

    refused: str
    outcomes: Mapping[str, Sequence[Outcome]]

    @cached_property
    def workflows(self) -> dict[str, list[tuple[str, Manifest]]]:
        """Those that are started, by the Sensor, each with the dependency that fired."""
        started = {name: [(o.dependency, o.object) for o in of if o.object] for name, of in self.outcomes.items()}
        return {name: workflows for name, workflows in started.items() if workflows}

    @cached_property
    def told(self) -> tuple[str, ...]:
        """In words."""
        told: Counter[str] = Counter()
        for sensor, outcomes in self.outcomes.items():
            told.update(_told(sensor, outcome) for outcome in outcomes)
        often = [what if times == 1 else f"{what}, {times} times" for what, times in told.items()]
        return tuple([f"the EventSource refuses it: {self.refused}"] if self.refused else often)


def _told(sensor: str, outcome: Outcome) -> str:
    if outcome.failure:
        return f"{sensor} (fails: {outcome.failure})"
    if not outcome.passes:
        return f"{sensor} (filter error, which logs the payload: {outcome.error})"
    if outcome.redelivered:
        return f"{sensor} (fails when GitHub redelivers: {outcome.redelivered})"
    return sensor


def _both(engine: Engine, old: Side, new: Side, deliveries: Sequence[Delivery]) -> tuple[list[_Heard], list[_Heard]]:
    """What both sides make of the deliveries.

    A Sensor that both have, behind the same EventSource, differs in nothing: it hears only of what the others make a
    difference, and once.
    """
    alike = old.one("EventSource") == new.one("EventSource")
    shared = [name for name, sensor in old.sensors.items() if alike and new.sensors.get(name) == sensor]
    before, after = (
        _heard(engine, side, [name for name in side.sensors if name not in shared], deliveries) for side in (old, new)
    )
    differing = [
        at
        for at, (was, now) in enumerate(zip(before, after, strict=True))
        if (was.told, was.workflows) != (now.told, now.workflows)
    ]
    rest = _heard(engine, old, shared, [deliveries[at] for at in differing])
    for at, common in zip(differing, rest, strict=True):
        for side, heard in ((old, before), (new, after)):
            outcomes = {**heard[at].outcomes, **common.outcomes}
            heard[at] = replace(heard[at], outcomes={n: outcomes[n] for n in side.sensors if n in outcomes})
    return before, after


def _heard(engine: Engine, side: Side, names: Sequence[str], deliveries: Sequence[Delivery]) -> list[_Heard]:
    """What Sensors of a side make of the deliveries."""
    try:
        answers = engine.replay(side.one("EventSource"), [side.sensors[n] for n in names], deliveries, twice=True)
    except EngineError as error:
        raise EngineError(f"{side.name}: {error}") from None
    return [
        _Heard(
            refused="" if taken.status == 200 else f"{taken.status} {taken.text}",
            outcomes=dict(zip(names, taken.sensors, strict=False)),  # none where it was refused
        )
        for taken in answers
    ]


def _rerouted(
    deliveries: Iterable[Delivery], before: Iterable[_Heard], after: Iterable[_Heard]
) -> tuple[Rerouted, ...]:
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for delivery, was, now in zip(deliveries, before, after, strict=True):
        if set(was.told) != set(now.told):
            groups[was.told, now.told].append(delivery.name)
    return tuple(Rerouted(was, now, tuple(names)) for (was, now), names in groups.items())


@dataclass(frozen=True)
class _Difference:
    """One difference between the two Workflows that a Sensor makes of one delivery. `places`: where it comes from."""

    what: str
    was: object
    now: object
    sensor: str
    delivery: str
    places: frozenset[tuple[str, str]]


def _differences(
    deliveries: Iterable[Delivery], before: Iterable[_Heard], after: Iterable[_Heard]
) -> Iterator[_Difference]:
    for delivery, was, now in zip(deliveries, before, after, strict=True):
        for sensor, workflows in was.workflows.items():
            for (by, old), (_, new) in zip(workflows, now.workflows.get(sensor, ()), strict=False):
                for path, value, other in differences(old, new):
                    what = _what(path)
                    places = frozenset({(sensor, what), (sensor, f"{by}: {what}")})
                    yield _Difference(what, value, other, sensor, delivery.name, places)


def _altered(found: Sequence[_Difference]) -> Altered:
    first = found[0]
    return Altered(
        what=first.what,
        was=first.was,
        now=first.now,
        values=len({json.dumps([one.was, one.now]) for one in found}),
        workflows=len(found),
        sensors=tuple(dict.fromkeys(one.sensor for one in found)),
        delivery=first.delivery,
    )


def _what(path: Path) -> str:
    """A place in a Workflow as the contract calls it."""
    match path:
        case ("spec", "arguments", "parameters", name):
            return f"parameter {name}"
        case ("metadata", "labels", name):
            return f"label {name.removeprefix(f'{PREFIX}/')}"
        case ("metadata", "annotations", name):
            return f"annotation {name.removeprefix(f'{PREFIX}/')}"
        case ("spec", "workflowTemplateRef", "name"):
            return "template"
        case ("spec", "synchronization", *_):
            return "semaphore"
        case _:
            return ".".join(path)


# --- What the objects show


def differences(old: object, new: object, path: Path = ()) -> Iterator[tuple[Path, Any, Any]]:
    """Where two JSON values differ, with both; None: it is not there. What has a name goes by it in a list."""
    old, new = _by_name(old), _by_name(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old | new:
            yield from differences(old.get(key), new.get(key), (*path, key))
    elif old != new:
        yield path, old, new


def _by_name(value: object) -> object:
    """A list of objects as one object, by their names or else their numbers. Other lists stay whole."""
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        return value
    if len({item.get("name") for item in value}) < len(value):
        return {str(number): item for number, item in enumerate(value)}
    rest = {item.get("name", "0"): {key: v for key, v in item.items() if key != "name"} for item in value}
    return {name: item["value"] if set(item) == {"value"} else item for name, item in rest.items()}


def _changed(old: Side, new: Side, shown: set[tuple[str, str]]) -> Iterator[tuple[str, str, object, object]]:
    """Each difference of the settings and of the objects: object, path, both values. Without what is `shown`."""
    for path, was, now in differences(flat(old.settings), flat(new.settings)):
        yield "settings", ".".join(path), was, now
    before, after = _by_identity(old.objects), _by_identity(new.objects)
    for name in before | after:
        if name not in before or name not in after:
            yield name, "", *(("there", None) if name in before else (None, "there"))
            continue
        for path, was, now in differences(before[name], after[name]):
            match path:
                case ("spec", "triggers", _, "template", "k8s", "parameters", place, *rest):
                    what = ".".join((place.partition(": ")[2], *rest))
                case ("spec", "triggers", _, "template", "k8s", "source", "resource", *rest):
                    place = what = _what(tuple(rest))
                case _:
                    place, what = "", ".".join(path)
            if (name.removeprefix("Sensor "), place) not in shown:
                yield name, what, was, now


def flat(settings: Mapping[str, Any], path: str = "") -> dict[str, object]:
    """Settings by the whole path of each."""
    found: dict[str, object] = {}
    for key, value in settings.items():
        found |= flat(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
    return found


def _by_identity(objects: Iterable[Manifest]) -> dict[str, Manifest]:
    """Objects by kind and name, Sensors with their parameters by what they fill in."""
    return {
        f"{o['kind']} {o['metadata']['name']}": _with_named_places(o) if o["kind"] == "Sensor" else o for o in objects
    }


def _with_named_places(sensor: Manifest) -> Manifest:
    """A Sensor whose triggers' parameters go by dependency and place in the Workflow."""
    triggers = []
    for trigger in sensor["spec"]["triggers"]:
        template = trigger["template"]
        arguments = template["k8s"]["source"]["resource"]["spec"]["arguments"]["parameters"]
        places = {
            f"{parameter['src']['dependencyName']}: {_filled(parameter['dest'], arguments)}": {
                key: value for key, value in parameter["src"].items() if key != "dependencyName"
            }
            for parameter in template["k8s"]["parameters"]
        }
        k8s = template["k8s"] | {"parameters": places}
        triggers.append(trigger | {"template": template | {"k8s": k8s}})
    return sensor | {"spec": sensor["spec"] | {"triggers": triggers}}


def _filled(dest: str, arguments: Sequence[Manifest]) -> str:
    """What of the Workflow a parameter's `dest` is."""
    if found := re.fullmatch(r"spec\.arguments\.parameters\.(\d+)\.value", dest):
        return f"parameter {arguments[int(found[1])]['name']}"
    return _what(tuple(dest.split(".", 2)))


def _grouped(changes: Iterable[tuple[str, str, object, object]]) -> tuple[Changed, ...]:
    """Alike differences as one, with all the objects that have it."""
    groups: dict[str, list[tuple[str, str, object, object]]] = defaultdict(list)
    for change in changes:
        groups[json.dumps(change[1:])].append(change)
    return tuple(Changed(tuple(name for name, *_ in group), *group[0][1:]) for group in groups.values())


# --- What waits


def _waiting(old: Side, new: Side) -> Iterator[Waiting]:
    """What the change does to events that wait, Sensor by Sensor, and to the EventBus that they wait in."""
    everyone = tuple(old.sensors)
    moved = [
        f"{what} changes from {was} to {now}"
        for what, was, now in (
            ("the namespace", _namespace(old), _namespace(new)),
            ("kubeContext", old.settings.get("kubeContext"), new.settings.get("kubeContext")),
        )
        if was != now
    ]
    before, after = (side.one("EventBus")["spec"] for side in (old, new))
    if moved and "jetstream" in before:
        yield Waiting(f"{' and '.join(moved)}: the EventBus is made anew there, and starts empty", everyone)
        return
    told = list(_bus(before, after, everyone))
    yield from told
    if any(one.sensors for one in told):
        return
    sensors = new.sensors
    for name, sensor in old.sensors.items():
        for loss in dropped(sensor, sensors.get(name)):
            if name in sensors:
                what = f"{loss.why}, so the engine deletes the consumer of trigger {loss.trigger} and all that waits"
            else:
                what = (
                    f"{loss.why}: nothing reads what waits, but its consumer stays in JetStream. If the Sensor comes"
                    " back it starts that, and all that came meanwhile, as far back as the stream's maxAge"
                )
            yield Waiting(f"{name}: {what}", (name,))
    for name in sensors:
        if name not in old.sensors:
            yield Waiting(
                f"{name}: the Sensor is new. If it was there before, it starts what came while it was not, as far back"
                " as the stream's maxAge",
                (),
            )


def _namespace(side: Side) -> str:
    return str(side.one("EventBus")["metadata"]["namespace"])


def _bus(before: Manifest, after: Manifest, everyone: tuple[str, ...]) -> Iterator[Waiting]:
    """What a change of the EventBus does, by argo-events 1.9.11's `pkg/reconciler/eventbus` and `pkg/eventbus`."""
    if set(before) != set(after):
        yield Waiting(
            "the EventBus is another kind: the Sensors go to another NATS, and what waits in the old one starts"
            " nothing. Where Argo Events' admission webhook is installed, it refuses the change",
            everyone,
        )
        return
    (kind,) = before
    was, now = before[kind], after[kind]
    changed = {key for key in was | now if was.get(key) != now.get(key)}
    if "url" in changed:
        yield Waiting(
            f"the EventBus goes from {was['url']} to {now['url']}: unless that is the same NATS, what waits in the old"
            " one starts nothing",
            everyone,
        )
    if "accessSecret" in changed:
        yield Waiting(
            "the EventBus has another Secret with user and password: if they belong to another account of the NATS,"
            " what waits in the old one starts nothing",
            (),
        )
    if "persistence" in changed:
        yield Waiting(
            "the EventBus's volumes change: Kubernetes lets nobody change those of a StatefulSet, so the EventBus stays"
            " as it is and pulumi up fails with its words. To have them, destroy the EventBus and with it what waits",
            (),
        )
        return
    if "version" in changed:
        alone, kept = was["replicas"] == 1, "persistence" in was
        fate = (
            "with all that waits on their volumes"
            if kept
            else "without a volume, and all that waits is lost"
            if alone
            else "each without what it had: what waits stays only as far as the others have copies of it"
        )
        yield Waiting(
            f"the EventBus's NATS goes from {was['version']} to {now['version']}: its servers restart, {fate}",
            everyone if alone and not kept else (),
        )
    if "replicas" in changed:
        stops = now["replicas"] <= was["replicas"] // 2
        fate = (
            "where most of them go with the servers it stops, and what waits is lost"
            if stops
            else "the new servers have none. Let what waits be worked off first"
        )
        yield Waiting(
            f"the EventBus goes from {was['replicas']} NATS servers to {now['replicas']}. The stream keeps as many"
            f" copies as it was made with: {fate}",
            everyone if stops else (),
        )
    if "streamConfig" in changed:
        yield Waiting(
            "the EventBus's streamConfig changes: the engine reads it only when it makes the stream, so it changes"
            " nothing as long as the stream exists. Where Argo Events' admission webhook is installed, it refuses the"
            " change",
            (),
        )
