"""python -m tests.mutation: change every Sensor and the EventSource in each single way, and see whether a check fails.

Lists what no check notices; exit code 1 where that is not explained in `explained.py`, or explained in vain.
"""

from __future__ import annotations

import sys
import time
from collections import Counter

from cli.stacks import compiled
from tests.engine import matrix
from tests.engine.cases import cases, complete
from tests.mutation import mutants
from tests.mutation.explained import missing_tests, sort_out
from tests.mutation.judging import Death, Judge
from tests.mutation.mutants import Mutant


def main() -> int:
    """The exit code."""
    began = time.monotonic()
    stack = compiled(matrix.STACK)
    whole = list(complete())
    questions = {
        "the whole Workflow": whole,
        "cases": cases()[len(whole) :],
        "matrix": matrix.questions(matrix.read()),
    }
    told: dict[Mutant, Death | None] = {}
    with Judge(stack, questions) as judge:
        for manifest in [*stack.all_sensors(), stack.event_source]:
            if manifest["kind"] == "Sensor":
                deaths = judge.sensors(mutants.sensor(manifest))
            else:
                deaths = judge.event_sources(mutants.event_source(manifest))
            told |= deaths
            live = sum(death is None for death in deaths.values())
            seconds = time.monotonic() - began
            print(f"{seconds:5.0f} s  {manifest['metadata']['name']}: {len(deaths)} mutants, {live} live", flush=True)
    survivors = [str(mutant) for mutant, death in told.items() if not death]
    explained, unexplained, vain = sort_out(survivors)
    for check, count in Counter(death.check for death in told.values() if death).most_common():
        print(f"{count:7}  killed by {check}")
    for explanation, of in explained.items():
        print(f"{len(of):7}  live: {explanation.why}")
    print(f"{len(told)} mutants, {len(told) - len(survivors)} killed, {len(unexplained)} live without explanation")
    faults = [
        *(f"no check notices: {survivor}" for survivor in unexplained),
        *(f"explains nothing: {explanation.of}" for explanation in vain),
        *(f"there is no test {test}" for test in missing_tests()),
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    raise SystemExit(main())
