"""A stack on the lab for faults: fast enough for the engine's own limit to be what makes deliveries wait."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import yaml
from kubernetes import client
from kubernetes.config import new_client_from_config
from typer.testing import CliRunner, Result
from urllib3.exceptions import HTTPError

from cli.__main__ import app
from cli.delivery import WORKFLOWS, Sender
from cli.stacks import ROOT, compiled
from cli.workflow import DELIVERY
from lab.host import read_status
from lab.layout import LAB_ADDRESS, NATS_MONITOR_PORT, NATS_NAMESPACE, NATS_SERVICE, Layout
from lab.stack import LabStack
from payloads import Payload
from routes import FAMILIES
from routes.compiler import EVENT_BUS, PREFIX
from routes.consumers import durable_names
from routes.curing import COMMAND
from routes.settings import PROJECT
from tests.e2e.jetstream_api import request, request_of_native
from tests.faults import jetstream
from tests.faults.judging import Started

PING = Payload(event="ping", body={"zen": "Keep it logically awesome."})

RATE = {"limit": 120, "unit": "Minute"}
"""Each Workflow takes its Sensor two requests, of which a stock Sensor makes five a second."""


class Late(Exception):
    """Something did not come true in time."""


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float) -> None:
    """Raises Late."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise Late(f"after {seconds:.0f} s: {what}")
        time.sleep(0.25)


@dataclass(frozen=True)
class FaultStack:
    """The stack, up, in a namespace of its own. `own`: whether its EventBus is a native one."""

    stack: LabStack
    sender: Sender
    api: client.ApiClient
    account: str
    own: bool
    _addresses: list[str] = field(default_factory=lambda: [LAB_ADDRESS])

    @property
    def namespace(self) -> str:
        return f"github-to-argo-{self.stack.name}"

    def sensors(self) -> dict[str, str]:
        """The consumer of each Sensor."""
        return {
            sensor["metadata"]["name"]: consumer
            for sensor in compiled("lab").all_sensors()
            for consumer in durable_names(sensor)
        }

    def pods(self, *names: str) -> list[str]:
        """The processes that run of these Sensors, or of the EventSource."""
        starts = tuple(f"{self.namespace}.{name}-{kind}-" for name in names for kind in ("sensor", "eventsource"))
        status = read_status() or {"processes": []}
        return [p["name"] for p in status["processes"] if p["name"].startswith(starts) and p["pid"]]

    def bus(self) -> jetstream.Stream | None:
        if self.own:
            with suppress(HTTPError):  # without the API server its pods have the addresses that they had
                self._addresses[:] = [pod.status.pod_ip for pod in self._servers() if pod.status.pod_ip]
        monitors = [f"http://{address}:{NATS_MONITOR_PORT}" for address in self._addresses]
        return jetstream.look(monitors, self.account)

    def _servers(self) -> list[Any]:
        core = client.CoreV1Api(self.api)
        chosen = f"eventbus-name={EVENT_BUS}"
        found: list[Any] = core.list_namespaced_pod(self.namespace, label_selector=chosen, _request_timeout=2).items
        return found

    def request(self, subject: str, body: Any = None) -> dict[str, Any]:
        """What its JetStream answers to one request."""
        if self.own:
            return request_of_native(self.api, self.namespace, EVENT_BUS, subject, body)
        return request(subject, body, account=self.account)

    def takes(self) -> bool:
        """Whether the EventSource takes a delivery that starts nothing."""
        try:
            return self.sender.post(PING).status == 200
        except HTTPError:
            return False

    def servers(self) -> list[str]:
        """The processes of its NATS, the one that leads the stream first."""
        if not self.own:
            return ["nats-server"]
        bus = self.bus()
        assert bus, "JetStream does not answer"
        names = [pod.metadata.name for pod in self._servers()]
        return [f"{self.namespace}.{name}" for name in sorted(names, key=lambda name: name != bus.leader)]

    def delete_server(self) -> None:
        """Its pod; the StatefulSet then gets another one of that name, on the same volume."""
        (pod,) = self._servers()
        client.CoreV1Api(self.api).delete_namespaced_pod(pod.metadata.name, self.namespace)

    def cure(self) -> Result:
        """What its setting `cure` runs every few minutes, once: the answer, as JSON."""
        return CliRunner().invoke(app, [*COMMAND, "--settings", str(self.stack.file), "--json"])

    def changed(self, **overrides: object) -> LabStack:
        """The same stack with other settings, not yet up."""
        return LabStack(self.stack.name, {**(self.stack.overrides or {}), **overrides}, self.stack.account)

    def started(self) -> list[Started]:
        """Every Workflow, by its delivery and the Sensor that started it."""
        path = f"/apis/{'/'.join(WORKFLOWS)}/namespaces/{self.namespace}/workflows"
        headers = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
        prepared = self.api.param_serialize("GET", path, header_params=headers, auth_settings=["BearerToken"])
        response = self.api.call_api(*prepared)
        text = response.read()
        if response.status != 200:
            raise client.ApiException(status=response.status, reason=text[:200])
        found = [item["metadata"] for item in json.loads(text)["items"] or []]
        return [(m["annotations"].get(DELIVERY, ""), m["labels"].get(f"{PREFIX}/route", "")) for m in found]

    def delete_workflows(self) -> None:
        """Returns when none is left."""
        objects = client.CustomObjectsApi(self.api)
        objects.delete_collection_namespaced_custom_object(*WORKFLOWS, self.namespace, "workflows")
        wait_until(lambda: not self.started(), "there are still Workflows", seconds=120)


def exotic(account: str, **settings: object) -> dict[str, object]:
    """The EventBus of stack `lab`, on another account of the lab's NATS."""
    config: dict[str, object] = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"][f"{PROJECT}:eventBus"]
    return config | {"monitor": {"namespace": NATS_NAMESPACE, "service": NATS_SERVICE, "account": account}} | settings


def native(servers: int, **settings: object) -> dict[str, object]:
    """The EventBus of stacks `dev` and `prod`, each server with a volume."""
    return {"kind": "native", "replicas": servers, "storage": "2Gi"} | settings


def listening(webhook: Mapping[str, str], namespace: str, api: client.ApiClient) -> Sender:
    """The way to the EventSource of a stack that is up, by its output `webhook`. Raises Late."""
    service = webhook["service"].split(".")[0]
    address = client.CoreV1Api(api).read_namespaced_service(service, namespace).spec.cluster_ip
    secret = Layout().webhook_secret.read_bytes().strip()
    sender = Sender(url=f"http://{address}:12000{webhook['path']}", secret=secret)
    if not sender.listening(30):
        raise Late("the EventSource does not listen")
    return sender


@contextmanager
def away(api: client.ApiClient, namespace: str, selector: str) -> Iterator[None]:
    """The Deployment so labelled has no pod meanwhile, not even one that ends. Raises Late."""
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    (deployment,) = apps.list_namespaced_deployment(namespace, label_selector=selector).items
    name, usual = deployment.metadata.name, deployment.spec.replicas

    def scale(replicas: int) -> None:
        apps.patch_namespaced_deployment_scale(name, namespace, {"spec": {"replicas": replicas}})

        def so_many_run() -> bool:
            pods = core.list_namespaced_pod(namespace, label_selector=selector).items
            return len(pods) == replicas and all(pod.status.phase == "Running" for pod in pods)

        wait_until(so_many_run, f"{name} does not get {replicas} pods", seconds=60)

    scale(0)
    try:
        yield
    finally:
        scale(usual)


@contextmanager
def refused(api: client.ApiClient, name: str, expression: str) -> Iterator[None]:
    """A policy of the cluster's own, of this name, refuses the Workflows of which the expression is true."""
    admission = client.AdmissionregistrationV1Api(api)
    rule = {"apiGroups": ["argoproj.io"], "apiVersions": ["*"], "resources": ["workflows"], "operations": ["CREATE"]}
    refusal = {"expression": f"!({expression})", "message": "not on Fridays"}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [refusal]}
    admission.create_validating_admission_policy({"metadata": {"name": name}, "spec": spec})
    bound = {"policyName": name, "validationActions": ["Deny"]}
    admission.create_validating_admission_policy_binding({"metadata": {"name": name}, "spec": bound})
    try:
        time.sleep(3)  # the API server takes a policy up when it comes to it
        yield
    finally:
        admission.delete_validating_admission_policy_binding(name)
        admission.delete_validating_admission_policy(name)


@contextmanager
def fault_stack(
    name: str,
    event_bus: Mapping[str, object],
    *,
    rate: Mapping[str, object] | str = RATE,
    replicas: int = 2,
    **settings: object,
) -> Iterator[FaultStack]:
    """Stack `name` with the lab's settings, `replicas` pods for each Sensor, this EventBus, and these `settings`."""
    namespace = f"github-to-argo-{name}"
    overrides = {
        "namespace": namespace,
        "eventBus": event_bus,
        "sensorReplicas": replicas,
        "routes": {route.sensor: {"rate": rate} for family in FAMILIES for route in family.routes},
        "semaphores": {key: 50 for key in ("pr-validation", "coderun", "implementation", "orchestrator")},
        **settings,
    }
    own = event_bus["kind"] == "native"
    stack = LabStack(name, overrides, account="faults" if own else name)
    try:
        webhook = stack.up().outputs["webhook"]
        api = new_client_from_config()
        sender = listening(webhook, namespace, api)
        yield FaultStack(stack, sender, api, "js" if own else name, own)
    finally:
        if stack.folder.exists():
            stack.destroy()
