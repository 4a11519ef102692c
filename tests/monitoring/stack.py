"""A stack on the lab that is watched: some routes slow enough to have a backlog, an EventBus that is soon full."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from kubernetes import client
from kubernetes.config import new_client_from_config

from cli.delivery import WORKFLOWS, Sender
from cli.workflow import FINISHED, phase_of
from lab.host import read_status
from lab.stack import LabStack
from tests.faults.stack import away, exotic, listening, refused

NAME = "seen"
NAMESPACE = f"github-to-argo-{NAME}"
PULLS, PUSHES = "github-pr-to-pr-validation", "github-push-merge-to-orchestrator"
SLOW = {
    "github-issue-comment-to-rex": "ic",
    "github-pr-review-comment-to-rex": "prc",
    "github-ci-failures-to-triage": "cr",
    "github-issues-to-implementation": "issues",
    "github-security-to-agent": "secadv",
}
"""Sensors that start a Workflow every 7.5 seconds, and a dependency of each."""

SETTINGS: dict[str, object] = {
    "namespace": NAMESPACE,
    "retryMinutes": 1,
    "routes": {
        **{sensor: {"rate": {"limit": 8, "unit": "Minute"}} for sensor in SLOW},
        **{sensor: {"rate": "unlimited"} for sensor in (PULLS, PUSHES)},
    },
    "networkPolicy": {"metricsFrom": {"kubernetes.io/metadata.name": "monitoring"}},
    "monitoring": {"backlogMinutes": 1, "runbooks": "https://example.com/docs/monitoring.md"},
}


@dataclass(frozen=True)
class WatchedStack:
    """The stack, up. What is done to it is undone by whoever does it."""

    sender: Sender
    api: client.ApiClient

    def pods(self, *names: str) -> list[str]:
        """The processes that run of these Sensors."""
        starts = tuple(f"{NAMESPACE}.{name}-sensor-" for name in names)
        status = read_status() or {"processes": []}
        return [p["name"] for p in status["processes"] if p["name"].startswith(starts) and p["pid"]]

    def away(self, selector: str) -> AbstractContextManager[None]:
        """No pod of a Sensor, or of the EventSource."""
        return away(self.api, NAMESPACE, selector)

    def refused(self, delivery: str) -> AbstractContextManager[None]:
        """A policy of the cluster's own refuses the Workflows of a delivery."""
        return refused(self.api, f"{NAMESPACE}-refused", f"object.metadata.name.endsWith('{delivery}')")

    def change_template(self, name: str, spec: dict[str, object]) -> None:
        """Of a WorkflowTemplate; the workflow-controller has heard of it by the end."""
        self._objects.patch_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "workflowtemplates", name, {"spec": spec})
        time.sleep(2)

    def terminate(self, prefix: str) -> None:
        """Every Workflow whose name begins so and that has not finished."""
        for workflow in self._objects.list_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "workflows")["items"]:
            name = workflow["metadata"]["name"]
            if name.startswith(prefix) and phase_of(workflow) not in FINISHED:
                self._objects.patch_namespaced_custom_object(
                    *WORKFLOWS, NAMESPACE, "workflows", name, {"spec": {"shutdown": "Terminate"}}
                )

    @property
    def _objects(self) -> client.CustomObjectsApi:
        return client.CustomObjectsApi(self.api)


@contextmanager
def watched_stack() -> Iterator[WatchedStack]:
    """The stack, up, in a namespace and a NATS account of its own. Raises StackFailed."""
    bus = exotic(NAME, backlog="16Mi", maxPayloadBytes=8 * 1024**2)
    stack = LabStack(NAME, SETTINGS | {"eventBus": bus}, account=NAME)
    try:
        webhook = stack.up().outputs["webhook"]
        api = new_client_from_config()
        yield WatchedStack(listening(webhook, NAMESPACE, api), api)
    finally:
        if stack.folder.exists():
            stack.destroy()
