"""docs/performance.svg, from what a run measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.cost import PARTS, Cost
from tests.bench.growth import OPERATIONS, Run
from tests.bench.latency import Latency
from tests.bench.report import Found, costs, sizes
from tests.bench.throughput import Throughput


def draw(found: Found, into: Path) -> None:
    """Four plots in one SVG file; the same run gives the same file."""
    matplotlib.rcParams["svg.hashsalt"] = "performance"
    figure = Figure(figsize=(10, 8), layout="constrained")
    (latency, cost), (throughput, growth) = figure.subplots(2, 2)
    _plot_latency(latency, found.latency)
    _plot_cost(cost, found.cost)
    if found.throughput:
        _plot_throughput(throughput, found.throughput)
    if found.growth:
        _plot_growth(growth, found.growth)
    figure.savefig(into, metadata={"Date": None})


def _plot_latency(axis: Axes, found: Sequence[Latency]) -> None:
    for what, label in (("delivered", "a delivery"), ("direct", "created directly")):
        for size, color in zip(sizes(found), ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=False):
            values = sorted(1000 * seconds for one in found if one.size == size for seconds in getattr(one, what))
            share = [(number + 1) / len(values) for number in range(len(values))]
            style = "-" if what == "delivered" else ":"
            axis.plot(values, share, style, color=color, label=f"{size:,} bytes, {label}")
    axis.set(xscale="log", xlabel="milliseconds until there is a Workflow", ylabel="part of the deliveries")
    axis.legend(fontsize="xx-small")
    axis.set_title("Latency", fontsize="medium")


def _plot_cost(axis: Axes, found: Sequence[Cost]) -> None:
    names = [one.form for one in found][::-1]
    left = [0.0] * len(names)
    for part in PARTS.values():
        widths = [statistics.median(one.parts[part]) for one in found][::-1]
        axis.barh(names, widths, left=left, label=part)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axis.set(xlabel="milliseconds of processor time a delivery")
    axis.legend(fontsize="xx-small")
    axis.set_title("Cost of a delivery", fontsize="medium")


def _plot_throughput(axis: Axes, found: Throughput) -> None:
    for step in found.steps:
        at = [second for second, _ in step.waiting]
        axis.plot(at, [count for _, count in step.waiting], label=f"{step.rate:.1f} a second offered")
    axis.set(xlabel="seconds", ylabel="deliveries that wait for the slowest Sensor")
    axis.legend(fontsize="xx-small")
    axis.set_title("Backlog, rates unlimited", fontsize="medium")


def _plot_growth(axis: Axes, found: Sequence[Run]) -> None:
    for operation, color in ((OPERATIONS[0], "tab:blue"), (OPERATIONS[1], "tab:orange")):
        for who, style in (("ours", "-o"), ("bare", ":x")):
            axis.plot(*costs(found, who, operation), style, color=color, label=f"{operation[0]}, {who}")
    axis.set(xscale="log", yscale="log", xlabel="Sensors", ylabel="seconds of processor time, from nothing")
    axis.legend(fontsize="xx-small")
    axis.set_title("Pulumi", fontsize="medium")
