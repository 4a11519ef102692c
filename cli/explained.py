"""An explanation in a terminal: one delivery whole, several a line each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.explain import Explained, no_route
from cli.workflow import Workflow, notes_of, parameters_of
from routes import FAMILIES
from routes.model import Route
from routes.settings import StackSettings
from routes.words import queue_in_words, rate_in_words

LONG = 200
"""Characters of a parameter that are shown; `--full` shows all."""


def whole(explained: Explained, settings: StackSettings, *, full: bool) -> RenderableType:
    """All about one delivery: what each route makes of it, and the Workflows that come of it."""
    delivery = explained.delivery
    named = " ".join(filter(None, [delivery.event or "no event", delivery.id]))
    told: list[RenderableType] = [Text(f"{delivery.name}: {named}, {len(delivery.body):,} bytes", style="bold")]
    if explained.refused:
        return Group(*told, _line("✗", "red", f"the EventSource refuses it: {explained.refused}"))
    for look in explained.looks:
        who = f"{look.route.sensor} ({look.kind.name})"
        if look.workflow:
            told.append(_line("✓", "green", f"{who} starts {look.workflow['metadata']['name']}"))
            told.append(Padding(_workflow(look.route, look.workflow, settings, full=full), (0, 0, 0, 4)))
        elif look.lost:
            told.append(_line("✗", "red", f"{who} should fire, and fails: {look.lost}"))
        elif look.about:
            told.append(_line("-", "yellow", f"{who} does not fire: {look.stopped}"))
    elsewhere = dict.fromkeys(look.route.sensor for look in explained.looks if not look.about)
    concerned = {look.route.sensor for look in explained.looks if look.about}
    others = [sensor for sensor in elsewhere if sensor not in concerned]
    if not concerned:
        known = sorted({look.kind.event for look in explained.looks})
        told.append(_line("-", "yellow", f"{no_route(delivery.event, known)} (they are about {', '.join(known)})"))
    elif others:
        told.append(Text(f"  about other events: {', '.join(others)}", style="dim"))
    if off := _off(settings):
        told.append(Text(f"  off in this stack: {', '.join(off)}", style="dim"))
    return Group(*told)


def _line(mark: str, colour: str, what: str) -> RenderableType:
    """A line whose further lines, where it does not fit, are indented too."""
    line = Table.grid(padding=(0, 1))
    line.add_row(Text(f"  {mark}", style=colour), Text(what))
    return line


def _workflow(route: Route, workflow: Workflow, settings: StackSettings, *, full: bool) -> RenderableType:
    told = Table.grid(padding=(0, 2))
    told.add_row("template", Text(route.template))
    rate = rate_in_words(settings.rate(route))
    pace = f"{'at most ' if settings.rate(route) else ''}{rate}; semaphore {queue_in_words(route, settings)}"
    told.add_row("pace", Text(pace))
    for what in ("labels", "annotations"):
        notes = [f"{key}={value}" for key, value in notes_of(workflow, what).items() if value]
        told.add_row(what, Text("  ".join(notes), overflow="fold"))
    parameters = Table.grid(padding=(0, 2))
    for name, value in parameters_of(workflow).items():
        parameters.add_row(name, _value(value, full=full))
    told.add_row("parameters", parameters)
    return told


def _value(value: str, *, full: bool) -> Text:
    if not value:
        return Text('""', style="dim")
    cut = not full and len(value) > LONG
    text = Text(value[:LONG] if cut else value, overflow="fold")
    return text.append(f"… ({len(value):,} characters)", style="dim") if cut else text


def _off(settings: StackSettings) -> list[str]:
    return [r.sensor for family in FAMILIES for r in family.routes if not settings.route(r).enabled]


def table(explained: Sequence[Explained]) -> Table:
    """A line for each delivery and Workflow: what it starts, or why nothing."""
    told = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("delivery", "event", "starts"):
        told.add_column(column, overflow="fold")
    for one in explained:
        for mark, what in _told(one):
            told.add_row(Text(one.delivery.name), Text(one.delivery.event), Text.assemble(mark, " ", what))
    return told


def _told(one: Explained) -> Iterable[tuple[tuple[str, str], str]]:
    for look in one.started:
        assert look.workflow
        yield ("✓", "green"), f"{look.route.sensor}: {look.workflow['metadata']['name']}"
    if not one.started or one.lost:
        yield (("✗", "red") if one.lost else ("-", "yellow")), one.why_nothing()
