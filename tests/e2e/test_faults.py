"""Each row of docs/reliability.md, short: a fault in the middle of a burst loses nothing and doubles nothing.

A series of bursts on a stack, a fault in each, and what waits is waited for once, at the end.
"""

from __future__ import annotations

import pytest

from tests.faults.judging import Verdict
from tests.faults.rows import EVENT_BUSES, SERIES, SHORT, Row, series
from tests.faults.stack import fault_stack

pytestmark = pytest.mark.lab


@pytest.mark.parametrize(("name", "rows"), SERIES.items(), ids=SERIES)
def test_what_was_accepted_is_one_workflow_for_each_of_its_routes(name: str, rows: tuple[Row, ...]) -> None:
    with fault_stack(name, EVENT_BUSES[name]) as stack:
        verdicts = series(rows, SHORT, stack)
    assert {row.name: wrong(row, verdicts[row.name]) for row in rows} == {row.name: [] for row in rows}
    assert {verdict.redelivered > verdict.posted / 12 for verdict in verdicts.values()} == {True}


def wrong(row: Row, verdict: Verdict) -> list[str]:
    """What is not as promised, in words."""
    told = bool(verdict.refused or verdict.unanswered)
    found = {
        f"lost {verdict.lost}": verdict.lost,
        f"doubled {verdict.doubled}": verdict.doubled,
        f"strange {verdict.strange}": verdict.strange,
        f"{verdict} does not add up": not (verdict.created == verdict.accepted == verdict.posted - verdict.redelivered),
        f"GitHub is told: {told}": row.refuses not in (told, None),
    }
    return [words for words, is_so in found.items() if is_so]
