"""PodMonitors, alerts and the dashboard; and whether the cluster has a Prometheus that reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from components import PACKAGE
from components.cluster import connect, read
from components.objects import declare, logical_name
from routes.manifests import Manifest
from routes.settings import PROJECT, StackSettings

PROMETHEUSES = "/apis/monitoring.coreos.com/v1/prometheuses"
SELECTORS = {"PodMonitors": "podMonitorSelector", "PrometheusRules": "ruleSelector"}


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """`objects` as compiled; `after` is what must be there first."""

    objects: Sequence[Manifest]
    after: Sequence[pulumi.Resource] = ()


class Monitoring(pulumi.ComponentResource):
    """What Prometheus Operator and Grafana's sidecar make use of."""

    objects: list[pulumi.CustomResource]

    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:Monitoring", name, {}, opts)
        children = pulumi.ResourceOptions(parent=self, depends_on=[*args.after])
        self.objects = [declare(f"{name}-{logical_name(manifest)}", manifest, children) for manifest in args.objects]
        self.register_outputs({})


@dataclass(frozen=True)
class PrometheusOperator:
    """The Prometheuses of a stack's cluster, looked at before anything is made, at preview too."""

    settings: StackSettings

    def check(self) -> None:
        """Warns where none of them selects what the stack makes. Who may not list them is not told anything."""
        if not self.settings.monitoring:
            return
        try:
            found = read(connect(self.settings.kube_context), PROMETHEUSES)["items"]
        except (client.ApiException, config.ConfigException, HTTPError):
            return
        for warning in self._unread([one["spec"] for one in found]) if found else ():
            pulumi.log.warn(warning)

    def _unread(self, prometheuses: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        assert self.settings.monitoring
        labels = self.settings.monitoring.labels or {}
        for kind, key in SELECTORS.items():
            selectors = [selector for p in prometheuses if (selector := p.get(key)) is not None]
            if any(_selects(selector, labels) for selector in selectors):
                continue
            wanted = [found for selector in selectors if (found := selector.get("matchLabels"))]
            advice = f"; write\n      {PROJECT}:monitoring: {{labels: {json.dumps(wanted[0])}}}" if wanted else ""
            yield f"no Prometheus of the cluster selects this stack's {kind}: its {key} has other labels{advice}"


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether it does; one that says more than labels is given the benefit of the doubt."""
    return (selector.get("matchLabels") or {}).items() <= labels.items()
