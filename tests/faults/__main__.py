"""python -m tests.faults: every fault in the middle of a burst of 1,000, on the lab; writes docs/reliability.md.

`make faults` runs it inside the lab. Exit code 1 where a delivery was lost or doubled.
"""

from __future__ import annotations

import sys
import time

from tests.faults.hangs import SLOW, Hangs, hangs
from tests.faults.report import write
from tests.faults.rows import LONG, ROWS, STORE, Measured, run
from tests.faults.stack import fault_stack

BACKLOGS = {"faults": "1Gi", "full": STORE}
"""By stack, how much may wait in its EventBus."""
KILLS = 2
"""How often NATS is killed while triggers are slow, with one pod for each Sensor and with two."""


def main() -> int:
    """The exit code."""
    began = time.monotonic()
    found: list[Measured] = []
    for name, backlog in BACKLOGS.items():
        _say(began, f"stack {name} comes up")
        with fault_stack(name, backlog=backlog) as stack:
            for row in ROWS:
                if row.on == name:
                    _say(began, f"{row.name}: {row.what}")
                    found.append(run(row, LONG, stack))
                    _say(began, _told(found[-1]))
    hung: list[Hangs] = []
    for replicas in (1, 2):
        _say(began, f"stack slow comes up, with {replicas} pods for each Sensor")
        with fault_stack("slow", rate=SLOW, replicas=replicas) as stack:
            hung.append(hangs(stack, replicas=replicas, kills=KILLS))
            _say(began, f"NATS was killed {KILLS} times; Sensors that hung: {[len(each) for each in hung[-1].hung]}")
    write(found, hung, minutes=(time.monotonic() - began) / 60)
    return any(measured.verdict.lost or measured.verdict.doubled for measured in found)


def _told(measured: Measured) -> str:
    verdict = measured.verdict
    return (
        f"{measured.row.name}: accepted {verdict.accepted}, created {verdict.created}, lost {len(verdict.lost)},"
        f" doubled {len(verdict.doubled)}, {measured.seconds:.0f} s"
    )


def _say(began: float, what: str) -> None:
    print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True, file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
