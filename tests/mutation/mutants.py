"""Every single change of a compiled Sensor or EventSource, as a manifest.

Not of their pods, the Service and the metadata: tests/routes/test_pods.py and tests/e2e look at these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal

from routes.compiler import PREFIX
from routes.contract import TASK_ID
from routes.manifests import Manifest
from tests.mutation import texts

Step = str | int
Path = tuple[Step, ...]


class Gone(Enum):
    """In place of a value: there is none."""

    REMOVED = "removed"


OTHERS: dict[str, tuple[Any, ...]] = {
    "operation": ("create", "patch", "delete"),
    "unit": ("Second", "Hour"),
    "comparator": ("<",),
    "type": ("bool", "number"),
}
"""Values that are others of a kind. All else is changed by a character or by one."""

TASKS_IN_FULL = ("issues", "ic")
"""Where each piece of the rule for task ids is changed: one text in five templates, looked at in full in these."""

PODS = ("template", "replicas", "service")
"""What of a `spec` is not changed here."""


ShownBy = Literal["any", "event", "fired", "reduced", "letter", "whole"]
"""What a change can be seen by: any delivery, only one of the dependency's event, only one that fires it, also one that
is too large for a Workflow, the dead letter of one that fires it; or, since it is a change of what is the same for each
delivery, by a few that show the whole Workflow."""

EVENT = "spec.arguments.parameters.0.value"
REDUCED = f"metadata.annotations.{PREFIX}/reduced"


@dataclass(frozen=True, eq=False)
class Mutant:
    """A manifest with one change: of which object, where, and what."""

    of: str
    where: str
    what: str
    whole: Manifest
    path: Path
    value: Any
    dependency: str = ""
    """The dependency that the change belongs to; empty: all of them."""
    shown_by: ShownBy = "whole"

    @property
    def manifest(self) -> Manifest:
        """The changed object."""
        changed: Manifest = _with(self.whole, self.path, self.value)
        return changed

    @property
    def parameter(self) -> int:
        """Which of the trigger's parameters is changed, where `is_of_a_parameter`."""
        return int(self.path[6])

    @property
    def is_of_a_parameter(self) -> bool:
        """Whether the change is one of what a delivery writes into its Workflow."""
        return self.shown_by in ("fired", "reduced")

    @property
    def is_of_a_filter(self) -> bool:
        """Whether the change is one of a dependency."""
        return self.shown_by in ("any", "event")

    @property
    def is_unchanged(self) -> bool:
        return self.what == "unchanged"

    def __str__(self) -> str:
        return f"{self.of}: {self.where}: {self.what}"


def unchanged(mutant: Mutant) -> Mutant:
    """None: the object of a mutant as it is, which all checks that can show the mutant have to pass."""
    same: Any = mutant.whole
    path = mutant.path[:7] if mutant.is_of_a_parameter else mutant.path[:1]
    for step in path:
        same = same[step]
    return replace(mutant, where="", what="unchanged", path=path, value=same)


def sensor(whole: Manifest, forms: set[str]) -> Iterator[Mutant]:
    """Every mutant of a Sensor: its dependencies, its trigger, its Workflow and what a delivery writes there.

    `forms` are the actions of templates, but for their paths, that were changed in full before; it grows.
    """
    name, spec = whole["metadata"]["name"], whole["spec"]
    for path, what, value in _all_changes(spec, forms):
        dependency, shown_by = _dependency(spec, path)
        yield Mutant(name, _called(spec, path), what, whole, ("spec", *path), value, dependency, shown_by)


def event_source(whole: Manifest) -> Iterator[Mutant]:
    """Every mutant of the EventSource."""
    name = whole["metadata"]["name"]
    yield Mutant(name, "metadata.name", "another text", whole, ("metadata", "name"), f"{name}x")
    for path, value in _leaves(whole["spec"], ()):
        where = ".".join(map(str, path))
        for what, changed in (*_changes(path, value, "", set()), ("removed", Gone.REMOVED)):
            yield Mutant(name, where, what, whole, ("spec", *path), changed)
    main: Path = ("spec", "github", "main")
    for branch in ((*main, "webhookSecret"), (*main, "webhook"), main):
        yield Mutant(name, ".".join(map(str, branch[1:])), "removed", whole, branch, Gone.REMOVED)
    renamed = {"other": whole["spec"]["github"]["main"]}
    yield Mutant(name, "github.main", "renamed", whole, ("spec", "github"), renamed)


def _all_changes(spec: Manifest, forms: set[str]) -> Iterator[tuple[Path, str, Any]]:
    # What is written last holds the freest texts: a comment before a login, and both before a dead letter.
    for path, value in sorted(reversed(list(_leaves(spec, ()))), key=lambda leaf: "dlqTrigger" in leaf[0]):
        for what, changed in _changes(path, value, _dependency(spec, path)[0], forms):
            yield path, what, changed
        yield path, "removed", Gone.REMOVED
    for path in _branches(spec):
        yield path, "removed", Gone.REMOVED
    for i, dependency in enumerate(spec["dependencies"]):
        for j, data in enumerate(dependency["filters"]["data"]):
            if "comparator" not in data:
                yield ("dependencies", i, "filters", "data", j, "comparator"), "!=", "!="


def _changes(path: Path, value: Any, dependency: str, forms: set[str]) -> Iterator[tuple[str, Any]]:
    match [step for step in path if isinstance(step, str)][-1]:
        case kind if kind in OTHERS:
            for other in OTHERS[kind]:
                if other == value:
                    continue
                yield f"{other} for {value}", other
        case "value" if "data" in path:
            yield from texts.regex(value)
        case "path":
            yield from texts.path(value)
        case "dataKey":
            yield from texts.key(value)
        case "expr":
            yield from texts.expression(value)
        case "conditions":
            yield from texts.conditions(value)
            yield "another text", f"{value}x"
        case "dataTemplate":
            yield from texts.template(value, forms, pieces=lambda p: p != TASK_ID or dependency in TASKS_IN_FULL)
        case "atLeastOnce":
            yield f"{not value} for {value}", not value
        case _ if isinstance(value, int):
            yield f"{value + 1} for {value}", value + 1
            yield f"{value - 1} for {value}", value - 1
        case _:
            yield "another text", f"{value}x"


def _leaves(node: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if path or key not in PODS:
                yield from _leaves(value, (*path, key))
    else:
        yield path, node


def _branches(spec: Manifest) -> Iterator[Path]:
    """What can go as a whole."""
    for i, dependency in enumerate(spec["dependencies"]):
        yield "dependencies", i
        yield "dependencies", i, "filters"
        for kind, filters in dependency["filters"].items():
            for j, one in enumerate(filters):
                yield "dependencies", i, "filters", kind, j
                for k in range(len(one.get("fields", []))):
                    yield "dependencies", i, "filters", kind, j, "fields", k
    trigger: Path = ("triggers", 0)
    yield *trigger, "rateLimit"
    yield *trigger, "retryStrategy"
    letter: Path = (*trigger, "dlqTrigger")
    yield letter
    yield *letter, "retryStrategy"
    yield *letter, "template"
    for i in range(len(spec["triggers"][0]["dlqTrigger"]["template"]["k8s"]["parameters"])):
        yield *letter, "template", "k8s", "parameters", i
    yield *letter, "template", "k8s", "source", "resource", "metadata", "labels"
    yield *letter, "template", "k8s", "source", "resource", "data"
    k8s: Path = (*trigger, "template", "k8s")
    for i in range(len(spec["triggers"][0]["template"]["k8s"]["parameters"])):
        yield *k8s, "parameters", i
    resource: Path = (*k8s, "source", "resource")
    workflow = spec["triggers"][0]["template"]["k8s"]["source"]["resource"]
    for branch in ("synchronization", "ttlStrategy", "workflowTemplateRef", "arguments"):
        yield *resource, "spec", branch
    for i in range(len(workflow["spec"]["arguments"]["parameters"])):
        yield *resource, "spec", "arguments", "parameters", i
    yield *resource, "metadata", "labels"
    yield *resource, "metadata", "annotations"


def _called(spec: Manifest, path: Path) -> str:
    """A path in words: the parameter by what it fills, the dependency and the filter by name."""
    match path:
        case ("dependencies", int(i), *rest):
            dependency = spec["dependencies"][i]
            if rest[:1] == ["filters"] and len(rest) > 2:
                rest = [_filter(dependency["filters"][rest[1]], int(rest[2])), *rest[3:]]
            return " ".join(map(str, (dependency["name"], *rest)))
        case ("triggers", 0, "template", "k8s", "parameters", int(i), *rest):
            parameter = spec["triggers"][0]["template"]["k8s"]["parameters"][i]
            return " ".join(map(str, (parameter["src"]["dependencyName"], "writes", _filled(spec, i), *rest)))
        case ("triggers", 0, "dlqTrigger", "template", "k8s", "parameters", int(i), *rest):
            parameter = spec["triggers"][0]["dlqTrigger"]["template"]["k8s"]["parameters"][i]
            place = parameter["dest"].removeprefix("data.")
            return " ".join(map(str, ("dead letter:", parameter["src"]["dependencyName"], "writes", place, *rest)))
        case ("triggers", 0, "dlqTrigger", *rest):
            return f"dead letter: {'.'.join(map(str, rest)) or 'the whole'}"
        case ("triggers", 0, "template", "k8s", "source", "resource", *rest):
            if rest[:3] == ["spec", "arguments", "parameters"] and len(rest) > 3:
                workflow = spec["triggers"][0]["template"]["k8s"]["source"]["resource"]
                rest = ["parameter", workflow["spec"]["arguments"]["parameters"][int(rest[3])]["name"], *rest[4:]]
            return f"Workflow {'.'.join(map(str, rest))}"
    return ".".join(map(str, path))


def _filter(filters: Sequence[Manifest], i: int) -> str:
    """What a filter is called: the path it looks at, and the number of those before it that look there in this way."""
    if "path" not in filters[i]:
        return "expr"
    names = [f"filter {one['path']} {one.get('comparator', '=')}" for one in filters]
    before = names[:i].count(names[i])
    return f"{names[i]} ({before + 1})" if before else names[i]


def _filled(spec: Manifest, i: int) -> str:
    trigger = spec["triggers"][0]["template"]["k8s"]
    place: list[str] = trigger["parameters"][i]["dest"].split(".")
    if place[:3] == ["spec", "arguments", "parameters"]:
        return str(trigger["source"]["resource"]["spec"]["arguments"]["parameters"][int(place[3])]["name"])
    return f"{place[1].removesuffix('s')} {place[-1].removeprefix(f'{PREFIX}/')}" if len(place) > 2 else place[-1]


def _dependency(spec: Manifest, path: Path) -> tuple[str, ShownBy]:
    """The dependency that a change there belongs to, and what can show it."""
    match path:
        case ("dependencies", int(i), "filters", "data", int(j), *_) if j > 0:
            return str(spec["dependencies"][i]["name"]), "event"  # else the first filter stops it
        case ("dependencies", int(i), *_):
            return str(spec["dependencies"][i]["name"]), "any"
        case ("triggers", 0, "template", "k8s", "parameters", int(i), *_):
            parameter = spec["triggers"][0]["template"]["k8s"]["parameters"][i]
            large = parameter["dest"] in (EVENT, REDUCED)
            return str(parameter["src"]["dependencyName"]), "reduced" if large else "fired"
        case ("triggers", 0, "dlqTrigger", "template", "k8s", "parameters", int(i), *_):
            parameter = spec["triggers"][0]["dlqTrigger"]["template"]["k8s"]["parameters"][i]
            return str(parameter["src"]["dependencyName"]), "letter"
        case ("triggers", 0, "dlqTrigger", *_):
            return "", "letter"
    return "", "whole"


def _with(node: Any, path: Path, value: Any) -> Any:
    """A copy of the way to `path`, with the value there."""
    step, *rest = path
    changed = node.copy()
    if rest:
        changed[step] = _with(node[step], tuple(rest), value)
    elif value is Gone.REMOVED:
        del changed[step]
    else:
        changed[step] = value
    return changed
