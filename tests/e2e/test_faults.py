"""Each row of docs/reliability.md, short: a fault in the middle of a burst loses nothing and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.hangs import SLOW, hangs
from tests.faults.rows import ROWS, SHORT, STORE, Row, run
from tests.faults.stack import FaultStack, fault_stack

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def faults() -> Iterator[FaultStack]:
    with fault_stack("faults") as stack:
        yield stack


@pytest.fixture(scope="module")
def full() -> Iterator[FaultStack]:
    with fault_stack("full", backlog=STORE) as stack:
        yield stack


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_was_accepted_is_one_workflow_for_each_of_its_routes(row: Row, request: pytest.FixtureRequest) -> None:
    verdict = run(row, SHORT, request.getfixturevalue(row.on)).verdict
    assert (verdict.lost, verdict.doubled, verdict.strange) == ([], [], [])
    assert verdict.redelivered > verdict.posted / 12
    assert verdict.created == verdict.accepted == verdict.posted - verdict.redelivered
    assert bool(verdict.refused or verdict.unanswered) == row.repeats, "GitHub is told just where nobody could listen"


def test_sensors_of_two_pods_go_on_when_nats_comes_back_whatever_they_are_at() -> None:
    with fault_stack("slow", rate=SLOW, replicas=2) as stack:
        assert hangs(stack, replicas=2, kills=1).hung == [[]]
