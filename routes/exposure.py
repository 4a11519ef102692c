"""The way from GitHub to the EventSource's Service: one host, one path, nothing else of what the pod serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from routes import manifests as m
from routes.settings import (
    ElsewhereTls,
    GatewayExposure,
    IngressExposure,
    IssuerTls,
    NoExposure,
    ParentGateway,
    StackSettings,
)

NGINX_CONTROLLER = "k8s.io/ingress-nginx"
NGINX = "nginx.ingress.kubernetes.io"
NGINX_ALLOW_LIST = f"{NGINX}/whitelist-source-range"
NGINX_BODY_SIZE = f"{NGINX}/proxy-body-size"


def exposure(settings: StackSettings, metadata: Callable[[str], m.Metadata], service: str) -> m.Manifest | None:
    """The Ingress or HTTPRoute that leads to `service`, where the stack makes one. `metadata` of a kind."""
    match settings.exposure:
        case IngressExposure() as chosen:
            return _ingress(chosen, settings, metadata("Ingress"), service).manifest()
        case GatewayExposure() as chosen:
            return _http_route(chosen, settings, metadata("HTTPRoute"), service).manifest()
        case NoExposure():
            return None


def _ingress(chosen: IngressExposure, settings: StackSettings, metadata: m.Metadata, service: str) -> m.Ingress:
    backend = m.IngressBackend(service=m.IngressService(name=service, port=m.BackendPort(number=settings.webhook.port)))
    path = m.IngressPath(path=settings.webhook.endpoint, backend=backend)
    return m.Ingress(
        metadata=metadata.model_copy(update={"annotations": ingress_annotations(chosen, settings) or None}),
        spec=m.IngressSpec(
            ingress_class_name=chosen.class_name,
            tls=None
            if isinstance(chosen.tls, ElsewhereTls)
            else [m.IngressTls(hosts=[chosen.host], secret_name=chosen.tls.secret)],
            rules=[m.IngressHost(host=chosen.host, http=m.IngressPaths(paths=[path]))],
        ),
    )


def ingress_annotations(chosen: IngressExposure, settings: StackSettings) -> dict[str, str]:
    """What the class is told beside the host and the path; the stack's own `annotations` have the last word."""
    annotations: dict[str, str] = {}
    if isinstance(chosen.tls, IssuerTls):
        kind = "cluster-issuer" if chosen.tls.issuer_kind == "ClusterIssuer" else "issuer"
        annotations[f"cert-manager.io/{kind}"] = chosen.tls.issuer
    if chosen.takes_nginx_annotations:
        # Its own limit is 1 MiB, and it would answer 413 to what the EventSource takes.
        annotations[NGINX_BODY_SIZE] = str(settings.max_body)
    if chosen.allow_from:
        annotations[chosen.allow_annotation or NGINX_ALLOW_LIST] = ",".join(chosen.allow_from)
    return annotations | chosen.annotations


def _http_route(chosen: GatewayExposure, settings: StackSettings, metadata: m.Metadata, service: str) -> m.HttpRoute:
    parent = chosen.gateway
    return m.HttpRoute(
        metadata=metadata,
        spec=m.HttpRouteSpec(
            parent_refs=[m.ParentRef(name=parent.name, namespace=parent.namespace, section_name=parent.listener)],
            hostnames=[chosen.host],
            rules=[
                m.HttpRouteRule(
                    matches=[m.RouteMatch(path=m.PathMatch(value=settings.webhook.endpoint))],
                    backend_refs=[m.BackendRef(name=service, port=settings.webhook.port)],
                )
            ],
        ),
    )


# --- What the cluster has for it


def class_problems(chosen: IngressExposure, settings: StackSettings, classes: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the IngressClass, by the controllers of those that are there."""
    name = chosen.class_name
    if name not in classes:
        there = ", ".join(sorted(classes)) or "none"
        yield f"there is no IngressClass {name}, so nobody would serve the Ingress; there are: {there}"
    elif chosen.takes_nginx_annotations and classes[name] != NGINX_CONTROLLER:
        unknown = sorted(key for key in ingress_annotations(chosen, settings) if key.startswith(NGINX))
        yield (
            f"the IngressClass {name} is of {classes[name]}, not of {NGINX_CONTROLLER}, so {', '.join(unknown)} would"
            " mean nothing to it; give your class another name than nginx, and write allowAnnotation and annotations"
            " as its controller knows them"
        )
    elif classes[name] == NGINX_CONTROLLER and NGINX_BODY_SIZE not in ingress_annotations(chosen, settings):
        yield (
            f"the IngressClass {name} is ingress-nginx's, which answers 413 to more than 1 MiB; write:\n"
            f"      annotations: {{{NGINX_BODY_SIZE}: '{settings.max_body}'}}"
        )


def gateway_problems(chosen: GatewayExposure, namespace: str, listeners: list[dict[str, Any]]) -> Iterator[str]:
    """Why no listener of the Gateway would take the HTTPRoute of a namespace."""
    gateway = chosen.gateway
    told = f"the Gateway {gateway.namespace}/{gateway.name}"
    named = [one for one in listeners if gateway.listener in (None, one["name"])]
    fitting = [one for one in named if _takes_host(one.get("hostname"), chosen.host)]
    if not named:
        names = ", ".join(one["name"] for one in listeners) or "none"
        yield f"{told} has no listener {gateway.listener}; there are: {names}"
    elif not fitting:
        hosts = ", ".join(one["hostname"] for one in named)
        yield f"{told} takes no deliveries for {chosen.host}; its listeners are for {hosts}"
    elif not any(_takes_namespace(one, gateway, namespace) for one in fitting):
        names = ", ".join(one["name"] for one in fitting)
        yield (
            f"{told} takes routes of its own namespace only, at its listeners for {chosen.host} ({names}); write"
            " there:\n"
            "      allowedRoutes: {namespaces: {from: Selector, selector: {matchLabels:"
            f" {{kubernetes.io/metadata.name: {namespace}}}}}}}}}"
        )


def _takes_host(listens_for: str | None, host: str) -> bool:
    if listens_for is None or not listens_for.startswith("*."):
        return listens_for in (None, host)
    return host.endswith(listens_for[1:])


def _takes_namespace(listener: Mapping[str, Any], gateway: ParentGateway, namespace: str) -> bool:
    """Whether it may: a selector is the Gateway's controller's to judge."""
    which = listener.get("allowedRoutes", {}).get("namespaces", {}).get("from", "Same")
    return which in ("All", "Selector") or (which == "Same" and gateway.namespace == namespace)
