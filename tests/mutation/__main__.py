"""python -m tests.mutation [OBJECT…]: change the Sensors and the EventSource in each single way; does a check fail?

The checks are those of tests/engine: they look at what the engine's own code does, and at no golden. Lists what none of
them notices; exit code 1 where that is not explained in `explained.py`, or explained in vain. Not changed are roles,
semaphores, admission policies, NetworkPolicies, the EventBus and pods: only a running cluster judges these, in
tests/e2e (test_access.py, test_leaked_token.py, test_pods.py, test_template_author.py).
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from tests.mutation.explained import missing_tests, sort_out
from tests.mutation.judging import Death, Judge
from tests.mutation.mutants import Mutant, unchanged
from tests.mutation.suites import Suite, suites

TOGETHER = 40
"""Mutants that are asked about at once."""

MEMORY = 4 * 1024**3
"""The address space of a worker and its engine, in bytes: a change may make a template write without end."""

Told = dict[Mutant, Death | None]

# A worker is forked with the first, which is large, and fills the second.
_suites: dict[str, Suite] = {}
_judges: dict[str, Judge] = {}


def main() -> int:
    """The exit code."""
    began = time.monotonic()
    told: Told = {}
    _suites.update((suite.name, suite) for suite in suites())
    forking = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(os.cpu_count(), forking, _bounded) as workers:
        asked: dict[Future[list[Death | None]], tuple[str, list[Mutant]]] = {}
        for suite, mutants in _tasks(sys.argv[1:]):
            asked[workers.submit(_judged, suite, mutants)] = (f"{suite}: {mutants[0].of}", mutants)
        left = Counter(title for title, _ in asked.values())
        for future in as_completed(asked):
            title, mutants = asked[future]
            judged = dict(zip(mutants, future.result(), strict=True))
            told |= judged
            for survivor in sort_out(_survivors(judged))[1]:
                print(f"no check notices: {survivor}", file=sys.stderr, flush=True)
            left[title] -= 1
            if not left[title]:
                print(f"{time.monotonic() - began:5.0f} s  {title}", flush=True)
    return _report(told)


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _tasks(objects: Sequence[str]) -> Iterator[tuple[str, list[Mutant]]]:
    """Mutants that one worker judges together, and by which suite. With each kind comes the object as it is."""
    forms: set[str] = set()
    known: set[str] = set()
    for suite in _suites.values():
        new = [mutant for mutant in suite.mutants(forms) if str(mutant) not in known]
        known |= {str(mutant) for mutant in new}
        new += [unchanged(mutant) for mutant in {_alike(mutant): mutant for mutant in new}.values()]
        new.sort(key=_alike)
        for _, group in itertools.groupby(new, key=_alike):
            left = [mutant for mutant in group if not objects or mutant.of in objects]
            while left:
                yield suite.name, left[:TOGETHER]
                del left[:TOGETHER]


def _alike(mutant: Mutant) -> tuple[str, str, str]:
    """What mutants that are judged together have in common: the questions that can show them."""
    return mutant.of, mutant.dependency, mutant.shown_by


def _judged(suite: str, mutants: Sequence[Mutant]) -> list[Death | None]:
    """In a worker, which keeps an engine running for each suite."""
    if suite not in _judges:
        _judges[suite] = Judge(_suites[suite])
    return _judges[suite].told(mutants)


def _report(told: Told) -> int:
    survivors = _survivors(told)
    explained, unexplained, vain = sort_out(survivors)
    for check, count in Counter(death.check for death in told.values() if death).most_common():
        print(f"{count:7}  killed by {check}")
    for explanation, of in explained.items():
        print(f"{len(of):7}  live: {explanation.why}")
    print(f"{len(told)} mutants, {len(told) - len(survivors)} killed, {len(unexplained)} live without explanation")
    faults = [
        *(f"{m} fails a check as it is: {d.said}" for m, d in told.items() if d and m.is_unchanged),
        *(f"explains nothing: {explanation.of}" for explanation in vain if not sys.argv[1:]),
        *(f"there is no test {test}" for test in missing_tests()),
    ]
    for fault in faults:
        print(fault, file=sys.stderr)
    return bool(faults or unexplained)


def _survivors(told: Told) -> list[str]:
    return [str(mutant) for mutant, death in told.items() if not death and not mutant.is_unchanged]


if __name__ == "__main__":
    raise SystemExit(main())
