"""A deliberate rerun of one delivery: each of its Workflows once more, under another name.

GitHub's redelivery would not do: its Workflow has the same name, and is recognised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from itertools import count

from cli.cluster import Cluster
from cli.workflow import Workflow
from routes.compiler import PREFIX

RERUN_OF = f"{PREFIX}/rerun-of"
LONGEST = 63
"""Of a Workflow's name; its pods' names and labels are made from it."""

NOT_AGAIN = ("shutdown", "suspend")
"""What somebody asked of that one run: to stop, to wait."""


def rerun(cluster: Cluster, delivery: str) -> list[tuple[str, str]]:
    """The names of a delivery's Workflows and of their reruns; none where none is there. Raises ClusterError."""
    names = cluster.names_of(delivery)
    workflows = [cluster.workflow(name) for name in names]
    firsts = [w for w in workflows if RERUN_OF not in w["metadata"].get("annotations", {})]
    # Where the first is gone and a rerun of it is there, that one is as good.
    again = {original_of(w): w for w in [*workflows, *firsts]}
    return [(original, _create(cluster, workflow, original, names)) for original, workflow in sorted(again.items())]


def original_of(workflow: Workflow) -> str:
    """The name of the Workflow that it is a rerun of, or its own."""
    metadata = workflow["metadata"]
    return str(metadata.get("annotations", {}).get(RERUN_OF, metadata["name"]))


def _create(cluster: Cluster, workflow: Workflow, original: str, names: Iterable[str]) -> str:
    taken = set(names)
    for number in count(2):
        name = numbered(original, number)
        if name not in taken and cluster.create(again(workflow, original, name)):
            return name
    raise AssertionError("there is always a next number")


def numbered(name: str, number: int) -> str:
    """Another name for a rerun, valid and no longer than a Workflow's may be."""
    ending = f"-{number}"
    return re.sub(r"[-.]+$", "", name[: LONGEST - len(ending)]) + ending


def again(workflow: Workflow, original: str, name: str) -> Workflow:
    """The same Workflow as it was before it ran, under another name."""
    metadata, spec = workflow["metadata"], deepcopy(workflow["spec"])
    for asked in NOT_AGAIN:
        spec.pop(asked, None)
    return {
        "apiVersion": workflow["apiVersion"],
        "kind": workflow["kind"],
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": _of_ours(metadata.get("labels", {})),
            "annotations": _of_ours(metadata.get("annotations", {})) | {RERUN_OF: original},
        },
        "spec": spec,
    }


def _of_ours(notes: dict[str, str]) -> dict[str, str]:
    """Without what Argo Workflows says of a run's progress, and kubectl of its last `apply`."""
    theirs = ("workflows.argoproj.io/", "kubectl.kubernetes.io/")
    return {key: value for key, value in notes.items() if not key.startswith(theirs)}
