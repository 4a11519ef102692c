"""PodMonitors and the dashboard: which pods are read, and by whom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.stacks import compiled, stack_names
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.settings import parse_settings
from tests.routes.monitoring import CHANGES, SETTING, one, stack
from tests.routes.test_settings import EXOTIC, MINIMAL, wrong


def dashboard(**changes: object) -> dict[str, Any]:
    ((text,),) = (found["data"].values() for found in stack(**changes).monitoring if found["kind"] == "ConfigMap")
    board: dict[str, Any] = json.loads(text)
    return board


def selectors(**changes: object) -> dict[str, Any]:
    found = [m for m in stack(**changes).monitoring if m["kind"] == "PodMonitor"]
    return {m["metadata"]["name"]: m["spec"]["selector"] for m in found}


def test_production_is_watched_and_no_other_committed_stack() -> None:
    assert {name for name in stack_names() if compiled(name).monitoring} == {"prod"}


def test_the_pods_that_are_read_are_those_of_the_disruption_budgets() -> None:
    guards = stack().guards
    drained = {m["metadata"]["name"]: m["spec"]["selector"] for m in guards if m["kind"] == "PodDisruptionBudget"}
    assert selectors() == drained
    assert len(drained) == 3


def test_the_pods_of_a_nats_that_exists_are_not_read() -> None:
    assert set(selectors(eventBus=EXOTIC)) == {"github-to-argo-event-source", "github-to-argo-sensors"}


def test_a_nats_that_exists_is_known_by_its_account() -> None:
    monitored = EXOTIC | {"monitor": {"namespace": "nats", "service": "nats", "account": "agents"}}
    text = json.dumps(one("PrometheusRule", stack(eventBus=monitored).monitoring))
    assert 'nats_stream_total_bytes{account=\\"agents\\",stream_name=\\"default\\"}' in text
    text = json.dumps(one("PrometheusRule", stack(eventBus=EXOTIC).monitoring))
    assert 'nats_stream_total_bytes{stream_name=\\"default\\"}' in text


def test_prometheus_finds_them_by_their_labels_and_grafana_the_dashboard_by_its_own() -> None:
    for manifest in stack().monitoring:
        labels = manifest["metadata"]["labels"]
        of_grafana = manifest["kind"] == "ConfigMap"
        assert labels.pop("app.kubernetes.io/part-of") == "github-to-argo"
        assert labels == ({"grafana_dashboard": "1"} if of_grafana else {"release": "kps"})


def test_there_need_be_no_dashboard() -> None:
    made = stack(monitoring=SETTING | {"dashboard": None}).monitoring
    assert {manifest["kind"] for manifest in made} == {"PodMonitor", "PrometheusRule"}


def test_a_route_that_is_off_is_not_missed() -> None:
    off = "github-issues-to-implementation"
    text = json.dumps(stack(routes={off: {"enabled": False}}).monitoring)
    assert off not in text
    assert 'semaphore=\\\\\\"implementation' not in text


def test_a_stack_whose_routes_are_all_off_is_not_watched() -> None:
    routes = {route.sensor: {"enabled": False} for family in FAMILIES for route in family.routes}
    assert stack(routes=routes).monitoring == []


def test_panels_do_not_lie_on_each_other() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(places)


def test_two_stacks_have_two_dashboards() -> None:
    assert dashboard()["uid"] != dashboard(namespace="others")["uid"]


def test_prometheus_must_be_let_in() -> None:
    assert (
        "github-to-argo:monitoring: the NetworkPolicies let nobody read the metrics; write the labels of your"
        " Prometheus's namespace:\n"
        "      github-to-argo:networkPolicy: {metricsFrom: {kubernetes.io/metadata.name: monitoring}}"
    ) in wrong(monitoring={})
    without = MINIMAL | {"monitoring": {}, "networkPolicy": {"enabled": False}}
    assert compile_stack(FAMILIES, parse_settings(without, source="test")).monitoring


@pytest.mark.parametrize("interval", ["0s", "61s", "2m", "30"])
def test_pods_are_asked_often_enough_for_the_alerts(interval: str) -> None:
    assert "monitoring.interval: not of the right form; write how often the pods are asked" in wrong(
        **CHANGES | {"monitoring": {"interval": interval}}
    )
