"""Every single change of a compiled Sensor or EventSource, as a manifest."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from routes.compiler import PREFIX
from routes.contract import TASK_ID
from routes.manifests import Manifest
from tests.mutation import texts

Step = str | int

OTHERS: dict[str, tuple[Any, ...]] = {
    "operation": ("create", "patch", "delete"),
    "unit": ("Second", "Hour"),
    "comparator": ("!=", "<", ">", ">="),
    "type": ("bool", "number"),
}
"""Values that are others of a kind. All else is changed by a character or by one."""

TASKS_IN_FULL = ("issues", "ic")
"""Where each piece of the rule for task ids is changed: one text in five templates, looked at in full in these."""


@dataclass(frozen=True, eq=False)
class Mutant:
    """A manifest with one change: of which object, where, and what."""

    of: str
    where: str
    what: str
    manifest: Manifest
    dependency: str = ""
    """The one dependency that it can be seen by; empty: any."""

    def __str__(self) -> str:
        return f"{self.of}: {self.where}: {self.what}"


def sensor(whole: Manifest) -> Iterator[Mutant]:
    """Every mutant of a Sensor: its dependencies, its trigger, its Workflow and what a delivery writes there."""
    name = whole["metadata"]["name"]
    for path, value in _leaves(whole["spec"], ()):
        where = _called(whole["spec"], path)
        dependency = _dependency(whole["spec"], path)
        for what, changed in _changes(path, value, dependency):
            yield Mutant(name, where, what, _with(whole, ("spec", *path), changed), dependency)
        yield Mutant(name, where, "removed", _without(whole, ("spec", *path)), dependency)
    for path in _branches(whole["spec"]):
        yield Mutant(
            name,
            _called(whole["spec"], path),
            "removed",
            _without(whole, ("spec", *path)),
            _dependency(whole["spec"], path),
        )


def event_source(whole: Manifest) -> Iterator[Mutant]:
    """Every mutant of the EventSource."""
    name = whole["metadata"]["name"]
    yield Mutant(name, "metadata.name", "another text", _with(whole, ("metadata", "name"), f"{name}x"))
    for path, value in _leaves(whole["spec"], ()):
        where = ".".join(map(str, path))
        for what, changed in _changes(path, value, ""):
            yield Mutant(name, where, what, _with(whole, ("spec", *path), changed))
        yield Mutant(name, where, "removed", _without(whole, ("spec", *path)))
    main = ("github", "main")
    for branch in ((*main, "webhookSecret"), (*main, "webhook"), main, ("service",)):
        yield Mutant(name, ".".join(branch), "removed", _without(whole, ("spec", *branch)))
    renamed = copy.deepcopy(whole)
    renamed["spec"]["github"]["other"] = renamed["spec"]["github"].pop("main")
    yield Mutant(name, "github.main", "renamed", renamed)


def _changes(path: Sequence[Step], value: Any, dependency: str) -> Iterator[tuple[str, Any]]:
    match [step for step in path if isinstance(step, str)][-1]:
        case kind if kind in OTHERS:
            for other in OTHERS[kind]:
                yield f"{other} for {value}", other
        case "value" if "data" in path:
            yield from texts.regex(value)
        case "path":
            yield from texts.path(value)
        case "expr":
            yield from texts.expression(value)
        case "conditions":
            yield from texts.conditions(value)
            yield "another text", f"{value}x"
        case "dataTemplate":
            yield from texts.template(value, pieces=lambda p: p != TASK_ID or dependency in TASKS_IN_FULL)
        case "atLeastOnce":
            yield f"{not value} for {value}", not value
        case _ if isinstance(value, int):
            yield f"{value + 1} for {value}", value + 1
            yield f"{value - 1} for {value}", value - 1
        case _:
            yield "another text", f"{value}x"
            if value:
                yield "no text", ""


def _leaves(node: Any, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], Any]]:
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _leaves(value, (*path, key))
    else:
        yield path, node


def _branches(spec: Manifest) -> Iterator[tuple[Step, ...]]:
    """What can go as a whole."""
    for i, dependency in enumerate(spec["dependencies"]):
        yield "dependencies", i
        yield "dependencies", i, "filters"
        for kind, filters in dependency["filters"].items():
            for j, one in enumerate(filters):
                yield "dependencies", i, "filters", kind, j
                for k in range(len(one.get("fields", []))):
                    yield "dependencies", i, "filters", kind, j, "fields", k
    trigger: tuple[Step, ...] = ("triggers", 0)
    yield *trigger, "rateLimit"
    yield *trigger, "retryStrategy"
    k8s: tuple[Step, ...] = (*trigger, "template", "k8s")
    for i in range(len(spec["triggers"][0]["template"]["k8s"]["parameters"])):
        yield *k8s, "parameters", i
    resource: tuple[Step, ...] = (*k8s, "source", "resource")
    workflow = spec["triggers"][0]["template"]["k8s"]["source"]["resource"]
    for branch in ("synchronization", "ttlStrategy", "workflowTemplateRef", "arguments"):
        yield *resource, "spec", branch
    for i in range(len(workflow["spec"]["arguments"]["parameters"])):
        yield *resource, "spec", "arguments", "parameters", i
    yield *resource, "metadata", "labels"
    yield *resource, "metadata", "annotations"


def _called(spec: Manifest, path: Sequence[Step]) -> str:
    """A path in words: the parameter by what it fills, the dependency and the filter by name."""
    match tuple(path):
        case ("dependencies", int(i), *rest):
            dependency = spec["dependencies"][i]
            if rest[:1] == ["filters"] and len(rest) > 2:
                one = dependency["filters"][rest[1]][rest[2]]
                rest = [f"filter {one['path']} {one['comparator']}" if "path" in one else "expr", *rest[3:]]
            return " ".join(map(str, (dependency["name"], *rest)))
        case ("triggers", 0, "template", "k8s", "parameters", int(i), *rest):
            parameter = spec["triggers"][0]["template"]["k8s"]["parameters"][i]
            return " ".join(map(str, (parameter["src"]["dependencyName"], "writes", _filled(spec, i), *rest)))
        case ("triggers", 0, "template", "k8s", "source", "resource", *rest):
            if rest[:3] == ["spec", "arguments", "parameters"] and len(rest) > 3:
                workflow = spec["triggers"][0]["template"]["k8s"]["source"]["resource"]
                rest = ["parameter", workflow["spec"]["arguments"]["parameters"][int(rest[3])]["name"], *rest[4:]]
            return f"Workflow {'.'.join(map(str, rest))}"
    return ".".join(map(str, path))


def _filled(spec: Manifest, i: int) -> str:
    trigger = spec["triggers"][0]["template"]["k8s"]
    place: list[str] = trigger["parameters"][i]["dest"].split(".")
    if place[:3] == ["spec", "arguments", "parameters"]:
        return str(trigger["source"]["resource"]["spec"]["arguments"]["parameters"][int(place[3])]["name"])
    return f"{place[1].removesuffix('s')} {place[-1].removeprefix(f'{PREFIX}/')}" if len(place) > 2 else place[-1]


def _dependency(spec: Manifest, path: Sequence[Step]) -> str:
    """The dependency whose deliveries alone see a change there."""
    match tuple(path):
        case ("triggers", 0, "template", "k8s", "parameters", int(i), *rest) if rest != ["src", "dependencyName"]:
            return str(spec["triggers"][0]["template"]["k8s"]["parameters"][i]["src"]["dependencyName"])
    return ""


def _with(whole: Manifest, path: Sequence[Step], value: Any) -> Manifest:
    changed = copy.deepcopy(whole)
    node: Any = changed
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return changed


def _without(whole: Manifest, path: Sequence[Step]) -> Manifest:
    changed = copy.deepcopy(whole)
    node: Any = changed
    for step in path[:-1]:
        node = node[step]
    del node[path[-1]]
    return changed
