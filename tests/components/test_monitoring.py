"""Whether a Prometheus of the cluster reads what the stack makes, and what is said where none does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from kubernetes import client, config

from components.monitoring import PrometheusOperator
from routes.settings import parse_settings
from tests.components.api_server import Answer
from tests.components.conftest import committed
from tests.routes.monitoring import CHANGES, SETTING
from tests.routes.test_settings import MINIMAL

CHECK = PrometheusOperator.check  # before the fixture of this floor puts it out of action
KPS = {"matchLabels": {"release": "kps"}}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Looks at a cluster that answers so, and returns the warnings."""

    def check(prometheuses: list[dict[str, Any]] | int, **monitoring: object) -> list[str]:
        warnings: list[str] = []

        def call(_: object, method: str, url: str, *__: object, _request_timeout: int, **___: object) -> Answer:
            assert method == "GET" and _request_timeout == 10
            assert url.endswith("/apis/monitoring.coreos.com/v1/prometheuses")
            if isinstance(prometheuses, int):
                return Answer(prometheuses)
            return Answer(200, {"items": [{"spec": spec} for spec in prometheuses]})

        monkeypatch.setattr(config, "new_client_from_config", lambda **_: client.ApiClient())
        monkeypatch.setattr(client.ApiClient, "call_api", call)
        monkeypatch.setattr(pulumi.log, "warn", warnings.append)
        settings = MINIMAL | CHANGES | {"monitoring": SETTING | monitoring}
        CHECK(PrometheusOperator(parse_settings(settings, source="test")))
        return warnings

    return check


def test_a_prometheus_that_selects_everything_or_our_labels_is_fine(check: Callable[..., list[str]]) -> None:
    assert check([{"podMonitorSelector": {}, "ruleSelector": {}}]) == []
    assert check([{"podMonitorSelector": KPS, "ruleSelector": KPS}]) == []
    assert check([{}, {"podMonitorSelector": KPS, "ruleSelector": KPS}]) == []


def test_a_prometheus_that_selects_by_other_labels_is_told_with_them(check: Callable[..., list[str]]) -> None:
    other = {"matchLabels": {"release": "other"}}
    assert check([{"podMonitorSelector": KPS, "ruleSelector": other}]) == [
        "no Prometheus of the cluster selects this stack's PrometheusRules: its ruleSelector has other labels; write\n"
        '      github-to-argo:monitoring: {labels: {"release": "other"}}'
    ]
    assert check([{"podMonitorSelector": KPS}]) == [
        "no Prometheus of the cluster selects this stack's PrometheusRules: its ruleSelector has other labels"
    ]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_what_may_not_be_looked_at_is_not_told(check: Callable[..., list[str]], status: int) -> None:
    assert check(status) == []
    assert check([]) == []


def test_a_stack_without_monitoring_does_not_ask() -> None:
    CHECK(PrometheusOperator(parse_settings(MINIMAL, source="test")))


def test_it_is_a_component_of_its_own_where_it_is_set() -> None:
    recorder = committed("prod")
    made = [r for r in recorder.objects if "::github-to-argo:index:Monitoring$" in r.urn]
    assert [r.kind for r in made].count("PodMonitor") == 3
    assert {r.kind for r in made} == {"PodMonitor", "PrometheusRule", "ConfigMap"}
    assert not committed("dev").of_kind("PrometheusRule")
