"""The route table and the contract in plain words, for a terminal and for the docs.

`code` marks what is literal: paths and values. By default it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from routes.contract import (
    Constant,
    DeliveryId,
    Json,
    Label,
    Lane,
    Number,
    Prose,
    Reduced,
    Source,
    TaskId,
    Text,
    WorkflowName,
)
from routes.model import (
    BranchIn,
    Condition,
    Is,
    Like,
    NamedLike,
    NotOneOf,
    OneOf,
    OneOfOrBy,
    Rate,
    Route,
    SameAs,
    Unlike,
)
from routes.settings import StackSettings

Code = Callable[[str], str]


def path_of(condition: Condition, code: Code = str) -> str:
    """Where in the body a condition looks."""
    match condition:
        case NamedLike(paths):
            return _else(paths, code)
        case _:
            return code(condition.path)


def wanted(condition: Condition, settings: StackSettings, code: Code = str) -> str:
    """What a condition wants to find at its path, as it reads after "wanted"."""
    match condition:
        case OneOf(_, values):
            return _or(map(code, values))
        case NotOneOf(_, values):
            return f"any but {_or(map(code, values))}"
        case Is(_, value):
            return code("true" if value else "false")
        case NamedLike(_, setting):
            return f"a match of {code(getattr(settings, setting))}"
        case BranchIn(_, names, or_named_at):
            return f"the branch {_or((*map(code, names), f'the one at {code(or_named_at)}'))}"
        case Like(_, patterns):
            return f"one like {_or(map(code, patterns))}"
        case Unlike(_, patterns):
            return f"none like {_or(map(code, patterns))}"
        case SameAs(_, other):
            return f"the one at {code(other)}"
        case OneOfOrBy(_, values, by, logins):
            return f"{_or(map(code, values))}; or {code(by)} {_or(map(code, logins))}"


def in_words(condition: Condition, settings: StackSettings, code: Code = str) -> str:
    """A condition as a sentence: `pull_request.draft is false`."""
    path = path_of(condition, code)
    match condition:
        case Like(_, patterns):
            return f"{path} is like {_or(map(code, patterns))}"
        case Unlike(_, patterns):
            return f"{path} is not like {_or(map(code, patterns))}"
        case OneOfOrBy(_, values, by, logins):
            return f"{path} is {_or(map(code, values))}; or {code(by)} is {_or(map(code, logins))}"
        case NotOneOf(_, values):
            return f"{path} is there and not {_or(map(code, values))}"
        case NamedLike(paths, setting):
            return f"{path}{',' if len(paths) > 1 else ''} matches {code(getattr(settings, setting))}"
        case _:
            return f"{path} is {wanted(condition, settings, code)}"


def rate_in_words(rate: Rate | None) -> str:
    if rate is None:
        return "no limit"
    return f"{rate.limit} {'an' if rate.unit == 'Hour' else 'a'} {rate.unit.lower()}"


def queue_in_words(route: Route, settings: StackSettings) -> str:
    """How many Workflows of a route run at once."""
    each = ", one of each pull request" if settings.one_per_pull_request(route) else ""
    return f"{route.semaphore}: {settings.at_once(route.semaphore)} at once{each}"


def source_in_words(source: Source, code: Code = str) -> str:
    """Where a value of the contract comes from."""
    match source:
        case Json():
            return "the whole body"
        case Reduced():
            return "the size of the whole body, where it was reduced"
        case Text(path) | Prose(path) | Label(path):
            return code(path)
        case Number(path, given):
            return f"{code(path)}, where {code(given)} is there" if given else code(path)
        case TaskId(paths):
            return f"the task id in {_else(paths, code)}"
        case Constant(text):
            return code(f'"{text}"')
        case DeliveryId():
            return f"the header {code('X-GitHub-Delivery')}"
        case Lane(prefix, _, count):
            return f"{code(f'{prefix}-')} and a number below {count}, by the pull request"
        case WorkflowName(prefix):
            return f"{code(f'{prefix}-')} and the delivery id"


def _or(texts: Iterable[str]) -> str:
    *others, last = texts
    comma = "," if len(others) > 1 else ""
    return f"{', '.join(others)}{comma} or {last}" if others else last


def _else(paths: Iterable[str], code: Code) -> str:
    return ", else ".join(map(code, paths))
