"""The route table of a stack as a person reads it: in a terminal, and as the Markdown of docs/routes.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.pages import rendered
from routes import FAMILIES
from routes.compiler import PREFIX, lane_of
from routes.contract import ANNOTATIONS, LABELS, PARAMETERS, TEMPLATES, Carried, WorkflowName
from routes.guards import fires_on
from routes.model import Delivery, Route, Template
from routes.settings import StackSettings
from routes.words import in_words, queue_in_words, rate_in_words, source_in_words

ROUTES = tuple(route for family in FAMILIES for route in family.routes)

WIDE = 170
"""Columns that suffice for all in one line. In fewer, what a route starts stands below its Sensor."""


def route_table(settings: StackSettings, width: int) -> Table:
    """Every route of the stack, also those that are off."""
    wide = width >= WIDE
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    columns = (
        ("Sensor", "fires on", "WorkflowTemplate", "agent", "rate", "semaphore")
        if wide
        else ("Sensor, WorkflowTemplate", "fires on")
    )
    for column in columns:
        table.add_column(column, no_wrap=column != "fires on")
    for route in ROUTES:
        enabled = settings.route(route).enabled
        sensor = Text(route.sensor if enabled else f"{route.sensor} (off)")
        kinds = Group(*(_delivery(delivery, settings) for delivery in fires_on(route, settings)))
        rate, semaphore = rate_in_words(settings.rate(route)), queue_in_words(route, settings)
        agent = route.agent or ""
        cells: tuple[RenderableType, ...] = (sensor, kinds, route.template, agent, rate, semaphore)
        if not wide:
            template = f"{route.template} ({agent})" if agent else route.template
            cells = (Group(sensor, *(_indented(text) for text in (template, rate, semaphore))), kinds)
        table.add_row(*cells, style="" if enabled else "dim")
    return table


def _delivery(delivery: Delivery, settings: StackSettings) -> RenderableType:
    actions = f": {', '.join(delivery.actions)}" if delivery.actions else ""
    return Group(
        Text(f"{delivery.event}{actions}"), *(_indented(in_words(condition, settings)) for condition in delivery.where)
    )


def _indented(text: str) -> Padding:
    """A line whose further lines, where it does not fit, are indented too."""
    return Padding(Text(text), (0, 0, 0, 2))


def markdown(stack: str, settings: StackSettings) -> str:
    """The route table and the contract, from `routes.md.j2`. Routes that are off are only named."""
    on = [route for route in ROUTES if settings.route(route).enabled]
    return rendered(
        Path(__file__).with_name("routes.md.j2"),
        {"code": _code, "id": lambda text: re.sub(r"\W", "_", text)},
        stack=stack,
        prefix=PREFIX,
        all=ROUTES,
        routes=on,
        off=[route for route in ROUTES if route not in on],
        waits=dict.fromkeys((route.template, route.semaphore) for route in on),
        templates=TEMPLATES,
        labels=LABELS,
        annotations=ANNOTATIONS,
        rate=lambda route: rate_in_words(settings.rate(route)),
        semaphore=lambda route: queue_in_words(route, settings),
        lane=lambda route: source_in_words(lane, _code) if (lane := lane_of(route, settings)) else "",
        conditions=lambda delivery: _conditions(delivery, settings),
        named=lambda route: source_in_words(WorkflowName(route.workflow), _code),
        deliveries=lambda route: fires_on(route, settings),
        events_of=lambda routes: _events(routes, settings),
        meaning=lambda name: PARAMETERS[name].meaning,
        parameter=lambda template, name, event: _parameter(template, name, event, settings),
        places=lambda carried: _places(carried, _events(on, settings)),
    )


def in_page(page: str, settings: StackSettings) -> str:
    """A page with its tables written anew, each between `<!-- make docs: its name -->` and `<!-- end -->`."""
    routes = [
        (
            f"[{route.sensor}](docs/routes.md#{route.sensor})",
            "<br>".join(_kind(delivery, settings) for delivery in fires_on(route, settings)),
            f"{route.template}{f' ({route.agent})' if route.agent else ''}",
            rate_in_words(settings.rate(route)),
            queue_in_words(route, settings),
        )
        for route in ROUTES
    ]
    templates = [(_code(template), ", ".join(map(_code, names))) for template, names in TEMPLATES.items()]
    tables = {
        "routes": _table(("Sensor", "fires on", "starts", "rate", "semaphore"), routes),
        "templates": _table(("WorkflowTemplate", "parameters"), templates),
    }
    for name, table in tables.items():
        before, mark, rest = page.partition(f"<!-- make docs: {name} -->\n")
        page = before + mark + (f"{table}<!-- end -->{rest.partition('<!-- end -->')[2]}" if mark else "")
    return page


def _kind(delivery: Delivery, settings: StackSettings) -> str:
    """A kind of delivery in one line."""
    actions = f" {', '.join(delivery.actions)}" if delivery.actions else ""
    where = " and ".join(in_words(condition, settings, literal) for condition in delivery.where)
    return f"**{delivery.event}**{actions}{f', where {where}' if where else ''}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines).replace("| --- ", "|---").replace("--- |", "---|")


def literal(text: str) -> str:
    """Literal text within a cell of a table."""
    return _code(text.replace("|", "\\|"))


def _code(text: str) -> str:
    return f"`{text}`"


def _conditions(delivery: Delivery, settings: StackSettings) -> list[str]:
    return [in_words(condition, settings, _code) for condition in delivery.conditions[1:]]


def _events(routes: Iterable[Route], settings: StackSettings) -> list[str]:
    return list(dict.fromkeys(delivery.event for route in routes for delivery in fires_on(route, settings)))


def _parameter(template: Template, name: str, event: str, settings: StackSettings) -> str:
    """Where an event carries a parameter. Which agent it is, the route says."""
    if name == "agent":
        routes = (route for route in ROUTES if route.template == template and event in _events([route], settings))
        return " or ".join(_code(route.agent) for route in routes if route.agent)
    source = PARAMETERS[name].source(event)
    return source_in_words(source, _code) if source else ""


def _places(carried: Carried, events: Iterable[str]) -> str:
    """Where each of these events carries a label or annotation."""
    if carried.always:
        return source_in_words(carried.always, _code)
    return "<br>".join(
        f"{event}: {source_in_words(source, _code)}" for event, source in carried.by_event.items() if event in events
    )
