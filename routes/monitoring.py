"""What makes a stack seen: PodMonitors and alerts for Prometheus Operator, and a dashboard for Grafana.

All of it is made of the route table and the settings, as the Sensors are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from routes import manifests as m
from routes.alerts import rule_groups
from routes.dashboard import dashboard
from routes.manifests import Manifest
from routes.queries import Watched, WatchedRoute
from routes.settings import ExoticEventBus, StackSettings

METRICS = "metrics"
"""The name of port 7777, as the engine has it in the pods of EventSource, Sensor and EventBus."""


def monitoring(
    settings: StackSettings,
    metadata: Callable[[str], m.Metadata],
    pods: Mapping[str, m.LabelSelector],
    *,
    event_source: str,
    routes: Sequence[WatchedRoute],
) -> Iterator[Manifest]:
    """Its objects; none where the setting is not there. `metadata` of a name; `pods` by what they are."""
    chosen = settings.monitoring
    if not chosen or not routes:  # with every route off nothing is to be seen
        return

    def labelled(name: str, labels: Mapping[str, str] | None) -> m.Metadata:
        plain = metadata(name)
        return plain.model_copy(update={"labels": {**(plain.labels or {}), **(labels or {})}})

    for name, selector in pods.items():
        yield m.PodMonitor(
            metadata=labelled(name, chosen.labels),
            spec=m.PodMonitorSpec(
                selector=selector,
                pod_metrics_endpoints=[m.PodMetricsEndpoint(port=METRICS, interval=chosen.interval)],
            ),
        ).manifest()
    seen = watched(settings, event_source=event_source, routes=routes)
    groups = rule_groups(seen, backlog_minutes=chosen.backlog_minutes, runbooks=chosen.runbooks)
    yield m.PrometheusRule(
        metadata=labelled("alerts", chosen.labels), spec=m.PrometheusRuleSpec(groups=groups)
    ).manifest()
    if chosen.dashboard:
        # Of every dashboard in a Grafana the sidecar makes a file in one folder.
        text = json.dumps(dashboard(seen), indent=1, ensure_ascii=False) + "\n"
        yield m.ConfigMap(
            metadata=labelled("dashboard", chosen.dashboard), data={f"github-to-argo-{settings.namespace}.json": text}
        ).manifest()


def watched(settings: StackSettings, *, event_source: str, routes: Sequence[WatchedRoute]) -> Watched:
    """The stack as Prometheus knows it."""
    bus, semaphores = settings.event_bus, settings.semaphores.model_dump(by_alias=True)
    return Watched(
        namespace=settings.namespace,
        event_source=event_source,
        bus=_labels_of(bus) if isinstance(bus, ExoticEventBus) else {"namespace": settings.namespace},
        backlog_bytes=bus.backlog_bytes,
        semaphores={name: semaphores[name] for name in dict.fromkeys(route.semaphore for route in routes)},
        routes=routes,
    )


def _labels_of(bus: ExoticEventBus) -> dict[str, str]:
    """Of a NATS that exists: where its exporter runs is not known."""
    return {"account": bus.monitor.account} if bus.monitor and bus.monitor.account else {}
