"""Dead letters: which deliveries became no Workflow though their Sensor tried for `retryMinutes`, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kubernetes import client
from rich.table import Table
from rich.text import Text

from cli.cluster import Cluster, told
from cli.workflow import Workflow, delivery_of, route_of
from routes.dead_letters import LABEL

REASON = 300
"""A reason may quote what was refused, and a payload is nobody's business here: so much of it is shown."""


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A delivery that a route gave up. `name` is its ConfigMap's.

    `event_id` is the engine's own; `accepted` and `given_up` are when it came and when it was given up, in RFC 3339.
    `workflow`: it has one now, so that it was brought back. `reason`: the Sensor's last error, where its log has it.
    """

    name: str
    route: str
    delivery: str
    event: str
    repository: str
    event_id: str
    accepted: str
    given_up: str
    workflow: str = ""
    reason: str = ""


def dead_letters(cluster: Cluster, workflows: Iterable[Workflow]) -> list[DeadLetter]:
    """Every dead letter of the stack, the oldest first. `workflows`: its Workflows; read only where a letter is there.

    Raises ClusterError.
    """
    core = client.CoreV1Api(cluster.api)
    with told():
        found = core.list_namespaced_config_map(cluster.namespace, label_selector=LABEL).items
    if not found:
        return []
    routes = sorted({letter.metadata.labels[LABEL] for letter in found})
    why = {route: reasons(_log(core, cluster.namespace, route)) for route in routes}
    names = {(route_of(workflow), delivery_of(workflow)): workflow["metadata"]["name"] for workflow in workflows}
    return sorted((_letter(letter, why, names) for letter in found), key=lambda letter: letter.given_up)


def forget(cluster: Cluster, letters: Iterable[DeadLetter]) -> None:
    """Deletes these dead letters. Raises ClusterError."""
    core = client.CoreV1Api(cluster.api)
    with told():
        for letter in letters:
            core.delete_namespaced_config_map(letter.name, cluster.namespace)


def _letter(
    letter: client.V1ConfigMap, why: dict[str, dict[str, str]], workflows: dict[tuple[str, str], str]
) -> DeadLetter:
    route, data = letter.metadata.labels[LABEL], letter.data or {}
    return DeadLetter(
        name=letter.metadata.name,
        route=route,
        delivery=data.get("delivery", ""),
        event=data.get("event", ""),
        repository=data.get("repository", ""),
        event_id=data.get("eventId", ""),
        accepted=data.get("accepted", ""),
        given_up=letter.metadata.creation_timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
        workflow=workflows.get((route, data.get("delivery", "")), ""),
        reason=why[route].get(data.get("eventId", ""), ""),
    )


def _log(core: client.CoreV1Api, namespace: str, route: str) -> Iterator[str]:
    """The lines of a Sensor's log that the cluster still has; none where it may not be read."""
    try:
        for pod in core.list_namespaced_pod(namespace, label_selector=f"sensor-name={route}").items:
            yield from (core.read_namespaced_pod_log(pod.metadata.name, namespace) or "").splitlines()
    except client.ApiException:
        return


def reasons(log: Iterable[str]) -> dict[str, str]:
    """The last error that a Sensor's log has of each of the engine's events, by the event's id."""
    found: dict[str, str] = {}
    for line in log:
        if '"triggeredByEvents"' in line and '"error"' in line:
            try:
                entry = json.loads(line)
                error, ids = str(entry["error"]), list(entry["triggeredByEvents"])
            except (ValueError, KeyError, TypeError):  # a line that was cut, or another's
                continue
            if "-dead-letter" not in str(entry.get("triggerName", "")):
                short = error if len(error) <= REASON else f"{error[:REASON]}…"
                found |= dict.fromkeys(map(str, ids), short)
    return found


def table(letters: Sequence[DeadLetter]) -> Table:
    """A line for each dead letter."""
    told = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("given up", "Sensor", "event", "repository", "delivery", "why"):
        told.add_column(column, overflow="fold")
    for one in letters:
        why = f"brought back: {one.workflow}" if one.workflow else one.reason or "the Sensor's log no longer tells"
        told.add_row(*map(Text, (one.given_up, one.route, one.event, one.repository, one.delivery, why)))
    return told
