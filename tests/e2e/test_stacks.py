"""Stacks on the lab: a second one beside the first, what `pulumi up` promises, what `pulumi destroy` leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client
from rich.console import Console

from cli.delivery import Watcher
from cli.stacks import ROOT, read_settings
from cli.workflow import delivery_of
from lab.stack import LabStack, StackFailed
from payloads import one_of_each
from routes import issues
from routes.settings import PROJECT, StackSettings
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.test_access import resources, served
from tests.faults.stack import wait_until
from tests.routes.test_exposure import GATEWAY, INGRESS

pytestmark = pytest.mark.lab

NAMESPACE = "github-to-argo-second"
(ISSUES,) = issues.FAMILY.routes
Object = tuple[str, str, str]


def second(**overrides: object) -> LabStack:
    """Stack `lab`'s settings in another namespace, on an account of its own at the same NATS."""
    config = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"]
    bus = config["github-to-argo:eventBus"]
    bus["monitor"]["account"] = "second"
    return LabStack("second", account="second", overrides={"namespace": NAMESPACE, "eventBus": bus} | overrides)


def everything(cluster: Cluster) -> set[Object]:
    """Every object of the cluster that is not of the first stack and does not come and go by itself."""
    found = set()
    for group, resource, subresource in resources(cluster.api):
        if subresource or resource in ("events", "leases"):
            continue
        for path in served_paths(cluster.api, group, resource):
            for item in served(cluster.api, path).get("items", []):
                metadata = item["metadata"]
                if metadata.get("namespace") != cluster.namespace:
                    found.add((f"{resource}.{group}", metadata.get("namespace", ""), metadata["name"]))
    return found


def served_paths(api: client.ApiClient, group: str, resource: str) -> Iterator[str]:
    """Where objects of a resource can be listed; nowhere for one that has no list."""
    versions = ["/api/v1"] if not group else []
    if group:
        preferred = served(api, f"/apis/{group}")["preferredVersion"]["groupVersion"]
        versions = [f"/apis/{preferred}"]
    for version in versions:
        for offered in served(api, version)["resources"]:
            if offered["name"] == resource and "list" in offered["verbs"]:
                yield f"{version}/{resource}"


@pytest.fixture(scope="module")
def before(cluster: Cluster) -> set[Object]:
    return everything(cluster)


@pytest.fixture(scope="module")
def stack(before: set[Object]) -> Iterator[LabStack]:
    stack = second()
    stack.up()
    yield stack
    if stack.folder.exists():
        stack.destroy()


@pytest.fixture(scope="module")
def other(stack: LabStack, cluster: Cluster) -> Cluster:
    """The second stack's way in. Nothing has been delivered to it before."""
    return cluster.beside(stack.outputs()["webhook"], NAMESPACE)


def test_the_first_delivery_that_is_taken_is_not_lost(other: Cluster) -> None:
    with other.watch() as watcher:
        assert other.sender.listening(30)
        posted = [other.sender.post(payload) for payload in one_of_each().values()]
        workflows = watcher.of([p.delivery for p in posted], seconds=SECONDS)
    assert {p.status for p in posted} == {200}
    assert len(workflows) == len(posted) == 10


def test_two_stacks_on_one_cluster_do_not_hear_each_other(cluster: Cluster, other: Cluster, watcher: Watcher) -> None:
    with other.watch() as others:
        here, there = cluster.sender.post(one_of_each()["pr"]), other.sender.post(one_of_each()["pr"])
        assert watcher.of([here.delivery], seconds=SECONDS)
        assert others.of([there.delivery], seconds=SECONDS)
    assert there.delivery not in cluster.workflows()
    assert here.delivery not in other.workflows()


def test_a_second_up_changes_nothing(stack: LabStack) -> None:
    assert set(stack.preview()) == {"same"}
    assert set(stack.up().changes) == {"same"}


def test_a_changed_rate_changes_one_sensor(stack: LabStack) -> None:
    routes = {"github-issues-to-implementation": {"rate": {"limit": 7, "unit": "Hour"}}}
    changes = second(routes=routes).preview()
    assert changes["update"] == 1
    assert set(changes) == {"same", "update"}


def test_after_up_what_was_changed_is_what_runs(stack: LabStack, other: Cluster) -> None:
    assert second(workflowTtlSeconds=7200).up().changes["update"] == 8, "each Sensor, and what its token may start"
    with other.watch() as watcher:
        posted = [other.sender.post(one_of_each()[name]) for name in ("pr", "ic", "issues")]
        workflows = watcher.of([p.delivery for p in posted], seconds=SECONDS)
    assert [w["spec"]["ttlStrategy"]["secondsAfterCompletion"] for w, _ in workflows] == [7200] * 3


def test_a_wrong_setting_is_refused_before_anything_changes(stack: LabStack) -> None:
    with pytest.raises(StackFailed, match="github-to-argo:retryMinuts: there is no such setting"):
        second(retryMinuts=5).up()


@pytest.mark.parametrize(
    ("path", "value", "read"),
    [
        ("routes.github-issues-to-implementation.rate.limit", "7", lambda s: s.rate(ISSUES).limit == 7),
        ("routes.github-issues-to-implementation.enabled", "false", lambda s: not s.route(ISSUES).enabled),
        ("semaphores.pr-validation", "3", lambda s: s.semaphores.pr_validation == 3),
        ("retryMinutes", "20", lambda s: s.retry_minutes == 20),
        ("createNamespace", "true", lambda s: s.create_namespace),
        ("eventBus.replicas", "1", lambda s: s.event_bus.replicas == 1),
        ("webhookSecret.refreshInterval", "5m", lambda s: s.webhook_secret.refresh_interval == "5m"),
        ("securityWorkflows", "(?i)audit", lambda s: s.security_workflows == "(?i)audit"),
    ],
)
def test_pulumi_config_set_overrides(
    tmp_path: Path, path: str, value: str, read: Callable[[StackSettings], object]
) -> None:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "state").mkdir()
    environment = os.environ | {"PULUMI_BACKEND_URL": f"file://{tmp_path}/state"}
    assert not read(read_settings("dev", tmp_path))
    for command in (["stack", "init", "dev"], ["config", "set", "--path", f"{PROJECT}:{path}", value]):
        subprocess.run(["pulumi", *command], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert read(read_settings("dev", tmp_path))


GATEWAYS = ("gateway.networking.k8s.io", "v1")


@contextmanager
def gateway(cluster: Cluster) -> Iterator[None]:
    """The Gateway that GATEWAY names. No controller of one runs here."""
    core, objects = client.CoreV1Api(cluster.api), client.CustomObjectsApi(cluster.api)
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="gateways")))
    listener = {
        "name": "https",
        "protocol": "HTTPS",
        "port": 443,
        "tls": {"certificateRefs": [{"name": "certificate"}]},
    }
    body = {
        "apiVersion": "/".join(GATEWAYS),
        "kind": "Gateway",
        "metadata": {"name": "public"},
        "spec": {
            "gatewayClassName": "nobodys",
            "listeners": [listener | {"allowedRoutes": {"namespaces": {"from": "All"}}}],
        },
    }
    objects.create_namespaced_custom_object(*GATEWAYS, "gateways", "gateways", body)
    try:
        yield
    finally:
        cluster.delete_namespace("gateways")


def say(cluster: Cluster, accepted: str) -> None:
    """What the Gateway's controller would say of the route."""
    conditions = [
        {
            "type": name,
            "status": accepted if name == "Accepted" else "True",
            "reason": "Said",
            "message": "what the Gateway says",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for name in ("Accepted", "ResolvedRefs")
    ]
    parent = {"parentRef": {"name": "public"}, "controllerName": "nobodys.example/own", "conditions": conditions}
    route = (*GATEWAYS, NAMESPACE, "httproutes", "github-to-argo-webhook")
    status = {"status": {"parents": [parent]}}

    def said() -> bool:
        try:
            client.CustomObjectsApi(cluster.api).patch_namespaced_custom_object_status(*route, status)
        except client.ApiException:  # the route is not there yet
            return False
        return True

    wait_until(said, "there is no HTTPRoute", seconds=60)


def test_a_way_in_that_nobody_serves_is_told_at_preview(stack: LabStack) -> None:
    with pytest.raises(StackFailed, match=r"there is no IngressClass nginx, so nobody would serve the Ingress"):
        second(exposure=INGRESS).preview()
    with pytest.raises(StackFailed, match=r"there is no Gateway public in namespace gateways; there are: none"):
        second(exposure=GATEWAY).preview()


def test_up_waits_for_the_gateway_and_tells_its_words(
    stack: LabStack, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(record=True, width=200)
    monkeypatch.setattr("lab.stack.console", console)
    told = "warning: HTTPRoute github-to-argo-webhook: Accepted is False: what the Gateway says"

    def controller() -> None:
        say(cluster, "False")
        wait_until(lambda: told in console.export_text(clear=False), "its no was not told", seconds=60)
        say(cluster, "True")

    with gateway(cluster):
        thread = threading.Thread(target=controller, daemon=True)
        thread.start()
        result = second(exposure=GATEWAY).up()
        thread.join(10)
    assert result.outputs["webhook"]["url"] == "https://webhooks.example.com/events"
    assert told in console.export_text()


def test_outputs_name_the_webhook_the_sensors_and_the_templates(stack: LabStack) -> None:
    outputs = stack.outputs()
    assert outputs["webhook"]["path"] == "/events"
    assert len(outputs["sensors"]) == 7
    assert outputs["templates"]["implementation"] == ["event", "owner", "repo", "issue", "agent", "taskId"]


def test_destroy_leaves_nothing_that_the_stack_made(stack: LabStack, before: set[Object], cluster: Cluster) -> None:
    made = everything(cluster) - before
    assert {f"sensors.argoproj.io {NAMESPACE}", f"namespaces. {NAMESPACE}"} <= {
        f"{kind} {namespace or name}" for kind, namespace, name in made
    }
    stack.destroy()
    assert everything(cluster) - before == set()


def test_up_fails_with_the_engines_message(before: set[Object], cluster: Cluster) -> None:
    broken = second(eventBus={"kind": "native", "version": "0.0.1"}, verdictSeconds=15)
    with pytest.raises(StackFailed, match=r'EventBus github: Deployed is False.*unsupported version "0\.0\.1"'):
        broken.up()
    broken.destroy()
    assert everything(cluster) - before == set()


def test_a_sensor_that_was_killed_goes_on_where_it_was(cluster: Cluster, watcher: Watcher) -> None:
    state = Path(os.environ["GITHUB_TO_ARGO_LAB"])

    def sensor() -> dict[str, Any]:
        processes: list[dict[str, Any]] = json.loads((state / "status.json").read_text())["processes"]
        return next(p for p in processes if f"{cluster.namespace}.github-pr-to-pr-validation-sensor" in p["name"])

    killed = sensor()
    os.kill(killed["pid"], signal.SIGKILL)
    posted = [cluster.sender.post(one_of_each()["pr"]) for _ in range(3)]
    workflows = watcher.of([p.delivery for p in posted], seconds=SECONDS)
    assert {delivery_of(workflow) for workflow, _ in workflows} == {p.delivery for p in posted}
    assert sensor()["pid"] != killed["pid"]
    assert sensor()["restarts"] > killed["restarts"]
