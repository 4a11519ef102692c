"""Have the Sensors subscribed? Asked of the cluster: their Deployments, and JetStream's own list of consumers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pulumi
from kubernetes import client, config

from routes.compiler import EVENT_BUS
from routes.manifests import Manifest
from routes.settings import Monitor, NativeEventBus, StackSettings


def monitor_of(settings: StackSettings) -> Monitor | None:
    """The Service of the JetStream's monitoring port: the native EventBus's own, or the one that the stack names."""
    if isinstance(settings.event_bus, NativeEventBus):
        return Monitor(namespace=settings.namespace, service=f"eventbus-{EVENT_BUS}-js-svc")
    return settings.event_bus.monitor


class Unknown(str):
    """Why JetStream cannot be asked."""


@dataclass(frozen=True, kw_only=True)
class Subscriptions:
    """Waits until every trigger of `sensors` has its consumer. `monitor` None: until their pods run."""

    kube_context: str
    sensors: Sequence[Manifest]
    monitor: Monitor | None
    seconds: int

    def wait(self) -> None:
        """Returns when all have subscribed, with a warning where that cannot be asked.

        Raises RunError, naming Sensors and where to look, after `seconds`.
        """
        api = config.new_client_from_config(context=self.kube_context)
        deadline = time.monotonic() + self.seconds
        while True:
            consumers = self._consumers(api)
            missing = list(self._missing(api, consumers))
            if not missing:
                break
            if time.monotonic() > deadline:
                raise pulumi.RunError(
                    f"after {self.seconds} s (setting verdictSeconds) not every Sensor has subscribed, so the"
                    " EventSource was left as it is: a delivery would be lost.\n"
                    + "\n".join(f"  {reason}" for reason in missing)
                )
            time.sleep(0.5)
        if isinstance(consumers, Unknown):
            pulumi.log.warn(f"{consumers}: `pulumi up` sees the Sensors' pods run, not that they have subscribed")

    def _missing(self, api: client.ApiClient, consumers: set[str] | Unknown) -> Iterator[str]:
        for sensor in self.sensors:
            name, namespace = sensor["metadata"]["name"], sensor["metadata"]["namespace"]
            if not _rolled_out(api, name, namespace):
                yield f"{name}: its pod does not run; see: kubectl -n {namespace} describe pod -l sensor-name={name}"
            elif not isinstance(consumers, Unknown) and not durable_names(sensor) <= consumers:
                yield f"{name}: its consumer is not there; see: kubectl -n {namespace} logs -l sensor-name={name}"

    def _consumers(self, api: client.ApiClient) -> set[str] | Unknown:
        """The names of JetStream's consumers, or why it cannot be asked."""
        m = self.monitor
        if m is None:
            return Unknown("eventBus.monitor is not set")
        path = f"/api/v1/namespaces/{m.namespace}/services/{m.service}:{m.port}/proxy/jsz"
        query = [("consumers", "true")] + ([("acc", m.account)] if m.account else [])
        response = api.call_api(*api.param_serialize("GET", path, query_params=query, auth_settings=["BearerToken"]))
        text = response.read()
        if response.status == 403:
            return Unknown(f"no right to ask {m.namespace}/{m.service} (get services/proxy)")
        if response.status != 200:
            return set()  # not up yet
        return {
            consumer["name"]
            for account in json.loads(text).get("account_details", [])
            for stream in account.get("stream_detail", [])
            for consumer in stream.get("consumer_detail") or []
        }


def _rolled_out(api: client.ApiClient, sensor: str, namespace: str) -> bool:
    try:
        found = (
            client.AppsV1Api(api).list_namespaced_deployment(namespace, label_selector=f"sensor-name={sensor}").items
        )
    except client.ApiException as error:
        raise pulumi.RunError(f"cannot see whether the Sensors run: list deployments: {error.reason}") from None
    return bool(found) and all(
        deployment.status.observed_generation == deployment.metadata.generation
        and (deployment.status.updated_replicas or 0) >= deployment.spec.replicas
        and (deployment.status.available_replicas or 0) >= deployment.spec.replicas
        for deployment in found
    )


def durable_names(sensor: Manifest) -> set[str]:
    """The names of a Sensor's consumers, as the engine makes them (argo-events, `getDurableName`).

    One for each trigger and event name, however many dependencies look at it: named after the last of them.
    """
    events = {(d["eventSourceName"], d["eventName"]): d["name"] for d in sensor["spec"]["dependencies"]}
    return {
        f"group-{_fnv1a('-'.join([sensor['metadata']['name'], trigger['template']['name'], dependency]))}"
        for trigger in sensor["spec"]["triggers"]
        for dependency in events.values()
    }


def _fnv1a(text: str) -> int:
    """FNV-1a, 32 bits."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value
