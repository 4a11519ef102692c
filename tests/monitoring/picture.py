"""The dashboard as the panels' data draw it: there is no Grafana in the lab."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cli.stacks import ROOT
from tests.monitoring.session import Drawn, Seen

PICTURE = ROOT / "docs" / "dashboard.svg"
ACROSS = 3
UNITS = {"ms": "ms", "s": "s", "percentunit": "%", "short": ""}


def draw(seen: Seen) -> None:
    """Writes it: every panel, and a line where each fault begins."""
    matplotlib.rcParams.update({"svg.hashsalt": "dashboard", "svg.fonttype": "none"})
    down = -(-len(seen.panels) // ACROSS)
    figure = Figure(figsize=(15, 2.6 * down), layout="constrained")
    axes = figure.subplots(down, ACROSS, sharex=True, squeeze=False).flatten()
    colours = _colours(seen)
    for axis, panel in zip(axes, seen.panels, strict=False):
        _panel(axis, panel, seen, colours)
    for axis in axes[:ACROSS]:
        for number, moment in enumerate(seen.faults.values(), 1):
            axis.annotate(str(number), (moment - seen.began, 1), xycoords=("data", "axes fraction"), fontsize=6)
    for axis in axes[len(seen.panels) :]:
        axis.set_axis_off()
    figure.supxlabel("seconds")
    figure.savefig(PICTURE, metadata={"Date": None})


def _panel(axis: Axes, panel: Drawn, seen: Seen, colours: Mapping[str, str]) -> None:
    scale = 100 if panel.unit == "percentunit" else 1
    for name, series in panel.lines:
        at = [moment - seen.began for moment, _ in series.values]
        axis.plot(at, [value * scale for _, value in series.values], label=name, color=colours[name], linewidth=1.2)
    for moment in seen.faults.values():
        axis.axvline(moment - seen.began, color="tab:red", linewidth=0.4, alpha=0.6)
    unit = UNITS[panel.unit]
    axis.set_title(panel.title + (f" ({unit})" if unit else ""), fontsize="medium", pad=10)
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=5, loc="upper right", framealpha=0.6)


def _colours(seen: Seen) -> dict[str, str]:
    """One for each name, the same in every panel."""
    names = dict.fromkeys(name for panel in seen.panels for name, _ in panel.lines)
    return {name: f"C{number % 10}" for number, name in enumerate(names)}
