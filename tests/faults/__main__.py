"""python -m tests.faults: every fault in the middle of a burst of 1,000, on the lab; writes docs/reliability.md.

`make faults` runs it inside the lab. Exit code 1 where a delivery was lost or doubled.
"""

from __future__ import annotations

import sys
import time

from tests.faults.hangs import SLOW, Hangs, hangs
from tests.faults.report import write
from tests.faults.rows import EVENT_BUSES, LONG, NATIVE_ROWS, ROWS, Measured, run
from tests.faults.stack import exotic, fault_stack, native

SLOW_STACKS = (("slow", exotic("slow"), 1, 2), ("slow", exotic("slow"), 2, 2), ("slow3", native(3), 2, 3))
"""While triggers are slow: the stack and its EventBus, how many pods each Sensor has, how often NATS is killed."""


def main() -> int:
    """The exit code."""
    began = time.monotonic()
    found: list[Measured] = []
    for name, event_bus in EVENT_BUSES.items():
        _say(began, f"stack {name} comes up")
        with fault_stack(name, event_bus) as stack:
            for row in ROWS + NATIVE_ROWS:
                if row.on == name:
                    _say(began, f"{row.name}: {row.what}")
                    found.append(run(row, LONG, stack))
                    _say(began, _told(found[-1]))
    hung: list[Hangs] = []
    for name, event_bus, replicas, kills in SLOW_STACKS:
        _say(began, f"stack {name} comes up, with {replicas} pods for each Sensor")
        with fault_stack(name, event_bus, rate=SLOW, replicas=replicas) as stack:
            hung.append(hangs(stack, replicas=replicas, kills=kills))
            _say(began, f"NATS was killed {kills} times; Sensors that hung: {[len(each) for each in hung[-1].hung]}")
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
