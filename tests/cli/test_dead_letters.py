"""What is read out of a Sensor's log, and what is shown of a dead letter."""

from __future__ import annotations

import json

from rich.console import Console

from cli.dead_letters import REASON, DeadLetter, reasons, table


def line(error: str, *events: str, trigger: str = "pr-validation") -> str:
    return json.dumps(
        {"level": "error", "triggerName": trigger, "triggeredByEvents": list(events), "error": error, "ts": "x"}
    )


def test_the_last_error_of_an_event_is_its_reason() -> None:
    assert reasons([line("first", "a"), line("other", "b"), line("last", "a")]) == {"a": "last", "b": "other"}


def test_a_dead_letters_own_error_is_no_reason() -> None:
    assert reasons([line("refused", "a"), line("no letter", "a", trigger="pr-validation-dead-letter")]) == {
        "a": "refused"
    }


def test_lines_that_tell_no_error_or_were_cut_are_passed_over() -> None:
    lines = ["plain", '{"triggeredByEvents": ["a"], "error"', '{"triggeredByEvents": 1, "error": "x"}', "[]"]
    assert reasons([*lines, '{"msg": "done", "triggeredByEvents": ["a"]}']) == {}


def test_a_long_error_is_shortened_since_it_may_quote_the_payload() -> None:
    (reason,) = reasons([line("x" * 5_000, "a")]).values()
    assert reason == "x" * REASON + "…"


def shown(**fields: str) -> str:
    letter = {
        "name": "dead-letter-x",
        "route": "github-pr-to-pr-validation",
        "delivery": "d-1",
        "event": "pull_request",
        "repository": "o.r",
        "event_id": "e",
        "accepted": "2026-01-01T00:00:00Z",
        "given_up": "2026-01-01T00:10:00Z",
    }
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table([DeadLetter(**letter | fields)]))
    return capture.get()


def test_a_letter_is_shown_with_its_reason_or_what_became_of_it() -> None:
    assert "d-1" in shown(reason="is forbidden") and "is forbidden" in shown(reason="is forbidden")
    assert "brought back: pr-validation-1" in shown(reason="is forbidden", workflow="pr-validation-1")
    assert "the Sensor's log no longer tells" in shown()
