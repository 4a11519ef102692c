"""A Workflow that one of the Sensors made: what it says of itself."""

from __future__ import annotations

from typing import Any

from routes.compiler import PREFIX

DELIVERY = f"{PREFIX}/delivery"
ROUTE = f"{PREFIX}/route"
FINISHED = ("Succeeded", "Failed", "Error")

Workflow = dict[str, Any]


def delivery_of(workflow: Workflow) -> str:
    """The id of the delivery that started a Workflow; empty for one that none of our Sensors made."""
    return str(workflow["metadata"].get("annotations", {}).get(DELIVERY, ""))


def route_of(workflow: Workflow) -> str:
    """The Sensor that started a Workflow; empty for one that none of ours made."""
    return str(workflow["metadata"].get("labels", {}).get(ROUTE, ""))


def phase_of(workflow: Workflow) -> str:
    """The Workflow's phase; empty before the workflow-controller has seen it."""
    return str(workflow.get("status", {}).get("phase", ""))


def parameters_of(workflow: Workflow) -> dict[str, str]:
    """The Workflow's parameters by name."""
    return {p["name"]: p["value"] for p in workflow["spec"]["arguments"]["parameters"]}


def notes_of(workflow: Workflow, what: str) -> dict[str, str]:
    """Its `labels` or `annotations` that say where it came from, by name without the prefix."""
    found = workflow["metadata"].get(what, {})
    return {key.removeprefix(f"{PREFIX}/"): value for key, value in found.items() if key.startswith(f"{PREFIX}/")}
