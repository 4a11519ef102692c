"""The alerts, judged by Prometheus's own promtool: what fires after half an hour of such metrics, and what does not."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from cli.stacks import ROOT
from lab import prometheus
from routes import FAMILIES
from routes.compiler import watched_route
from routes.manifests import Manifest
from routes.queries import WatchedRoute
from tests.routes.monitoring import SETTINGS, one, stack

ISSUES = "github-issues-to-implementation"
SENSORS = {sensor["metadata"]["name"]: sensor for sensor in stack().all_sensors()}
ROUTES = {
    route.sensor: watched_route(route, SENSORS[route.sensor], SETTINGS)
    for family in FAMILIES
    for route in family.routes
}
EVENT_SOURCE = 'namespace="events",eventsource_name="github-es",event_name="main"'
CONTROLLER = 'namespace="argo",exported_namespace="events",cluster_scope="false"'
Series = dict[str, str]


def of_sensor(route: WatchedRoute) -> str:
    return f'namespace="events",pod="p",sensor_name="{route.sensor}",trigger_name="{route.trigger}"'


def of_consumer(route: WatchedRoute) -> str:
    of_stream = 'namespace="events",stream_name="default",is_stream_leader="true"'
    return f'{of_stream},consumer_name="{route.consumer}",is_consumer_leader="true"'


def failed(route: WatchedRoute, values: str) -> Series:
    return {f"argo_events_action_failed_total{{{of_sensor(route)}}}": values}


def triggered(route: WatchedRoute, values: str) -> Series:
    return {f"argo_events_action_triggered_total{{{of_sensor(route)}}}": values}


def waiting(route: WatchedRoute, values: str) -> Series:
    return {f"nats_consumer_num_pending{{{of_consumer(route)}}}": values}


def workflows(template: str, **phases: str) -> Series:
    name = "argo_workflows_workflowtemplate_triggered_total"
    return {f'{name}{{{CONTROLLER},name="{template}",phase="{phase}"}}': values for phase, values in phases.items()}


HEALTHY: Series = {
    f"argo_events_event_processing_duration_milliseconds_count{{{EVENT_SOURCE}}}": "0+2x70",
    f"argo_events_events_sent_total{{{EVENT_SOURCE}}}": "0+2x70",
    f"argo_events_events_processing_failed_total{{{EVENT_SOURCE}}}": "0x70",
    'argo_events_event_service_running_total{namespace="events",eventsource_name="github-es"}': "1x70",
    'nats_stream_total_bytes{namespace="events",stream_name="default",is_stream_leader="true"}': "1000x70",
    'argo_workflows_is_leader{namespace="argo"}': "1x70",
    **{key: text for route in ROUTES.values() for key, text in triggered(route, "0+1x70").items()},
    **{key: text for route in ROUTES.values() for key, text in failed(route, "0x70").items()},
    **{key: text for route in ROUTES.values() for key, text in waiting(route, "0x70").items()},
    **{f"argo_events_action_retries_failed_total{{{of_sensor(route)}}}": "0x70" for route in ROUTES.values()},
    **{f"nats_consumer_num_ack_pending{{{of_consumer(route)}}}": "0x70" for route in ROUTES.values()},
    **workflows("pr-validation", New="0+1x70", Running="0+1x70", Succeeded="0+1x70"),
}
"""A sample each half minute, for 35 minutes."""

MORE = "argo_events_event_processing_duration_milliseconds_count{" + EVENT_SOURCE + "}"
SENT = "argo_events_events_sent_total{" + EVENT_SOURCE + "}"
NOT_STORED = "argo_events_events_processing_failed_total{" + EVENT_SOURCE + "}"
BYTES = 'nats_stream_total_bytes{namespace="events",stream_name="default",is_stream_leader="true"}'
GIVEN_UP = f"argo_events_action_retries_failed_total{{{of_sensor(ROUTES[ISSUES])}}}"
SLOW = "github-security-to-agent"
"""Its rate is one an hour here."""

SUBJECTS = ("sensor_name", "name", "semaphore", "of")
LABEL = {
    "GitHubToArgoWorkflowsFail": "name",
    "GitHubToArgoSemaphoreFull": "semaphore",
    "GitHubToArgoUnseen": "of",
} | dict.fromkeys(
    (f"GitHubToArgo{of}" for of in ("SensorAway", "SensorHangs", "SensorFails", "DeadLetters", "Backlog")),
    "sensor_name",
)
"""By which of the labels each alert says what it is about."""

CASES: dict[str, tuple[Series, set[str]]] = {
    "all is well": ({}, set()),
    "no EventSource": (
        {'argo_events_event_service_running_total{namespace="events",eventsource_name="github-es"}': "1x40 stale"},
        {"GitHubToArgoEventSourceAway"},
    ),
    "every signature is wrong": ({MORE: "0+4x70"}, {"GitHubToArgoDeliveriesRefused"}),
    "a stranger tries a little": ({MORE: "0+2x50 105+2x20"}, set()),
    "one in twenty is refused": ({MORE: "0+200x70", SENT: "0+190x70"}, set()),
    "the bus takes nothing": (
        {MORE: "0+4x70", NOT_STORED: "0+2x70"},
        {"GitHubToArgoDeliveriesNotStored"},
    ),
    "the bus took nothing, and does again": ({MORE: "0+2x20 44+2x50", NOT_STORED: "0x20 2x50"}, set()),
    "the bus is nearly full": ({BYTES: "700000000x70"}, set()),
    "the bus is full": ({BYTES: "900000000x70"}, {"GitHubToArgoBusFills"}),
    "no pod of a Sensor": (
        triggered(ROUTES[ISSUES], "0+1x50 stale") | failed(ROUTES[ISSUES], "0x50 stale"),
        {f"GitHubToArgoSensorAway {ISSUES}"},
    ),
    "a Sensor hangs": (
        triggered(ROUTES[ISSUES], "7x70") | waiting(ROUTES[ISSUES], "1x30 2x40"),
        {f"GitHubToArgoSensorHangs {ISSUES}"},
    ),
    "a Sensor only takes what is not for it": (
        triggered(ROUTES[ISSUES], "7x70") | waiting(ROUTES[ISSUES], "3 2 3 1 2 3 2 3x2 1 3 2 1 4 2x2 3 2 3 1 2 3 2"),
        set(),
    ),
    "a Sensor waits for its rate, one an hour": (
        triggered(ROUTES[SLOW], "7x70") | waiting(ROUTES[SLOW], "1x70"),
        {f"GitHubToArgoBacklog {SLOW}"},
    ),
    "what a Sensor tries fails": (
        triggered(ROUTES[ISSUES], "7x70") | failed(ROUTES[ISSUES], "0+4x70"),
        {f"GitHubToArgoSensorFails {ISSUES}"},
    ),
    "some of what a Sensor tries fails": (failed(ROUTES[ISSUES], "0+4x70"), set()),
    "a delivery was given up": ({GIVEN_UP: "0x50 1x20"}, {f"GitHubToArgoDeadLetters {ISSUES}"}),
    "a delivery was given up long ago": ({GIVEN_UP: "0x20 1x50"}, set()),
    "more waits than the rate lets through": (waiting(ROUTES[ISSUES], "400x70"), {f"GitHubToArgoBacklog {ISSUES}"}),
    "as much waits as the rate lets through": (waiting(ROUTES[ISSUES], "299x70"), set()),
    "Workflows fail": (
        workflows("implementation", New="0+1x70", Running="0+1x70", Succeeded="5x70", Failed="0+1x70"),
        {"GitHubToArgoWorkflowsFail implementation"},
    ),
    "the first Workflows of a template fail": (
        workflows("implementation", New="_x50 3x20", Failed="_x50 3x20"),
        {"GitHubToArgoWorkflowsFail implementation"},
    ),
    "two Workflows fail": (workflows("implementation", New="_x50 2x20", Failed="_x50 2x20"), set()),
    "a semaphore is full, and Workflows wait": (
        workflows("orchestrator-resume-close", New="0x10 7x60", Running="0x10 2x60"),
        {"GitHubToArgoSemaphoreFull orchestrator"},
    ),
    "a semaphore is full, and nothing waits": (
        workflows("orchestrator-resume-close", New="0x10 2x60", Running="0x10 2x60"),
        set(),
    ),
    "a semaphore is full after the workflow-controller has started again": (
        workflows("orchestrator-resume-close", New="9x5 0x5 7x60", Running="9x5 0x5 5x60", Succeeded="9x5 2x5 5x60"),
        {"GitHubToArgoSemaphoreFull orchestrator"},
    ),
    "nobody reads the workflow-controller": (
        {'argo_workflows_is_leader{namespace="argo"}': "1x20 stale"},
        {"GitHubToArgoUnseen the workflow-controller"},
    ),
    "nobody reads NATS": ({BYTES: "1000x20 stale"}, {"GitHubToArgoUnseen the EventBus"}),
}


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump(rule(rates={SLOW: {"limit": 1, "unit": "Hour"}})["spec"]))
    return path


def rule(rates: Mapping[str, object] | None = None) -> Manifest:
    routes = {sensor: {"rate": rate} for sensor, rate in (rates or {}).items()}
    return one("PrometheusRule", stack(routes=routes).monitoring)


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = str(prometheus.bring()["promtool"])
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


FIRING = f'count by (alertname, {", ".join(SUBJECTS)}) (ALERTS{{alertstate="firing"}})'


def subject(what: str, case: str) -> str:
    """An alert and what it is about, as labels."""
    alert, _, about = what.partition(" ")
    return f'{{case="{case}", alertname="{alert}"' + (f', {LABEL[alert]}="{about}"}}' if about else "}")


def test_in_each_case_just_its_alert_fires(rules: Path) -> None:
    groups = [
        {
            "interval": "30s",
            "input_series": [{"series": name, "values": values} for name, values in (HEALTHY | changes).items()],
            "promql_expr_test": [
                {
                    "expr": f'label_replace({FIRING}, "case", "{case}", "", "")',  # so that promtool says which
                    "eval_time": "32m",
                    "exp_samples": [{"labels": subject(what, case), "value": 1} for what in expected],
                }
            ],
        }
        for case, (changes, expected) in CASES.items()
    ]
    path = rules.with_name("tests.yaml")
    path.write_text(yaml.safe_dump({"rule_files": [rules.name], "evaluation_interval": "2m", "tests": groups}))
    judged = promtool("test", "rules", str(path))
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_every_alert_has_a_case() -> None:
    fired = {what.split()[0] for _, expected in CASES.values() for what in expected}
    assert fired == set(alerts())


def alerts() -> list[str]:
    return [one["alert"] for group in rule()["spec"]["groups"] for one in group["rules"] if "alert" in one]


def test_prometheus_takes_the_rules(rules: Path) -> None:
    checked = promtool("check", "rules", "--lint-fatal", str(rules))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_its_place_in_the_docs_and_no_other_has() -> None:
    page = (ROOT / "docs/monitoring.md").read_text()
    assert [line.removeprefix("### ") for line in page.splitlines() if line.startswith("### ")] == alerts()


def test_an_alert_links_to_its_place() -> None:
    for group in rule()["spec"]["groups"]:
        for found in group["rules"]:
            if "alert" in found:
                link = f"https://runbooks.example/monitoring.md#{found['alert'].lower()}"
                assert found["annotations"]["runbook_url"] == link
