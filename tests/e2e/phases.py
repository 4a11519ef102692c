"""The Workflows of a namespace as they go from phase to phase, and the lab's processes that are killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client

from cli.delivery import Watcher
from cli.workflow import Workflow, phase_of
from routes.manifests import Manifest


@dataclass(frozen=True)
class Change:
    """What a Workflow came to be in, and when; the phase is empty when it was created."""

    at: float
    name: str
    phase: str


class Phases(Watcher):
    """Writes down every change of a phase, in the order in which the API server tells them."""

    def __init__(self, api: client.ApiClient, namespace: str) -> None:
        super().__init__(api, namespace)
        self.changes: list[Change] = []
        self._phases: dict[str, str] = {}

    def _saw(self, workflow: Workflow) -> None:
        name, phase = workflow["metadata"]["name"], phase_of(workflow)
        if self._phases.get(name) != phase:
            self._phases[name] = phase
            self.changes.append(Change(time.monotonic(), name, phase))
        super()._saw(workflow)

    def order(self, phase: str) -> list[str]:
        """The Workflows in the order in which they first came into this phase."""
        return list(dict.fromkeys(change.name for change in self.changes if change.phase == phase))

    def most_running(self, among: Callable[[str], bool] = lambda name: True) -> int:
        """How many of these Workflows were in phase Running at most at the same time."""
        running: set[str] = set()
        most = 0
        for change in self.changes:
            (running.add if change.phase == "Running" and among(change.name) else running.discard)(change.name)
            most = max(most, len(running))
        return most


def process(name: str) -> dict[str, Any]:
    """One of the lab's processes, by what its name holds."""
    status = json.loads((Path(os.environ["GITHUB_TO_ARGO_LAB"]) / "status.json").read_text())
    (found,) = (p for p in status["processes"] if name in p["name"])
    return dict(found)


def kill(name: str) -> None:
    """Kills a process of the lab, which starts it again, and returns once it has."""
    killed = process(name)
    os.kill(killed["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 30
    while (now := process(name))["pid"] in (None, killed["pid"]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert now["restarts"] > killed["restarts"], f"{name} was not started again"


def that_takes(template: Manifest, seconds: int) -> Manifest:
    """The WorkflowTemplate, and each of its Workflows runs for this long."""
    steps = [{"name": "main", "suspend": {"duration": f"{seconds}s"}}]
    return {**template, "spec": {**template["spec"], "templates": steps}}
