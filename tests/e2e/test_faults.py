"""Each row of docs/reliability.md, short: a fault in the middle of a burst loses nothing and doubles nothing.

A series of bursts on a stack, a fault in each, and what waits is waited for once, at the end.
"""

from __future__ import annotations

import pytest

from tests.faults.judging import Verdict
from tests.faults.rows import EVENT_BUSES, SERIES, SHORT, Row, series
from tests.faults.stack import fault_stack

pytestmark = pytest.mark.lab

FAULTS = [pytest.param(stack, row, id=row.name) for stack, rows in SERIES.items() for row in rows]


@pytest.fixture(scope="module")
def verdicts(request: pytest.FixtureRequest) -> dict[str, Verdict]:
    """Of one stack's rows, by their names."""
    with fault_stack(request.param, EVENT_BUSES[request.param]) as stack:
        return series(SERIES[request.param], SHORT, stack)


@pytest.mark.parametrize(("verdicts", "row"), FAULTS, indirect=["verdicts"])
def test_what_was_accepted_is_one_workflow_for_each_of_its_routes(row: Row, verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts[row.name]
    assert (verdict.lost, verdict.doubled, verdict.strange) == ([], [], [])
    assert verdict.redelivered > verdict.posted / 12
    assert verdict.created == verdict.accepted == verdict.posted - verdict.redelivered
    told = bool(verdict.refused or verdict.unanswered)
    assert row.refuses in (told, None), "GitHub is told just where nobody could listen"
