"""python -m tests.bench: measures everything on the lab and writes docs/performance.md. `make bench` runs it there.

With names of parts (compiling, filters, cost, throughput, latency, growth) it only measures these, and says so.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.compiling import compiling
from tests.bench.cost import cost, filters
from tests.bench.growth import growth
from tests.bench.latency import latency
from tests.bench.picture import draw
from tests.bench.report import PLOT, Found, page
from tests.bench.stack import bench_stack
from tests.bench.throughput import throughput

MINUTES = float(os.environ.get("MINUTES", "13"))
"""After so many, the sizes of Pulumi's growth that are left are left out."""
LONG_MINUTES = 30
"""With so many, latency is measured often enough for a p99 of each route."""
DOCS = Path(__file__).parent.parent.parent / "docs"
PARTS = ("compiling", "filters", "cost", "throughput", "latency", "growth")


def main(parts: list[str]) -> None:
    began = time.monotonic()

    def say(what: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {what}", flush=True, file=sys.stderr)

    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    found = Found(load=[load()])
    wanted = parts or list(PARTS)
    if "compiling" in wanted:
        found.compiling = compiling()
        say(f"compiling: {min(found.compiling):.1f} ms")
    if {"filters", "latency", "cost", "throughput"} & {*wanted}:
        say("stack bench comes up")
        with bench_stack() as stack:
            steps: dict[str, Callable[[], None]] = {
                "filters": lambda: setattr(found, "filters", filters(stack.compiled, say)),
                "cost": lambda: setattr(found, "cost", cost(stack, say)),
                "throughput": lambda: setattr(found, "throughput", throughput(stack, say)),
                # Last: the workflow-controller, which stood still, then has thousands of Workflows to look at.
                "latency": lambda: setattr(found, "latency", latency(stack, say, many=MINUTES >= LONG_MINUTES)),
            }
            for part, step in steps.items():
                if part in wanted:
                    step()
                    found.load.append(load())
    if "growth" in wanted:
        found.growth = growth(say, until=began + MINUTES * 60)
    found.load.append(load())
    if not parts:
        (DOCS / "performance.md").write_text(page(found, minutes=(time.monotonic() - began) / 60))
        draw(found, DOCS / PLOT)


def load() -> float:
    """How many processes wanted a processor in the last minute, on average."""
    return float(Path("/proc/loadavg").read_text().split()[0])


if __name__ == "__main__":
    os.chdir(Path(__file__).parent.parent.parent)
    main(sys.argv[1:])
