"""Down and back: what GitHub could not hand over, and what was lost, is fetched back and runs once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.config import incluster_config, kube_config
from typer.testing import CliRunner, Result

from cli import cluster as clusters
from cli.__main__ import app
from cli.delivery import WORKFLOWS, Watcher
from cli.rerun import rerun
from cli.stacks import read_settings
from cli.workflow import notes_of, parameters_of, phase_of
from lab.layout import API_PORT, LAB_ADDRESS
from payloads import acted, one_of_each
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.manifests import Manifest
from routes.redelivery import command
from routes.scheduled import SETTINGS_FILE
from routes.settings import Redelivery
from tests.cli.github_server import REPOSITORY, TOKEN, GitHubServer, Webhook, serving
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.test_leaked_token import ask
from tests.routes.redelivery import SETTING

pytestmark = pytest.mark.lab

OF_EVENT_SOURCE = "eventsource-name=github-es"
OF_REDELIVERY = "app.kubernetes.io/component=redelivery"


@pytest.fixture
def hook(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    """A webhook at GitHub that posts to the running EventSource."""
    webhook = Webhook(url=cluster.sender.url, secret=cluster.sender.secret)
    with serving(GitHubServer(webhooks={REPOSITORY: webhook})) as server:
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        monkeypatch.setattr("cli.github.CHANGE_EVERY", 0.05)
        yield webhook


def redeliver(*options: str) -> Result:
    arguments = ["redeliver", "--stack", "lab", "--repository", "acme/api", "--since", "10m", *options]
    return CliRunner().invoke(app, arguments)


def listed(result: Result) -> list[str]:
    """The deliveries with which something is the matter."""
    return [one["delivery"] for one in json.loads(result.stdout)["deliveries"]]


@contextmanager
def away(cluster: Cluster) -> Iterator[None]:
    """The EventSource has no pod."""
    try:
        with cluster.away(OF_EVENT_SOURCE):
            yield
    finally:
        assert cluster.sender.listening(60)


def test_what_came_while_the_event_source_was_away_is_fetched_back_and_runs_once(
    cluster: Cluster, hook: Webhook
) -> None:
    before = hook.deliver(one_of_each()["ic"])
    with away(cluster):
        missed = [hook.deliver(payload) for payload in one_of_each().values()]
        draft = hook.deliver(one_of_each()["pr"].but(pull_request__draft=True))
        assert {attempt["status_code"] for attempt in hook.attempts[1:]} == {0}
        assert redeliver("--yes", "--json").exit_code == 0, "GitHub tries once more, in vain"
        assert [attempt["status_code"] for attempt in hook.attempts[12:]] == [0] * 10
    told = redeliver("--yes", "--wait", str(SECONDS))
    assert told.exit_code == 0, told.output
    assert "10 failed, 0 without their Workflow; 10 to ask for again." in told.stdout
    assert "GitHub was asked for 10 of 10." in told.stdout
    assert "1 failed and would start nothing" in told.stdout
    workflows = cluster.workflows()
    assert {delivery: len(workflows[delivery]) for delivery in (before, *missed)} == dict.fromkeys((before, *missed), 1)
    assert draft not in workflows
    attempts = len(hook.attempts)
    told = redeliver("--yes")
    assert (told.exit_code, len(hook.attempts)) == (0, attempts)
    assert "0 failed, 0 without their Workflow; none to ask for again." in told.stdout


def test_a_workflow_that_was_lost_is_found_missing_and_comes_back(
    cluster: Cluster, hook: Webhook, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "PAGE", 2)  # the cluster too is read page by page
    lost, kept = (hook.deliver(acted("issues", "opened")) for _ in range(2))
    assert len(watcher.of([lost, kept], seconds=SECONDS)) == 2
    ((workflow,), (other,)) = (cluster.workflows()[delivery] for delivery in (lost, kept))
    assert redeliver("--yes", "--json", "--grace", "0s").exit_code == 0
    assert len(hook.attempts) == 2, "nothing is missing"
    client.CustomObjectsApi(cluster.api).delete_namespaced_custom_object(
        *WORKFLOWS, cluster.namespace, "workflows", workflow["metadata"]["name"]
    )
    assert listed(redeliver("--json")) == [lost]
    assert len(hook.attempts) == 2, "it may still be on its way"
    told = redeliver("--yes", "--json", "--grace", "0s", "--wait", str(SECONDS))
    assert told.exit_code == 0, told.output
    assert listed(told) == [lost]
    ((again,), (untouched,)) = (cluster.workflows()[delivery] for delivery in (lost, kept))
    assert again["metadata"]["name"] == workflow["metadata"]["name"]
    assert again["metadata"]["uid"] != workflow["metadata"]["uid"]
    assert parameters_of(again) == parameters_of(workflow)
    assert untouched["metadata"]["uid"] == other["metadata"]["uid"]
    assert listed(redeliver("--yes", "--json", "--grace", "0s")) == []


# --- rerun


@pytest.fixture
def person(cluster: Cluster) -> Iterator[clusters.Cluster]:
    """Somebody who may get, list and create Workflows, and nothing else."""
    rbac = client.RbacAuthorizationV1Api(cluster.api)
    name = {"metadata": {"name": "reruns"}}
    rules = [{"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["get", "list", "create"]}]
    rbac.create_namespaced_role(cluster.namespace, name | {"rules": rules})
    try:
        subjects = [{"kind": "User", "name": "person", "apiGroup": "rbac.authorization.k8s.io"}]
        ref = {"kind": "Role", "name": "reruns", "apiGroup": "rbac.authorization.k8s.io"}
        rbac.create_namespaced_role_binding(cluster.namespace, name | {"subjects": subjects, "roleRef": ref})
        api = client.ApiClient(cluster.api.configuration, "Impersonate-User", "person")
        yield clusters.Cluster(api=api, namespace=cluster.namespace)
        rbac.delete_namespaced_role_binding("reruns", cluster.namespace)
    finally:
        rbac.delete_namespaced_role("reruns", cluster.namespace)


def test_a_person_runs_a_delivery_again_with_rights_of_their_own(
    cluster: Cluster, person: clusters.Cluster, watcher: Watcher
) -> None:
    posted = cluster.sender.post(acted("issues", "opened"))
    watcher.of([posted.delivery], seconds=SECONDS)
    (first,) = cluster.workflows()[posted.delivery]
    name = first["metadata"]["name"]
    assert rerun(person, posted.delivery) == [(name, f"{name}-2")]
    assert rerun(person, posted.delivery) == [(name, f"{name}-3")]
    deadline = time.monotonic() + SECONDS
    while {phase_of(w) for w in cluster.workflows()[posted.delivery]} != {"Succeeded"}:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    again = person.workflow(f"{name}-3")
    assert again["spec"] == first["spec"]
    assert notes_of(again, "annotations") == notes_of(first, "annotations") | {"rerun-of": name}
    assert notes_of(again, "labels") == notes_of(first, "labels")


# --- The CronWorkflow


@pytest.fixture
def scheduled(cluster: Cluster) -> Iterator[list[Manifest]]:
    """The objects of the setting `redelivery`, on the cluster; its CronWorkflow runs every minute."""
    chosen = SETTING | {"hook": {"kind": "repository", "name": "acme/api"}, "schedule": "* * * * *", "since": "10m"}
    settings = read_settings("lab").model_copy(update={"redelivery": Redelivery.model_validate(chosen)})
    objects = compile_stack(FAMILIES, settings).redelivery
    try:
        for manifest in objects:
            answer = ask(cluster.api, "POST", f"{_collection(manifest)}?fieldValidation=Strict", manifest)
            assert answer.status == 201, answer.message
        yield objects
    finally:
        for manifest in reversed(objects):
            ask(cluster.api, "DELETE", f"{_collection(manifest)}/{manifest['metadata']['name']}")


def _collection(manifest: Manifest) -> str:
    version, kind = manifest["apiVersion"], manifest["kind"].lower()
    plural = "networkpolicies" if kind == "networkpolicy" else f"{kind}s"
    return f"/{'apis' if '/' in version else 'api'}/{version}/namespaces/{manifest['metadata']['namespace']}/{plural}"


def as_account(
    api: client.ApiClient, namespace: str, account: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From here on the cluster is reached as from within a pod of this account: by its token alone."""
    token = client.CoreV1Api(api).create_namespaced_service_account_token(
        account, namespace, {"spec": {"expirationSeconds": 600}}
    )
    file = tmp_path / "token"
    file.write_text(token.status.token)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(file))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", api.configuration.ssl_ca_cert)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", LAB_ADDRESS)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(API_PORT))
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "no kubeconfig"))


def in_its_pod(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """From here on the cluster is reached as from within the CronWorkflow's pod: by its account's token alone."""
    as_account(cluster.api, cluster.namespace, "github-to-argo-redelivery", monkeypatch, tmp_path)


def test_the_cron_workflows_account_may_do_what_its_command_does_and_no_more(
    cluster: Cluster, hook: Webhook, scheduled: list[Manifest], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_its_pod(cluster, monkeypatch, tmp_path)
    (mounted,) = (manifest for manifest in scheduled if manifest["kind"] == "ConfigMap")
    file = tmp_path / SETTINGS_FILE
    file.write_text(mounted["data"][SETTINGS_FILE])
    token = tmp_path / "secret"
    token.write_text(f"{TOKEN}\n")
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.setenv("GITHUB_TOKEN_FILE", str(token))
    missed = hook.deliver(acted("issues", "opened"), code=503)
    settings = read_settings("lab").model_copy(update={"redelivery": Redelivery.model_validate(SETTING)})
    assert settings.redelivery
    told = CliRunner().invoke(app, [*command(settings.redelivery), "--settings", str(file)])
    assert told.exit_code == 0, told.output
    assert [attempt["guid"] for attempt in hook.attempts] == [missed, missed]
    assert hook.attempts[-1]["status_code"] == 200
    ours = clusters.connect(settings)
    with pytest.raises(clusters.ClusterError, match="cannot create resource"):
        ours.create({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": {"generateName": "x-"}})
    with pytest.raises(clusters.ClusterError, match="cannot get resource"):
        ours.workflow("x")


def test_the_workflow_controller_runs_it_on_its_schedule_in_a_restricted_namespace(
    cluster: Cluster, scheduled: list[Manifest]
) -> None:
    namespace = client.CoreV1Api(cluster.api).read_namespace(cluster.namespace)
    assert namespace.metadata.labels["pod-security.kubernetes.io/enforce"] == "restricted"
    workflow = _of_cron(cluster)
    assert phase_of(workflow) == "Running", workflow["status"].get("message")
    assert workflow["spec"]["workflowTemplateRef"] == {"name": "github-to-argo-redelivery"}
    (pod,) = client.CoreV1Api(cluster.api).list_namespaced_pod(cluster.namespace, label_selector=OF_REDELIVERY).items
    (main,) = (container for container in pod.spec.containers if container.name == "main")
    assert main.image == SETTING["image"]
    assert pod.spec.service_account_name == "github-to-argo-redelivery"


def _of_cron(cluster: Cluster) -> dict[str, Any]:
    label = "workflows.argoproj.io/cron-workflow=github-to-argo-redelivery"
    for _ in range(75):
        found = client.CustomObjectsApi(cluster.api).list_namespaced_custom_object(
            *WORKFLOWS, cluster.namespace, "workflows", label_selector=label
        )["items"]
        if found and phase_of(found[0]):
            workflow: dict[str, Any] = found[0]
            return workflow
        time.sleep(1)
    raise TimeoutError("the CronWorkflow starts nothing")
