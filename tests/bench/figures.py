"""The benchmark's own arithmetic."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of the values that `percent` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def ratio(ours: Sequence[float], baseline: Sequence[float]) -> float:
    """How many times the baseline's median ours is."""
    return statistics.median(ours) / statistics.median(baseline)


def growth_per_second(seen: Sequence[tuple[float, float]]) -> float:
    """The slope of a line through (second, count), by least squares; 0 for fewer than two moments."""
    if len({at for at, _ in seen}) < 2:
        return 0.0
    slope, _ = statistics.linear_regression([at for at, _ in seen], [count for _, count in seen])
    return slope


def fixed_and_each(sizes: Sequence[float], costs: Sequence[float]) -> tuple[float, float]:
    """What a cost is whatever the size, and what each one adds, as a line through the first and the last says."""
    each = (costs[-1] - costs[0]) / (sizes[-1] - sizes[0])
    return costs[0] - each * sizes[0], each


def bent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """How many times as much one more costs at the end as at the beginning, of three sizes. 1: it grows linearly."""
    first = (costs[1] - costs[0]) / (sizes[1] - sizes[0])
    return (costs[-1] - costs[-2]) / (sizes[-1] - sizes[-2]) / first
