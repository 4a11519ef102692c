"""Large deliveries, and the event that each becomes: the rule of `docs/large-deliveries.md`, said once more.

Plain Python over the body, so that it shares nothing with the templates that the Sensors run.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from payloads import Body, Payload, one_of_each
from tests.engine.asking import Question, Started

LARGEST = 224 * 1024
MARK = "github-to-argo/reduced"
CUTS = ((16 * 1024, 100), (4 * 1024, 20))
DEEPEST = 6
NAMES, NAME_BYTES = 50, 200
SMALL_MEMBERS, SMALL_BYTES = 25, 1024


def written(value: Any) -> str:
    """JSON as Go writes it: no spaces, and `<`, `>`, `&` and two line ends spelled."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def size(value: Any) -> int:
    return len(written(value).encode())


def fits(body: Body) -> bool:
    """Whether a Workflow can hold the body's JSON, with nothing live in it, as a text."""
    told = written(body).replace("{{", "{\\u007b").replace("\x7f", "\\u007f")
    spelled = re.sub("[\U00010000-\U0010ffff]", r"\\ud83d\\udc19", told)  # any two surrogates are as long
    return len(json.dumps(spelled, ensure_ascii=False).encode()) <= LARGEST


def reduced(body: Body) -> Body:
    """The event that a body becomes."""
    if fits(body):
        return body
    rest: Body = copy.deepcopy(body)
    for most, items in CUTS:
        names: list[str] = []
        rest = _cut(rest, most, items, "", 0, names)
        told = list(dict.fromkeys(names))
        if len(told) > NAMES or any(len(name.encode()) > NAME_BYTES for name in told):
            break
        event = rest | {MARK: {"bytes": size(body), "cut": told}}
        if fits(event):
            return event
    small: Body = {}
    gone = []
    for key in sorted(body, key=str.encode):
        if len(small) < SMALL_MEMBERS and size({key: body[key]}) <= SMALL_BYTES:
            small[key] = body[key]
        else:
            gone.append(key[:100])
    return small | {MARK: {"bytes": size(body), "cut": gone[:NAMES]}}


def _cut(value: Any, most: int, items: int, path: str, level: int, names: list[str]) -> Any:
    """`value`, which is large, with what is large in it cut; the paths of what was cut are added to `names`."""
    if isinstance(value, str):
        if len(value.encode()) <= most:
            return value
        names.append(path)
        return value.encode()[:most].decode(errors="ignore")
    if level >= DEEPEST:
        names.append(path)
        return type(value)()

    def looked_into(one: Any, at: str) -> Any:
        return _cut(one, most, items, at, level + 1, names) if size(one) > most else one

    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda member: member[0].encode())
        return {key: looked_into(one, f"{path}.{key}" if path else key) for key, one in members}
    some = [looked_into(one, f"{path}[]") for one in value[:items]]
    if len(value) > items:
        names.append(path)
    return some


# --- The deliveries


def large(small: Mapping[str, Payload]) -> Iterator[Question]:
    """Of each dependency one that is cut, and of `issue_comment` one for each part of the rule."""
    for dependency, payload in small.items():
        if dependency != "ic":
            yield _asked(dependency, payload.but(x_text="x" * 240_000), "a long text")
            continue
        for why, members in _members():
            yield _asked("ic", Payload(payload.event, payload.body | members), why)


def _asked(dependency: str, payload: Payload, why: str) -> Question:
    event = reduced(payload.body)
    told = str(event[MARK]["bytes"]) if MARK in event else ""
    return Question(
        name=f"{dependency}: {why}",
        why="docs/large-deliveries.md",
        payload=payload,
        fires={dependency: Started(event=event, annotations={"reduced": told})},
    )


def _members() -> Iterator[tuple[str, Body]]:
    """What stands beside GitHub's own members, and which part of the rule that is about."""
    yield "a long text beside a list of texts", {"x": "x" * 200_000, "y": ["y" * 20_000, "y" * 16_384, "y" * 16_385]}
    yield (
        "texts cut within a character",
        {"x": "x" + "é" * 60_000, "y": "y\U0001f419" * 10_000, "z": "z中" * 20_000, "w": "w\ufffd" + "é" * 20_000},
    )
    yield (
        "a list of 101, one of 100 and two large items",
        {
            "x": ["x" * 150] * 101,
            "y": ["y" * 200] * 100,
            "z": [{"a": "z" * 20_000, "b": 1}, ["z" * 160] * 101],
            "w": "w" * 200_000,
        },
    )
    yield (
        "cut more to fit",
        {
            "x": [{"m": "x" * 2_000, "n": [1] * 30}] * 101,
            "y": [{"m": "y" * 4_097}, "y" * 4_096, ["y" * 1_000] * 21, ["y" * 1_000] * 20],
        },
    )
    deep: Any = {"a": ["x" * 100] * 1_500, "b": 1}
    for level in ("l4", "l3", "l2", "l1"):
        deep = {level: deep}
    yield "too deep", {"x": deep, "y": [[[[[["y" * 1_000] * 80]]]]]}
    yield "more members than are told", {f"x{n:03}": "x" * 4_500 for n in range(51)}
    yield "as many members as are told", {f"x{n:03}": "x" * 4_600 for n in range(50)}
    yield (
        "members of 1 KiB and more",
        {f"a{n:02}": "x" * (1_006 + n) for n in range(20)} | {f"b{n:03}{'k' * 100}": "x" * 4_000 for n in range(60)},
    )
    yield "a name of 200 bytes", {"k" * 200: "x" * 240_000}
    yield "a name of 201 bytes", {"k" * 201: "x" * 240_000}
    yield "no member is large", {f"x{n:04}": "x" * 700 for n in range(340)}
    # What a Workflow holds: each quote of the event with a backslash before it, and two quotes around it.
    told = json.dumps(written(one_of_each()["ic"].body), ensure_ascii=False)
    room = LARGEST - len(told.encode()) - len(',\\"x\\":\\"\\"')
    yield "just what fits", {"x": "x" * room}
    yield "a byte more than fits", {"x": "x" * (room + 1)}
    yield "just what fits, of characters beyond U+FFFF", {"x": "\U0001f419" * 1_000 + "x" * (room - 14_000)}
    yield "a byte more of these", {"x": "\U0001f419" * 1_000 + "x" * (room - 13_999)}
