"""docs/performance.md, from what a run measured."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.pages import rendered
from cli.stacks import compiled
from tests.bench import forms
from tests.bench.cost import ENVIRONMENT, OURS, PARTS, Cost, Sifted, variable
from tests.bench.figures import bent, percentile, ratio
from tests.bench.growth import MADE_AT_MOST, OPERATIONS, Run
from tests.bench.latency import Latency
from tests.bench.throughput import Throughput

PLOT = "performance.svg"
"""The picture beside the page."""
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


def page(found: Found, *, minutes: float) -> str:
    """The page, with the figures of this run."""
    sifted = {one.form: one.micros for one in found.filters}
    forms_cost = {one.form: one for one in found.cost}
    return rendered(
        Path(__file__).parent / "performance.md.j2",
        minutes=minutes,
        processors=os.cpu_count(),
        load=found.load,
        plot=PLOT,
        percents=PERCENTS,
        compiling=statistics.median(found.compiling),
        sizes=sizes(found.latency),
        pooled=[_pooled([one for one in found.latency if one.size == size]) for size in sizes(found.latency)],
        routes=[
            (route, [_pooled([of]) for of in found.latency if of.route == route])
            for route in dict.fromkeys(one.route for one in found.latency)
        ],
        parts=list(PARTS.values()),
        ours=OURS,
        costs=forms_cost,
        spent={
            form: {part: statistics.median(of) for part, of in one.parts.items()} for form, one in forms_cost.items()
        },
        times={form: ratio(one.total, forms_cost[OURS].total) for form, one in forms_cost.items()},
        sifted={form: statistics.median(micros) for form, micros in sifted.items()},
        sifted_times={form: ratio(micros, sifted[OURS]) for form, micros in sifted.items()},
        repeats=[min(len(one.delivered) for one in found.latency if one.size == size) for size in sizes(found.latency)],
        throughput=found.throughput,
        one_sensor=max(map(variable, forms.one_sensor(compiled(forms.STACK).all_sensors()))) // 1024,
        environment=ENVIRONMENT // 1024,
        operations=OPERATIONS,
        sensors=sorted({run.sensors for run in found.growth}),
        runs=lambda sensors, operation: _runs(found.growth, sensors, operation),
        bent=[(*operation, bent_growth(found.growth, operation)) for operation in OPERATIONS[:2]],
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


def sizes(found: Sequence[Latency]) -> list[int]:
    """The sizes of bodies that were measured."""
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


def bent_growth(growth: Sequence[Run], operation: tuple[str, str]) -> dict[str, float]:
    """For each program, whether an operation grows linearly, from the fewest Sensors to the most; of three sizes."""
    found = {who: costs(growth, who, operation) for who in ("ours", "bare")}
    return {who: bent(of, seconds) for who, (of, seconds) in found.items() if len(of) > 2}


def costs(growth: Sequence[Run], who: str, operation: tuple[str, str]) -> tuple[list[float], list[float]]:
    """The numbers of Sensors, and seconds of processor time of an operation on so many, the medians."""
    runs = [run for run in growth if run.who == who and (run.operation, run.case) == operation]
    of = sorted({run.sensors for run in runs})
    return [*map(float, of)], [statistics.median(run.cpu for run in runs if run.sensors == size) for size in of]
