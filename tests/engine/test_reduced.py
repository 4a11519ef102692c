"""The rule for an event that is too large, by the engine's own code: it fits, is JSON, and whole where it says so."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.engine import Delivery, Engine
from cli.stacks import compiled
from cli.workflow import notes_of, parameters_of
from payloads import Body, Payload, alerts, corpus, large_pull_request, large_push, one_of_each
from routes import FAMILIES
from routes.compiler import PREFIX, compile_stack
from routes.limits import EVENT_BYTES
from routes.manifests import Manifest
from routes.reduced import CUTS, LEVELS, NAMES, REDUCED
from routes.settings import parse_settings
from tests.engine.asking import writing, wrong
from tests.engine.reduced import large
from tests.engine.strategies import AWKWARD
from tests.routes.test_settings import MINIMAL

STACK = compiled("lab")
EVERY_EVENT = compile_stack(
    FAMILIES, parse_settings(MINIMAL | {"securityEvents": [p.event for p in alerts().values()]}, source="test")
)
SENSORS = [s for s in STACK.all_sensors() if s["metadata"]["name"].endswith(("to-pr-validation", "to-orchestrator"))]
EVENTS = [
    writing(s, "metadata.name", "spec.arguments.parameters.0.value", f"metadata.annotations.{REDUCED}") for s in SENSORS
]
(FIRST_BYTES, FIRST_ITEMS), (LAST_BYTES, LAST_ITEMS) = CUTS
ANYTHING: Any = object()
"""In place of what was cut."""


def arrived(
    engine: Engine, payload: Payload, *, sensors: Sequence[Manifest] = SENSORS
) -> tuple[dict[str, str], dict[str, str]]:
    """The parameters and the annotations of the Workflow that a delivery starts."""
    headers = {"Content-Type": "application/json", "X-GitHub-Event": payload.event, "X-GitHub-Delivery": "d"}
    body = json.dumps(payload.body, ensure_ascii=False).encode()
    (taken,) = engine.deliver(STACK, [Delivery(name="d", headers=headers, body=body)], sensors=sensors)
    assert (taken.status, taken.text) == (200, "success")
    ((outcome,),) = (outcomes for outcomes in taken.sensors if outcomes)
    assert outcome.object, outcome.failure or outcome.error
    return parameters_of(outcome.object), notes_of(outcome.object, "annotations")


def size_in_a_workflow(event: str) -> int:
    return len(json.dumps(event, ensure_ascii=False).encode())


def plain(text: str) -> Any:
    """JSON as the engine keeps it: numbers are floats, and what is no character U+FFFD."""
    return json.loads(text, parse_int=float)


def marked(value: Any, cut: list[str], path: str = "") -> Any:
    """A body with ANYTHING where `cut` says that something was."""
    if path in cut:
        return ANYTHING
    if isinstance(value, dict):
        return {k: marked(v, cut, f"{path}.{k}" if path else k) for k, v in value.items() if path or k != REDUCED}
    return [marked(item, cut, f"{path}[]") for item in value] if isinstance(value, list) else value


def check(engine: Engine, payload: Payload) -> Body:
    """The event of a delivery, with all that must hold of it."""
    parameters, notes = arrived(engine, payload, sensors=EVENTS)
    event = parameters["event"]
    assert "{{" not in event
    assert size_in_a_workflow(event) <= EVENT_BYTES
    came: Body = plain(event)
    sent: Body = plain(json.dumps(payload.body))
    if REDUCED not in came:
        assert came == sent and notes["reduced"] == ""
        return came
    told = came[REDUCED]
    assert set(told) == {"bytes", "cut"} and notes["reduced"] == str(int(told["bytes"]))
    assert told["bytes"] > EVENT_BYTES / 7
    assert len(told["cut"]) <= NAMES
    members = {key: value for key, value in came.items() if key != REDUCED}
    if set(members) == set(sent):
        assert marked(members, told["cut"]) == marked(sent, told["cut"])
    else:
        assert all(value == sent[key] for key, value in members.items())
        assert set(told["cut"]) <= set(sent) - set(members) or len(told["cut"]) == NAMES
    return came


def test_githubs_examples_arrive_whole(engine: Engine) -> None:
    for name in ("pr", "push", "merged"):
        assert REDUCED not in check(engine, one_of_each()[name])
    assert max(len(json.dumps(p.body)) for p in corpus().values()) < EVENT_BYTES / 2


def test_a_push_of_2048_commits_keeps_its_first_hundred(engine: Engine) -> None:
    push = large_push()
    came = check(engine, push)
    assert came[REDUCED]["cut"] == ["commits"]
    assert came["commits"] == plain(json.dumps(push.body["commits"][:FIRST_ITEMS]))


def test_a_push_of_many_files_keeps_its_first_commits_and_files(engine: Engine) -> None:
    push = large_push(5_000_000)
    files = push.body["commits"][0]["modified"]
    came = check(engine, push)
    assert came[REDUCED]["cut"] == ["commits", "commits[].modified"] or len(files) <= FIRST_ITEMS
    assert 0 < len(came["commits"]) <= FIRST_ITEMS


def test_a_long_text_is_cut_to_whole_characters(engine: Engine) -> None:
    for character in ("x", "é", "\u4e2d", "\U0001f419"):
        text = character * 300_000
        came = check(engine, one_of_each()["pr"].but(pull_request__body=text))
        assert came[REDUCED]["cut"] == ["pull_request.body"]
        cut = came["pull_request"]["body"]
        assert text.startswith(cut) and FIRST_BYTES - 4 < len(cut.encode()) <= FIRST_BYTES


def test_parameters_do_not_come_from_what_was_reduced(engine: Engine) -> None:
    for payload in (large_pull_request(1_000_000), large_push()):
        small = Payload(payload.event, {**payload.body, "commits": []} if payload.event == "push" else payload.body)
        small = small if payload.event == "push" else small.but(pull_request__body="")
        (large, notes), (little, none) = arrived(engine, payload), arrived(engine, small)
        assert large | {"event": ""} == little | {"event": ""}
        assert notes | {"reduced": ""} == none and notes["reduced"]


def test_what_is_cut_more_is_cut_to_twenty(engine: Engine) -> None:
    commit = one_of_each()["push"].body["head_commit"] | {"message": "m" * 10_000}
    came = check(engine, one_of_each()["push"].but(commits=[commit] * 500))
    assert came[REDUCED]["cut"] == ["commits", "commits[].message"]
    assert [len(c["message"]) for c in came["commits"]] == [LAST_BYTES] * LAST_ITEMS


def test_many_texts_that_do_not_fit_leave_the_small_members(engine: Engine) -> None:
    opened = one_of_each()["pr"]
    came = check(engine, opened.but(**{f"x{number:03}": "y" * 20_000 for number in range(100)}))
    assert {"action", "number"} <= set(came) and "pull_request" not in came
    assert len(came[REDUCED]["cut"]) == NAMES


def test_what_lies_too_deep_is_emptied(engine: Engine) -> None:
    deep: Any = ["y" * 100] * 5_000
    for level in reversed(range(LEVELS - 1)):
        deep = {f"l{level}": deep}
    came = check(engine, one_of_each()["pr"].but(deep=deep))
    (name,) = came[REDUCED]["cut"]
    assert name == "deep." + ".".join(f"l{level}" for level in range(LEVELS - 1))


@pytest.mark.parametrize(
    "text", ["x", "<", '"', "\\", "{{", "{", "\x7f", "\x01", "\u2028", "\U0001f419", "\ufffd", "\n"]
)
def test_no_text_makes_an_event_too_large(engine: Engine, text: str) -> None:
    opened = one_of_each()["pr"]
    for size in (200_000, 30_000):
        check(engine, opened.but(pull_request__body=text * (size // len(text))))
    check(engine, opened.but(**{f"m{number}": text * (900 // len(text.encode())) for number in range(300)}))


def test_nothing_of_any_shape_makes_an_event_too_large(engine: Engine) -> None:
    def nested(depth: int, leaf: Any, kind: str) -> Any:
        for _ in range(depth):
            leaf = [leaf] if kind == "list" else {"k": leaf}
        return leaf

    opened = one_of_each()["pr"]
    wide: Any = "y" * 20
    for _ in range(4):
        wide = [copy.deepcopy(wide) for _ in range(12)]
    shapes: tuple[Any, ...] = (
        [[]] * 100_000,
        [1e300] * 50_000,
        {f"k{number}": number for number in range(30_000)},
        {"k" * 100_000: "v", "w" * 200_000: 1},
        nested(400, "x" * 300_000, "list"),
        nested(400, "x" * 300_000, "dict"),
        wide,
    )
    for shape in shapes:
        check(engine, opened.but(shape=shape))
    check(engine, Payload("pull_request", opened.body | {f"{'k' * 80}{number}": 1 for number in range(4_000)}))


pieces = st.sampled_from(AWKWARD) | st.text(max_size=5)
long_texts = st.builds(lambda piece, size: (piece * size)[:size], pieces.filter(bool), st.integers(0, 120_000))
members = st.recursive(
    long_texts | st.integers(0, 2**53) | st.booleans() | st.none(),
    lambda inner: st.one_of(
        st.builds(lambda item, times: [item] * times, inner, st.integers(0, 60)),
        st.dictionaries(pieces.filter(lambda key: "." not in key and "[]" not in key), inner, max_size=4),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(added=st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), members, min_size=1, max_size=6))
def test_whatever_a_body_holds_its_event_fits_and_tells_what_was_cut(engine: Engine, added: Body) -> None:
    opened = one_of_each()["pr"]
    if len(json.dumps(added)) < 1_500_000:
        check(engine, Payload(opened.event, {f"x_{key}": value for key, value in added.items()} | opened.body))


def dependencies_of(sensor: Manifest) -> set[str]:
    return {dependency["name"] for dependency in sensor["spec"]["dependencies"]}


def test_a_large_delivery_becomes_the_event_that_the_rule_says(engine: Engine) -> None:
    told = []
    for question in (*large(one_of_each()), *large(alerts())):
        (sensor,) = (s for s in EVERY_EVENT.all_sensors() if question.fires.keys() & dependencies_of(s))
        # Each by itself, so that each is delivered twice.
        (taken,) = engine.deliver(EVERY_EVENT, [question.delivery], sensors=[sensor], twice=True)
        found = wrong(question, [outcome for of in taken.sensors for outcome in of], dependencies_of(sensor))
        told += [f"{question.name}: {problem}" for problem in found]
    assert not told, "\n".join(told)


def test_the_annotation_and_the_member_have_one_name() -> None:
    assert f"{PREFIX}/reduced" == REDUCED
