"""The supervisor of one process, with real processes."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.process import FIRST_DELAY, LONGEST_DELAY, STEADY_AFTER, Command, Process, next_delay


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.process.FIRST_DELAY", 0.05)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def process(folder: Path, script: str) -> Process:
    command = Command(["/bin/sh", "-c", script], {"PATH": os.defpath})
    return Process("p", lambda: command, folder / "log", lambda: None)


def test_pauses_grow_to_a_few_seconds_and_a_long_life_makes_them_short_again() -> None:
    delay: float | None = None
    for _ in range(10):
        delay = next_delay(delay, lived=0.1)
    assert delay == LONGEST_DELAY
    assert next_delay(delay, lived=STEADY_AFTER) == FIRST_DELAY


@pytest.mark.usefixtures("soon")
def test_what_dies_is_started_again(tmp_path: Path) -> None:
    kept = process(tmp_path, "sleep 60")
    kept.start()
    until(lambda: kept.pid is not None)
    first = kept.pid
    assert first is not None
    os.kill(first, 9)
    until(lambda: kept.pid not in (None, first))
    assert kept.restarts == 1
    assert b"ended by signal 9" in (tmp_path / "log").read_bytes()
    kept.stop()
    assert kept.state == "stopped" and kept.pid is None


def test_what_is_to_stay_away_is_started_again_no_sooner(tmp_path: Path) -> None:
    command = Command(["/bin/sleep", "60"], {"PATH": os.defpath})
    kept = Process("p", lambda: command, tmp_path / "log", lambda: None, away=lambda: 1.5)
    kept.start()
    until(lambda: kept.pid is not None)
    killed, began = kept.pid, time.monotonic()
    assert killed is not None
    os.kill(killed, 9)
    until(lambda: kept.pid not in (None, killed))
    assert 1.5 <= time.monotonic() - began < 5
    kept.stop()


def test_what_ignores_the_polite_signal_is_killed(tmp_path: Path) -> None:
    stubborn = process(tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    stubborn.start()
    until(lambda: (tmp_path / "log").is_file() and b"ready" in (tmp_path / "log").read_bytes())
    began = time.monotonic()
    stubborn.stop(grace=0.3)
    assert time.monotonic() - began < 5
    assert stubborn.state == "stopped"


@pytest.mark.usefixtures("soon")
def test_a_reason_not_to_start_yet_is_shown_until_it_is_gone(tmp_path: Path) -> None:
    reasons = [LabError("Secret 'x' does not exist")]

    def command() -> Command:
        if reasons:
            raise reasons[0]
        return Command(["/bin/sleep", "60"], {})

    waiting = Process("p", command, tmp_path / "log", lambda: None)
    waiting.start()
    until(lambda: waiting.state == "waiting")
    assert waiting.reason == "Secret 'x' does not exist"
    reasons.clear()
    until(lambda: waiting.running)
    assert waiting.reason == "" and waiting.restarts == 0
    waiting.stop()


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    absent = Process("p", lambda: Command(["/nowhere/at-all"], {}), tmp_path / "log", lambda: None)
    absent.start()
    until(lambda: absent.state == "waiting")
    assert "cannot be started" in absent.reason
    absent.stop()


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("script", ["exit 0", "exit 3"])
def test_an_end_of_its_own_is_an_end_too(tmp_path: Path, script: str) -> None:
    brief = process(tmp_path, script)
    brief.start()
    until(lambda: brief.restarts >= 1)
    brief.stop()
