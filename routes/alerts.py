"""What somebody is told of a stack, and when: the rules for Prometheus. docs/monitoring.md says what to do then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from routes import manifests as m
from routes.limits import most_workflows
from routes.model import Rate
from routes.queries import RECORDED, Watched, WatchedRoute

REFUSED, REFUSED_SHARE = 5, 0.1
"""Refusals that are told: more than so many, and more than this share of all requests. A stranger's scan is neither."""

FULL = 0.8
"""The share of the backlog that is told."""

FAILED, FAILED_SHARE = 3, 0.5
"""Workflows of a template that fail: at least so many, and more than this share of those that finish."""

STILL_MINUTES = 10
"""How long a Sensor may try nothing while deliveries wait, or twice as long as its rate asks for."""

CONTROLLER = "argo_workflows_is_leader"
"""Any series of the workflow-controller."""

QUIET = "1d"
"""Within so long, it is assumed, no Workflow of a semaphore ran for a moment."""


@dataclass(frozen=True, kw_only=True)
class Alert:
    """`after`: how long it must be so. `do`: the first thing to do, in a line."""

    name: str
    expr: str
    after: str | None
    severity: Literal["critical", "warning"]
    summary: str
    do: str


def rule_groups(watched: Watched, *, backlog_minutes: int, runbooks: str | None) -> list[m.RuleGroup]:
    """What is recorded, and the alerts, which look at it."""
    return [
        m.RuleGroup(name=f"{RECORDED}.recorded", rules=list(_recorded(watched))),
        m.RuleGroup(
            name=f"{RECORDED}.alerts",
            rules=[_rule(alert, watched, runbooks) for alert in alerts(watched, backlog_minutes=backlog_minutes)],
        ),
    ]


def _rule(alert: Alert, watched: Watched, runbooks: str | None) -> m.AlertingRule:
    link = {"runbook_url": f"{runbooks}#{alert.name.lower()}"} if runbooks else {}
    return m.AlertingRule(
        alert=alert.name,
        expr=alert.expr,
        for_=alert.after,
        labels={"severity": alert.severity, "namespace": watched.namespace},
        annotations={"summary": alert.summary, "description": alert.do, **link},
    )


def _recorded(watched: Watched) -> Iterator[m.RecordingRule]:
    def record(name: str, expr: str, **labels: str) -> m.RecordingRule:
        return m.RecordingRule(
            record=f"{RECORDED}:{name}", expr=expr, labels={"namespace": watched.namespace, **labels}
        )

    yield record("requests:increase10m", watched.requests("10m"))
    yield record("refused:increase10m", watched.refused("10m"))
    for route in watched.routes:
        yield record("waiting", watched.waiting_of(route), sensor_name=route.sensor)
        yield record("rate_limit", f"vector({_per_minute(route.rate):g})", sensor_name=route.sensor)
    for semaphore, limit in watched.semaphores.items():
        new, running, ended = (
            f"({watched.entered(semaphore, phases)} or vector(0))"
            for phases in ("New", "Running", "Succeeded|Failed|Error")
        )
        counted = watched.recorded("running:counted", semaphore=semaphore)
        alive = watched.recorded("alive:counted", semaphore=semaphore)
        # The workflow-controller counts since its own start: Workflows that ran then end uncounted. What is least
        # within a day is taken for none.
        yield record("running:counted", f"({running} - {ended}) and on () {CONTROLLER}", semaphore=semaphore)
        yield record("alive:counted", f"({new} - {ended}) and on () {CONTROLLER}", semaphore=semaphore)
        yield record("running", _above_least(counted), semaphore=semaphore)
        yield record(
            "queued",
            f"clamp_min({_above_least(alive)} - sum({watched.recorded('running', semaphore=semaphore)}), 0)",
            semaphore=semaphore,
        )
        yield record("semaphore_limit", f"vector({limit})", semaphore=semaphore)


def _above_least(series: str) -> str:
    return f"sum({series}) - sum(min_over_time({series}[{QUIET}]))"


def _per_minute(rate: Rate | None) -> float:
    return rate.limit * 60 / rate.seconds if rate else most_workflows(60)


def alerts(watched: Watched, *, backlog_minutes: int) -> Iterator[Alert]:
    """Every alert. Those by Sensor, WorkflowTemplate or semaphore are one for each that it is so of."""
    recorded = watched.recorded
    refused, requests = recorded("refused:increase10m"), recorded("requests:increase10m")
    yield Alert(
        name="GitHubToArgoEventSourceAway",
        expr=f"absent({watched.event_sources()} > 0)",
        after="2m",
        severity="critical",
        summary="No EventSource takes deliveries: GitHub gets no answer.",
        do="See why its pod does not run; then ask GitHub again for what came meanwhile (redeliver).",
    )
    yield Alert(
        name="GitHubToArgoDeliveriesRefused",
        expr=f"{refused} > {REFUSED} and {refused} / {requests} > {REFUSED_SHARE}",
        after="2m",
        severity="critical",
        summary="{{ $value | humanize }} requests were answered 400 within ten minutes.",
        do="The webhook's secret is not GitHub's, or deliveries are too large: the EventSource's log says which.",
    )
    yield Alert(
        name="GitHubToArgoDeliveriesNotStored",
        expr=f"{watched.not_stored('5m')} > 0",
        after=None,
        severity="critical",
        summary="Deliveries were answered 500: the EventBus did not take them.",
        do="See whether NATS runs and whether it is full; once it takes them again, ask GitHub again (redeliver).",
    )
    yield Alert(
        name="GitHubToArgoBusFills",
        expr=f"{watched.bus_bytes()} / {watched.backlog_bytes} > {FULL}",
        after="2m",
        severity="warning",
        summary="{{ $value | humanizePercentage }} of the EventBus's backlog is in use. Full, it makes GitHub get 500.",
        do="See which route waits, and why; eventBus.backlog is how much fits.",
    )
    yield Alert(
        name="GitHubToArgoSensorAway",
        expr=" or ".join(_absent(watched, route) for route in watched.routes),
        after="3m",
        severity="critical",
        summary="No pod of {{ $labels.sensor_name }} works. Its deliveries wait.",
        do="See why its pods do not run, or do not elect a leader. Nothing is lost while the backlog has room.",
    )
    yield Alert(
        name="GitHubToArgoSensorHangs",
        expr=" or ".join(
            _hangs(watched, minutes, sensors) for minutes, sensors in _by_patience(watched.routes).items()
        ),
        after="2m",
        severity="critical",
        summary="{{ $labels.sensor_name }} tries nothing, and {{ $value | humanize }} deliveries wait for it.",
        do="Restart its pods: it hung when NATS came back. Nothing is lost.",
    )
    yield Alert(
        name="GitHubToArgoSensorFails",
        expr=f"{watched.attempts_failed('5m')} > 0 and {watched.started('5m')} == 0",
        after="2m",
        severity="warning",
        summary="{{ $labels.sensor_name }} starts nothing: each attempt fails.",
        do="The API server is away or refuses its Workflows: the Sensor's log has its words. It gives up after"
        " retryMinutes.",
    )
    yield Alert(
        name="GitHubToArgoDeadLetters",
        expr=f"{watched.given_up('15m')} > 0",
        after=None,
        severity="critical",
        summary="{{ $labels.sensor_name }} has given deliveries up. They have no Workflow.",
        do="python -m cli dead-letters names them and says why; when that is mended, redeliver brings them back.",
    )
    yield Alert(
        name="GitHubToArgoBacklog",
        expr=f"{recorded('waiting')} > on (namespace, sensor_name) {backlog_minutes} * {recorded('rate_limit')}",
        after="5m",
        severity="warning",
        summary="{{ $value | humanize }} deliveries wait for {{ $labels.sensor_name }}: more than its rate lets through"
        f" in {backlog_minutes} minutes.",
        do="More comes than routes.<Sensor>.rate lets through: raise it, or find out who sends so much.",
    )
    failed, ended = watched.finished("30m", "Failed|Error"), watched.finished("30m", "Succeeded|Failed|Error")
    yield Alert(
        name="GitHubToArgoWorkflowsFail",
        expr=f"{failed} > {FAILED - 1} and {failed} / {ended} > {FAILED_SHARE}",
        after=None,
        severity="warning",
        summary="{{ $value | humanize }} Workflows of {{ $labels.name }} have failed within half an hour.",
        do="make status STACK=… has the last one's words.",
    )
    yield Alert(
        name="GitHubToArgoSemaphoreFull",
        expr=f"{recorded('queued')} > 0 and on (namespace, semaphore)"
        f" {recorded('running')} >= on (namespace, semaphore) {recorded('semaphore_limit')}",
        after="15m",
        severity="warning",
        summary="{{ $value | humanize }} Workflows wait for the semaphore {{ $labels.semaphore }}, which stays full.",
        do="See which Workflows hold it, and whether they still do something; semaphores.<name> is how many may run.",
    )
    yield Alert(
        name="GitHubToArgoUnseen",
        expr=f'label_replace({watched.bus_absent()}, "of", "the EventBus", "", "")'
        f' or label_replace(absent({CONTROLLER}), "of", "the workflow-controller", "", "")',
        after="10m",
        severity="warning",
        summary="Nobody reads the metrics of {{ $labels.of }}: alerts about it stay silent.",
        do="docs/monitoring.md, “What must be read”.",
    )


def _absent(watched: Watched, route: WatchedRoute) -> str:
    return f"absent(argo_events_action_triggered_total{watched.labels(sensor_name=route.sensor)})"


def _by_patience(routes: Sequence[WatchedRoute]) -> Mapping[int, list[str]]:
    """Sensors by how many minutes each may try nothing."""
    found: dict[int, list[str]] = {}
    for route in routes:
        every = route.rate.seconds / route.rate.limit / 60 if route.rate else 0
        found.setdefault(max(STILL_MINUTES, int(2 * every) + 1), []).append(route.sensor)
    return found


def _hangs(watched: Watched, minutes: int, sensors: Sequence[str]) -> str:
    """Something waits, nothing of it is taken or tried, and its pod leads: what waits never gets less."""
    waiting = watched.recorded("waiting", sensor_name=sensors)
    return (
        f"(min_over_time({waiting}[{minutes}m]) > 0 and {waiting} offset {minutes}m > 0"
        f" and resets({waiting}[{minutes}m]) == 0"
        f" and on (sensor_name) {watched.leading(sensors)}"
        f" and on (sensor_name) {watched.attempts(f'{minutes}m', sensors)} == 0)"
    )
