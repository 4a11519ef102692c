"""The pods: what each is asked to be, who talks to whom, how they are drained."""

from __future__ import annotations

from typing import Any

import pytest

from cli.stacks import compiled, stack_names
from routes.compiler import CompiledStack
from routes.contract import TEMPLATES
from routes.manifests import Manifest
from tests.routes.test_compiler import sensors, stack
from tests.routes.test_settings import EXOTIC

IMAGE = f"quay.io/argoproj/argo-events@sha256:{'a' * 64}"
SENSORS = sorted(sensors(stack()))


def guard(compiled_stack: CompiledStack, kind: str, name: str) -> dict[str, Any]:
    """The spec of one object that stands around the pods."""
    (found,) = (
        g for g in compiled_stack.guards if (g["kind"], g["metadata"]["name"]) == (kind, f"github-to-argo-{name}")
    )
    spec: dict[str, Any] = found["spec"]
    return spec


def names(compiled_stack: CompiledStack, kind: str) -> list[str]:
    return [g["metadata"]["name"] for g in compiled_stack.guards if g["kind"] == kind]


def pod_templates(compiled_stack: CompiledStack) -> list[Manifest]:
    return [s["spec"]["template"] for s in (*compiled_stack.all_sensors(), compiled_stack.event_source)]


@pytest.mark.parametrize("name", stack_names())
def test_every_pod_of_every_stack_is_confined(name: str) -> None:
    for template in pod_templates(compiled(name)):
        assert template["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert template["container"]["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(template["container"]["resources"]) == {"requests", "limits"}


def test_every_container_of_a_native_event_bus_is_confined() -> None:
    bus = stack().event_bus["spec"]["jetstream"]
    assert bus["securityContext"]["runAsNonRoot"] is True
    assert bus["securityContext"]["fsGroup"] == bus["securityContext"]["runAsUser"]
    for name in ("containerTemplate", "reloaderContainerTemplate", "metricsContainerTemplate"):
        assert bus[name]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert set(bus[name]["resources"]) == {"requests", "limits"}


def test_only_sensors_and_workflows_have_a_token() -> None:
    tokens = {a["metadata"]["name"]: a.get("automountServiceAccountToken", True) for a in accounts(stack())}
    with_token = {"argo-events-workflow-submitter": True, "argo-workflow-runner": True}
    assert tokens == with_token | {"github-es": False, "github-bus": False}
    assert stack().event_source["spec"]["template"]["serviceAccountName"] == "github-es"
    assert stack().event_bus["spec"]["jetstream"]["serviceAccountName"] == "github-bus"
    assert "github-bus" not in {a["metadata"]["name"] for a in accounts(stack(eventBus=EXOTIC))}


def accounts(compiled_stack: CompiledStack) -> list[Manifest]:
    return [m for m in compiled_stack.access if m["kind"] == "ServiceAccount"]


def test_what_a_stack_says_of_its_pods_is_in_all_of_them() -> None:
    changed = stack(pods={"priorityClassName": "business", "nodeSelector": {"pool": "system"}})
    for template in (*pod_templates(changed), changed.event_bus["spec"]["jetstream"]):
        assert (template["priorityClassName"], template["nodeSelector"]) == ("business", {"pool": "system"})


def test_quantities_are_written_as_the_engine_writes_them_back() -> None:
    resources = {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": 2, "memory": "1536Mi"}}
    (template, *_) = pod_templates(stack(pods={"sensor": resources}))
    assert template["container"]["resources"] == {
        "requests": {"cpu": "1", "memory": "1Gi"},
        "limits": {"cpu": "2", "memory": "1536Mi"},
    }


def spread_of(template: Manifest, how: str = "preferred") -> list[Manifest]:
    """The terms by which a pod is kept away from others."""
    terms = template["affinity"]["podAntiAffinity"].get(f"{how}DuringSchedulingIgnoredDuringExecution", [])
    return [term.get("podAffinityTerm", term) for term in terms]


def several(**pods: object) -> list[Manifest]:
    """What makes the pods of an EventSource, of a Sensor and of an EventBus that have two and more."""
    made = stack(webhook={"replicas": 2}, sensorReplicas=2, eventBus={"kind": "native", "replicas": 3}, pods=pods)
    sensor = sensors(made)["github-issues-to-implementation"]
    return [
        made.event_source["spec"]["template"],
        sensor["spec"]["template"],
        made.event_bus["spec"]["jetstream"],
    ]


def test_pods_that_do_the_same_are_kept_on_different_nodes() -> None:
    terms = [spread_of(template) for template in several()]
    assert [[term["topologyKey"] for term in of_one] for of_one in terms] == [["kubernetes.io/hostname"]] * 3
    assert [of_one[0]["labelSelector"] for of_one in terms] == [
        {"matchLabels": {"eventsource-name": "github-es"}},
        {"matchExpressions": [{"key": "sensor-name", "operator": "In", "values": ["github-issues-to-implementation"]}]},
        {"matchLabels": {"controller": "eventbus-controller", "eventbus-name": "github"}},
    ]


def test_a_single_pod_is_kept_from_none() -> None:
    single = stack(sensorReplicas=1, eventBus={"kind": "native", "replicas": 1})
    for template in (*pod_templates(single), single.event_bus["spec"]["jetstream"]):
        assert "affinity" not in template


def test_pods_are_spread_over_zones_and_as_strictly_as_the_stack_says() -> None:
    node, zone = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
    for template in several(spread={"zones": "prefer"}):
        assert [term["topologyKey"] for term in spread_of(template)] == [node, zone]
    for template in several(spread={"nodes": "require", "zones": "prefer"}):
        assert [term["topologyKey"] for term in spread_of(template)] == [zone]
        assert [term["topologyKey"] for term in spread_of(template, "required")] == [node]


def test_managed_templates_make_no_pod_that_could_be_refused() -> None:
    managed = stack(workflowTemplates="managed").templates
    assert len(managed) == len(TEMPLATES)
    for template in (t for manifest in managed for t in manifest["spec"]["templates"]):
        assert set(template) == {"name", "suspend"}


def test_a_namespace_that_the_stack_makes_enforces_pod_security() -> None:
    def labels(**changes: object) -> dict[str, str]:
        namespace = stack(createNamespace=True, **changes).namespace
        assert namespace is not None
        found: dict[str, str] = namespace["metadata"]["labels"]
        return {k.rpartition("/")[2]: v for k, v in found.items() if k.startswith("pod-security.kubernetes.io/")}

    versions = {f"{mode}-version": "v1.35" for mode in ("enforce", "audit", "warn")}
    assert labels() == {"enforce": "restricted", "audit": "restricted", "warn": "restricted"} | versions
    assert labels(podSecurity="baseline")["enforce"] == "baseline"
    assert labels(podSecurity="baseline")["warn"] == "restricted"


# --- How they are drained


def test_one_pod_of_each_kind_at_a_time_may_be_drained() -> None:
    for name in ("event-source", "sensors", "event-bus"):
        budget = guard(stack(), "PodDisruptionBudget", name)
        assert budget["maxUnavailable"] == 1
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert names(stack(eventBus=EXOTIC), "PodDisruptionBudget") == [
        "github-to-argo-event-source",
        "github-to-argo-sensors",
    ]


# --- Who talks to whom

TO_DNS = {"ports": [{"port": 53, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}]}
BUS = {"matchLabels": {"controller": "eventbus-controller", "eventbus-name": "github"}}
SOURCE = {"matchLabels": {"eventsource-name": "github-es"}}
OUR_SENSORS = {"matchExpressions": [{"key": "sensor-name", "operator": "In", "values": SENSORS}]}


def tcp(*ports: int) -> list[dict[str, object]]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def test_the_event_source_takes_deliveries_and_talks_to_the_bus() -> None:
    assert guard(stack(), "NetworkPolicy", "event-source") == {
        "podSelector": SOURCE,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": tcp(12000)}],
        "egress": [{"to": [{"podSelector": BUS}], "ports": tcp(4222)}, TO_DNS],
    }


def test_sensors_talk_to_the_bus_and_the_api_server_and_nobody_talks_to_them() -> None:
    assert guard(stack(), "NetworkPolicy", "sensors") == {
        "podSelector": OUR_SENSORS,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [{"to": [{"podSelector": BUS}], "ports": tcp(4222)}, {"ports": tcp(443, 6443)}, TO_DNS],
    }


def test_only_our_pods_talk_to_our_bus() -> None:
    assert guard(stack(), "NetworkPolicy", "event-bus") == {
        "podSelector": BUS,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": [{"podSelector": SOURCE}, {"podSelector": OUR_SENSORS}], "ports": tcp(4222)},
            {"from": [{"podSelector": BUS}], "ports": tcp(6222)},
            {"ports": tcp(8222)},
        ],
        "egress": [{"to": [{"podSelector": BUS}], "ports": tcp(6222)}, TO_DNS],
    }


def test_an_existing_nats_is_reached_at_its_port_and_where_the_stack_says() -> None:
    exotic = stack(eventBus=EXOTIC | {"url": "tls://nats.nats.svc:4443"})
    assert names(exotic, "NetworkPolicy") == ["github-to-argo-event-source", "github-to-argo-sensors"]
    assert guard(exotic, "NetworkPolicy", "event-source")["egress"] == [{"ports": tcp(4443)}, TO_DNS]
    narrow = stack(eventBus=EXOTIC, networkPolicy={"eventBus": ["10.0.7.0/24"]})
    for name in ("event-source", "sensors"):
        assert guard(narrow, "NetworkPolicy", name)["egress"][0] == {
            "to": [{"ipBlock": {"cidr": "10.0.7.0/24"}}],
            "ports": tcp(4222),
        }


def test_a_stack_narrows_who_posts_who_reads_metrics_and_where_the_api_server_is() -> None:
    ingress, prometheus = {"kubernetes.io/metadata.name": "ingress"}, {"kubernetes.io/metadata.name": "monitoring"}
    narrow = stack(
        webhook={"port": 9000},
        networkPolicy={
            "webhookFrom": ingress,
            "metricsFrom": prometheus,
            "apiServer": ["10.0.0.1/32"],
            "apiServerPorts": [8443],
            "dnsPorts": [5353],
        },
    )
    metrics = {"from": [{"namespaceSelector": {"matchLabels": prometheus}}], "ports": tcp(7777)}
    assert guard(narrow, "NetworkPolicy", "event-source")["ingress"] == [
        {"from": [{"namespaceSelector": {"matchLabels": ingress}}], "ports": tcp(9000)},
        metrics,
    ]
    policy = guard(narrow, "NetworkPolicy", "sensors")
    assert policy["ingress"] == [metrics]
    assert policy["egress"][1:] == [
        {"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": tcp(8443)},
        {"ports": [{"port": 5353, "protocol": "TCP"}, {"port": 5353, "protocol": "UDP"}]},
    ]
    assert guard(narrow, "NetworkPolicy", "event-bus")["ingress"][2:] == [
        {"from": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": tcp(8222)},
        metrics,
    ]


def test_network_policies_can_be_left_out() -> None:
    assert names(stack(networkPolicy={"enabled": False}), "NetworkPolicy") == []


def test_a_sensor_that_is_off_is_in_no_selector_and_without_sensors_there_is_none() -> None:
    off = stack(routes={"github-issues-to-implementation": {"enabled": False}})
    (requirement,) = guard(off, "NetworkPolicy", "sensors")["podSelector"]["matchExpressions"]
    assert requirement["values"] == [name for name in SENSORS if name != "github-issues-to-implementation"]
    none = stack(routes={name: {"enabled": False} for name in SENSORS})
    assert names(none, "NetworkPolicy") == ["github-to-argo-event-source", "github-to-argo-event-bus"]
    assert names(none, "PodDisruptionBudget") == ["github-to-argo-event-source", "github-to-argo-event-bus"]


# --- Images


def test_images_are_anyones_until_the_stack_names_them() -> None:
    assert names(stack(), "ValidatingAdmissionPolicy") == []
    named = stack(pods={"images": [IMAGE]})
    assert names(named, "ValidatingAdmissionPolicy") == names(named, "ValidatingAdmissionPolicyBinding")
    (policy,) = (g["spec"] for g in named.guards if g["kind"] == "ValidatingAdmissionPolicy")
    assert policy["validations"][0]["expression"].endswith(f".all(c, c.image in ['{IMAGE}'])")
