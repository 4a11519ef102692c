"""A stack on the lab for faults: fast enough for the engine's own limit to be what makes deliveries wait."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import yaml
from kubernetes import client
from kubernetes.config import new_client_from_config

from cli.delivery import WORKFLOWS, Sender
from cli.stacks import ROOT, compiled
from cli.workflow import DELIVERY
from lab.host import read_status
from lab.layout import Layout
from lab.stack import LabStack
from routes import FAMILIES
from routes.compiler import PREFIX
from routes.consumers import durable_names
from tests.faults import jetstream
from tests.faults.judging import Started

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
    """The stack, up, in a namespace and a NATS account of its own."""

    stack: LabStack
    sender: Sender
    api: client.ApiClient

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
        return jetstream.look(self.stack.account)

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


@contextmanager
def fault_stack(
    name: str, *, rate: Mapping[str, object] = RATE, replicas: int = 2, **bus: object
) -> Iterator[FaultStack]:
    """Stack `name` with the lab's settings, on the NATS account of that name; `bus` are settings of its EventBus."""
    config = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"]["github-to-argo:eventBus"]
    config["monitor"]["account"] = name
    overrides = {
        "namespace": f"github-to-argo-{name}",
        "eventBus": config | bus,
        "sensorReplicas": replicas,
        "routes": {route.sensor: {"rate": rate} for family in FAMILIES for route in family.routes},
        "semaphores": {key: 50 for key in ("pr-validation", "coderun", "implementation", "orchestrator")},
    }
    stack = LabStack(name, overrides, account=name)
    try:
        webhook = stack.up().outputs["webhook"]
        api = new_client_from_config()
        service = webhook["service"].split(".")[0]
        address = client.CoreV1Api(api).read_namespaced_service(service, f"github-to-argo-{name}").spec.cluster_ip
        secret = Layout().webhook_secret.read_bytes().strip()
        sender = Sender(url=f"http://{address}:12000{webhook['path']}", secret=secret)
        if not sender.listening(30):
            raise Late("the EventSource does not listen")
        yield FaultStack(stack, sender, api)
    finally:
        if stack.folder.exists():
            stack.destroy()
