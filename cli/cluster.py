"""A stack's Workflows and Secrets on its cluster, asked with the rights of whoever asks."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import urllib3
from kubernetes import client, config

from cli.delivery import WORKFLOWS
from cli.workflow import ROUTE, Workflow, delivery_of, route_of
from routes.settings import SecretRef, StackSettings

PAGE = 500


class ClusterError(Exception):
    """The cluster could not be asked, or says no. The text says why and what to do."""


@dataclass(frozen=True)
class Started:
    """Which routes have started a Workflow for which delivery, and when each route did. Routes are by Sensor."""

    workflows: frozenset[tuple[str, str]]
    times: Mapping[str, Sequence[datetime]] = field(default_factory=dict)

    def has(self, sensor: str, delivery: str) -> bool:
        return (sensor, delivery) in self.workflows


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The namespace of a stack."""

    api: client.ApiClient
    namespace: str

    def started(self) -> Started:
        """What the Workflows that are there say of themselves; their payloads stay where they are."""
        workflows: set[tuple[str, str]] = set()
        times: dict[str, list[datetime]] = {}
        for workflow in self.metadata_of_workflows():
            sensor, delivery = route_of(workflow), delivery_of(workflow)
            workflows.add((sensor, delivery))
            times.setdefault(sensor, []).append(datetime.fromisoformat(workflow["metadata"]["creationTimestamp"]))
        return Started(frozenset(workflows), times)

    def names_of(self, delivery: str) -> list[str]:
        """The names of the Workflows that a delivery has started, those of reruns too."""
        found = [w for w in self.metadata_of_workflows() if delivery_of(w) == delivery]
        return sorted(w["metadata"]["name"] for w in found)

    def workflow(self, name: str) -> Workflow:
        with told():
            found: Workflow = client.CustomObjectsApi(self.api).get_namespaced_custom_object(
                *WORKFLOWS, self.namespace, "workflows", name
            )
        return found

    def create(self, workflow: Workflow) -> bool:
        """Whether it was made; not where one of this name is there."""
        with told():
            try:
                client.CustomObjectsApi(self.api).create_namespaced_custom_object(
                    *WORKFLOWS, self.namespace, "workflows", workflow
                )
            except client.ApiException as error:
                if error.status != 409:
                    raise
                return False
        return True

    def secret(self, ref: SecretRef) -> str:
        """The text under a Secret's key, which must not be empty."""
        where = f"the Secret {ref.name} in namespace {self.namespace}"
        with told():
            try:
                data = client.CoreV1Api(self.api).read_namespaced_secret(ref.name, self.namespace).data or {}
            except client.ApiException as error:
                if error.status != 404:
                    raise
                raise ClusterError(f"there is no {where.removeprefix('the ')}") from None
        text = base64.b64decode(data.get(ref.key, "")).decode(errors="replace").strip()
        if not text:
            raise ClusterError(f"{where} has nothing under the key {ref.key}; it has {', '.join(data) or 'no keys'}")
        return text

    def metadata_of_workflows(self) -> Iterator[Workflow]:
        """Names, labels and annotations of what our Sensors made, page by page: a Workflow holds a whole payload."""
        path = f"/apis/{'/'.join(WORKFLOWS)}/namespaces/{self.namespace}/workflows"
        query: dict[str, Any] = {"labelSelector": ROUTE, "limit": PAGE}
        while True:
            with told():
                response = self.api.call_api(
                    *self.api.param_serialize(
                        "GET",
                        path,
                        query_params=list(query.items()),
                        header_params={"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"},
                        auth_settings=["BearerToken"],
                    )
                )
                body = response.read()
                if response.status >= 400:
                    raise client.ApiException(status=response.status, reason=response.reason, body=body)
            page = json.loads(body)
            yield from page["items"]
            if not (more := page["metadata"].get("continue")):
                return
            query["continue"] = more


def connect(settings: StackSettings) -> Cluster:
    """By the stack's kubeContext; in a pod without a kubeconfig, by the pod's own account. Raises ClusterError."""
    try:
        api = config.new_client_from_config(context=settings.kube_context)
    except config.ConfigException as error:
        if "KUBERNETES_SERVICE_HOST" not in os.environ:
            raise ClusterError(str(error)) from None
        configuration = client.Configuration()
        config.load_incluster_config(client_configuration=configuration)
        api = client.ApiClient(configuration)
    return Cluster(api=api, namespace=settings.namespace)


@contextmanager
def told() -> Iterator[None]:
    """What the API server says against it, or that it does not answer, as a ClusterError."""
    try:
        yield
    except client.ApiException as error:
        try:
            words = json.loads(error.body)["message"]
        except (ValueError, KeyError, TypeError):
            words = error.reason
        raise ClusterError(f"the cluster refuses it: {words}") from None
    except urllib3.exceptions.HTTPError as error:
        raise ClusterError(f"the cluster does not answer: {error}") from None
