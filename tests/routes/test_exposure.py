"""The way from GitHub to the EventSource: what is let through, and what a cluster must have for it."""

from __future__ import annotations

from typing import Any

import pytest

from routes.exposure import class_problems, gateway_problems
from routes.manifests import Manifest
from routes.settings import GatewayExposure, IngressExposure, StackSettings, parse_settings
from tests.routes.test_compiler import stack
from tests.routes.test_settings import MINIMAL, wrong

HOST = "webhooks.example.com"
INGRESS = {"kind": "ingress", "host": HOST, "className": "nginx", "tls": {"kind": "elsewhere"}}
GATEWAY = {"kind": "gateway", "host": HOST, "gateway": {"name": "public", "namespace": "gateways"}}
BODY_SIZE = "nginx.ingress.kubernetes.io/proxy-body-size"
ALLOW_LIST = "nginx.ingress.kubernetes.io/whitelist-source-range"
Json = dict[str, Any]


def route(**exposure: object) -> Manifest:
    compiled = stack(exposure=exposure).exposure
    assert compiled
    return compiled


def annotated(**changes: object) -> dict[str, str]:
    found: dict[str, str] = route(**INGRESS | changes)["metadata"].get("annotations", {})
    return found


def test_without_a_setting_nothing_leads_in() -> None:
    assert stack().exposure is None
    assert parse_settings(MINIMAL, source="test").public_url is None


@pytest.mark.parametrize("exposure", [INGRESS, GATEWAY])
def test_github_is_told_the_host_and_the_path(exposure: Json) -> None:
    settings = parse_settings(MINIMAL | {"exposure": exposure, "webhook": {"endpoint": "/hooks"}}, source="test")
    assert settings.public_url == f"https://{HOST}/hooks"


def test_an_ingress_takes_one_path_of_one_host_and_leads_to_the_event_source() -> None:
    assert route(**INGRESS)["spec"] == {
        "ingressClassName": "nginx",
        "rules": [
            {
                "host": HOST,
                "http": {
                    "paths": [
                        {
                            "path": "/events",
                            "pathType": "Exact",
                            "backend": {"service": {"name": "github-es-eventsource-svc", "port": {"number": 12000}}},
                        }
                    ]
                },
            }
        ],
    }


def test_an_http_route_takes_one_path_of_one_host_at_one_gateway() -> None:
    assert route(**GATEWAY)["spec"] == {
        "parentRefs": [{"name": "public", "namespace": "gateways"}],
        "hostnames": [HOST],
        "rules": [
            {
                "matches": [{"path": {"type": "Exact", "value": "/events"}}],
                "backendRefs": [{"name": "github-es-eventsource-svc", "port": 12000}],
            }
        ],
    }
    named = GATEWAY | {"gateway": {"name": "public", "namespace": "gateways", "listener": "https"}}
    assert route(**named)["spec"]["parentRefs"][0]["sectionName"] == "https"


@pytest.mark.parametrize("exposure", [INGRESS, GATEWAY])
def test_another_path_and_port_are_followed(exposure: Json) -> None:
    changed = str(stack(exposure=exposure, webhook={"endpoint": "/hooks", "port": 8080}).exposure)
    assert "'/hooks'" in changed and "8080" in changed
    assert "/events" not in changed and "12000" not in changed


@pytest.mark.parametrize(
    ("tls", "annotation", "secret"),
    [
        ({"kind": "secret", "secret": "mine"}, None, "mine"),
        ({"kind": "issuer", "issuer": "letsencrypt"}, "cert-manager.io/cluster-issuer", "github-webhook-tls"),
        ({"kind": "issuer", "issuer": "letsencrypt", "issuerKind": "Issuer"}, "cert-manager.io/issuer", None),
        ({"kind": "elsewhere"}, None, ""),
    ],
)
def test_the_certificate_comes_from_where_the_stack_says(tls: Json, annotation: str | None, secret: str | None) -> None:
    spec = route(**INGRESS | {"tls": tls})["spec"]
    assert spec.get("tls") == (
        [{"hosts": [HOST], "secretName": secret or "github-webhook-tls"}] if tls["kind"] != "elsewhere" else None
    )
    issuers = {key: value for key, value in annotated(tls=tls).items() if key.startswith("cert-manager.io/")}
    assert issuers == ({annotation: "letsencrypt"} if annotation else {})


def test_nginx_takes_as_large_a_delivery_as_the_event_source() -> None:
    assert annotated()[BODY_SIZE] == str(6 * 1024**2)
    assert annotated(className="nginx-internal")[BODY_SIZE] == str(6 * 1024**2)
    assert annotated(className="traefik") == {}


def test_an_allow_list_is_an_annotation() -> None:
    blocks = ["192.30.252.0/22", "2a0a:a440::/29"]
    assert annotated(allowFrom=blocks)[ALLOW_LIST] == "192.30.252.0/22,2a0a:a440::/29"
    theirs = annotated(className="haproxy", allowFrom=blocks, allowAnnotation="haproxy.org/allow-list")
    assert theirs == {"haproxy.org/allow-list": "192.30.252.0/22,2a0a:a440::/29"}
    assert ALLOW_LIST not in annotated()


def test_the_stacks_own_annotations_have_the_last_word() -> None:
    assert annotated(annotations={BODY_SIZE: "20m", "a.b/c": "d"}) == {BODY_SIZE: "20m", "a.b/c": "d"}


@pytest.mark.parametrize(
    ("exposure", "message"),
    [
        ({"kind": "ingres"}, "exposure.kind: should be one of none, ingress, gateway, for example:"),
        (
            INGRESS | {"host": f"https://{HOST}"},
            "exposure.host: not of the right form; write the host that GitHub posts to",
        ),
        (INGRESS | {"host": "localhost"}, "exposure.host: not of the right form"),
        (
            {key: value for key, value in INGRESS.items() if key != "tls"},
            "exposure.tls: missing; write where the host's certificate comes from",
        ),
        (INGRESS | {"tls": {"kind": "none"}}, "exposure.tls.kind: should be one of secret, issuer, elsewhere"),
        (INGRESS | {"tls": {"kind": "issuer"}}, "exposure.tls.issuer: missing; write name of cert-manager's issuer"),
        (
            INGRESS | {"className": "traefik", "allowFrom": ["192.30.252.0/22"]},
            "github-to-argo:exposure.allowFrom: how the class traefik takes an allow list is not known, so it would let"
            " anyone in; write allowAnnotation too",
        ),
        (INGRESS | {"allowFrom": ["192.30.252.1/22"]}, "exposure.allowFrom: number 1 is no block of addresses"),
        (
            INGRESS | {"annotations": {"a b": "c"}},
            "exposure.annotations: number 1 has no key that an annotation may have",
        ),
        (GATEWAY | {"gateway": {"name": "public"}}, "exposure.gateway.namespace: missing; write its namespace"),
        (
            GATEWAY | {"allowFrom": ["192.30.252.0/22"]},
            "github-to-argo:exposure.allowFrom: Gateway API has no allow list; take this out, and write a policy of"
            " your Gateway's own kind for the HTTPRoute github-to-argo-webhook",
        ),
    ],
)
def test_a_way_in_that_is_wrong_is_told_with_what_to_write(exposure: Json, message: str) -> None:
    assert message in wrong(exposure=exposure)


def test_a_load_balancer_that_is_in_no_pod_may_post() -> None:
    def posters(**policy: object) -> object:
        policies = [
            g for g in stack(networkPolicy=policy).guards if g["metadata"]["name"] == "github-to-argo-event-source"
        ]
        (found,) = (g for g in policies if g["kind"] == "NetworkPolicy")
        return found["spec"]["ingress"][0].get("from")

    controller = {"namespaceSelector": {"matchLabels": {"a": "b"}}}
    balancer = {"ipBlock": {"cidr": "10.0.0.0/16"}}
    assert posters() is None
    assert posters(webhookFromAddresses=["10.0.0.0/16"]) == [balancer]
    assert posters(webhookFrom={"a": "b"}, webhookFromAddresses=["10.0.0.0/16"]) == [controller, balancer]


# --- What the cluster has for it


def settings(exposure: Json) -> StackSettings:
    return parse_settings(MINIMAL | {"exposure": exposure}, source="test")


def of_class(classes: dict[str, str], **changes: object) -> list[str]:
    chosen = settings(INGRESS | changes)
    assert isinstance(chosen.exposure, IngressExposure)
    return list(class_problems(chosen.exposure, chosen, classes))


def of_listeners(*listeners: Json, **changes: object) -> list[str]:
    chosen = settings(GATEWAY | changes)
    assert isinstance(chosen.exposure, GatewayExposure)
    return list(gateway_problems(chosen.exposure, chosen.namespace, list(listeners)))


def test_a_class_that_nobody_serves_is_told_with_those_that_are_served() -> None:
    assert of_class({"nginx": "k8s.io/ingress-nginx"}) == []
    assert of_class({"traefik": "traefik.io/ingress-controller"}, className="traefik") == []
    (told,) = of_class({"traefik": "x", "alb": "y"})
    assert told == "there is no IngressClass nginx, so nobody would serve the Ingress; there are: alb, traefik"
    assert of_class({}) == ["there is no IngressClass nginx, so nobody would serve the Ingress; there are: none"]


def test_a_class_called_nginx_of_someone_else_would_not_read_the_allow_list() -> None:
    (told,) = of_class({"nginx": "nginx.org/ingress-controller"}, allowFrom=["192.30.252.0/22"])
    assert (
        f"is of nginx.org/ingress-controller, not of k8s.io/ingress-nginx, so {BODY_SIZE}, {ALLOW_LIST} would" in told
    )


def test_a_class_of_nginx_by_another_name_is_told_its_limit() -> None:
    (told,) = of_class({"public": "k8s.io/ingress-nginx"}, className="public")
    assert "answers 413 to more than 1 MiB; write:\n      annotations: " + f"{{{BODY_SIZE}: '6291456'}}" in told
    limit = {BODY_SIZE: "6291456"}
    assert of_class({"public": "k8s.io/ingress-nginx"}, className="public", annotations=limit) == []


ANYWHERE = {"allowedRoutes": {"namespaces": {"from": "All"}}}
CHOSEN = {"allowedRoutes": {"namespaces": {"from": "Selector"}}}


@pytest.mark.parametrize("hostname", [None, HOST, "*.example.com", "*.com"])
@pytest.mark.parametrize("allowed", [ANYWHERE, CHOSEN])
def test_a_listener_that_takes_host_and_namespace_will_do(hostname: str | None, allowed: Json) -> None:
    listener = {"name": "https"} | allowed | ({"hostname": hostname} if hostname else {})
    assert of_listeners(listener) == []


def test_a_gateway_of_the_stacks_own_namespace_takes_its_route() -> None:
    assert of_listeners({"name": "https"}, gateway={"name": "public", "namespace": "events"}) == []


@pytest.mark.parametrize("hostname", ["other.example.com", "*.webhooks.example.com", "example.com", "*.ample.com"])
def test_a_listener_for_other_hosts_is_told(hostname: str) -> None:
    (told,) = of_listeners({"name": "https", "hostname": hostname} | ANYWHERE)
    assert told == f"the Gateway gateways/public takes no deliveries for {HOST}; its listeners are for {hostname}"


def test_a_listener_that_is_not_there_is_told_with_those_that_are() -> None:
    gateway = {"name": "public", "namespace": "gateways", "listener": "htps"}
    (told,) = of_listeners({"name": "http"}, {"name": "https"}, gateway=gateway)
    assert told == "the Gateway gateways/public has no listener htps; there are: http, https"


@pytest.mark.parametrize("allowed", [{}, {"allowedRoutes": {"namespaces": {"from": "Same"}}}])
def test_a_gateway_for_its_own_namespace_is_told_with_what_to_write_there(allowed: Json) -> None:
    (told,) = of_listeners({"name": "https"} | allowed)
    assert (
        "takes routes of its own namespace only, at its listeners for webhooks.example.com (https); write there" in told
    )
    assert "{from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: events}}}}" in told
