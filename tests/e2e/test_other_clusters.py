"""Clusters that others look after: what `pulumi preview` says where a stack does not fit, and before it takes anything.

One of them is a second API server of the lab's, on the same etcd, which knows Kubernetes' own kinds and no others.
"""

from __future__ import annotations

import copy
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config

from cli.delivery import WORKFLOWS
from cli.stacks import ROOT, compiled
from lab import control_plane as plane
from lab.layout import LAB_ADDRESS, Layout
from lab.stack import LabStack, StackFailed
from routes.compiler import EVENT_BUS
from routes.manifests import Manifest
from tests.e2e.conftest import Cluster
from tests.routes.test_exposure import GATEWAY

pytestmark = [pytest.mark.lab, pytest.mark.long]

NAMESPACE = "github-to-argo-theirs"
SENSOR = "github-issues-to-implementation"
BARE_PORT = 6444
EXTERNAL = {"kind": "external", "store": "my-secret-store", "remoteKey": "github/webhook"}
Json = dict[str, Any]


def theirs(**overrides: object) -> LabStack:
    """A stack with one route, in a namespace that somebody else made."""
    settings = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"]
    bus = copy.deepcopy(settings["github-to-argo:eventBus"])
    bus["monitor"]["account"] = "second"
    sensors = [sensor["metadata"]["name"] for sensor in compiled("lab").all_sensors()]
    routes = {sensor: {"enabled": sensor == SENSOR} for sensor in sensors}
    made = {"namespace": NAMESPACE, "createNamespace": False, "eventBus": bus, "routes": routes}
    return LabStack("theirs", account="second", overrides=made | overrides)


def told(work: Callable[[], object]) -> str:
    with pytest.raises(StackFailed) as raised:
        work()
    return str(raised.value)


# --- Clusters by their contexts


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Adds a context to the kubeconfig that the program reads, for one test: its name."""

    def add(token: str, **cluster: object) -> str:
        document: Json = yaml.safe_load(Layout().kubeconfig.read_text())
        document["clusters"].append({"name": "theirs", "cluster": document["clusters"][0]["cluster"] | cluster})
        document["users"].append({"name": "theirs", "user": {"token": token}})
        document["contexts"].append({"name": "theirs", "context": {"cluster": "theirs", "user": "theirs"}})
        path = tmp_path / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document))
        monkeypatch.setattr(config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
        return "theirs"

    return add


@pytest.fixture
def bare(tmp_path: Path, context: Callable[..., str]) -> Iterator[str]:
    """The context of an API server without anybody's definitions."""
    layout, certificates = Layout(), tmp_path / "certs"
    ours = [flag for flag in plane.kube_apiserver(layout).argv if not flag.startswith(("--secure-port", "--cert-dir"))]
    other = [f"--secure-port={BARE_PORT}", f"--cert-dir={certificates}", f"--etcd-prefix=/{uuid.uuid4()}"]
    url = f"https://{LAB_ADDRESS}:{BARE_PORT}"
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen([*ours, *other], stdout=log, stderr=subprocess.STDOUT)
    try:
        token = layout.tokens.read_text().partition(",")[0]
        added = context(token, server=url, **{"certificate-authority": str(certificates / "apiserver.crt")})
        deadline = time.monotonic() + 90
        while not (certificates / "apiserver.crt").exists() or not _answers(added):
            assert time.monotonic() < deadline and server.poll() is None, (tmp_path / "log").read_text()[-2000:]
            time.sleep(0.3)
        yield added
    finally:
        server.terminate()
        server.wait(30)


def _answers(context: str) -> bool:
    with suppress(Exception):
        return bool(client.VersionApi(config.new_client_from_config(context=context)).get_code())
    return False


def test_a_cluster_without_argo_and_with_an_older_external_secrets_is_told_all_of_it(bare: str) -> None:
    (definition,) = yaml.safe_load_all((Layout().crds / "external-secrets.io_externalsecrets.yaml").read_text())
    for version in definition["spec"]["versions"]:
        version["served"] = version["name"] == "v1beta1"
    extensions = client.ApiextensionsV1Api(config.new_client_from_config(context=bare))
    extensions.create_custom_resource_definition(definition)
    stack = theirs(kubeContext=bare, createNamespace=True, webhookSecret=EXTERNAL, exposure=GATEWAY)
    deadline = time.monotonic() + 30
    while "only v1beta1" not in (said := told(stack.preview)) and time.monotonic() < deadline:
        time.sleep(1)  # it serves a new definition after a moment
    assert "the stack does not fit the cluster in context theirs; nothing was changed" in said
    lines = {line.strip() for line in said.splitlines()}
    assert {
        "it knows no EventBus, EventSource, Sensor of argoproj.io/v1alpha1: install Argo Events, 1.9 or newer",
        "it knows no Workflow, WorkflowTemplate of argoproj.io/v1alpha1: install Argo Workflows, 3.6 or newer",
        "it knows no ExternalSecret of external-secrets.io/v1, only v1beta1: install External Secrets, 0.16 or newer,"
        " or name a Secret of your own: github-to-argo:webhookSecret: {kind: existing}",
        "it knows no HTTPRoute of gateway.networking.k8s.io/v1: install Gateway API's standard definitions, 1.0 or"
        " newer, or choose another github-to-argo:exposure",
    } <= lines


# --- Namespaces


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    client.CoreV1Api(cluster.api).create_namespace({"metadata": {"name": NAMESPACE}})
    yield NAMESPACE
    cluster.delete_namespace(NAMESPACE)


def test_rights_that_are_missing_are_told_in_one_sentence_each(
    namespace: str, cluster: Cluster, context: Callable[..., str]
) -> None:
    core = client.CoreV1Api(cluster.api)
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "someone"}})
    subject = {"kind": "ServiceAccount", "name": "someone", "namespace": namespace}
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "get", "patch"]}]
    access = client.RbacAuthorizationV1Api(cluster.api)
    access.create_namespaced_role(namespace, {"metadata": {"name": "some"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"}
    binding = {"metadata": {"name": "some"}, "roleRef": role, "subjects": [subject]}
    access.create_namespaced_role_binding(namespace, binding)
    request = {"spec": {"expirationSeconds": 600, "audiences": []}}
    token = core.create_namespaced_service_account_token("someone", namespace, request).status.token
    said = told(theirs(kubeContext=context(token)).preview)
    assert "you may not create, get, patch validatingadmissionpolicies.admissionregistration.k8s.io" in said
    assert "in the whole cluster: ask its administrator for a ClusterRole that lets you, or do without them" in said
    (sentence,) = {line for line in said.splitlines() if f"in namespace {namespace}" in line}
    assert all(resource in sentence for resource in ("roles.rbac.authorization.k8s.io", "sensors.argoproj.io"))
    assert "configmaps" not in sentence, "these it may"


def test_a_namespace_that_is_being_deleted_is_told_with_what_holds_it_up(cluster: Cluster) -> None:
    core, name = client.CoreV1Api(cluster.api), f"{NAMESPACE}-going"
    core.create_namespace({"metadata": {"name": name}})
    core.create_namespaced_config_map(name, {"metadata": {"name": "kept", "finalizers": ["example.com/kept"]}})
    core.delete_namespace(name)
    try:
        deadline = time.monotonic() + 30
        while "finalizers" not in (said := told(theirs(namespace=name).preview)) and time.monotonic() < deadline:
            time.sleep(1)  # what is left is counted after a moment
        assert f"namespace {name} is being deleted (" in said
        assert (
            "has finalizers remaining: example.com/kept in 1 resource instances), and takes nothing new: wait" in said
        )
    finally:
        core.patch_namespaced_config_map("kept", name, {"metadata": {"finalizers": None}})


# --- Objects that are there


def by_hand(cluster: Cluster, manifest: Manifest, **metadata: object) -> None:
    """An object as somebody else would apply it."""
    written = manifest | {"metadata": {"name": manifest["metadata"]["name"], "namespace": NAMESPACE} | metadata}
    plural = {"EventBus": "eventbus", "Sensor": "sensors"}[manifest["kind"]]
    client.CustomObjectsApi(cluster.api).create_namespaced_custom_object(
        *WORKFLOWS, NAMESPACE, plural, written, field_manager="kubectl-client-side-apply"
    )


def remove(cluster: Cluster, plural: str, name: str) -> None:
    client.CustomObjectsApi(cluster.api).delete_namespaced_custom_object(*WORKFLOWS, NAMESPACE, plural, name)


def live(cluster: Cluster) -> Manifest:
    found: Manifest = client.CustomObjectsApi(cluster.api).get_namespaced_custom_object(
        *WORKFLOWS, NAMESPACE, "sensors", SENSOR
    )
    return found


def of_lab(kind: str, name: str) -> Manifest:
    (found,) = (o for o in compiled("lab").objects() if (o["kind"], o["metadata"]["name"]) == (kind, name))
    return found


def test_a_sensor_that_has_another_name_now_is_told(
    namespace: str, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    old = copy.deepcopy(of_lab("Sensor", SENSOR))
    old["metadata"]["name"] = "github-issues"
    by_hand(cluster, old, labels={"app.kubernetes.io/part-of": "github-to-argo"})
    try:
        assert theirs().preview()["create"]
        said = capsys.readouterr().out
    finally:
        remove(cluster, "sensors", "github-issues")
    assert f"{SENSOR}: it was github-issues, so nobody reads the consumer of its trigger implementation-dag" in said


def test_a_route_by_its_old_name_is_told_its_new_one() -> None:
    said = told(theirs(routes={"github-issues-to-implementations": {"enabled": True}}).preview)
    assert "there is no such setting; did you mean github-issues-to-implementation?" in said


@pytest.fixture(scope="module")
def taken_over(namespace: str, cluster: Cluster) -> Iterator[str]:
    """What preview says of somebody's EventBus; then a stack that has taken it over is up."""
    bus = copy.deepcopy(of_lab("EventBus", EVENT_BUS))
    bus["spec"]["jetstreamExotic"]["streamConfig"] = "replicas: 1\n"
    by_hand(cluster, bus)
    said = told(theirs().preview)
    with forced():
        theirs(takesOver=["EventBus/github"]).up()
    yield said
    theirs().destroy()


@contextmanager
def forced() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PULUMI_K8S_ENABLE_PATCH_FORCE", "true")
        yield


def test_somebodys_event_bus_is_not_taken_over_unasked(taken_over: str) -> None:
    assert "EventBus/github, written by kubectl-client-side-apply. Choose another namespace" in taken_over
    assert "      github-to-argo:takesOver: [EventBus/github]" in taken_over


def test_what_was_taken_over_is_as_the_stack_says_and_is_asked_for_no_more(
    taken_over: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert set(theirs().preview()) == {"same"}
    assert "changed by hand" not in capsys.readouterr().out
    assert set(theirs(takesOver=["EventBus/github"]).preview()) == {"same"}
    assert "takesOver names EventBus/github, and nobody else has that: take it out" in capsys.readouterr().out


def test_a_sensor_that_was_edited_by_hand_is_told_and_written_again(
    taken_over: str, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = live(cluster)
    wanted = edited["spec"]["triggers"][0]["rateLimit"]["requestsPerUnit"]
    edited["spec"]["triggers"][0]["rateLimit"]["requestsPerUnit"] = wanted + 1
    client.CustomObjectsApi(cluster.api).replace_namespaced_custom_object(
        *WORKFLOWS, NAMESPACE, "sensors", SENSOR, edited, field_manager="kubectl-edit"
    )
    assert set(theirs().preview()) == {"same"}, "Pulumi by itself sees nothing"
    said = capsys.readouterr().out
    assert f"warning: changed by hand: Sensor/{SENSOR} by kubectl-edit at 20" in said
    assert "PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh" in said
    with forced():
        assert theirs().up(refresh=True).changes["update"] == 1
    assert live(cluster)["spec"]["triggers"][0]["rateLimit"]["requestsPerUnit"] == wanted
    capsys.readouterr()
    theirs().preview()
    assert "changed by hand" not in capsys.readouterr().out


def test_what_pulumi_lost_comes_back_by_an_import(taken_over: str) -> None:
    made = "urn:pulumi:theirs::github-to-argo"
    webhook, source = "github-to-argo:index:GitHubEventSource", "kubernetes:argoproj.io/v1alpha1:EventSource"

    def pulumi(*command: str) -> str:
        argv = ["pulumi", *command, "--stack", "theirs", "--non-interactive"]
        done = subprocess.run(argv, cwd=theirs().folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    pulumi("state", "delete", "--yes", f"{made}::{webhook}${source}::webhook-eventsource")
    assert "+ 1 to create" in pulumi("preview")
    parent, provider = f"webhook={made}::{webhook}::webhook", f"cluster={made}::pulumi:providers:kubernetes::cluster"
    flags = ["--yes", "--generate-code=false", "--protect=false", "--parent", parent, "--provider", provider]
    assert "= 1 imported" in pulumi("import", *flags, source, "webhook-eventsource", f"{NAMESPACE}/github-es")
    assert "~ 1 to update" in pulumi("preview")
    assert theirs().up().changes["update"] == 1
    assert set(theirs().preview()) == {"same"}
