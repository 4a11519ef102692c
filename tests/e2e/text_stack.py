"""A stack whose WorkflowTemplates are given by a test: the way from a delivery to what stands in a Workflow's nodes."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client

from cli.delivery import WORKFLOWS
from cli.stacks import ROOT, compiled
from cli.workflow import Workflow
from lab.stack import LabStack
from routes import FAMILIES
from routes.manifests import Manifest
from tests.e2e.conftest import Cluster

Node = Mapping[str, Any]
NAMESPACE = "github-to-argo-text"
# The tests that take the place of stack `second`, one after the other, use its account.
ACCOUNT = "second"


def documents(path: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


@dataclass(frozen=True)
class TextStack:
    """The stack, up, in a namespace of its own."""

    cluster: Cluster

    @property
    def objects(self) -> client.CustomObjectsApi:
        return client.CustomObjectsApi(self.cluster.api)

    def put(self, templates: Sequence[Manifest]) -> None:
        """WorkflowTemplates in place of those of the same name."""
        for template in templates:
            name = template["metadata"]["name"]
            there = self.objects.get_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "workflowtemplates", name)
            new = {**template, "metadata": {"name": name, "resourceVersion": there["metadata"]["resourceVersion"]}}
            self.objects.replace_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "workflowtemplates", name, new)

    def run(self, spec: Manifest, arguments: Mapping[str, str], *, seconds: float = 30) -> Workflow:
        """A Workflow with these arguments, once it has finished, or made a pod: pods do not run in the lab."""
        name = f"run-{time.monotonic_ns()}"
        parameters = [{"name": key, "value": value} for key, value in arguments.items()]
        workflow = {
            "apiVersion": "/".join(WORKFLOWS),
            "kind": "Workflow",
            "metadata": {"name": name},
            "spec": {**spec, "arguments": {"parameters": parameters}},
        }
        self.objects.create_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "workflows", workflow)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found: Workflow = self.objects.get_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "workflows", name)
            if found.get("status", {}).get("finishedAt") or self.pods_of(found):
                return found
            time.sleep(0.1)
        raise TimeoutError(f"{name}: {found.get('status')}")

    def wait_for_pods(self, workflow: Workflow, *, seconds: float = 30) -> None:
        """Until the workflow-controller has made a pod for it."""
        deadline = time.monotonic() + seconds
        while not self.pods_of(workflow):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no pod of {workflow['metadata']['name']}")
            time.sleep(0.1)

    def pods_of(self, workflow: Workflow) -> list[client.V1Pod]:
        """The pods that the workflow-controller made for it."""
        selector = f"workflows.argoproj.io/workflow={workflow['metadata']['name']}"
        pods: list[client.V1Pod] = (
            client.CoreV1Api(self.cluster.api).list_namespaced_pod(NAMESPACE, label_selector=selector).items
        )
        return pods

    def handed(self, workflow: Workflow) -> Manifest:
        """The template that the one pod of a Workflow is handed: what its executor makes files of, and what it runs."""
        (pod,) = self.pods_of(workflow)
        environment = {e.name: e.value for e in pod.spec.init_containers[0].env}
        text = environment["ARGO_TEMPLATE"]
        if text == "offloaded":  # too large for a process's environment
            (volume,) = (v for v in pod.spec.volumes if v.config_map)
            found = client.CoreV1Api(self.cluster.api).read_namespaced_config_map(volume.config_map.name, NAMESPACE)
            text = found.data["ARGO_TEMPLATE"]
        template: Manifest = json.loads(text)
        return template

    def delete_workflows(self) -> None:
        self.objects.delete_collection_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "workflows")


@contextmanager
def text_stack(cluster: Cluster, *templates: Manifest, **settings: object) -> Iterator[TextStack]:
    """The stack with these WorkflowTemplates and settings, and the contract's empty templates for the others."""
    core, objects = client.CoreV1Api(cluster.api), client.CustomObjectsApi(cluster.api)
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    theirs = {t["metadata"]["name"]: t for t in [*compiled("lab").templates, *templates]}
    config = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"]
    bus = config["github-to-argo:eventBus"]
    bus["monitor"]["account"] = ACCOUNT
    overrides: dict[str, object] = {
        "namespace": NAMESPACE,
        "createNamespace": False,
        "workflowTemplates": "external",
        "verdictSeconds": 60,
        "eventBus": bus,
        "routes": {route.sensor: {"rate": "unlimited"} for family in FAMILIES for route in family.routes},
    } | settings
    stack = LabStack("text", account=ACCOUNT, overrides=overrides)
    try:
        for name, template in theirs.items():
            objects.create_namespaced_custom_object(
                *WORKFLOWS, NAMESPACE, "workflowtemplates", {**template, "metadata": {"name": name}}
            )
        there = cluster.beside(stack.up().outputs["webhook"], NAMESPACE)
        assert there.sender.listening(30)
        yield TextStack(there)
    finally:
        if stack.folder.exists():
            stack.destroy()
        cluster.delete_namespace(NAMESPACE)


def nodes_of(workflow: Workflow) -> list[Node]:
    """The nodes in a Workflow's status, also where the controller has packed them."""
    status = workflow["status"]
    if packed := status.get("compressedNodes"):
        status = {"nodes": json.loads(gzip.decompress(base64.b64decode(packed)))}
    return list(status["nodes"].values())


def inputs_of(node: Node) -> list[tuple[str, str]]:
    """The names and values of a node's inputs: parameters and raw artifacts."""
    inputs = node.get("inputs", {})
    parameters = [(p["name"], p["value"]) for p in inputs.get("parameters", [])]
    return parameters + [(a["name"], a["raw"]["data"]) for a in inputs.get("artifacts", [])]
