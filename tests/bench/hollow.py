"""Namespaces in which Sensors come up by the hundred without a process: what `pulumi up` waits for is said at once.

The Argo Events controller stands still meanwhile; its 20 requests a second would be all that is measured.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3
from kubernetes import client, watch
from kubernetes.config import new_client_from_config

from cli.delivery import WORKFLOWS
from components.engine import DEPLOYED
from components.signatures import REFUSED
from components.verdicts import PLURALS
from lab.cluster import ApiError, Cluster, namespaced
from lab.host import read_status
from lab.layout import HOLLOW, LAB_ADDRESS, Layout
from lab.services import publish
from routes.compiler import EVENT_SOURCE_SERVICE, WAIT_FOR

Object = dict[str, Any]
KINDS = ("EventBus", "Sensor", "EventSource")
PORT = 12000


@contextmanager
def hollow() -> Iterator[None]:
    """From here to the end of the `with`, objects in hollow namespaces are said to be deployed and to run."""
    over = threading.Event()
    server = ThreadingHTTPServer((LAB_ADDRESS, PORT), _Refusing)
    threads = [threading.Thread(target=_follow, args=(kind, over), daemon=True) for kind in KINDS]
    threads.append(threading.Thread(target=server.serve_forever, daemon=True))
    with standing_still("argo-events-controller"):
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            server.shutdown()
            server.server_close()


@contextmanager
def standing_still(*components: str) -> Iterator[None]:
    """Components of the lab that do nothing from here to the end of the `with`."""
    status = read_status(Layout()) or {"processes": []}
    pids = [process["pid"] for process in status["processes"] if process["name"] in components]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class _Refusing(BaseHTTPRequestHandler):
    """As an EventSource that is sent what nobody signed."""

    def do_POST(self) -> None:
        self.send_response(REFUSED)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def _follow(kind: str, over: threading.Event) -> None:
    objects = client.CustomObjectsApi(new_client_from_config())
    cluster = Cluster(Layout().kubeconfig)
    done: dict[str, int] = {}
    while not over.is_set():
        with suppress(urllib3.exceptions.HTTPError, client.ApiException, ApiError):
            for change in watch.Watch().stream(
                objects.list_custom_object_for_all_namespaces, *WORKFLOWS, PLURALS[kind], timeout_seconds=30
            ):
                if over.is_set():
                    return
                found = change["object"]
                metadata = found["metadata"]
                if "deletionTimestamp" in metadata or not metadata["namespace"].startswith(HOLLOW):
                    continue
                if change["type"] != "DELETED" and done.get(metadata["uid"]) != metadata["generation"]:
                    _come_up(cluster, found, first=metadata["uid"] not in done)
                    done[metadata["uid"]] = metadata["generation"]


def _come_up(cluster: Cluster, found: Object, *, first: bool) -> None:
    kind, metadata = found["kind"], found["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]
    if kind in DEPLOYED:
        _deploy(cluster, found)
    if kind == "EventSource" and first:
        ports = [{"name": "webhook", "port": PORT, "protocol": "TCP"}]
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": EVENT_SOURCE_SERVICE, "namespace": namespace},
            "spec": {"ports": ports},
        }
        service = cluster.apply(namespaced("api/v1", namespace, "services", EVENT_SOURCE_SERVICE), body)
        pods = namespaced("api/v1", namespace, "pods")
        cluster.create(pods, {"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "none"}]}})
        status = {"phase": "Running", "podIP": LAB_ADDRESS, "podIPs": [{"ip": LAB_ADDRESS}]}
        cluster.merge(f"{pods}/{name}/status", {"status": status})
        publish(cluster, service, {name: LAB_ADDRESS}, ports)
    conditions = [{"type": condition, "status": "True"} for condition in WAIT_FOR[kind]]
    path = namespaced(f"apis/{'/'.join(WORKFLOWS)}", namespace, PLURALS[kind], name)
    cluster.merge(f"{path}/status", {"status": {"conditions": conditions}})


def _deploy(cluster: Cluster, found: Object) -> None:
    """The Deployment that the controller would make, as far as `pulumi up` looks at it, and as if it ran."""
    metadata, spec = found["metadata"], found["spec"]
    label, variable = DEPLOYED[found["kind"]]
    labels = {label: metadata["name"]}
    value = base64.b64encode(json.dumps({"spec": spec}).encode()).decode()
    container = {"name": "main", "image": "none", "env": [{"name": variable, "value": value}]}
    path = namespaced("apis/apps/v1", metadata["namespace"], "deployments", metadata["name"])
    replicas = spec.get("replicas", 1)
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    generation = cluster.apply(path, body)["metadata"]["generation"]
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), replicas)
    cluster.merge(f"{path}/status", {"status": {"observedGeneration": generation, **counts}})
