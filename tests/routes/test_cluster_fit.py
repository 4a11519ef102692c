"""What a cluster lacks for a stack, in one sentence each."""

from __future__ import annotations

from typing import Any

import pytest

from routes.cluster_fit import (
    Kind,
    changed_by_hand,
    kinds_of,
    refused_rights,
    someone_elses,
    terminating,
    unknown_kinds,
)
from routes.manifests import Manifest
from tests.routes.monitoring import CHANGES as WATCHED
from tests.routes.test_compiler import stack
from tests.routes.test_exposure import GATEWAY

EXTERNAL = {"kind": "external", "store": "s", "remoteKey": "k"}
WANTED = kinds_of(stack(webhookSecret=EXTERNAL, exposure=GATEWAY, **WATCHED).objects())
SERVED: dict[str, list[str]] = {}
for group_version, kind in WANTED:
    SERVED.setdefault(group_version, []).append(kind)
VERSIONS = {"argoproj.io": ["v1alpha1"], "external-secrets.io": ["v1"], "gateway.networking.k8s.io": ["v1"]}


def without(*kinds: str) -> list[str]:
    """What is told of a cluster that lacks these kinds; a group without any is not served at all."""
    served = {key: [kind for kind in of_it if kind not in kinds] for key, of_it in SERVED.items()}
    return list(unknown_kinds(WANTED, {key: of_it for key, of_it in served.items() if of_it}, VERSIONS))


def test_a_cluster_with_every_kind_is_fine() -> None:
    assert without() == []


def test_a_cluster_without_argo_is_told_what_to_install() -> None:
    assert without("EventBus", "EventSource", "Sensor", "Workflow") == [
        "it knows no EventBus, EventSource, Sensor of argoproj.io/v1alpha1: install Argo Events, 1.9 or newer",
        "it knows no Workflow of argoproj.io/v1alpha1: install Argo Workflows, 3.6 or newer",
    ]


def test_another_version_is_told_with_those_that_are_served() -> None:
    served = {key: kinds for key, kinds in SERVED.items() if key != "external-secrets.io/v1"}
    (told,) = unknown_kinds(WANTED, served, VERSIONS | {"external-secrets.io": ["v1beta1", "v1alpha1"]})
    assert told.startswith(
        "it knows no ExternalSecret of external-secrets.io/v1, only v1beta1, v1alpha1: install External Secrets, 0.16"
        " or newer, or name a Secret of your own: github-to-argo:webhookSecret: {kind: existing}"
    )


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("HTTPRoute", "HTTPRoute of gateway.networking.k8s.io/v1: install Gateway API's standard definitions"),
        ("ValidatingAdmissionPolicy", "it is of Kubernetes 1.30; for an older one: pulumi config set"),
        ("PodMonitor", "install Prometheus Operator, or do without: pulumi config rm github-to-argo:monitoring"),
        ("PodDisruptionBudget", "PodDisruptionBudget of policy/v1: install what brings it, or a newer Kubernetes"),
    ],
)
def test_each_other_kind_is_told_with_a_way_out(kind: str, told: str) -> None:
    (said,) = without(kind)
    assert told in said


ROLE = Kind("rbac.authorization.k8s.io/v1", "Role", "roles")
BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
POLICY = Kind("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", False)


def test_rights_that_are_missing_are_told_together_and_where() -> None:
    refused = {ROLE: ["create", "patch"], BUDGET: ["create", "patch"], POLICY: ["create"], Kind("v1", "Secret"): []}
    assert list(refused_rights(refused, "events")) == [
        "you may not create, patch poddisruptionbudgets.policy, roles.rbac.authorization.k8s.io in namespace events:"
        " ask its administrator for a Role that lets you",
        "you may not create validatingadmissionpolicies.admissionregistration.k8s.io in the whole cluster: ask its"
        " administrator for a ClusterRole that lets you, or do without them: pulumi config set"
        " github-to-argo:admissionPolicy false",
    ]


def test_all_rights_are_nothing_to_tell() -> None:
    assert list(refused_rights({ROLE: [], POLICY: []}, "events")) == []


def namespace(phase: str, *conditions: tuple[str, str, str]) -> Manifest:
    found = [{"type": kind, "status": status, "message": message} for kind, status, message in conditions]
    return {"metadata": {"name": "events"}, "status": {"phase": phase, "conditions": found or None}}


def test_a_namespace_that_goes_is_told_with_what_holds_it_up() -> None:
    assert terminating(namespace("Active")) is None
    gone = "namespace events is being deleted{}, and takes nothing new: wait until it is gone, or choose another"
    assert terminating(namespace("Terminating")) == gone.format("")
    held = namespace(
        "Terminating",
        ("NamespaceDeletionDiscoveryFailure", "False", "all is well"),
        ("NamespaceContentRemaining", "True", "1 EventBus is left"),
        ("NamespaceFinalizersRemaining", "False", "no"),
    )
    assert terminating(held) == gone.format(" (1 EventBus is left)")


OURS = {"app.kubernetes.io/part-of": "github-to-argo", "further": "label"}


def there(name: str, labels: dict[str, str] | None = None, *writers: tuple[str, str]) -> Manifest:
    fields: list[dict[str, Any]] = [
        {"manager": manager, "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:metadata": {}, content: {}}}
        for manager, content in writers
    ]
    kind, _, name = name.partition("/")
    return {"kind": kind, "metadata": {"name": name, "labels": labels, "managedFields": fields}}


def test_what_has_not_the_stacks_label_is_someone_elses() -> None:
    found = [
        there("EventBus/github", None, ("argo-events", "f:spec"), ("kubectl-client-side-apply", "f:metadata")),
        there("Sensor/a", {"app.kubernetes.io/part-of": "other"}),
        there("Sensor/b", OURS),
    ]
    bus, sensor = "EventBus/github, written by kubectl-client-side-apply", "Sensor/a, written by somebody"
    assert someone_elses(found, []) == ([bus, sensor], [])
    assert someone_elses(found, ["EventBus/github"]) == ([sensor], [])
    assert someone_elses(found, ["EventBus/github", "Sensor/a", "Sensor/b"]) == ([], ["Sensor/b"])


def edited(*writers: tuple[str, dict[str, Any]], labels: dict[str, str] | None = OURS) -> list[str]:
    """What is told of a Sensor that these have written into."""
    fields = [{"manager": who, "time": "2026-01-01T00:00:00Z", "fieldsV1": what} for who, what in writers]
    found = {"kind": "Sensor", "metadata": {"name": "a", "labels": labels, "managedFields": fields}}
    return list(changed_by_hand([found]))


AS_WANTED: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:template": {".": {}, "f:a": {}}}}
WROTE = ("pulumi-kubernetes-1a2b3c4d", AS_WANTED)
BY_EDIT = ["Sensor/a by kubectl-edit at 2026-01-01T00:00:00Z"]


@pytest.mark.parametrize(
    "content",
    [{"f:spec": {"f:triggers": {}}}, {"f:spec": {"f:template": {"f:b": {}}}}, {"f:data": {"f:coderun": {}}}],
)
def test_who_wrote_otherwise_into_a_stacks_object_is_told(content: dict[str, Any]) -> None:
    assert edited(WROTE, ("kubectl-edit", content)) == BY_EDIT


def test_a_field_that_two_wrote_alike_is_no_change_by_hand() -> None:
    assert edited(WROTE, ("kubectl-client-side-apply", AS_WANTED)) == []
    assert edited(("kubectl-edit", AS_WANTED)) == BY_EDIT, "Pulumi has none of it any more"


def test_the_engines_own_writing_a_label_and_a_status_are_no_change_by_hand() -> None:
    assert edited(WROTE, ("argo-events", {"f:spec": {"f:loggingFields": {}}})) == []
    assert edited(WROTE, ("kubectl-label", {"f:metadata": {"f:labels": {}}, "f:status": {"f:conditions": {}}})) == []
    assert edited(("kubectl-edit", {"f:spec": {"f:triggers": {}}}), labels=None) == [], "it is not the stack's"
