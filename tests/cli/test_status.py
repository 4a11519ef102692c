"""What a stack's status makes of the numbers, and how it is told. Where they come from: tests/e2e/test_status.py."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console

from cli.dead_letters import DeadLetter
from cli.screen import as_json, screen
from cli.stacks import read_settings
from cli.status import Pods, RouteStatus, SemaphoreStatus, Status
from components.jetstream import Unknown
from routes import FAMILIES
from routes.model import Rate

ROUTE = next(route for family in FAMILIES for route in family.routes)
WELL = RouteStatus(
    route=ROUTE,
    rate=Rate(limit=20),
    pods=Pods(1, 1),
    waiting=0,
    idle=timedelta(hours=3),
    phases={"Succeeded": 40, "Running": 2, "Failed": 1, "Error": 1},
    recent=3,
)
SEMAPHORE = SemaphoreStatus(name="pr-validation", held=2, limit=5, waiting=7)
LETTER = DeadLetter(
    name="dead-letter-x",
    route=ROUTE.sensor,
    delivery="d-1",
    event="pull_request",
    repository="acme.api",
    event_id="e",
    accepted="2026-11-25T01:00:00Z",
    given_up="2026-11-25T01:10:00Z",
    reason="exceeded quota",
)


def status(route: RouteStatus = WELL, **changes: object) -> Status:
    made = Status(event_source=Pods(1, 1), accepted=1234, routes=(route,), semaphores=(SEMAPHORE,))
    return replace(made, **changes)  # type: ignore[arg-type]


def told(found: Status) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(screen(found, read_settings("lab")))
    return capture.get()


def test_a_stack_with_which_all_is_well_is_told_on_one_screen() -> None:
    text = told(status())
    assert "Namespace github-to-argo-lab in context lab: EventSource 1 of 1, 1,234 deliveries accepted" in text
    (line,) = (line for line in text.splitlines() if line.startswith(ROUTE.sensor))
    assert line.split() == [ROUTE.sensor, "1", "of", "1", "0", "44", "2", "3", "of", "20", "a", "minute"]
    assert "Semaphores: pr-validation 2 of 5, 7 wait" in text
    assert not status().wrong


@pytest.mark.parametrize(
    ("waiting", "idle", "still"),
    [
        (0, timedelta(days=1), False),
        (5, timedelta(seconds=122), False),
        (5, timedelta(seconds=124), True),
        (5, None, False),
        (Unknown("no right"), timedelta(days=1), False),
    ],
)
def test_a_route_stands_still_that_does_nothing_for_longer_than_its_rate_asks(
    waiting: int | Unknown, idle: timedelta | None, still: bool
) -> None:
    one = replace(WELL, waiting=waiting, idle=idle)  # 20 a minute: one in three seconds
    assert one.stands_still is still
    assert status(one).wrong is still
    assert ("it has done none for 2 min" in told(status(one))) is still


def test_the_oldest_that_waits_is_told_and_that_it_may_be_younger() -> None:
    waits = replace(WELL, waiting=3, oldest=timedelta(minutes=5))
    for exact, words in ((True, "5 min"), (False, "< 5 min")):
        found = status(replace(waits, exact=exact))
        assert f"  {words}  " in told(found)
        (route,) = as_json(found)["routes"]
        assert (route["oldestSeconds"], route["oldestExact"]) == (300, exact)


@pytest.mark.parametrize(
    "found",
    [
        status(event_source=Pods(0, 1)),
        status(event_source=Pods(0, 0)),
        status(replace(WELL, pods=Pods(1, 2))),
        status(dead_letters=(LETTER,)),
    ],
)
def test_somebody_should_look_where_pods_are_missing_or_a_delivery_was_given_up(found: Status) -> None:
    assert found.wrong
    assert as_json(found)["wrong"] is True


def test_a_dead_letter_and_the_last_failure_are_told_in_words() -> None:
    text = told(status(replace(WELL, failure="pr-validation-x: child failed"), dead_letters=(LETTER,)))
    assert f"{ROUTE.sensor}, the last that failed: pr-validation-x: child failed" in text
    assert f"{ROUTE.sensor} gave up pull_request d-1 of acme.api at 2026-11-25T01:10:00Z: exceeded quota" in text


def test_what_cannot_be_asked_is_told_once_and_is_null_to_programs() -> None:
    found = status(replace(WELL, waiting=Unknown("no right to ask nats/nats")), accepted=Unknown("no right to ask"))
    assert told(found).count("no right to ask nats/nats") == 1
    (route,) = as_json(found)["routes"]
    assert (route["waiting"], route["waitingUnknown"]) == (None, "no right to ask nats/nats")
