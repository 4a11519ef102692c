"""What became of deliveries that were posted to a cluster, as a table."""

from __future__ import annotations

from rich.markup import escape
from rich.table import Table

from cli.delivery import Posted
from cli.workflow import Workflow, parameters_of, phase_of
from routes.compiler import PREFIX

KEY_PARAMETERS = ("repo", "pr", "issue", "branch", "agent", "taskId")


WIDE = 165
"""Columns that a delivery needs in one line: names of Workflows hold a delivery id. In fewer it takes two."""


def table(posted: list[Posted], workflows: dict[str, list[tuple[Workflow, float]]], width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = (
        ("event", "Sensor", "Workflow", "parameters") if width >= WIDE else ("event, Sensor", "Workflow, parameters")
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    table.add_column("phase", no_wrap=True, min_width=9)
    table.add_column("ms", no_wrap=True, min_width=4, justify="right")
    for p in posted:
        for workflow, seen in workflows.get(p.delivery, []):
            parameters = parameters_of(workflow)
            told = escape(" ".join(f"{key}={parameters[key]}" for key in KEY_PARAMETERS if parameters.get(key)))
            phase = phase_of(workflow) or "Pending"
            colour = "green" if phase == "Succeeded" else "yellow"
            sensor, name = workflow["metadata"]["labels"][f"{PREFIX}/route"], workflow["metadata"]["name"]
            what = (p.event, sensor, name, told) if width >= WIDE else (f"{p.event}\n  {sensor}", f"{name}\n  {told}")
            table.add_row(*what, f"[{colour}]{phase}[/]", f"{(seen - p.at) * 1000:.0f}")
        if p.delivery not in workflows:
            answer = "none: no route fits" if p.status == 200 else f"none: {escape(p.answer)}"
            what = (p.event, "", answer, "") if width >= WIDE else (p.event, answer)
            table.add_row(*what, f"[{'green' if p.status == 200 else 'red'}]{p.status}[/]", "")
    return table
