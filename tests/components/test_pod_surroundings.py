"""What is read of a namespace and of the API server's address, and what is said when the pods would not do there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from kubernetes import client, config

import components.pod_surroundings
from components.pod_surroundings import PodSurroundings
from routes.settings import parse_settings
from tests.routes.test_settings import MINIMAL

CHECK = PodSurroundings.check  # before the fixture of this floor puts it out of action
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
Labels = dict[str, str]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Looks at a cluster that answers so, and returns the warnings; checks that each question has a time limit."""

    def check(
        labels: Labels | Exception | None = RESTRICTED, ports: int | Exception = 6443, **settings: object
    ) -> list[str]:
        warnings: list[str] = []

        def read(_: object, path: str, **query: str) -> dict[str, Any]:
            if path == "/api/v1/namespaces/events":
                if isinstance(labels, Exception):
                    raise labels
                return {"metadata": {"labels": labels} if labels is not None else {}}
            if path == "/api/v1/namespaces":
                return {"items": [{}] if query["labelSelector"] == "is=there" else []}
            assert path == "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
            assert query == {"labelSelector": "kubernetes.io/service-name=kubernetes"}
            if isinstance(ports, Exception):
                raise ports
            return {"items": [{"endpoints": [{"addresses": ["10.0.0.7"]}], "ports": [{"port": ports}]}]}

        monkeypatch.setattr(config, "new_client_from_config", lambda **_: client.ApiClient())
        monkeypatch.setattr(components.pod_surroundings, "read", read)
        monkeypatch.setattr(pulumi.log, "warn", warnings.append)
        CHECK(PodSurroundings(parse_settings(MINIMAL | settings, source="test")))
        return warnings

    return check


def test_a_restricted_namespace_and_a_usual_api_server_are_fine(check: Callable[..., list[str]]) -> None:
    assert check() == []
    assert check(ports=443) == []


@pytest.mark.parametrize("labels", [None, {}, {"pod-security.kubernetes.io/enforce": "baseline"}])
def test_a_namespace_that_lets_more_in_is_told_with_the_command_that_mends_it(
    check: Callable[..., list[str]], labels: Labels | None
) -> None:
    (warning,) = check(labels)
    assert f"namespace events enforces {'Pod Security baseline' if labels else 'no Pod Security'}" in warning
    assert (
        "      kubectl label --overwrite --dry-run=server namespace events"
        " pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/audit=restricted"
        " pod-security.kubernetes.io/warn=restricted pod-security.kubernetes.io/enforce-version=v1.35"
        " pod-security.kubernetes.io/audit-version=v1.35 pod-security.kubernetes.io/warn-version=v1.35" in warning
    )


def test_a_namespace_as_the_stack_wants_it_is_fine(check: Callable[..., list[str]]) -> None:
    baseline = {"pod-security.kubernetes.io/enforce": "baseline"}
    assert check(baseline, podSecurity="baseline") == []
    assert check(RESTRICTED, podSecurity="baseline") == []


def test_a_namespace_that_is_not_there_or_that_the_stack_makes_is_not_told(check: Callable[..., list[str]]) -> None:
    assert check(client.ApiException(status=404)) == []
    assert check(None, createNamespace=True) == []


def test_an_api_server_at_another_port_is_told_before_the_sensors_are_cut_off(check: Callable[..., list[str]]) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        check(ports=8443)
    assert str(raised.value) == (
        "the NetworkPolicies would cut the Sensors off the API server\n\n"
        "  github-to-argo:networkPolicy.apiServerPorts: it listens at 8443, not only at 443, 6443; write:\n"
        "      github-to-argo:networkPolicy: {apiServerPorts: [8443]}\n"
        "Without NetworkPolicies:\n"
        "      pulumi config set --path github-to-argo:networkPolicy.enabled false"
    )
    assert check(ports=8443, networkPolicy={"apiServerPorts": [8443]}) == []
    assert check(ports=8443, networkPolicy={"enabled": False}) == []


def test_an_api_server_outside_of_its_blocks_is_told(check: Callable[..., list[str]]) -> None:
    with pytest.raises(pulumi.RunError, match=r"apiServer: 10\.0\.0\.7 is outside of 10\.1\.0\.0/16; write"):
        check(networkPolicy={"apiServer": ["10.1.0.0/16"]})
    assert check(networkPolicy={"apiServer": ["10.1.0.0/16", "10.0.0.0/24"]}) == []


@pytest.mark.parametrize("setting", ["webhookFrom", "metricsFrom"])
def test_a_policy_that_lets_in_a_namespace_that_is_not_there_is_told(
    check: Callable[..., list[str]], setting: str
) -> None:
    assert check(networkPolicy={setting: {"is": "there"}}) == []
    (warning,) = check(networkPolicy={setting: {"is": "not", "a": "b"}})
    assert warning.startswith(
        f"github-to-argo:networkPolicy.{setting}: no namespace has the labels is=not,a=b, so no pod"
    )
    assert check(networkPolicy={"enabled": False, setting: {"is": "not"}}) == []


@pytest.mark.parametrize("which", ["labels", "ports"])
def test_who_may_not_look_is_told_what_is_not_known(check: Callable[..., list[str]], which: str) -> None:
    (warning,) = check(**{which: client.ApiException(status=403)})
    assert "has not been looked at" in warning


def test_a_cluster_that_cannot_be_asked_is_pulumis_to_tell(
    check: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check(client.ApiException(status=500)) == []

    def no_such_context(**_: object) -> None:
        raise config.ConfigException("no context")

    monkeypatch.setattr(config, "new_client_from_config", no_such_context)
    CHECK(PodSurroundings(parse_settings(MINIMAL, source="test")))
