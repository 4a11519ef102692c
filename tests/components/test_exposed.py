"""What is read of IngressClasses and Gateways, and what is said where GitHub would not get through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from kubernetes import client, config

from components import exposed
from components.exposed import Exposed
from routes.settings import parse_settings
from tests.routes.test_exposure import GATEWAY, INGRESS
from tests.routes.test_settings import MINIMAL

CHECK = Exposed.check  # before the fixture of this floor puts it out of action
LISTENER = {"name": "https", "allowedRoutes": {"namespaces": {"from": "All"}}}
Check = Callable[..., list[str]]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Looks at a cluster with the class nginx, a Gateway and one Secret, or one that refuses; returns the warnings."""

    def check(
        exposure: dict[str, Any], refused: Exception | None = None, controller: str = "k8s.io/ingress-nginx"
    ) -> list[str]:
        warnings: list[str] = []

        classes = [{"metadata": {"name": "nginx"}, "spec": {"controller": controller}}]
        gateways = [{"metadata": {"name": "public"}, "spec": {"listeners": [LISTENER]}}]
        cluster: dict[str, dict[str, Any]] = {
            "/apis/networking.k8s.io/v1/ingressclasses": {"items": classes},
            "/apis/gateway.networking.k8s.io/v1/namespaces/gateways/gateways": {"items": gateways},
            "/api/v1/namespaces/events/secrets/there": {},
        }

        def read(_: object, path: str, accept: str = "") -> dict[str, Any]:
            assert "PartialObjectMetadata" in accept or "/secrets/" not in path, "a Secret's value is not asked for"
            if refused:
                raise refused
            if path not in cluster:
                raise client.ApiException(status=404)
            return cluster[path]

        monkeypatch.setattr(config, "new_client_from_config", lambda **_: client.ApiClient())
        monkeypatch.setattr(exposed, "read", read)
        monkeypatch.setattr(pulumi.log, "warn", warnings.append)
        CHECK(Exposed(parse_settings(MINIMAL | {"exposure": exposure}, source="test")))
        return warnings

    return check


def test_a_class_and_a_gateway_that_are_there_are_fine(check: Check) -> None:
    assert check(INGRESS) == check(GATEWAY) == check(INGRESS | {"tls": {"kind": "secret", "secret": "there"}}) == []


def test_no_cluster_is_asked_where_the_stack_makes_no_way_in(check: Check) -> None:
    assert check({"kind": "none"}, refused=AssertionError("it was asked")) == []


def test_a_certificate_that_is_not_there_yet_is_told(check: Check) -> None:
    (warning,) = check(INGRESS | {"tls": {"kind": "secret", "secret": "missing"}})
    assert "there is no Secret missing in namespace events yet: until it holds the host's certificate" in warning


@pytest.mark.parametrize(
    ("exposure", "message"),
    [
        (INGRESS | {"className": "other"}, "there is no IngressClass other, so nobody would serve the Ingress"),
        (
            GATEWAY | {"gateway": {"name": "other", "namespace": "gateways"}},
            "there is no Gateway other in namespace gateways; there are: public",
        ),
        (
            GATEWAY | {"gateway": {"name": "public", "namespace": "gateways", "listener": "http"}},
            "the Gateway gateways/public has no listener http",
        ),
    ],
)
def test_where_nobody_would_serve_it_nothing_is_made(check: Check, exposure: dict[str, Any], message: str) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        check(exposure)
    assert "github-to-argo:exposure: GitHub would not get through in context somewhere" in str(raised.value)
    assert message in str(raised.value)


@pytest.mark.parametrize("exposure", [INGRESS, GATEWAY])
def test_what_may_not_be_looked_at_is_said_and_goes_on(check: Check, exposure: dict[str, Any]) -> None:
    (warning,) = check(exposure, refused=client.ApiException(status=403))
    assert warning.startswith("no right to read IngressClasses, or the Gateway")


@pytest.mark.parametrize("error", [config.ConfigException("no such context"), client.ApiException(status=500)])
def test_a_cluster_that_cannot_be_asked_is_pulumis_to_tell(check: Check, error: Exception) -> None:
    assert check(INGRESS, refused=error) == []
