"""What the Sensors' service account may do, asked of the running API server."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from kubernetes import client

from cli.delivery import WORKFLOWS, Watcher
from cli.workflow import Workflow
from payloads import one_of_each
from tests.e2e.conftest import SECONDS, Cluster

SUBMITTER = "argo-events-workflow-submitter"
RUNNER = "argo-workflow-runner"
VERBS = (
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "impersonate",
    "bind",
    "escalate",
)
Right = tuple[str, str, str, str]


def served(api: client.ApiClient, path: str) -> dict[str, Any]:
    """What the API server answers at a path."""
    response = api.call_api(*api.param_serialize("GET", path, auth_settings=["BearerToken"]))
    found: dict[str, Any] = json.loads(response.read())
    return found


def resources(api: client.ApiClient) -> list[tuple[str, str, str]]:
    """Every group, resource and subresource that the API server has."""
    versions = [("", "/api/v1")]
    for group in served(api, "/apis")["groups"]:
        versions += [(group["name"], f"/apis/{version['groupVersion']}") for version in group["versions"]]
    found = set()
    for group, path in versions:
        for resource in served(api, path)["resources"]:
            name, _, subresource = resource["name"].partition("/")
            found.add((group, name, subresource))
    return sorted(found)


def rights(cluster: Cluster, user: str, groups: list[str]) -> set[Right]:
    """All that a user may do in the stack's namespace and cluster-wide, as the API server says."""
    reviews = client.AuthorizationV1Api(cluster.api)

    def allowed(question: tuple[str, tuple[str, str, str], str]) -> Right | None:
        namespace, (group, resource, subresource), verb = question
        attributes = client.V1ResourceAttributes(
            namespace=namespace, group=group, resource=resource, subresource=subresource or None, verb=verb
        )
        spec = client.V1SubjectAccessReviewSpec(user=user, groups=groups, resource_attributes=attributes)
        review = reviews.create_subject_access_review(client.V1SubjectAccessReview(spec=spec))
        return (namespace, group, f"{resource}/{subresource}".rstrip("/"), verb) if review.status.allowed else None

    everything = resources(cluster.api)
    assert len(everything) > 100
    questions = [(ns, resource, verb) for ns in (cluster.namespace, "") for resource in everything for verb in VERBS]
    with ThreadPoolExecutor(8) as pool:
        return {right for right in pool.map(allowed, questions) if right}


@pytest.fixture(scope="module")
def anyone(cluster: Cluster) -> set[Right]:
    """What anyone may whom the API server knows."""
    found = rights(cluster, "somebody", ["system:authenticated"])
    assert found, "the baseline may at least ask what it may do"
    return found


DEAD_LETTERS = {("", "configmaps", "create")}


@pytest.mark.parametrize(
    ("account", "may"),
    [
        (SUBMITTER, {("argoproj.io", "workflows", verb) for verb in ("create", "get", "update")} | DEAD_LETTERS),
        (RUNNER, {("argoproj.io", "workflowtaskresults", verb) for verb in ("create", "patch")}),
    ],
    ids=["a Sensor may start Workflows and write dead letters", "a Workflow's pod may report what it did"],
)
def test_an_account_may_do_its_work_and_else_what_anyone_may(
    cluster: Cluster, anyone: set[Right], account: str, may: set[tuple[str, str, str]]
) -> None:
    user = f"system:serviceaccount:{cluster.namespace}:{account}"
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{cluster.namespace}", "system:authenticated"]
    assert rights(cluster, user, groups) - anyone == {(cluster.namespace, *right) for right in may}


def with_token(cluster: Cluster, account: str) -> client.ApiClient:
    """The API as one of the stack's service accounts sees it, with a token of its own."""
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(expiration_seconds=600, audiences=[]))
    token = client.CoreV1Api(cluster.api).create_namespaced_service_account_token(account, cluster.namespace, request)
    configuration = client.Configuration()
    configuration.host = cluster.api.configuration.host
    configuration.ssl_ca_cert = cluster.api.configuration.ssl_ca_cert
    configuration.verify_ssl = cluster.api.configuration.verify_ssl
    configuration.api_key = {"BearerToken": f"Bearer {token.status.token}"}
    return client.ApiClient(configuration)


@pytest.fixture
def sensor_api(cluster: Cluster) -> client.CustomObjectsApi:
    """The API as a Sensor sees it."""
    return client.CustomObjectsApi(with_token(cluster, SUBMITTER))


@pytest.fixture
def finished(cluster: Cluster, watcher: Watcher) -> Workflow:
    """A Workflow that a Sensor started, finished and left alone by the controller."""
    posted = cluster.sender.post(one_of_each()["ic"])
    assert watcher.of([posted.delivery], seconds=SECONDS)
    return cluster.settled(posted.delivery)


CHANGES: dict[str, tuple[str, ...]] = {
    "its spec": ("spec", "shutdown"),
    "its arguments": ("spec", "arguments", "parameters", "0", "value"),
    "its status": ("status", "phase"),
    "a label": ("metadata", "labels", "github-to-argo/route"),
    "an annotation": ("metadata", "annotations", "github-to-argo/delivery"),
    "finalizers": ("metadata", "finalizers"),
    "owners": ("metadata", "ownerReferences"),
}


@pytest.mark.parametrize("path", CHANGES.values(), ids=CHANGES)
def test_an_update_by_a_sensor_may_change_nothing(
    cluster: Cluster, sensor_api: client.CustomObjectsApi, finished: Workflow, path: tuple[str, ...]
) -> None:
    name = finished["metadata"]["name"]
    values: dict[str, Any] = {
        "finalizers": ["x/y"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": str(uuid.uuid4())}],
    }
    node: Any = finished
    for key in path[:-1]:
        node = node[int(key)] if isinstance(node, list) else node[key]
    node[path[-1]] = values.get(path[-1], "changed")
    with pytest.raises(client.ApiException) as refused:
        sensor_api.replace_namespaced_custom_object(*WORKFLOWS, cluster.namespace, "workflows", name, finished)
    assert refused.value.status == 422
    assert "a Sensor starts Workflows and changes none" in str(refused.value.body)


def test_an_update_by_a_sensor_that_changes_nothing_is_let_through(
    cluster: Cluster, sensor_api: client.CustomObjectsApi, finished: Workflow
) -> None:
    name, version = finished["metadata"]["name"], finished["metadata"]["resourceVersion"]
    answer = sensor_api.replace_namespaced_custom_object(*WORKFLOWS, cluster.namespace, "workflows", name, finished)
    assert answer["metadata"]["resourceVersion"] == version
