"""Killing on purpose: which process is meant, and until when it stays away."""

import time
from pathlib import Path

import pytest

from lab.away import fitting, stays_away
from lab.errors import LabError
from lab.layout import Layout

NAMES = ["etcd", "argo-events-controller", "lab.github-issues-sensor-1", "lab.github-pr-sensor-1"]


@pytest.mark.parametrize(("asked", "meant"), [("etcd", "etcd"), ("issues", "lab.github-issues-sensor-1")])
def test_a_part_of_the_name_will_do(asked: str, meant: str) -> None:
    assert fitting(NAMES, asked) == meant


def test_a_part_that_two_names_have_is_refused_with_both() -> None:
    with pytest.raises(LabError, match=r"lab\.github-issues-sensor-1\n  lab\.github-pr-sensor-1$"):
        fitting(NAMES, "sensor")


def test_what_does_not_run_is_refused_with_what_does() -> None:
    with pytest.raises(LabError, match="etcd"):
        fitting(NAMES, "nats")


def test_a_process_stays_away_until_its_time_has_come(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert stays_away(layout, "etcd") == 0
    layout.away().mkdir(parents=True)
    layout.away("etcd").write_text(str(time.time() + 60))
    assert 59 < stays_away(layout, "etcd") <= 60
    layout.away("etcd").write_text(str(time.time() - 60))
    assert stays_away(layout, "etcd") == 0
