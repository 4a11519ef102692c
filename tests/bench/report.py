"""docs/performance.md and its plot, from what a run measured."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cli.pages import rendered
from cli.stacks import compiled
from tests.bench import forms
from tests.bench.cost import ENVIRONMENT, OURS, PARTS, Cost, Sifted, variable
from tests.bench.figures import bent, percentile, ratio
from tests.bench.growth import MADE_AT_MOST, OPERATIONS, Run
from tests.bench.latency import Latency
from tests.bench.throughput import Throughput

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE, PLOT = DOCS / "performance.md", DOCS / "performance.svg"
PERCENTS = (50, 95, 99)


@dataclass
class Found:
    """What a run measured. `load` is the machine's, before, between and after."""

    load: list[float] = field(default_factory=list)
    compiling: list[float] = field(default_factory=list)
    filters: list[Sifted] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    cost: list[Cost] = field(default_factory=list)
    throughput: Throughput | None = None
    growth: list[Run] = field(default_factory=list)


def write(found: Found, *, minutes: float) -> None:
    """Writes both."""
    PAGE.write_text(page(found, minutes=minutes))
    plot(found)


def page(found: Found, *, minutes: float) -> str:
    """The page, with the figures of this run."""
    sifted = {one.form: one.micros for one in found.filters}
    costs = {one.form: one for one in found.cost}
    return rendered(
        Path(__file__).parent / "performance.md.j2",
        minutes=minutes,
        processors=os.cpu_count(),
        load=found.load,
        plot=PLOT.name,
        percents=PERCENTS,
        compiling=statistics.median(found.compiling),
        sizes=_sizes(found.latency),
        pooled=[_pooled([one for one in found.latency if one.size == size]) for size in _sizes(found.latency)],
        routes=[
            (route, [_pooled([of]) for of in found.latency if of.route == route])
            for route in dict.fromkeys(one.route for one in found.latency)
        ],
        parts=list(PARTS.values()),
        ours=OURS,
        costs=costs,
        spent={form: {part: statistics.median(of) for part, of in one.parts.items()} for form, one in costs.items()},
        times={form: ratio(one.total, costs[OURS].total) for form, one in costs.items()},
        sifted={form: statistics.median(micros) for form, micros in sifted.items()},
        sifted_times={form: ratio(micros, sifted[OURS]) for form, micros in sifted.items()},
        throughput=found.throughput,
        one_sensor=max(map(variable, forms.one_sensor(compiled(forms.STACK).all_sensors()))) // 1024,
        environment=ENVIRONMENT // 1024,
        operations=OPERATIONS,
        sensors=sorted({run.sensors for run in found.growth}),
        runs=lambda sensors, operation: _runs(found.growth, sensors, operation),
        bent=bent_previews(found.growth),
        made=MADE_AT_MOST * 7,
    )


@dataclass(frozen=True)
class Pooled:
    """Milliseconds at each of PERCENTS, by way of a delivery and directly, and how many times as much each is."""

    delivered: list[float]
    direct: list[float]

    @property
    def times(self) -> list[float]:
        return [ours / floor for ours, floor in zip(self.delivered, self.direct, strict=True)]


def _sizes(found: Sequence[Latency]) -> list[int]:
    return sorted({one.size for one in found})


def _pooled(found: Sequence[Latency]) -> Pooled:
    delivered = [1000 * seconds for one in found for seconds in one.delivered]
    direct = [1000 * seconds for one in found for seconds in one.direct]
    return Pooled(
        [percentile(delivered, percent) for percent in PERCENTS], [percentile(direct, percent) for percent in PERCENTS]
    )


@dataclass(frozen=True)
class Compared:
    """Medians of one operation: ours, and how many times the bare program's."""

    cpu: float
    cpu_times: float
    wall: float
    wall_times: float
    program_times: float
    memory: float
    memory_times: float


def _runs(growth: Sequence[Run], sensors: int, operation: tuple[str, str]) -> Compared | None:
    of = {
        who: [run for run in growth if (run.who, run.sensors, (run.operation, run.case)) == (who, sensors, operation)]
        for who in ("ours", "bare")
    }
    if not of["ours"] or not of["bare"]:
        return None
    ours, bare = of["ours"], of["bare"]
    return Compared(
        cpu=statistics.median(run.cpu for run in ours),
        cpu_times=ratio([run.cpu for run in ours], [run.cpu for run in bare]),
        wall=statistics.median(run.wall for run in ours),
        wall_times=ratio([run.wall for run in ours], [run.wall for run in bare]),
        program_times=ratio([run.program for run in ours], [run.program for run in bare]),
        memory=statistics.median(run.program_memory for run in ours) / 2**20,
        memory_times=ratio([run.program_memory for run in ours], [run.program_memory for run in bare]),
    )


def bent_previews(growth: Sequence[Run]) -> dict[str, float]:
    """For each program, whether a preview grows linearly, from the fewest Sensors to the most; of three sizes."""
    previews = {who: _previews(growth, who) for who in ("ours", "bare")}
    return {who: bent(sizes, costs) for who, (sizes, costs) in previews.items() if len(sizes) > 2}


def _previews(growth: Sequence[Run], who: str) -> tuple[list[float], list[float]]:
    first = [run for run in growth if run.who == who and (run.operation, run.case) == OPERATIONS[0]]
    sizes = sorted({run.sensors for run in first})
    return [float(size) for size in sizes], [
        statistics.median(run.cpu for run in first if run.sensors == size) for size in sizes
    ]


def plot(found: Found) -> None:
    """Four plots in one file; the same run gives the same file."""
    matplotlib.rcParams["svg.hashsalt"] = "performance"
    figure = Figure(figsize=(10, 8), layout="constrained")
    (latency, cost), (throughput, growth) = figure.subplots(2, 2)
    _plot_latency(latency, found.latency)
    _plot_cost(cost, found.cost)
    if found.throughput:
        _plot_throughput(throughput, found.throughput)
    if found.growth:
        _plot_growth(growth, found.growth)
    figure.savefig(PLOT, metadata={"Date": None})


def _plot_latency(axis: Axes, found: Sequence[Latency]) -> None:
    for what, label in (("delivered", "a delivery"), ("direct", "created directly")):
        for size, color in zip(_sizes(found), ("tab:blue", "tab:orange", "tab:green", "tab:red"), strict=False):
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
    for who, style in (("ours", "-o"), ("bare", ":x")):
        sizes, costs = _previews(found, who)
        axis.plot(sizes, costs, style, label=f"{who}")
    axis.set(xscale="log", yscale="log", xlabel="Sensors", ylabel="seconds of processor time of a first preview")
    axis.legend(fontsize="xx-small")
    axis.set_title("pulumi preview", fontsize="medium")
