"""The dashboard of a stack, as Grafana's JSON: what `status` tells of a moment, over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from routes.queries import Watched

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
ACROSS, WIDTH, HEIGHT = 24, 8, 8
"""Grafana's grid is so many columns wide; each panel takes so much of it."""


@dataclass(frozen=True)
class Query:
    """What is drawn, and how each of its lines is called; `{{label}}` stands for a label's value."""

    expr: str
    legend: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """`unit` is one of Grafana's."""

    title: str
    unit: str
    queries: Sequence[Query]
    about: str = ""


@dataclass(frozen=True)
class Row:
    title: str
    panels: Sequence[Panel]


def rows(watched: Watched) -> Iterator[Row]:
    """All that the dashboard shows."""
    recorded, by_sensor = watched.recorded, "{{sensor_name}}"
    yield Row(
        "The way in",
        [
            Panel(
                title="Deliveries in five minutes",
                unit="short",
                queries=[
                    Query(watched.accepted("5m"), "accepted"),
                    Query(watched.refused("5m"), "refused (400)"),
                    Query(watched.not_stored("5m"), "not stored (500)"),
                ],
                about="Refused is what is left of all requests: the engine counts no 400.",
            ),
            Panel(
                title="Time to the answer",
                unit="ms",
                queries=[Query(watched.answer_milliseconds("5m"), "average")],
                about="GitHub waits for ten seconds.",
            ),
            Panel(
                title="Pods that work",
                unit="short",
                queries=[Query(watched.event_sources(), watched.event_source), Query(watched.leading(), by_sensor)],
                about="Of a Sensor's pods only the one that leads works.",
            ),
            Panel(
                title="Use of the EventBus's backlog",
                unit="percentunit",
                queries=[Query(f"{watched.bus_bytes()} / {watched.backlog_bytes}", "in use")],
                about="Full, deliveries are answered 500.",
            ),
        ],
    )
    yield Row(
        "Routes",
        [
            Panel(title="Deliveries that wait", unit="short", queries=[Query(recorded("waiting"), by_sensor)]),
            Panel(title="Started in five minutes", unit="short", queries=[Query(watched.started("5m"), by_sensor)]),
            Panel(
                title="Use of the rate",
                unit="percentunit",
                queries=[
                    Query(f"{watched.started_per_minute('5m')} / on (sensor_name) {recorded('rate_limit')}", by_sensor)
                ],
                about="After a quiet time up to eleven start at once, so that it may be more than 100 %.",
            ),
            Panel(
                title="Attempts that failed in five minutes",
                unit="short",
                queries=[Query(watched.attempts_failed("5m"), by_sensor)],
            ),
            Panel(
                title="Given up within 15 minutes", unit="short", queries=[Query(watched.given_up("30m"), by_sensor)]
            ),
            Panel(
                title="Time of an attempt",
                unit="ms",
                queries=[Query(watched.create_milliseconds("5m"), by_sensor)],
                about="What the Sensor takes to make a Workflow at the API server.",
            ),
        ],
    )
    yield Row(
        "Workflows",
        [
            Panel(
                title="Use of the semaphores",
                unit="percentunit",
                queries=[
                    Query(
                        f"{recorded('running')} / on (namespace, semaphore) {recorded('semaphore_limit')}",
                        "{{semaphore}}",
                    )
                ],
            ),
            Panel(title="Wait for a semaphore", unit="short", queries=[Query(recorded("queued"), "{{semaphore}}")]),
            Panel(
                title="Finished within half an hour",
                unit="short",
                queries=[
                    Query(watched.finished("30m", "Succeeded"), "{{name}}"),
                    Query(watched.finished("30m", "Failed|Error"), "{{name}} failed"),
                ],
            ),
            Panel(
                title="Time of a Workflow",
                unit="s",
                queries=[Query(watched.run_seconds("30m"), "{{name}}")],
                about="Half of them took no longer. One that fails before it runs counts as the longest.",
            ),
        ],
    )


def dashboard(watched: Watched) -> Json:
    """One dashboard for each namespace: its uid is the namespace's."""
    return {
        "uid": f"github-to-argo-{watched.namespace}"[:40],
        "title": f"GitHub to Argo: {watched.namespace}",
        "tags": ["github-to-argo"],
        "schemaVersion": 39,
        "editable": False,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}]},
        "panels": list(_panels(list(rows(watched)))),
    }


def _panels(rows: Sequence[Row]) -> Iterator[Json]:
    number, y = 1, 0
    for row in rows:
        yield {"id": number, "type": "row", "title": row.title, "gridPos": {"x": 0, "y": y, "w": ACROSS, "h": 1}}
        number, y = number + 1, y + 1
        for place, panel in enumerate(row.panels):
            down, across = divmod(place, ACROSS // WIDTH)
            yield _panel(panel, number, {"x": across * WIDTH, "y": y + down * HEIGHT, "w": WIDTH, "h": HEIGHT})
            number += 1
        y += -(-len(row.panels) // (ACROSS // WIDTH)) * HEIGHT


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + n), "datasource": DATASOURCE, "expr": query.expr, "legendFormat": query.legend}
            for n, query in enumerate(panel.queries)
        ],
    }
