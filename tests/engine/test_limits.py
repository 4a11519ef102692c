"""What the EventSource accepts is never too large for the EventBus: the engine's own code makes the messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.engine import Delivery, Engine, Taken
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.limits import HEADERS_BYTES
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


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as running:
        yield running


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


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_the_largest_body_passes_the_bus_whatever_stands_in_it(engine: Engine, changes: dict[str, object]) -> None:
    stack = settings(changes)
    numbers = b'{"":[' + b"1e20," * ((stack.max_body - 8) // 5) + b"0]}"
    bodies = [filled(text, stack.max_body) for text in GROWING.values()] + [numbers]
    headers = "<" * (HEADERS_BYTES // 8 - 256)
    assert [taken.status for taken in answers(engine, stack, *bodies, header=headers)] == [200] * len(bodies)


@pytest.mark.parametrize("changes", SETTINGS, ids=str)
def test_a_byte_more_is_answered_400(engine: Engine, changes: dict[str, object]) -> None:
    stack = settings(changes)
    (taken,) = answers(engine, stack, filled(b"x", stack.max_body + 1))
    assert (taken.status, taken.text) == (400, "http: request body too large")


def test_what_grows_most_takes_all_but_the_room_for_headers(engine: Engine) -> None:
    stack = settings({"eventBus": EXOTIC})
    most, least = (
        taken.message for taken in answers(engine, stack, filled(b"<", stack.max_body), filled(b"x", stack.max_body))
    )
    limit = stack.event_bus.max_payload_bytes
    assert limit - HEADERS_BYTES < most < limit
    assert least < 1.34 * stack.max_body + 2000


def test_with_what_the_check_refuses_the_bus_would_refuse_deliveries(engine: Engine) -> None:
    stack = settings({"eventBus": EXOTIC})
    beyond = stack.model_copy(update={"webhook": stack.webhook.model_copy(update={"max_payload_bytes": 262_144})})
    (taken,) = answers(engine, beyond, filled(b"<", 262_144))
    assert (taken.status, taken.text) == (500, "failed to record event")
