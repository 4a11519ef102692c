"""Who would serve the Ingress or HTTPRoute: looked at before anything is made, at preview too.

Kubernetes takes either where nobody does, and says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
from kubernetes import client

from components.cluster import METADATA_ONLY, connect, read
from components.preview import where_it_answers
from routes.exposure import class_problems, gateway_problems
from routes.settings import PROJECT, GatewayExposure, IngressExposure, NoExposure, SecretTls, StackSettings


@dataclass(frozen=True)
class Exposed:
    """The IngressClass or Gateway that a stack names."""

    settings: StackSettings

    def check(self) -> None:
        """Warns of what could not be looked at, and of a certificate that is not there yet.

        Raises RunError where GitHub would not get through.
        """
        if isinstance(self.settings.exposure, NoExposure):
            return
        with where_it_answers(
            "no right to read IngressClasses, or the Gateway: whether anybody serves the setting exposure has not been"
            " looked at"
        ):
            if wrong := list(self._problems(connect(self.settings.kube_context))):
                raise pulumi.RunError(
                    f"{PROJECT}:exposure: GitHub would not get through in context {self.settings.kube_context}\n\n"
                    + "\n".join(f"  {problem}" for problem in wrong)
                )

    def _problems(self, api: client.ApiClient) -> Iterator[str]:
        match self.settings.exposure:
            case IngressExposure() as chosen:
                listed = read(api, "/apis/networking.k8s.io/v1/ingressclasses")["items"]
                classes = {found["metadata"]["name"]: found["spec"].get("controller", "") for found in listed}
                yield from class_problems(chosen, self.settings, classes)
                if isinstance(chosen.tls, SecretTls):
                    self._certificate(api, chosen.tls.secret)
            case GatewayExposure() as chosen:
                yield from self._gateway(api, chosen)

    def _certificate(self, api: client.ApiClient, name: str) -> None:
        namespace = self.settings.namespace
        try:
            read(api, f"/api/v1/namespaces/{namespace}/secrets/{name}", accept=METADATA_ONLY)
        except client.ApiException as error:
            if error.status == 404:
                pulumi.log.warn(
                    f"there is no Secret {name} in namespace {namespace} yet: until it holds the host's certificate"
                    " GitHub gets another one, and refuses it"
                )

    def _gateway(self, api: client.ApiClient, chosen: GatewayExposure) -> Iterator[str]:
        gateway = chosen.gateway
        listed = read(api, f"/apis/gateway.networking.k8s.io/v1/namespaces/{gateway.namespace}/gateways")["items"]
        found = {one["metadata"]["name"]: one["spec"]["listeners"] for one in listed}
        if gateway.name in found:
            yield from gateway_problems(chosen, self.settings.namespace, found[gateway.name])
        else:
            there = ", ".join(sorted(found)) or "none"
            yield f"there is no Gateway {gateway.name} in namespace {gateway.namespace}; there are: {there}"
