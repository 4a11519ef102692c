"""What the pods find in the cluster: a namespace with a Pod Security level, and an API server that they may reach.

Looked at before anything is made, at preview too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pulumi
from kubernetes import client

from components.cluster import connect, read
from components.preview import where_it_answers
from routes.pods import pod_security_labels
from routes.settings import PROJECT, StackSettings

ENFORCE = "pod-security.kubernetes.io/enforce"


@dataclass(frozen=True)
class PodSurroundings:
    """The namespace and the API server of a stack's cluster."""

    settings: StackSettings

    def check(self) -> None:
        """Warns of a namespace that is there and does not enforce Pod Security, with the command that mends it, and of
        NetworkPolicies that let nobody in.

        Raises RunError when the stack's NetworkPolicies would cut the Sensors off the API server.
        """
        with where_it_answers(
            "no right to read namespaces, or the EndpointSlices of the Service kubernetes in namespace default:"
            " whether Pod Security is enforced, whether the NetworkPolicies let the Sensors reach the API"
            " server, and whether they let anybody in, has not been looked at"
        ):
            api = connect(self.settings.kube_context)
            if not self.settings.create_namespace:
                self._namespace(api)
            if self.settings.network_policy.enabled:
                self._api_server(api)
                self._posters(api)

    def _namespace(self, api: client.ApiClient) -> None:
        name = self.settings.namespace
        try:
            found = read(api, f"/api/v1/namespaces/{name}")
        except client.ApiException as error:
            if error.status == 404:
                return
            raise
        level = found["metadata"].get("labels", {}).get(ENFORCE)
        if level not in ("restricted", self.settings.pod_security):
            labels = " ".join(f"{key}={value}" for key, value in pod_security_labels(self.settings).items())
            what = f"Pod Security {level}" if level else "no Pod Security"
            pulumi.log.warn(
                f"namespace {name} enforces {what}; the pods of EventSource, Sensors and EventBus are restricted ones,"
                " those of Workflows are yours. This says which of those that run would be refused; then the same"
                " without --dry-run=server:\n"
                f"      kubectl label --overwrite --dry-run=server namespace {name} {labels}"
            )

    def _api_server(self, api: client.ApiClient) -> None:
        slices = read(
            api,
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            labelSelector="kubernetes.io/service-name=kubernetes",
        )
        there: list[tuple[str, int]] = [
            (address, port["port"])
            for found in slices["items"]
            for endpoint in found.get("endpoints") or []
            for address in endpoint["addresses"]
            for port in found.get("ports") or []
        ]
        if wrong := list(self._cut_off(there)):
            raise pulumi.RunError(
                "the NetworkPolicies would cut the Sensors off the API server\n\n"
                + "\n".join(wrong)
                + "\nWithout NetworkPolicies:\n"
                f"      pulumi config set --path {PROJECT}:networkPolicy.enabled false"
            )

    def _posters(self, api: client.ApiClient) -> None:
        chosen = self.settings.network_policy
        for setting, labels in (("webhookFrom", chosen.webhook_from), ("metricsFrom", chosen.metrics_from)):
            if not labels:
                continue
            selector = ",".join(f"{key}={value}" for key, value in labels.items())
            found = read(api, "/api/v1/namespaces", labelSelector=selector, limit="1")
            if not found["items"]:
                pulumi.log.warn(
                    f"{PROJECT}:networkPolicy.{setting}: no namespace has the labels {selector}, so no pod gets"
                    " through; these are what there is: kubectl get namespaces --show-labels"
                )

    def _cut_off(self, there: list[tuple[str, int]]) -> Iterator[str]:
        chosen = self.settings.network_policy
        ports = sorted({port for _, port in there})
        if not set(ports) <= set(chosen.api_server_ports):
            yield (
                f"  {PROJECT}:networkPolicy.apiServerPorts: it listens at {_list(ports)}, not only at"
                f" {_list(chosen.api_server_ports)}; write:\n"
                f"      {PROJECT}:networkPolicy: {{apiServerPorts: [{_list(ports)}]}}"
            )
        outside = sorted(
            {
                address
                for address, _ in there
                if not any(ip_address(address) in ip_network(block) for block in chosen.api_server)
            }
        )
        if chosen.api_server and outside:
            blocks = [*chosen.api_server, *(str(ip_network(address)) for address in outside)]
            yield (
                f"  {PROJECT}:networkPolicy.apiServer: {_list(outside)} is outside of {_list(chosen.api_server)};"
                f" write:\n      {PROJECT}:networkPolicy: {{apiServer: [{_list(blocks)}]}}"
            )


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
