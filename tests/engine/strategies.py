"""What hypothesis draws: changes to a payload, regular expressions, and the config of a stack."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from payloads import Body
from routes.settings import StackSettings

Path = tuple[str | int, ...]

# What a template, a path, a label, a shell or a log could take for something else.
AWKWARD = (
    *("{{", "}}", "{", "}", "{{{", "{{=1+1}}", "{{workflow.name}}", "{\\u007b", "${1}", "%s", "`", "'", '"', "\\"),
    *("<no value>", "<nil>", "null", "true", "0", "-1", "[]", "<&>", "Bot", "failure", "scan", "main"),
    *("\\ud83d", "\\u0000", "\x00", "\a", "\v", "\x1b[0m", "\x7f", "\x85", "\u00a0", "\u2028", "\ufeff", "\ufffd"),
    *("\U0001f419", "\U0001f469\u200d\U0001f680", "\U000e0067", "\U0010ffff", "é", "e\u0301", "\u202e"),
    *("task: T-7", "Task ID #x_9", "task-42", "ta\u017f\u212a 7", "task: \u017f1", "task: \u212a9"),
    *("-", "_", ".", "/", "-a-", "..", "a/b", "\n", "\r\n", "\t", " "),
)
LONG = 20_000
"""So that a few such texts are still no larger than an EventSource takes."""

texts = st.one_of(
    st.text(),
    st.sampled_from(AWKWARD),
    st.lists(st.sampled_from(AWKWARD) | st.text(max_size=5), max_size=6).map("".join),
    st.builds(lambda piece, size: (piece * size)[:size], st.sampled_from(("x", *AWKWARD)), st.integers(1, LONG)),
)
others = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([[], {}, [""], {"{{": "{{"}]),
)
headers = st.one_of(texts, st.text("0123456789abcdef-", max_size=50)).map(
    lambda text: re.sub(r"[\x00-\x08\x0a-\x1f\x7f]", "", text)
)
"""Any text that the value of an HTTP header can be, in UTF-8."""


@dataclass(frozen=True)
class Changed:
    """A body with other values at some paths, or without them; `paths` are those that changed."""

    body: Body
    paths: tuple[Path, ...]


GONE = object()


def changed(body: Body, read: Sequence[Path]) -> st.SearchStrategy[Changed]:
    """The body with one to four changes: above all of texts, and above all at the paths that are `read`."""
    places = list(_places(body))
    leaves = [path for path, value in places if isinstance(value, str)]
    paths = [path for path, _ in places]
    looked_at = [path for path in paths if path in read]
    change = st.one_of(
        st.tuples(st.sampled_from([path for path in leaves if path in read]), texts),
        st.tuples(st.sampled_from(leaves), texts),
        st.tuples(st.sampled_from(leaves), texts),
        st.tuples(st.sampled_from(looked_at) | st.sampled_from(paths), others | st.just(GONE)),
    )
    changes = st.lists(change, min_size=1, max_size=4, unique_by=lambda change: change[0])
    return changes.map(lambda drawn: Changed(_without_or_with(body, drawn), tuple(path for path, _ in drawn)))


def _places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in items:
        yield (*path, key), member
        yield from _places(member, (*path, key))


def _without_or_with(value: Any, changes: Sequence[tuple[Path, object]]) -> Any:
    here = {path[0]: new for path, new in changes if len(path) == 1}
    below = [(path[0], path[1:], new) for path, new in changes if len(path) > 1]

    def of(key: str | int, member: Any) -> Any:
        return here[key] if key in here else _without_or_with(member, [(p, new) for k, p, new in below if k == key])

    if isinstance(value, dict):
        return {key: of(key, member) for key, member in value.items() if here.get(key) is not GONE}
    if isinstance(value, list):
        return [of(index, member) for index, member in enumerate(value) if here.get(index) is not GONE]
    return value


# --- Regular expressions

_atoms = st.sampled_from(
    (
        *("a", "scan", "(?i)security", ".", "^", "$", "é", "\U0001f419", "\x00", "\n", "{", "}", "]", "-", "/", "|"),
        *(r"\d", r"\pN", r"\PL", r"\p{Greek}", r"\p{^Greek}", r"\p{Kawi}", r"\p{Garay}", r"\p{Any}", r"\p{LC}"),
        *(r"\C", r"\\C", r"\Q\C\E", r"\Qa.b\E", r"\b", r"\B", r"\A", r"\z", r"\Z", r"\G", r"\K", r"\R", r"\X", r"\h"),
        *(r"\1", r"\8", r"\12", r"\07", r"\x41", r"\x{263a}", r"\x{D800}", r"\x{110000}", r"\u0041", r"\cA", r"\N"),
        *(
            "[a-z]",
            "[^a-z]",
            "[[:word:]]",
            "[[:^alpha:]]",
            "[[:nope:]]",
            r"[\d\pL]",
            r"[a-\d]",
            "[]a]",
            "[z-a]",
            r"[\C]",
        ),
    )
)
_times = st.sampled_from(
    ("", "*", "+", "?", "*?", "++", "**", "{2}", "{2,}", "{,2}", "{0}", "{1000}", "{1001}", "{30}", "{2}{3}", "{2,1}")
)
_groups = st.sampled_from(
    (
        *("(", "(?:", "(?i:", "(?s)(", "(?U)(", "(?m-s:", "(?x:", "(?=", "(?!", "(?<=", "(?>", "(?#", "(?|"),
        *("(?P<n>", "(?<n>", "(?'n'", "(?P<é>", "(?P<1>", "(?P<n-m>", "(?P<>", "(?P=n", "(?&n"),
    )
)
patterns = st.one_of(
    st.recursive(
        st.builds("{}{}".format, _atoms, _times),
        lambda inner: st.one_of(
            st.builds("{}{}".format, inner, inner),
            st.builds("{}|{}".format, inner, inner),
            st.builds("{}{}){}".format, _groups, inner, _times),
        ),
        max_leaves=12,
    ),
    st.text(r"\QECpPuxz{}[]()<>?:^$.|*+-,=!01nia"),
    st.builds(lambda depth, inner: f"{'(' * depth}{inner}{')' * depth}", st.integers(0, 300), _atoms),
)
"""Regular expressions of this dialect or that, and what is nearly one."""


# --- Config

# At a limit, or beyond one that a schema does not show.
_EDGES = (
    *("a" * size for size in (56, 57, 63, 64, 253, 254)),
    *("", ".", "..", "a.b", "a..b", "a.-b", "tmp", "auth-volume", "github-webhook-secret", "secret-a", "7777", "0s"),
    *("/", "//", "/a//b", "/a/", "/a/../b", "/health", "/events", "tls://u:p@n:4222", "tls://n:99999", "tls://n:0"),
    *("9" * 20 + "h", "9" * 30 + "Ti"),
)
_NUMBERS = (7777, 2**31 - 1, 2**31, 2**63, 10**20)


def configs() -> st.SearchStrategy[dict[str, Any]]:
    """Configs of a stack, drawn from the schema of its settings; most are valid, and some are so nearly."""
    schema = StackSettings.model_json_schema(by_alias=True)
    drawn: st.SearchStrategy[dict[str, Any]] = _of(schema, schema["$defs"])
    return drawn


def _of(schema: Mapping[str, Any], models: Mapping[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    match schema:
        case {"$ref": str(ref)}:
            return _of(models[ref.rpartition("/")[2]], models, name)
        case {"const": value}:
            return st.just(value)
        case {"enum": values}:
            return st.sampled_from(values)
        case {"anyOf": members} | {"oneOf": members}:
            return st.one_of([_of(member, models, name) for member in members])
        case {"type": "object", "properties": properties}:
            return _object(
                {key: _of(value, models, key) for key, value in properties.items()}, schema.get("required", ())
            )
        case {"type": "object", "additionalProperties": values}:
            return st.dictionaries(st.text(), _of(values, models), max_size=3)
        case {"type": "array", "items": items}:
            return st.lists(_of(items, models, name), max_size=3)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "null"}:
            return st.none()
        case {"type": "integer"}:
            least, most = schema.get("minimum", 0), schema.get("maximum")
            limits = [least - 1, least] + ([most, most + 1] if most is not None else [])
            return _mostly(st.integers(least, most), st.sampled_from((*limits, *_NUMBERS)))
        case {"type": "string"} if name == "securityWorkflows":
            return patterns
        case {"type": "string", "pattern": str(pattern)}:
            return _mostly(st.from_regex(pattern, fullmatch=True), st.from_regex(pattern) | st.sampled_from(_EDGES))
        case {"type": "string"}:
            return st.text(min_size=schema.get("minLength", 0)) | st.sampled_from(_EDGES)
    raise NotImplementedError(schema)


def _object(fields: Mapping[str, st.SearchStrategy[Any]], required: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """A few fields at a time, since all that are given have to be valid."""
    given_too = st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=4)
    return given_too.flatmap(
        lambda names: st.fixed_dictionaries({key: fields[key] for key in fields if key in required or key in names})
    )


def _mostly(usual: st.SearchStrategy[Any], edge: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda tenth: edge if tenth == 9 else usual)
