"""What passes the EventBus, and what is answered that does not: the engine's own code makes the messages."""

from __future__ import annotations

import json

import pytest

from cli.engine import Delivery, Engine, Taken
from payloads import PUSHED_AT_MOST, corpus, large_push
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.limits import DEFAULT_BYTES, HEADERS_BYTES, ORDINARY_GROWTH, body_that_passes
from routes.settings import StackSettings, parse_settings
from tests.routes.test_settings import EXOTIC, MINIMAL

# What the EventSource writes longer than it came, and what it does not.
GROWING = {
    "angle brackets": b"<",
    "ampersands": b"&",
    "line separators": "\N{LINE SEPARATOR}".encode(),
    "bytes that are no UTF-8": b"\xff",
    "plain text": b"x",
}
SETTINGS = [
    {},
    {"eventBus": EXOTIC},
    {"eventBus": EXOTIC | {"maxPayloadBytes": 3_000_000}},
    {"eventBus": {"kind": "native", "maxPayloadBytes": 3_342_336}, "webhook": {"maxPayloadBytes": 409_600}},
]


def settings(changes: dict[str, object]) -> StackSettings:
    return parse_settings(MINIMAL | changes, source="test")


def answers(engine: Engine, settings: StackSettings, *bodies: bytes, header: str = "x") -> list[Taken]:
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "ping", "X-Padding": header}
    return engine.replay(
        compile_stack(FAMILIES, settings).event_source,
        [],
        [Delivery(name="x", headers=headers, body=body) for body in bodies],
        max_message=settings.event_bus.max_payload_bytes,
    )


def filled(text: bytes, size: int) -> bytes:
    """A JSON object of exactly `size` bytes, full of a text."""
    room = size - len(b'{"":""}')
    return b'{"":"' + (text * room)[: room // len(text) * len(text)].ljust(room, b"x") + b'"}'


def ordinary(size: int) -> bytes:
    """As `filled`, every hundredth character one that grows."""
    return filled(b"<" + b"x" * 99, size)


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_the_largest_body_passes_the_bus_if_it_is_an_ordinary_one(engine: Engine, changes: dict[str, object]) -> None:
    stack = settings(changes)
    (taken,) = answers(engine, stack, ordinary(stack.max_body))
    assert taken.status == 200


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_a_body_of_an_eighth_of_the_bus_passes_whatever_stands_in_it(
    engine: Engine, changes: dict[str, object]
) -> None:
    stack = settings(changes)
    size = min(stack.max_body, body_that_passes(stack.event_bus.max_payload_bytes))
    numbers = b'{"":[' + b"1e20," * ((size - 8) // 5) + b"0]}"
    bodies = [filled(text, size) for text in GROWING.values()] + [numbers]
    headers = "<" * (HEADERS_BYTES // 8 - 256)
    assert [taken.status for taken in answers(engine, stack, *bodies, header=headers)] == [200] * len(bodies)


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_a_byte_more_is_answered_400(engine: Engine, changes: dict[str, object]) -> None:
    stack = settings(changes)
    (taken,) = answers(engine, stack, filled(b"x", stack.max_body + 1))
    assert (taken.status, taken.text) == (400, "http: request body too large")


def test_what_grows_most_takes_all_but_the_room_for_headers(engine: Engine) -> None:
    stack = settings({"eventBus": EXOTIC})
    limit = stack.event_bus.max_payload_bytes
    most, least = (
        taken.message
        for taken in answers(
            engine, stack, filled(b"<", body_that_passes(limit)), filled(b"x", body_that_passes(limit))
        )
    )
    assert limit - HEADERS_BYTES < most < limit
    assert least < 1.34 * body_that_passes(limit) + 2000


def test_a_large_body_of_what_grows_is_answered_500(engine: Engine) -> None:
    stack = settings({"eventBus": EXOTIC})
    (taken,) = answers(engine, stack, filled(b"<", stack.max_body))
    assert (taken.status, taken.text) == (500, "failed to record event")


def test_githubs_examples_are_ordinary(engine: Engine) -> None:
    bodies = [json.dumps(p.body, ensure_ascii=False, separators=(",", ":")).encode() for p in corpus().values()]
    grown = [
        taken.message / len(body)
        for taken, body in zip(answers(engine, settings({}), *bodies), bodies, strict=True)
        if len(body) > 20_000
    ]
    assert len(grown) > 10 and max(grown) < ORDINARY_GROWTH


def test_by_default_a_push_of_as_many_commits_as_github_tells_of_is_taken(engine: Engine) -> None:
    push = large_push(5_000_000)
    body = json.dumps(push.body, ensure_ascii=False).encode()
    assert (len(push.body["commits"]), len(body) > 4_900_000, len(body) < DEFAULT_BYTES) == (PUSHED_AT_MOST, True, True)
    (taken,) = answers(engine, settings({}), body)
    assert taken.status == 200


def test_of_ten_thousand_levels_the_eventsource_takes_what_no_sensor_can_read(engine: Engine) -> None:
    stack = compile_stack(FAMILIES, settings({}))
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "issues", "X-GitHub-Delivery": "x"}
    told = [
        (taken.status, [outcome.failure for sensor in taken.sensors for outcome in sensor])
        for taken in engine.deliver(
            stack,
            [
                Delivery(name="x", headers=headers, body=b'{"action":"opened","":%s}' % (b"[" * n + b"]" * n))
                for n in (9_998, 9_999, 10_000)
            ],
        )
    ]
    assert told == [(200, [""]), (200, ["event data is not valid JSON"]), (400, [])]
