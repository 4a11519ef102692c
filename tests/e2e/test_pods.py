"""The pods that the real controller makes: what the real API server says of them, and how they run on the lab."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from cli.delivery import Watcher
from cli.stacks import compiled
from lab.podspec import has_number
from lab.stack import LabStack, StackFailed
from payloads import one_of_each
from routes import FAMILIES
from routes.compiler import EVENT_BUS, compile_stack
from routes.manifests import Manifest
from routes.pods import USER, pod_security_labels
from routes.settings import parse_settings
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.test_access import served
from tests.e2e.test_stacks import NAMESPACE, second

ENFORCING = "github-to-argo-enforcing"
"""A namespace of these tests, at the Pod Security level that a stack's own has."""
ROUTES = {"issues": "github-issues-to-implementation", "ic": "github-issue-comment-to-rex"}
OBJECTS = 8
"""The EventSource and seven Sensors of stack `lab`."""


def created(make: Callable[[], object]) -> None:
    try:
        make()
    except client.ApiException as error:
        if error.status != 409:
            raise


@pytest.fixture(scope="module")
def enforcing(cluster: Cluster) -> Iterator[str]:
    core = client.CoreV1Api(cluster.api)
    labels = pod_security_labels(parse_settings(NATIVE, source="test"))
    body = client.V1Namespace(metadata=client.V1ObjectMeta(name=ENFORCING, labels=labels))
    created(lambda: core.create_namespace(body))
    yield ENFORCING
    core.delete_namespace(ENFORCING)


NATIVE: dict[str, Any] = {
    "kubeContext": "lab",
    "namespace": ENFORCING,
    "eventBus": {"kind": "native", "storage": "1Gi"},
    "webhookSecret": {"kind": "existing"},
}


def admitted(cluster: Cluster, namespace: str, template: Manifest) -> str:
    """What the API server says of a pod of this template in a namespace, without making it; empty: nothing against it.

    The default service account stands in: the pod's own is not in that namespace, which is not what is asked.
    """
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "asked", "labels": (template.get("metadata") or {}).get("labels") or {}},
        "spec": template["spec"] | {"serviceAccountName": "default"},
    }
    try:
        client.CoreV1Api(cluster.api).create_namespaced_pod(namespace, pod, dry_run="All")
    except client.ApiException as error:
        return str(json.loads(str(error.body))["message"])
    return ""


def templates(cluster: Cluster, namespace: str, kind: str) -> dict[str, Manifest]:
    """The pod templates of a namespace's Deployments or StatefulSets by name, as plain JSON."""
    items = served(cluster.api, f"/apis/apps/v1/namespaces/{namespace}/{kind}")["items"]
    found = {item["metadata"]["name"]: item["spec"]["template"] for item in items}
    for item in items:  # a StatefulSet's pods get its claims as volumes
        for claim in item["spec"].get("volumeClaimTemplates", []):
            name = claim["metadata"]["name"]
            volume = {"name": name, "persistentVolumeClaim": {"claimName": name}}
            found[item["metadata"]["name"]]["spec"]["volumes"].append(volume)
    return found


def ours(cluster: Cluster) -> dict[str, Manifest]:
    found = templates(cluster, cluster.namespace, "deployments")
    wanted = {m["metadata"]["name"] for m in compiled("lab").objects() if m["kind"] in ("EventSource", "Sensor")}
    found = {
        name: template
        for name, template in found.items()
        if {template["metadata"]["labels"].get(k) for k in ("eventsource-name", "sensor-name")} & wanted
    }
    assert len(found) == len(wanted) == OBJECTS
    return found


def test_every_pod_that_the_controller_makes_is_a_restricted_one(cluster: Cluster, enforcing: str) -> None:
    assert {name: admitted(cluster, enforcing, template) for name, template in ours(cluster).items()} == dict.fromkeys(
        ours(cluster), ""
    )


# What is taken from a pod template, and what Pod Security then says of it. Without these the test above could not fail.
LOOSER: dict[str, tuple[Callable[[Manifest], object], str]] = {
    "root": (lambda spec: spec["securityContext"].update(runAsNonRoot=False), "runAsNonRoot != true"),
    "the user root": (lambda spec: spec["securityContext"].update(runAsUser=0), "runAsUser=0"),
    "any system call": (lambda spec: spec["securityContext"].pop("seccompProfile"), "seccompProfile"),
    "more rights": (
        lambda spec: spec["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"),
        "allowPrivilegeEscalation != false",
    ),
    "capabilities": (
        lambda spec: spec["containers"][0]["securityContext"].pop("capabilities"),
        "unrestricted capabilities",
    ),
    "the node's files": (
        lambda spec: spec["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
        "restricted volume types",
    ),
    "the node's network": (lambda spec: spec.update(hostNetwork=True), "host namespaces"),
}


@pytest.mark.parametrize(("loosen", "words"), LOOSER.values(), ids=LOOSER)
def test_a_pod_with_less_is_refused(
    cluster: Cluster, enforcing: str, loosen: Callable[[Manifest], object], words: str
) -> None:
    template = copy.deepcopy(next(iter(ours(cluster).values())))
    loosen(template["spec"])
    said = admitted(cluster, enforcing, template)
    assert 'violates PodSecurity "restricted:v1.35"' in said
    assert words in said


@pytest.mark.lab
def test_the_stacks_own_namespace_enforces_it(cluster: Cluster) -> None:
    pod = {"metadata": {}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
    assert 'violates PodSecurity "restricted:v1.35"' in admitted(cluster, cluster.namespace, pod)


@pytest.fixture
def native_bus(cluster: Cluster, enforcing: str) -> Iterator[Manifest]:
    """The pod template of the StatefulSet that the controller writes for a native EventBus of ours."""
    stack = compile_stack(FAMILIES, parse_settings(NATIVE, source="test"))
    resources = client.CustomObjectsApi(cluster.api)
    place = ("argoproj.io", "v1alpha1", enforcing, "eventbus")
    created(lambda: resources.create_namespaced_custom_object(*place, stack.event_bus))
    deadline = time.monotonic() + 30
    while not (found := templates(cluster, enforcing, "statefulsets")):
        assert time.monotonic() < deadline, "the controller wrote no StatefulSet"
        time.sleep(0.2)
    yield found[f"eventbus-{EVENT_BUS}-js"]
    resources.delete_namespaced_custom_object(*place, EVENT_BUS)


@pytest.mark.lab
def test_a_native_event_bus_is_made_of_restricted_pods(cluster: Cluster, enforcing: str, native_bus: Manifest) -> None:
    assert len(native_bus["spec"]["containers"]) == 3
    assert native_bus["spec"]["serviceAccountName"] == "github-bus"
    assert admitted(cluster, enforcing, native_bus) == ""
    for number in range(3):
        loose = copy.deepcopy(native_bus)
        loose["spec"]["containers"][number]["securityContext"].pop("capabilities")
        assert "unrestricted capabilities" in admitted(cluster, enforcing, loose)
    policy, budget = guards_of(compile_stack(FAMILIES, parse_settings(NATIVE, source="test")).guards, "event-bus")
    for selector in (policy["spec"]["podSelector"], budget["spec"]["selector"]):
        assert selector["matchLabels"].items() <= native_bus["metadata"]["labels"].items()


def guards_of(guards: list[Manifest], name: str) -> list[Manifest]:
    return [g for g in guards if g["metadata"]["name"] == f"github-to-argo-{name}"]


# --- Selectors, at the API server: a wrong label in a selector would select nothing and complain of nothing


def selected(cluster: Cluster, selector: Manifest) -> set[str]:
    """The EventSource or Sensor of each pod that a selector selects."""
    terms = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    terms += [f"{e['key']} in ({','.join(e['values'])})" for e in selector.get("matchExpressions", [])]
    pods = client.CoreV1Api(cluster.api).list_namespaced_pod(cluster.namespace, label_selector=",".join(terms)).items
    return {p.metadata.labels.get("eventsource-name") or p.metadata.labels["sensor-name"] for p in pods}


@pytest.mark.lab
def test_policies_and_budgets_select_our_pods_and_no_others(cluster: Cluster) -> None:
    wanted = {"event-source": {"github-es"}, "sensors": {s["metadata"]["name"] for s in compiled("lab").all_sensors()}}
    for name, pods in wanted.items():
        policy, budget = guards_of(compiled("lab").guards, name)
        assert selected(cluster, policy["spec"]["podSelector"]) == pods
        assert selected(cluster, budget["spec"]["selector"]) == pods


@pytest.mark.lab
def test_the_policies_ports_are_those_that_are_spoken_to(cluster: Cluster) -> None:
    """What the EventSource listens at, NATS, and the API server itself, as the cluster says."""
    source, _ = guards_of(compiled("lab").guards, "event-source")
    sensors, _ = guards_of(compiled("lab").guards, "sensors")
    service = client.CoreV1Api(cluster.api).read_namespaced_service("github-es-eventsource-svc", cluster.namespace)
    slices = client.DiscoveryV1Api(cluster.api).list_namespaced_endpoint_slice(
        "default", label_selector="kubernetes.io/service-name=kubernetes"
    )
    api_server = {port.port for found in slices.items for port in found.ports}

    def ports(rule: Manifest) -> set[int]:
        return {port["port"] for port in rule["ports"]}

    assert ports(source["spec"]["ingress"][0]) == {port.target_port for port in service.spec.ports}
    assert ports(source["spec"]["egress"][0]) == ports(sensors["spec"]["egress"][0]) == {4222}
    assert api_server <= ports(sensors["spec"]["egress"][1])


# --- As they run: the lab's pods are processes, and what a security context asks is done to them


def processes() -> list[int]:
    """The processes of stack `lab`'s pods."""
    found = json.loads((Path(os.environ["GITHUB_TO_ARGO_LAB"]) / "status.json").read_text())["processes"]
    mine = [p for p in found if p["kind"] == "pod" and p["name"].startswith(f"{os.environ['WORKFLOW_NAMESPACE']}.")]
    return [int(p["pid"]) for p in mine]


def facts(process: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (line.partition(":") for line in lines)}


@pytest.mark.lab
def test_the_engine_runs_without_root_and_rights_and_writes_to_tmp_alone(cluster: Cluster, watcher: Watcher) -> None:
    posted = cluster.sender.post(one_of_each()["issues"])
    assert watcher.of([posted.delivery], seconds=SECONDS)
    # Where the lab was started without root it has one user only, whom the kernel calls 0 inside.
    user = USER if has_number(USER, Path("/proc/self/uid_map").read_text()) else 0
    running = processes()
    assert len(running) == OBJECTS
    for process in running:
        found = facts(process)
        assert set(found["Uid"]) == set(found["Gid"]) == {str(user)}
        assert found["NoNewPrivs"] == ["1"]
        for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(found[which][0], 16) == 0
        mounts = [line.split() for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines()]
        how = {mount[4]: mount[5].split(",")[0] for mount in mounts}
        assert (how["/"], how["/tmp"]) == ("ro", "rw")


@pytest.mark.lab
def test_the_event_source_has_no_token_and_the_sensors_do() -> None:
    token = "var/run/secrets/kubernetes.io/serviceaccount/token"
    with_token = [Path(f"/proc/{process}/root/{token}").exists() for process in processes()]
    assert sorted(with_token) == [False] + [True] * 7


# --- How they are drained: the real disruption controller counts, the real API server refuses


def evict(cluster: Cluster, pod: str) -> int:
    """What the API server answers to a drain that wants this pod gone."""
    body = client.V1Eviction(metadata=client.V1ObjectMeta(name=pod))
    try:
        client.CoreV1Api(cluster.api).create_namespaced_pod_eviction(pod, cluster.namespace, body)
    except client.ApiException as error:
        return int(error.status or 0)
    return 201


def pods_of(cluster: Cluster, label: str) -> list[str]:
    listed = client.CoreV1Api(cluster.api).list_namespaced_pod(cluster.namespace, label_selector=label).items
    return [pod.metadata.name for pod in listed]


def waited(cluster: Cluster, budget: str, *, allowed: int) -> None:
    """Waits until a budget lets so many of its pods go; with one, all of them run."""
    policy = client.PolicyV1Api(cluster.api)
    deadline = time.monotonic() + 60
    while True:
        status = policy.read_namespaced_pod_disruption_budget(budget, cluster.namespace).status
        all_run = status.current_healthy == status.expected_pods == (7 if budget.endswith("sensors") else 1)
        if status.disruptions_allowed == allowed and (allowed == 0 or all_run):
            return
        assert time.monotonic() < deadline, f"{budget}: {status}"
        time.sleep(0.2)


@pytest.mark.lab
def test_a_drain_takes_one_sensor_at_a_time_and_loses_nothing(cluster: Cluster, watcher: Watcher) -> None:
    waited(cluster, "github-to-argo-sensors", allowed=1)
    issues, comments = (pods_of(cluster, f"sensor-name={ROUTES[kind]}")[0] for kind in ("issues", "ic"))
    not_ready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    client.CoreV1Api(cluster.api).patch_namespaced_pod_status(issues, cluster.namespace, not_ready)
    waited(cluster, "github-to-argo-sensors", allowed=0)
    assert evict(cluster, comments) == 429
    posted = [cluster.sender.post(one_of_each()[kind]) for kind in ROUTES]
    assert evict(cluster, issues) == 201  # one that is not ready keeps no node
    waited(cluster, "github-to-argo-sensors", allowed=1)
    assert evict(cluster, comments) == 201
    assert len(watcher.of([p.delivery for p in posted], seconds=SECONDS)) == len(posted)
    waited(cluster, "github-to-argo-sensors", allowed=1)


@pytest.mark.lab
def test_a_drain_is_not_held_up_by_a_single_event_source(cluster: Cluster, watcher: Watcher) -> None:
    waited(cluster, "github-to-argo-event-source", allowed=1)
    (pod,) = pods_of(cluster, "eventsource-name")
    assert evict(cluster, pod) == 201
    waited(cluster, "github-to-argo-event-source", allowed=1)
    assert cluster.sender.listening(30)
    assert watcher.of([cluster.sender.post(one_of_each()["issues"]).delivery], seconds=SECONDS)


# --- Settings of the pods, on a stack of its own


@pytest.fixture
def stacks() -> Iterator[Callable[..., LabStack]]:
    yield second
    if second().folder.exists():
        second().destroy()


@pytest.mark.lab
@pytest.mark.long
def test_images_are_admitted_by_digest_and_refused_in_plain_words(
    cluster: Cluster, stacks: Callable[..., LabStack]
) -> None:
    (runs,) = {template["spec"]["containers"][0]["image"] for template in ours(cluster).values()}
    assert "@sha256:" in runs
    other = f"quay.io/argoproj/argo-events@sha256:{'0' * 64}"
    with pytest.raises(StackFailed) as failed:
        stacks(pods={"images": [other]}, verdictSeconds=15).up()
    assert f"{runs} is not in the setting pods.images; the Argo Events controller chose it" in str(failed.value)
    assert stacks(pods={"images": [other, runs]}).up().outputs["sensors"]


GOOD, BAD = (f"registry.example/engine@sha256:{digit * 64}" for digit in "ab")


@pytest.fixture(scope="module")
def image_policy(cluster: Cluster, enforcing: str) -> Iterator[None]:
    """The policy of a stack in the enforcing namespace that names one image; it holds once this begins."""
    admission = client.AdmissionregistrationV1Api(cluster.api)
    guards = compile_stack(FAMILIES, parse_settings(NATIVE | {"pods": {"images": [GOOD]}}, source="test")).guards
    policy, binding = (g for g in guards if g["kind"].startswith("ValidatingAdmissionPolicy"))
    created(lambda: admission.create_validating_admission_policy(policy))
    created(lambda: admission.create_validating_admission_policy_binding(binding))
    deadline = time.monotonic() + 30
    while not admitted(cluster, enforcing, engine_pod(cluster, {"sensor-name": ROUTES["ic"]}, BAD)):
        assert time.monotonic() < deadline, "the policy does not hold"
        time.sleep(0.2)
    yield
    admission.delete_validating_admission_policy_binding(binding["metadata"]["name"])
    admission.delete_validating_admission_policy(policy["metadata"]["name"])


def engine_pod(cluster: Cluster, labels: dict[str, str], image: str, *, first: str | None = None) -> Manifest:
    """A pod template of stack `lab` with other labels and another image; `first` is an init container's."""
    template = copy.deepcopy(next(iter(ours(cluster).values())))
    template["metadata"]["labels"] = labels
    (main,) = template["spec"]["containers"]
    main["image"] = image
    if first:
        template["spec"]["initContainers"] = [main | {"name": "first", "image": first}]
    return template


OURS: dict[str, dict[str, str]] = {
    "the EventSource": {"eventsource-name": "github-es"},
    "a Sensor": {"sensor-name": ROUTES["issues"]},
    "a NATS server": {"controller": "eventbus-controller", "eventbus-name": EVENT_BUS},
}


@pytest.mark.parametrize("labels", OURS.values(), ids=OURS)
def test_each_kind_of_pod_runs_the_named_image_and_no_other(
    cluster: Cluster, enforcing: str, image_policy: None, labels: dict[str, str]
) -> None:
    assert admitted(cluster, enforcing, engine_pod(cluster, labels, GOOD)) == ""
    refusal = f"denied request: {BAD} is not in the setting pods.images; the Argo Events controller chose it"
    assert refusal in admitted(cluster, enforcing, engine_pod(cluster, labels, BAD))
    assert refusal in admitted(cluster, enforcing, engine_pod(cluster, labels, GOOD, first=BAD))


@pytest.mark.parametrize("labels", [{}, {"sensor-name": "someone-elses"}, {"eventbus-name": EVENT_BUS}])
def test_other_pods_may_run_other_images(
    cluster: Cluster, enforcing: str, image_policy: None, labels: dict[str, str]
) -> None:
    assert admitted(cluster, enforcing, engine_pod(cluster, labels, BAD)) == ""


def test_the_same_pod_in_another_namespace_is_not_this_stacks(cluster: Cluster, image_policy: None) -> None:
    assert admitted(cluster, "default", engine_pod(cluster, OURS["a Sensor"], BAD)) == ""


@pytest.mark.lab
def test_two_event_sources_take_deliveries_and_start_each_once(
    cluster: Cluster, stacks: Callable[..., LabStack]
) -> None:
    # Written otherwise than the engine writes them back: `up` compares what runs with what was applied.
    resources = {"requests": {"cpu": "1000m", "memory": "128Mi"}, "limits": {"cpu": 2, "memory": "1024Mi"}}
    pods = {"eventSource": resources, "sensor": resources}
    outputs = stacks(webhook={"replicas": 2}, pods=pods).up().outputs
    there = Cluster(cluster.sender, NAMESPACE, cluster.api)
    addresses = [
        pod.status.pod_ip
        for pod in client.CoreV1Api(cluster.api).list_namespaced_pod(NAMESPACE, label_selector="eventsource-name").items
    ]
    assert len(addresses) == 2
    assert outputs["webhook"]["path"] == "/events"
    with there.watch() as watcher:
        for address in addresses:
            sender = type(cluster.sender)(url=f"http://{address}:12000/events", secret=cluster.sender.secret)
            delivery = sender.post(one_of_each()["ic"]).delivery
            assert watcher.of([delivery], seconds=SECONDS)
            assert len(there.workflows()[delivery]) == 1


@pytest.mark.lab
def test_a_stack_whose_policies_would_cut_off_the_api_server_is_refused(stacks: Callable[..., LabStack]) -> None:
    with pytest.raises(StackFailed, match=r"apiServerPorts: it listens at 443, not only at 6443; write"):
        stacks(networkPolicy={"apiServerPorts": [6443]}).up()
    with pytest.raises(StackFailed, match=r"apiServer: 10\.77\.0\.1 is outside of 10\.1\.0\.0/16; write"):
        stacks(networkPolicy={"apiServer": ["10.1.0.0/16"]}).up()
