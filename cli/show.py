"""The route table of a stack as a person reads it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from routes import FAMILIES
from routes.model import Delivery, Route
from routes.settings import StackSettings
from routes.words import in_words, rate_in_words

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
        fires_on = Group(*(_delivery(delivery, settings) for delivery in route.deliveries))
        rate, semaphore = rate_in_words(settings.rate(route)), semaphore_in_words(route, settings)
        agent = route.agent or ""
        cells: tuple[RenderableType, ...] = (sensor, fires_on, route.template, agent, rate, semaphore)
        if not wide:
            template = f"{route.template} ({agent})" if agent else route.template
            cells = (Group(sensor, *(_indented(text) for text in (template, rate, semaphore))), fires_on)
        table.add_row(*cells, style="" if enabled else "dim")
    return table


def semaphore_in_words(route: Route, settings: StackSettings) -> str:
    return f"{route.semaphore}: {settings.at_once(route.semaphore)} at once"


def _delivery(delivery: Delivery, settings: StackSettings) -> RenderableType:
    actions = f": {', '.join(delivery.actions)}" if delivery.actions else ""
    return Group(
        Text(f"{delivery.event}{actions}"), *(_indented(in_words(condition, settings)) for condition in delivery.where)
    )


def _indented(text: str) -> Padding:
    """A line whose further lines, where it does not fit, are indented too."""
    return Padding(Text(text), (0, 0, 0, 2))
