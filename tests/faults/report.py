"""docs/reliability.md and its plot, from what a run measured."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from cli.pages import rendered
from tests.faults.hangs import SLOW, Hangs
from tests.faults.rows import LONG, STORE, Measured
from tests.faults.stack import RATE

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE, PLOT = DOCS / "reliability.md", DOCS / "reliability.svg"


def write(found: Sequence[Measured], hung: Sequence[Hangs], *, minutes: float) -> None:
    """Writes both."""
    PAGE.write_text(page(found, hung, minutes=minutes))
    plot(found)


def page(found: Sequence[Measured], hung: Sequence[Hangs], *, minutes: float) -> str:
    """The page, with the rates and numbers of this run."""
    return rendered(
        Path(__file__).with_name("reliability.md.j2"),
        found=found,
        hung=hung,
        size=LONG,
        store=STORE,
        rate=RATE,
        slow=SLOW,
        minutes=minutes,
        processors=os.cpu_count(),
        plot=PLOT.name,
    )


def plot(found: Sequence[Measured]) -> None:
    """What waits for the slowest Sensor, over time; the same run gives the same file."""
    matplotlib.rcParams["svg.hashsalt"] = "reliability"
    columns = 2
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(9, 2 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    for axis, measured in zip(axes, found, strict=False):
        axis.plot([at for at, _ in measured.waiting], [count for _, count in measured.waiting])
        axis.axvline(0, color="tab:red", linewidth=1)
        axis.set_title(measured.row.name, fontsize="medium")
    figure.supxlabel("seconds from the fault")
    figure.supylabel("deliveries that wait for the slowest Sensor")
    figure.savefig(PLOT, metadata={"Date": None})
