"""A stack whose WorkflowTemplates are someone's own: what is wrong with them is told before anything is deployed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from kubernetes import client

from cli.delivery import WORKFLOWS
from cli.stacks import compiled
from lab.stack import LabStack, StackFailed
from routes.manifests import Manifest
from tests.e2e.conftest import Cluster

pytestmark = pytest.mark.lab

NAMESPACE = "github-to-argo-external"
NOWHERE = "github-to-argo-nowhere"
Put = Callable[[Sequence[Manifest]], None]


def external(**overrides: object) -> LabStack:
    """Stack `lab`'s settings in a namespace that has WorkflowTemplates of its own, or none."""
    theirs = {"namespace": NAMESPACE, "createNamespace": False, "workflowTemplates": "external"}
    return LabStack("external", overrides=theirs | overrides)


def templates() -> dict[str, Manifest]:
    """WorkflowTemplates as they should be, by name."""
    return {
        template["metadata"]["name"]: template | {"metadata": {"name": template["metadata"]["name"]}}
        for template in compiled("lab").templates
    }


def parameters(template: Manifest) -> list[Manifest]:
    found: list[Manifest] = template["spec"]["arguments"]["parameters"]
    return found


@pytest.fixture(scope="module", autouse=True)
def stack() -> Iterator[LabStack]:
    stack = external()
    yield stack
    if stack.folder.exists():
        stack.destroy()


@pytest.fixture(scope="module")
def put(cluster: Cluster) -> Iterator[Put]:
    """Puts WorkflowTemplates into the namespace, in place of those that are there; takes the namespace away at the end.

    It is there from the start, with no template.
    """
    core, objects = client.CoreV1Api(cluster.api), client.CustomObjectsApi(cluster.api)
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))

    def put(wanted: Sequence[Manifest]) -> None:
        objects.delete_collection_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "workflowtemplates")
        for template in wanted:
            objects.create_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "workflowtemplates", template)

    yield put
    core.delete_namespace(NAMESPACE)
    for _ in range(60):
        if NAMESPACE not in {namespace.metadata.name for namespace in core.list_namespace().items}:
            return
        time.sleep(1)
    raise TimeoutError(f"namespace {NAMESPACE} is not gone")


def told(work: Callable[[], object]) -> str:
    with pytest.raises(StackFailed) as raised:
        work()
    return str(raised.value)


def test_wrong_templates_are_told_at_preview_and_at_up_and_nothing_is_made(put: Put, cluster: Cluster) -> None:
    theirs = templates()
    del theirs["orchestrator-resume-close"]
    parameters(theirs["coderun-template"]).remove({"name": "taskId"})
    parameters(theirs["implementation"]).append({"name": "model", "default": "large"})
    put(list(theirs.values()))
    for text in (told(external().preview), told(external().up)):
        assert f"3 things are wrong with the WorkflowTemplates of namespace {NAMESPACE} in context lab" in text
        assert "coderun-template: the routes send it taskId, which it does not declare" in text
        assert "      - name: taskId" in text
        assert "implementation: no route sends it model, and that has no value of its own" in text
        assert "orchestrator-resume-close: there is no such WorkflowTemplate" in text
    sensors = client.CustomObjectsApi(cluster.api).list_namespaced_custom_object(*WORKFLOWS, NAMESPACE, "sensors")
    assert not sensors["items"]


def test_mended_templates_pass(put: Put) -> None:
    theirs = templates()
    parameters(theirs["coderun-template"]).remove({"name": "taskId"})
    put(list(theirs.values()))
    assert "1 thing is wrong" in told(external().preview)
    parameters(theirs["coderun-template"]).append({"name": "taskId"})
    parameters(theirs["coderun-template"]).append({"name": "model", "value": "large"})
    put(list(theirs.values()))
    assert external().preview()["create"]


def test_templates_of_routes_that_are_off_need_not_be_there(put: Put) -> None:
    put([templates()["coderun-template"]])
    off = ("github-pr-to-pr-validation", "github-issues-to-implementation", "github-push-merge-to-orchestrator")
    assert external(routes={sensor: {"enabled": False} for sensor in off}).preview()["create"]


def test_with_the_setting_off_nothing_is_looked_at(put: Put) -> None:
    put([])
    assert "4 things are wrong" in told(external().preview)
    assert external(checkTemplates=False).preview()["create"]


def test_a_namespace_that_nobody_makes_is_asked_for() -> None:
    assert f"there is no namespace {NOWHERE} in context lab; make it" in told(external(namespace=NOWHERE).preview)


def test_a_namespace_that_the_stack_makes_may_be_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert external(namespace=NOWHERE, createNamespace=True).preview()["create"]
    assert f"warning: namespace {NOWHERE} is not there yet" in capsys.readouterr().out
