"""What each stack makes, by the real API server with the real definitions: every field is known to it, and valid."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from kubernetes import client
from kubernetes.dynamic import DynamicClient

from cli.stacks import compiled, read_settings, stack_names
from routes.manifests import Manifest
from tests.e2e.conftest import Cluster
from tests.routes.test_compiler import stack as changed
from tests.routes.test_exposure import GATEWAY, INGRESS

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def dynamic(cluster: Cluster) -> Iterator[DynamicClient]:
    """A client of every kind, and for a while the namespaces of the stacks that are not up."""
    core = client.CoreV1Api(cluster.api)
    there = {namespace.metadata.name for namespace in core.list_namespace().items}
    missing = {read_settings(stack).namespace for stack in stack_names()} - there
    for name in missing:
        core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    yield DynamicClient(cluster.api)
    for name in missing:
        core.delete_namespace(name)


def refusals(dynamic: DynamicClient, objects: list[Manifest]) -> list[str]:
    """What the API server has against each of the objects, were they applied."""
    return [f"{found['kind']} {found['metadata']['name']}: {no}" for found in objects for no in _no(dynamic, found)]


def _no(dynamic: DynamicClient, manifest: Manifest) -> Iterator[str]:
    kind = dynamic.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
    # A Secret's value comes from Pulumi's config.
    value = {"stringData": {"secret": "a secret of this test"}} if manifest["kind"] == "Secret" else {}
    try:
        kind.server_side_apply(
            body=manifest | value,
            namespace=manifest["metadata"].get("namespace"),
            field_manager="test",
            force_conflicts=True,
            query_params=[("dryRun", "All"), ("fieldValidation", "Strict")],
        )
    except client.ApiException as error:
        yield json.loads(error.body)["message"]


@pytest.mark.parametrize("stack", stack_names())
def test_every_object_of_a_stack_is_accepted(dynamic: DynamicClient, stack: str) -> None:
    assert refusals(dynamic, compiled(stack).objects()) == []


@pytest.mark.parametrize("exposure", [INGRESS, GATEWAY], ids=["an Ingress", "an HTTPRoute"])
def test_each_way_in_is_accepted(dynamic: DynamicClient, cluster: Cluster, exposure: dict[str, object]) -> None:
    route = changed(exposure=exposure, namespace=cluster.namespace).exposure
    assert route
    assert refusals(dynamic, [route]) == []


def test_a_field_that_no_definition_has_is_refused_whichever_object_has_it(dynamic: DynamicClient) -> None:
    objects = {found["kind"]: copy.deepcopy(found) for found in compiled("prod").objects() if "spec" in found}
    # Argo's own definitions keep what they do not know: `routes/manifests.py` is closed for them.
    closed = [found for found in objects.values() if "argoproj.io" not in found["apiVersion"]]
    for found in closed:
        found["spec"]["misspelt"] = "x"
    refused = refusals(dynamic, closed)
    assert len(refused) == len(closed) > 3
    assert all("misspelt" in told for told in refused), refused
