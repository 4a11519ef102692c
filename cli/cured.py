"""`cure`: Sensors that hang, restarted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.again import SettingsFile
from cli.stacks import read_settings, settings_from
from cli.terminal import Stack, console, fail, in_words
from routes.settings import SettingsError

if TYPE_CHECKING:  # slow to import, and no other command needs it
    from cli.cure import Judged


def cure(
    stack: Stack = "dev",
    settings_file: SettingsFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Restart those that hang.")] = False,
    for_programs: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Find the Sensors that hang since NATS came back, and with --yes restart them: delete the pod that leads.

    Those that retry, wait for their rate, or have just started are left alone. It takes minutes where one may hang,
    since it waits for longer than any attempt may take; else one look. What waits is kept.

    Exit code 0: none hangs, or each was restarted. 1: some hang, and were not restarted. 2: it could not be looked at.
    """
    from cli.cluster import ClusterError, connect
    from cli.cure import judged, restart

    found: list[Judged] = []
    errors = Console(stderr=True)
    try:
        settings = settings_from(settings_file) if settings_file else read_settings(stack)
        cluster = connect(settings)
        with errors.status("looking whether Sensors go on"):
            for one in judged(settings, cluster):
                if one.hangs and yes:
                    restart(cluster, one.pod)
                found.append(one)
    except (SettingsError, ClusterError) as error:
        fail(str(error))
    if for_programs:
        typer.echo(json.dumps([vars(one) | {"restarted": one.hangs and yes} for one in found], indent=2))
    else:
        console.print(table(found, yes=yes))
    if any(one.unknown for one in found):
        raise typer.Exit(2)
    if not yes and any(one.hangs for one in found):
        raise typer.Exit(1)


def table(found: Sequence[Judged], *, yes: bool) -> Table:
    """A line for each Sensor."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("Sensor", "waiting", ""):
        table.add_column(title, justify="right" if title == "waiting" else "left")
    for one in sorted(found, key=lambda one: one.sensor):
        table.add_row(one.sensor, "?" if one.unknown else str(one.waiting), _words(one, yes=yes))
    return table


def _words(one: Judged, *, yes: bool) -> str:
    if one.unknown:
        return f"not looked at: {one.unknown}"
    if not one.hangs:
        return "goes on" if one.waiting else "has nothing to do"
    why = f"hangs: for {in_words(round(one.seconds))} it has taken, asked for and tried nothing"
    return f"{why}; {'restarted' if yes else 'to be restarted (--yes)'}: pod {one.pod}"
