"""The Sensors of stack lab, and others that start the same Workflows, written in forms that a person might choose."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from typing import Any

from cli.stacks import read_settings
from routes import FAMILIES
from routes.compiler import NEVER, QUEUE
from routes.guards import fires_on
from routes.manifests import Manifest
from routes.model import EVENT, BranchIn, Condition, Delivery, Is, NamedLike, NotOneOf, OneOf
from routes.settings import StackSettings

STACK = "lab"

Filters = dict[str, Any]


def expressions(ours: Sequence[Manifest]) -> list[Manifest]:
    """The requirements' rules as one expression a dependency, which looks at all of its fields."""
    settings = read_settings(STACK)
    return _written(ours, lambda delivery: {"exprs": [_expression(delivery, settings)]})


def scripts(ours: Sequence[Manifest]) -> list[Manifest]:
    """The requirements' rules as one Lua script a dependency."""
    settings = read_settings(STACK)
    return _written(ours, lambda delivery: {"script": _script(delivery, settings)})


def one_sensor(ours: Sequence[Manifest]) -> list[Manifest]:
    """All triggers in one Sensor, whose process holds a subscription for each."""
    first, *others = sensors = copy.deepcopy(list(ours))
    for number, sensor in enumerate(sensors):
        # Each trigger has a queue of its own: dependencies are named once in a Sensor.
        (queue,) = (d for d in sensor["spec"]["dependencies"] if d["name"] == QUEUE)
        queue["name"] = f"{QUEUE}{number}"
        trigger = sensor["spec"]["triggers"][0]["template"]
        trigger["conditions"] = trigger["conditions"].removesuffix(QUEUE) + queue["name"]
    for sensor in others:
        first["spec"]["dependencies"] += sensor["spec"]["dependencies"]
        first["spec"]["triggers"] += sensor["spec"]["triggers"]
    return [first]


def quiet(ours: Sequence[Manifest]) -> list[Manifest]:
    """Sensors whose log has only what went wrong: by default they write a line for each dependency of each delivery."""
    sensors = copy.deepcopy(list(ours))
    for sensor in sensors:
        sensor["spec"]["template"]["container"].setdefault("env", []).append({"name": "LOG_LEVEL", "value": "warn"})
    return sensors


def event_last(ours: Sequence[Manifest]) -> list[Manifest]:
    """All else is looked at first."""
    return _changed(ours, lambda filters: {**filters, "data": filters["data"][::-1]})


def never_by_type(ours: Sequence[Manifest]) -> list[Manifest]:
    """What never passes asks for another type of event than the EventSource's."""
    never: Filters = {"context": {"type": "never"}}
    return _changed(ours, lambda filters: never if filters == _NEVER else filters)


def branch_by_template(ours: Sequence[Manifest]) -> list[Manifest]:
    """The branch of a push is compared by a template, once it is known to be a push."""
    template = (
        '{{ $of := fromJson .Input }}{{ eq (index $of 0) "refs/heads/main" "refs/heads/master"'
        ' (print "refs/heads/" (index $of 1)) }}'
    )
    path = "[body.ref,body.repository.default_branch]"
    compared = {"path": path, "type": "string", "template": template, "value": ["^true$"]}
    return _changed(ours, lambda f: {"data": [*f["data"], compared]} if "exprs" in f else f)


def without_never(ours: Sequence[Manifest]) -> list[Manifest]:
    """Only the dependencies that can pass: a change of one would lose what waits for it."""
    sensors = copy.deepcopy(list(ours))
    for sensor in sensors:
        spec = sensor["spec"]
        spec["dependencies"] = [d for d in spec["dependencies"] if d["filters"] != _NEVER]
        spec["triggers"][0]["template"]["conditions"] = " || ".join(d["name"] for d in spec["dependencies"])
    return sensors


def unfiltered(ours: Sequence[Manifest]) -> list[Manifest]:
    """One dependency without a filter: what remains is to read the message."""
    sensors = copy.deepcopy(list(ours))
    for sensor in sensors:
        spec = sensor["spec"]
        spec["dependencies"] = [{k: v for k, v in spec["dependencies"][0].items() if k != "filters"}]
        spec["triggers"][0]["template"]["conditions"] = spec["dependencies"][0]["name"]
    return sensors


_NEVER = {"data": [NEVER.manifest()]}


def _changed(ours: Sequence[Manifest], change: Callable[[Filters], Filters]) -> list[Manifest]:
    sensors = copy.deepcopy(list(ours))
    for sensor in sensors:
        for dependency in sensor["spec"]["dependencies"]:
            dependency["filters"] = change(dependency["filters"])
    return sensors


def _written(ours: Sequence[Manifest], filters: Callable[[Delivery], Filters]) -> list[Manifest]:
    """With other filters, and without the dependencies that never pass."""
    settings = read_settings(STACK)
    deliveries = {
        delivery.name: delivery
        for family in FAMILIES
        for route in family.routes
        for delivery in fires_on(route, settings)
    }
    sensors = without_never(ours)
    for sensor in sensors:
        for dependency in sensor["spec"]["dependencies"]:
            dependency["filters"] = filters(deliveries[dependency["name"]])
    return sensors


class _Fields:
    """Names for the paths that an expression looks at."""

    def __init__(self) -> None:
        self.paths: dict[str, str] = {}

    def of(self, *paths: str) -> str:
        """A path that is missing is the empty text: to the engine it would be an error."""
        found = ",".join(f"body.{path}" for path in paths)
        return self.paths.setdefault(f'[{found},!""].0', f"f{len(self.paths)}")


def _expression(delivery: Delivery, settings: StackSettings) -> Filters:
    fields = _Fields()
    text = " && ".join(f"({_in_govaluate(condition, fields, settings)})" for condition in delivery.conditions)
    return {"expr": text, "fields": [{"name": name, "path": path} for path, name in fields.paths.items()]}


def _in_govaluate(condition: Condition, fields: _Fields, settings: StackSettings) -> str:
    match condition:
        case OneOf(path, values):
            return " || ".join(f"{fields.of(path)} == '{value}'" for value in values)
        case NotOneOf(path, values):
            field = fields.of(path)
            return " && ".join(f"{field} != '{value}'" for value in ("", *values))
        case Is(path, value):
            return f"{fields.of(path)} == {str(value).lower()}"
        case NamedLike(paths, setting):
            return f"{fields.of(*paths)} =~ '{getattr(settings, setting)}'"
        case BranchIn(path, names, or_named_at):
            ref, branch = fields.of(path), fields.of(or_named_at)
            named = " || ".join(f"{ref} == 'refs/heads/{name}'" for name in names)
            return f"{named} || {ref} == 'refs/heads/' + {branch}"
        case other:
            raise ValueError(f"stack {STACK} has no {other}")


def _script(delivery: Delivery, settings: StackSettings) -> str:
    tests = " and ".join(f"({_in_lua(condition, settings)})" for condition in delivery.conditions)
    return f"{_LUA}return {tests}\n"


_LUA = """local function at(...)
  local node = event.body
  for _, key in ipairs({...}) do
    if type(node) ~= "table" then return nil end
    node = node[key]
  end
  return node
end
"""


def _in_lua(condition: Condition, settings: StackSettings) -> str:
    def at(path: str) -> str:
        keys = [path] if path == EVENT else path.split(".")
        return f"at({', '.join(map(json.dumps, keys))})"

    match condition:
        case OneOf(path, values):
            return " or ".join(f'{at(path)} == "{value}"' for value in values)
        case NotOneOf(path, values):
            differs = " and ".join(f'{at(path)} ~= "{value}"' for value in ("", *values))
            return f"{at(path)} ~= nil and {differs}"
        case Is(path, value):
            return f"{at(path)} == {str(value).lower()}"
        case NamedLike(paths, setting):
            words = getattr(settings, setting).removeprefix("(?i)").split("|")
            name = f'string.lower({" or ".join(map(at, paths))} or "")'
            return " or ".join(f'string.find({name}, "{word}", 1, true) ~= nil' for word in words)
        case BranchIn(path, names, or_named_at):
            named = " or ".join(f'{at(path)} == "refs/heads/{name}"' for name in names)
            return f'{named} or {at(path)} == "refs/heads/" .. ({at(or_named_at)} or "")'
        case other:
            raise ValueError(f"stack {STACK} has no {other}")
