"""Who talks to whom: NetworkPolicies for our pods alone. What they do not allow is denied, both ways.

A cluster enforces them only with a network plugin that does. Ports are those at which a pod or the API server itself
listens: a plugin looks at a packet after its Service's address has been translated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import urlsplit

from routes import manifests as m
from routes.settings import ExoticEventBus, StackSettings

METRICS = 7777
BUS_CLIENTS, BUS_SERVERS, BUS_MONITOR = 4222, 6222, 8222
"""Ports of a native EventBus."""


def network_policies(
    settings: StackSettings,
    metadata: Callable[[str], m.Metadata],
    *,
    event_source: m.LabelSelector,
    sensors: m.LabelSelector | None,
    event_bus: m.LabelSelector,
) -> Iterator[m.NetworkPolicy]:
    """A policy for each kind of pod. `metadata` of a name; no `sensors` where every route is off."""
    chosen = settings.network_policy
    clients = [event_source] + ([sensors] if sensors else [])
    bus, dns = _to_bus(settings, event_bus), to_dns(settings)

    yield m.NetworkPolicy(
        metadata=metadata("event-source"),
        spec=m.NetworkPolicySpec(
            pod_selector=event_source,
            ingress=[
                m.IngressRule(from_=_posters(settings), ports=_tcp([settings.webhook.port])),
                *_metrics(settings),
            ],
            egress=[bus, dns],
        ),
    )
    if sensors:
        yield m.NetworkPolicy(
            metadata=metadata("sensors"),
            spec=m.NetworkPolicySpec(
                pod_selector=sensors,
                ingress=[*_metrics(settings), *_cured(settings)],
                egress=[bus, to_api_server(settings), dns],
            ),
        )
    if isinstance(settings.event_bus, ExoticEventBus):
        return
    servers = [m.NetworkPeer(pod_selector=event_bus)]
    yield m.NetworkPolicy(
        metadata=metadata("event-bus"),
        spec=m.NetworkPolicySpec(
            pod_selector=event_bus,
            ingress=[
                m.IngressRule(from_=[m.NetworkPeer(pod_selector=pods) for pods in clients], ports=_tcp([BUS_CLIENTS])),
                m.IngressRule(from_=servers, ports=_tcp([BUS_SERVERS])),
                # `pulumi up` asks here whether the Sensors have subscribed, through the API server.
                m.IngressRule(from_=_blocks(chosen.api_server), ports=_tcp([BUS_MONITOR])),
                *_metrics(settings),
            ],
            egress=[m.EgressRule(to=servers, ports=_tcp([BUS_SERVERS])), dns],
        ),
    )


def _to_bus(settings: StackSettings, event_bus: m.LabelSelector) -> m.EgressRule:
    bus = settings.event_bus
    if isinstance(bus, ExoticEventBus):
        port = urlsplit(bus.url).port
        assert port  # the setting's pattern has one
        return m.EgressRule(to=_blocks(settings.network_policy.event_bus), ports=_tcp([port]))
    return m.EgressRule(to=[m.NetworkPeer(pod_selector=event_bus)], ports=_tcp([BUS_CLIENTS]))


def to_api_server(settings: StackSettings) -> m.EgressRule:
    chosen = settings.network_policy
    return m.EgressRule(to=_blocks(chosen.api_server), ports=_tcp(chosen.api_server_ports))


def to_dns(settings: StackSettings) -> m.EgressRule:
    # To any address: a DNS cache on the node itself is in no pod.
    ports = settings.network_policy.dns_ports
    return m.EgressRule(ports=[*_tcp(ports), *(m.NetworkPort(port=port, protocol="UDP") for port in ports)])


def _metrics(settings: StackSettings) -> Iterator[m.IngressRule]:
    if readers := _namespaces(settings.network_policy.metrics_from):
        yield m.IngressRule(from_=readers, ports=_tcp([METRICS]))


def _cured(settings: StackSettings) -> Iterator[m.IngressRule]:
    if settings.cure:  # it asks the Sensors what they have tried, through the API server
        yield m.IngressRule(from_=_blocks(settings.network_policy.api_server), ports=_tcp([METRICS]))


def _namespaces(labels: Mapping[str, str] | None) -> list[m.NetworkPeer] | None:
    return [m.NetworkPeer(namespace_selector=m.LabelSelector(match_labels=dict(labels)))] if labels else None


def _posters(settings: StackSettings) -> list[m.NetworkPeer] | None:
    chosen = settings.network_policy
    namespaces, addresses = _namespaces(chosen.webhook_from), _blocks(chosen.webhook_from_addresses)
    return [*(namespaces or []), *(addresses or [])] or None


def _blocks(blocks: Iterable[str]) -> list[m.NetworkPeer] | None:
    return [m.NetworkPeer(ip_block=m.IpBlock(cidr=block)) for block in blocks] or None


def _tcp(ports: Iterable[int]) -> list[m.NetworkPort]:
    return [m.NetworkPort(port=port) for port in ports]
