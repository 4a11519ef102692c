"""What a cluster must have for a stack, and one sentence for each thing that it has not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from routes.manifests import Manifest
from routes.settings import PROJECT

OURS = {"app.kubernetes.io/part-of": PROJECT}
"""What every object of a stack is labelled with."""

ARGO_EVENTS = "install Argo Events, 1.9 or newer"
ARGO_WORKFLOWS = "install Argo Workflows, 3.6 or newer"
PROMETHEUS_OPERATOR = f"install Prometheus Operator, or do without: pulumi config rm {PROJECT}:monitoring"
REMEDIES = {
    "EventBus": ARGO_EVENTS,
    "EventSource": ARGO_EVENTS,
    "Sensor": ARGO_EVENTS,
    "Workflow": ARGO_WORKFLOWS,
    "WorkflowTemplate": ARGO_WORKFLOWS,
    "CronWorkflow": ARGO_WORKFLOWS,
    "ExternalSecret": "install External Secrets, 0.16 or newer, or name a Secret of your own:"
    f" {PROJECT}:webhookSecret: {{kind: existing}}",
    "HTTPRoute": f"install Gateway API's standard definitions, 1.0 or newer, or choose another {PROJECT}:exposure",
    "PodMonitor": PROMETHEUS_OPERATOR,
    "PrometheusRule": PROMETHEUS_OPERATOR,
    "ValidatingAdmissionPolicy": "it is of Kubernetes 1.30; for an older one:"
    f" pulumi config set {PROJECT}:admissionPolicy false",
}
"""By kind."""
WRITERS = ("pulumi", "argo-events", "kube-")
"""How the names of those begin that write into a stack's objects by right."""


@dataclass(frozen=True, order=True)
class Kind:
    """A kind of object as the API names it; `plural` is empty where the cluster does not know it."""

    group_version: str
    name: str
    plural: str = ""
    namespaced: bool = True

    @property
    def group(self) -> str:
        return self.group_version.rpartition("/")[0]

    @property
    def resource(self) -> str:
        """As `kubectl` takes it, and a Role."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def kinds_of(objects: Iterable[Manifest]) -> list[tuple[str, str]]:
    """Every `apiVersion` and `kind` of the objects, and of the Workflows that the Sensors make."""
    found = {(str(one["apiVersion"]), str(one["kind"])) for one in objects}
    return sorted(found | {("argoproj.io/v1alpha1", "Workflow")})


def unknown_kinds(
    wanted: Iterable[tuple[str, str]], served: Mapping[str, Sequence[str]], versions: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Sentences for kinds that the cluster does not serve.

    `served`: the kinds of each group and version; `versions`: the versions of each group.
    """
    missing: dict[tuple[str, str], list[str]] = {}
    for group_version, kind in wanted:
        if kind not in served.get(group_version, ()):
            remedy = REMEDIES.get(kind, "install what brings it, or a newer Kubernetes")
            missing.setdefault((group_version, remedy), []).append(kind)
    for (group_version, remedy), kinds in missing.items():
        group, _, version = group_version.rpartition("/")
        others = [other for other in versions.get(group, ()) if other != version]
        instead = f", only {', '.join(others)}" if others and group_version not in served else ""
        yield f"it knows no {', '.join(kinds)} of {group_version}{instead}: {remedy}"


def refused_rights(refused: Mapping[Kind, Sequence[str]], namespace: str) -> Iterator[str]:
    """Sentences for verbs that the cluster refuses."""
    by_verbs: dict[tuple[tuple[str, ...], bool], list[Kind]] = {}
    for kind, verbs in refused.items():
        if verbs:
            by_verbs.setdefault((tuple(verbs), kind.namespaced), []).append(kind)
    for (verbs, namespaced), kinds in by_verbs.items():
        resources = ", ".join(sorted(kind.resource for kind in kinds))
        where = f"in namespace {namespace}" if namespaced else "in the whole cluster"
        policies = {kind.name for kind in kinds} & {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
        without = f", or do without them: pulumi config set {PROJECT}:admissionPolicy false" if policies else ""
        yield (
            f"you may not {', '.join(verbs)} {resources} {where}: ask its administrator for a"
            f" {'Role' if namespaced else 'ClusterRole'} that lets you{without}"
        )


def terminating(namespace: Manifest) -> str | None:
    """A sentence for a namespace that is being deleted, with what holds it up."""
    if namespace.get("status", {}).get("phase") != "Terminating":
        return None
    held = [
        condition["message"]
        for condition in namespace["status"].get("conditions") or []
        if condition["type"] in ("NamespaceContentRemaining", "NamespaceFinalizersRemaining")
        and condition["status"] == "True"
    ]
    what = f" ({'; '.join(held)})" if held else ""
    return (
        f"namespace {namespace['metadata']['name']} is being deleted{what}, and takes nothing new: wait until it is"
        " gone, or choose another"
    )


def someone_elses(found: Iterable[Manifest], taken: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of objects that are there by a stack's names: whose they are, for those that are not the stack's.

    Second, what of `taken`, which may become the stack's, is not someone else's.
    """
    others = {label_of(one): _writer(one) for one in found if not _is_ours(one)}
    told = [f"{name}, written by {writer}" for name, writer in others.items() if name not in taken]
    return told, [name for name in taken if name not in others]


def label_of(manifest: Manifest) -> str:
    """What an object is called in the setting `takesOver`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def changed_by_hand(found: Iterable[Manifest]) -> Iterator[str]:
    """The objects of a stack into whose content someone else has written otherwise, with who and when.

    A field that two have written alike is of both. Whoever then writes it otherwise has it alone.
    """
    for manifest in found:
        entries = manifest["metadata"].get("managedFields") or []
        written = [(entry, set(_content(entry))) for entry in entries]
        of_pulumi = {path for entry, paths in written if entry["manager"].startswith("pulumi") for path in paths}
        for entry, paths in written:
            if _is_ours(manifest) and not entry["manager"].startswith(WRITERS) and paths - of_pulumi:
                yield f"{label_of(manifest)} by {entry['manager']} at {entry['time']}"


def _content(entry: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The fields that one has written, but for metadata and status."""

    def leaves(fields: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for key, below in fields.items():
            if key != ".":
                yield from leaves(below, (*path, key)) if below else [(*path, key)]

    fields = entry.get("fieldsV1") or {}
    yield from leaves({key: below for key, below in fields.items() if key not in ("f:metadata", "f:status")}, ())


def _is_ours(manifest: Manifest) -> bool:
    return OURS.items() <= (manifest["metadata"].get("labels") or {}).items()


def _writer(manifest: Manifest) -> str:
    """Who wrote the object, as the API server has it."""
    managers = [str(entry["manager"]) for entry in manifest["metadata"].get("managedFields") or []]
    return next((manager for manager in managers if not manager.startswith(WRITERS)), "somebody")
