"""A token of the Sensors in a stranger's hands, before the real API server: what is refused, by whom, and why.

First with the token itself, in the stack's namespace. Then clause by clause: the same policies in namespaces of their
own, for an account that RBAC lets do everything, so that nothing but the policies stands in its way. What a clause is
there for is refused with all of them, and accepted without that one.
"""

from __future__ import annotations

import copy
import json
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from kubernetes import client
from kubernetes.config import new_client_from_config

from cli.stacks import compiled, read_settings
from cli.workflow import phase_of
from payloads import one_of_each
from routes import FAMILIES
from routes.admission import COMPONENT
from routes.compiler import PREFIX, SUBMITTER, compile_stack, started
from routes.dead_letters import FIELDS
from routes.dead_letters import LABEL as LABEL_OF_LETTERS
from routes.dead_letters import NAME as NAME_OF_LETTERS
from routes.manifests import Manifest
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.test_access import RUNNER, with_token

pytestmark = pytest.mark.lab

ARGO = "/apis/argoproj.io/v1alpha1"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
CONTAINER = {"name": "x", "container": {"image": "x", "command": ["sh"]}}

Change = Callable[[Manifest], object]


@dataclass(frozen=True)
class Answer:
    """What the API server said: its status, and its message or, where it did what it was asked, the object."""

    status: int
    message: str
    body: Manifest


def ask(
    api: client.ApiClient, method: str, path: str, body: Manifest | None = None, kind: str = "application/json"
) -> Answer:
    """One request as it is, with `body` as `kind`."""
    path, _, query = path.partition("?")
    response = api.call_api(
        *api.param_serialize(
            method,
            path,
            query_params=[tuple(pair.split("=")) for pair in query.split("&") if pair],
            header_params={"Content-Type": kind, "Accept": "application/json"},
            body=body,
            auth_settings=["BearerToken"],
        )
    )
    text = response.read().decode()
    found: Any = json.loads(text) if text.startswith("{") else {}
    return Answer(response.status, str(found.get("message", text[:500])), found)


def workflow(family: str = "comments", number: int = 0, **settings: object) -> Manifest:
    """A Workflow as the Sensor of a route makes it of a delivery."""
    routes = next(f.routes for f in FAMILIES if f.name == family)
    return filled(family, routes[number].sensor, 0, **settings)


def filled(family: str, sensor: str, delivery: int, **settings: object) -> Manifest:
    """The Workflow of a route, filled in as a delivery of its kind number `delivery` would."""
    (route,) = (r for f in FAMILIES if f.name == family for r in f.routes if r.sensor == sensor)
    made = started(route, read_settings("lab").model_copy(update=settings))
    found = copy.deepcopy(made.workflow)
    for place, text in made.filled[delivery].items():
        *parents, last = place.split(".", 2) if place.startswith("metadata.") else place.split(".")
        node: Any = found
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node[key]
        node[last] = "7" if text is None else text
    found["metadata"]["name"] = f"{route.workflow}-{uuid.uuid4()}"
    return found


def put(path: str, value: object) -> Change:
    """Sets what stands at a path, a parameter by its name."""

    def change(found: Manifest) -> None:
        node: Any = found
        *parents, last = path.split("/")
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
        if isinstance(node, list):
            node[int(last)] = value
        else:
            node[last] = value

    return change


def take(path: str) -> Change:
    """Takes away what stands at a path."""

    def change(found: Manifest) -> None:
        node: Any = found
        *parents, last = path.split("/")
        for key in parents:
            node = node[int(key)] if isinstance(node, list) else node[key]
        node.pop(int(last) if isinstance(node, list) else last)

    return change


def both(*changes: Change) -> Change:
    return lambda found: [change(found) for change in changes]


def parameter(**fields: object) -> Change:
    return lambda found: found["spec"]["arguments"]["parameters"].append(fields)


def reverse(found: Manifest) -> None:
    found["spec"]["arguments"]["parameters"].reverse()


LABEL = "metadata/labels/github-to-argo~"
OWNER = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "workflow-semaphores", "uid": str(uuid.uuid4())}]
NO_STATUS = "more than metadata and spec is set"
METADATA = "its metadata has a field that no route sets"
NAME = "its name is not what its route"
LABELS = "it has a label of no route"
FORGED_LABEL = "a label is not what its route"
ANNOTATIONS = "it has an annotation of no route"
LIVE_ANNOTATION = "an annotation holds {{"
FIELD = "its spec has a field that no route sets"
REFERENCE = "its spec.workflowTemplateRef is not its route's"
ACCOUNT = "its spec.serviceAccountName is not its route's"
LIMIT = "its spec.synchronization is not its route's"
TTL = "its spec.ttlStrategy is not its route's"
ARGUMENTS = "it has arguments that no route sets"
PARAMETERS = "its parameters are not its WorkflowTemplate's"
PARAMETER = "a parameter has more than a name and a value"
FORGED_PARAMETER = "a parameter is not what its route"
LIVE_PARAMETER = "a parameter holds {{"
STORED = {"storedWorkflowTemplateSpec": {"entrypoint": "x", "templates": [CONTAINER]}}

# By what is tried: how the Workflow differs from a route's own (`~` is `/` in a key), and the clause that refuses it.
WORKFLOWS: dict[str, tuple[Change, str]] = {
    "an inline template": (
        both(take("spec/workflowTemplateRef"), put("spec/templates", [CONTAINER]), put("spec/entrypoint", "x")),
        FIELD,
    ),
    "a template beside the reference": (put("spec/templates", [CONTAINER]), FIELD),
    "an entrypoint": (put("spec/entrypoint", "other"), FIELD),
    "template defaults": (put("spec/templateDefaults", CONTAINER), FIELD),
    "a ClusterWorkflowTemplate": (put("spec/workflowTemplateRef/clusterScope", True), REFERENCE),
    "another WorkflowTemplate": (put("spec/workflowTemplateRef/name", "build-and-push"), REFERENCE),
    "another route's WorkflowTemplate": (put("spec/workflowTemplateRef/name", "pr-validation"), REFERENCE),
    "no WorkflowTemplate": (take("spec/workflowTemplateRef"), REFERENCE),
    "the namespace's default account": (put("spec/serviceAccountName", "default"), ACCOUNT),
    "the Sensors' account": (put("spec/serviceAccountName", SUBMITTER), ACCOUNT),
    "no account": (take("spec/serviceAccountName"), ACCOUNT),
    "an executor's account": (put("spec/executor", {"serviceAccountName": "default"}), FIELD),
    "an account's token": (put("spec/automountServiceAccountToken", True), FIELD),
    "a volume of the host": (put("spec/volumes", [{"name": "x", "hostPath": {"path": "/"}}]), FIELD),
    "a volume claim": (put("spec/volumeClaimTemplates", [{"metadata": {"name": "x"}}]), FIELD),
    "the host's network": (put("spec/hostNetwork", True), FIELD),
    "a patch of the pods": (put("spec/podSpecPatch", '{"hostPID": true}'), FIELD),
    "labels of the pods": (put("spec/podMetadata", {"labels": {"x": "y"}}), FIELD),
    "a hook": (put("spec/hooks", {"exit": {"template": "other"}}), FIELD),
    "what runs at the end": (put("spec/onExit", "other"), FIELD),
    "pods that stay": (put("spec/podGC", {"strategy": "OnWorkflowSuccess"}), FIELD),
    "another artifact repository": (put("spec/artifactRepositoryRef", {"configMap": "x", "key": "y"}), FIELD),
    "deletion of artifacts": (put("spec/artifactGC", {"serviceAccountName": "default"}), FIELD),
    "an image's pull secret": (put("spec/imagePullSecrets", [{"name": "registry"}]), FIELD),
    "root": (put("spec/securityContext", {"runAsUser": 0}), FIELD),
    "a priority": (put("spec/priority", 1000), FIELD),
    "a priority class": (put("spec/podPriorityClassName", "system-node-critical"), FIELD),
    "a node": (put("spec/nodeSelector", {"role": "control-plane"}), FIELD),
    "tolerations": (put("spec/tolerations", [{"operator": "Exists"}]), FIELD),
    "another scheduler": (put("spec/schedulerName", "mine"), FIELD),
    "its own name servers": (put("spec/dnsConfig", {"nameservers": ["192.0.2.1"]}), FIELD),
    "metadata by expression": (put("spec/workflowMetadata", {"labels": {"x": "y"}}), FIELD),
    "a Workflow that is put off": (put("spec/suspend", True), FIELD),
    "no semaphore": (take("spec/synchronization"), LIMIT),
    "another semaphore": (put("spec/synchronization/semaphores/0/configMapKeyRef/key", "implementation"), LIMIT),
    "another ConfigMap's semaphore": (put("spec/synchronization/semaphores/0/configMapKeyRef/name", "x"), LIMIT),
    "a mutex beside the semaphore": (put("spec/synchronization/mutexes", [{"name": "x"}]), LIMIT),
    "a Workflow that is kept for ever": (take("spec/ttlStrategy"), TTL),
    "a Workflow that is gone at once": (put("spec/ttlStrategy/secondsAfterCompletion", 0), TTL),
    "artifacts": (put("spec/arguments/artifacts", [{"name": "x", "raw": {"data": "x"}}]), ARGUMENTS),
    "a parameter more": (parameter(name="image", value="x"), PARAMETERS),
    "a parameter twice": (parameter(name="agent", value="rex"), PARAMETERS),
    "a parameter less": (take("spec/arguments/parameters/0"), PARAMETERS),
    "parameters in another order": (reverse, PARAMETERS),
    "no arguments": (take("spec/arguments"), PARAMETERS),
    "a parameter from a ConfigMap": (
        put("spec/arguments/parameters/0/valueFrom", {"configMapKeyRef": {"name": "x", "key": "y"}}),
        PARAMETER,
    ),
    "a parameter by expression": (put("spec/arguments/parameters/0/valueFrom", {"expression": "1 + 1"}), PARAMETER),
    "a global parameter": (put("spec/arguments/parameters/0/globalName", "x"), PARAMETER),
    "another agent": (put("spec/arguments/parameters/6/value", "security"), FORGED_PARAMETER),
    "a branch on a route that has none": (put("spec/arguments/parameters/5/value", "main"), FORGED_PARAMETER),
    "an expression in a parameter": (put("spec/arguments/parameters/1/value", "{{=1+1}}"), LIVE_PARAMETER),
    "a variable in the event": (put("spec/arguments/parameters/0/value", "{{workflow.name}}"), LIVE_PARAMETER),
    "an expression in an annotation": (put("metadata/annotations/github-to-argo~sender", "{{=1}}"), LIVE_ANNOTATION),
    "an annotation of Argo's": (put("metadata/annotations/workflows.argoproj.io~pod-name-format", "v1"), ANNOTATIONS),
    "a label of Argo's": (put("metadata/labels/workflows.argoproj.io~completed", "true"), LABELS),
    "another controller": (put("metadata/labels/workflows.argoproj.io~controller-instanceid", "x"), LABELS),
    "another agent's label": (put(f"{LABEL}agent", "security"), FORGED_LABEL),
    "another event's label": (put(f"{LABEL}event", "push"), FORGED_LABEL),
    "another route's label": (put(f"{LABEL}route", "github-issues-to-implementation"), NAME),
    "a route that there is not": (put(f"{LABEL}route", "github-to-root"), NAME),
    "no labels": (take("metadata/labels"), NAME),
    "a name of its own": (put("metadata/name", "miner"), NAME),
    "another route's name": (put("metadata/name", f"implementation-{uuid.uuid4()}"), NAME),
    "a generated name": (both(take("metadata/name"), put("metadata/generateName", "coderun-rex-")), METADATA),
    "an owner": (put("metadata/ownerReferences", OWNER), METADATA),
    "a finalizer": (put("metadata/finalizers", ["workflows.argoproj.io/artifact-gc"]), METADATA),
    "a status that has it run something else": (put("status", STORED), NO_STATUS),
    "a status that has it finished": (put("status", {"phase": "Succeeded"}), NO_STATUS),
}


CONFIG_MAPS = "/api/v1/namespaces/{ns}/configmaps"
LETTER: Manifest = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"generateName": NAME_OF_LETTERS, "labels": {LABEL_OF_LETTERS: "x"}},
    "data": dict.fromkeys(FIELDS, "x"),
}
LETTERS: dict[tuple[str, str], Manifest] = {
    ("sensor-letters", "more than metadata and data is set"): LETTER | {"immutable": True},
    ("sensor-letters", "its metadata has a field"): LETTER
    | {"metadata": LETTER["metadata"] | {"annotations": {"x": "y"}}},
    ("sensor-letters", "its name is not"): LETTER | {"metadata": {"name": "artifact-repositories"}},
    ("sensor-letters", "it has a label of no"): LETTER
    | {"metadata": LETTER["metadata"] | {"labels": {"workflows.argoproj.io/configmap-type": "Parameter"}}},
    ("sensor-letters", "it tells what no"): LETTER | {"data": {"coderun": "999"}},
    ("sensor-letters", "it tells more than"): LETTER | {"data": {"delivery": "x" * 501}},
}
"""A ConfigMap that one clause alone refuses, by policy and the beginning of what that clause says."""


def changed(found: Manifest, change: Change) -> Manifest:
    result = copy.deepcopy(found)
    change(result)
    text = json.dumps(result).replace("~", "/")
    plain: Manifest = json.loads(text)
    return plain


@pytest.fixture(scope="module")
def sensor(cluster: Cluster) -> client.ApiClient:
    """The API with a token of the Sensors."""
    return with_token(cluster, SUBMITTER)


def workflows(namespace: str) -> str:
    return f"{ARGO}/namespaces/{namespace}/workflows"


@pytest.mark.parametrize(("change", "clause"), WORKFLOWS.values(), ids=WORKFLOWS)
def test_a_workflow_is_refused_with(cluster: Cluster, sensor: client.ApiClient, change: Change, clause: str) -> None:
    answer = ask(sensor, "POST", workflows(cluster.namespace), changed(workflow(), change))
    policy = f"'{PREFIX}-{cluster.namespace}-sensor-starts'"
    assert answer.status == 422, answer
    assert f"ValidatingAdmissionPolicy {policy} with binding {policy} denied request" in answer.message
    assert f"a Sensor starts only what its routes start: {clause}" in answer.message


def test_the_token_can_write_a_dead_letter(cluster: Cluster, sensor: client.ApiClient) -> None:
    path = CONFIG_MAPS.format(ns=cluster.namespace)
    assert ask(sensor, "POST", f"{path}?dryRun=All", LETTER).status == 201


@pytest.mark.parametrize("body", [pytest.param(body, id=clause[1]) for clause, body in LETTERS.items()])
def test_the_token_can_write_no_other_config_map(cluster: Cluster, sensor: client.ApiClient, body: Manifest) -> None:
    answer = ask(sensor, "POST", CONFIG_MAPS.format(ns=cluster.namespace), body)
    assert answer.status == 422, answer
    assert "a Sensor writes no ConfigMap but dead letters" in answer.message


def test_a_workflow_is_refused_at_a_dry_run_and_with_any_field_manager_too(
    cluster: Cluster, sensor: client.ApiClient
) -> None:
    wrong = changed(workflow(), put("spec/entrypoint", "x"))
    for query in ("dryRun=All", "fieldManager=sensor", "fieldValidation=Ignore"):
        answer = ask(sensor, "POST", f"{workflows(cluster.namespace)}?{query}", wrong)
        assert answer.status == 422 and FIELD in answer.message


def kinds_of_delivery() -> Iterator[Any]:
    for family in FAMILIES:
        for route in family.routes:
            for number, delivery in enumerate(route.deliveries):
                yield pytest.param(family.name, route.sensor, number, id=delivery.name)


@pytest.mark.parametrize(("family", "name", "delivery"), list(kinds_of_delivery()))
def test_what_the_token_can_do_is_start_the_routes_workflows(
    cluster: Cluster, sensor: client.ApiClient, family: str, name: str, delivery: int
) -> None:
    answer = ask(sensor, "POST", f"{workflows(cluster.namespace)}?dryRun=All", filled(family, name, delivery))
    assert answer.status == 201, answer


@dataclass(frozen=True)
class Request:
    """A request, `{ns}` in its path for the stack's namespace, and the right that it lacks: `verb resource`."""

    method: str
    path: str
    right: str
    body: Manifest | None = None
    kind: str = "application/json"


def named(kind: str, version: str = "v1", **fields: object) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **fields}


MERGE = "application/merge-patch+json"
ARGO_VERSION = "argoproj.io/v1alpha1"
NOTHING: Manifest = {}
FULL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
TO_ADMIN = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
TOKEN = named("TokenRequest", "authentication.k8s.io/v1", spec={"audiences": []})

REQUESTS: dict[str, Request] = {
    "the list of Workflows": Request("GET", f"{ARGO}/namespaces/{{ns}}/workflows", "list workflows"),
    "a watch of Workflows": Request("GET", f"{ARGO}/namespaces/{{ns}}/workflows?watch=true", "watch workflows"),
    "a Workflow in another namespace": Request(
        "POST", f"{ARGO}/namespaces/default/workflows", "create workflows", workflow()
    ),
    "another namespace's Workflows": Request("GET", f"{ARGO}/namespaces/default/workflows/x", "get workflows"),
    "a patch of a Workflow": Request(
        "PATCH",
        f"{ARGO}/namespaces/{{ns}}/workflows/{{workflow}}",
        "patch workflows",
        {"spec": {"shutdown": "Stop"}},
        MERGE,
    ),
    "a Workflow by server-side apply": Request(
        "PATCH",
        f"{ARGO}/namespaces/{{ns}}/workflows/x?fieldManager=x",
        "patch workflows",
        workflow(),
        "application/apply-patch+yaml",
    ),
    "deletion of a Workflow": Request("DELETE", f"{ARGO}/namespaces/{{ns}}/workflows/{{workflow}}", "delete workflows"),
    "deletion of all Workflows": Request("DELETE", f"{ARGO}/namespaces/{{ns}}/workflows", "deletecollection workflows"),
    "the status of a Workflow": Request(
        "PUT", f"{ARGO}/namespaces/{{ns}}/workflows/{{workflow}}/status", "update workflows/status", workflow()
    ),
    "a WorkflowTemplate": Request(
        "POST",
        f"{ARGO}/namespaces/{{ns}}/workflowtemplates",
        "create workflowtemplates",
        named("WorkflowTemplate", ARGO_VERSION, spec={"templates": [CONTAINER]}),
    ),
    "a change of a WorkflowTemplate": Request(
        "PATCH",
        f"{ARGO}/namespaces/{{ns}}/workflowtemplates/coderun-template",
        "patch workflowtemplates",
        NOTHING,
        MERGE,
    ),
    "a ClusterWorkflowTemplate": Request(
        "POST",
        f"{ARGO}/clusterworkflowtemplates",
        "create clusterworkflowtemplates",
        named("ClusterWorkflowTemplate", ARGO_VERSION, spec={"templates": [CONTAINER]}),
    ),
    "a CronWorkflow": Request(
        "POST",
        f"{ARGO}/namespaces/{{ns}}/cronworkflows",
        "create cronworkflows",
        named("CronWorkflow", ARGO_VERSION, spec={"schedule": "* * * * *"}),
    ),
    "a WorkflowTaskResult": Request(
        "POST",
        f"{ARGO}/namespaces/{{ns}}/workflowtaskresults",
        "create workflowtaskresults",
        named("WorkflowTaskResult", ARGO_VERSION),
    ),
    "an EventSource": Request(
        "POST", f"{ARGO}/namespaces/{{ns}}/eventsources", "create eventsources", named("EventSource", ARGO_VERSION)
    ),
    "an EventSource without signatures": Request(
        "PATCH",
        f"{ARGO}/namespaces/{{ns}}/eventsources/github-es",
        "patch eventsources",
        {"spec": {"github": {"main": {"webhookSecret": None}}}},
        MERGE,
    ),
    "a Sensor": Request("POST", f"{ARGO}/namespaces/{{ns}}/sensors", "create sensors", named("Sensor", ARGO_VERSION)),
    "the end of a Sensor": Request(
        "DELETE", f"{ARGO}/namespaces/{{ns}}/sensors/github-pr-to-pr-validation", "delete sensors"
    ),
    "an EventBus": Request("GET", f"{ARGO}/namespaces/{{ns}}/eventbus/github", "get eventbus"),
    "a pod": Request(
        "POST",
        "/api/v1/namespaces/{ns}/pods",
        "create pods",
        named("Pod", spec={"containers": [{"name": "x", "image": "x"}]}),
    ),
    "a command in a pod": Request("POST", "/api/v1/namespaces/{ns}/pods/x/exec?command=sh", "create pods/exec"),
    "a pod's log": Request("GET", "/api/v1/namespaces/{ns}/pods/x/log", "get pods/log"),
    "a debugging container": Request(
        "PATCH", "/api/v1/namespaces/{ns}/pods/x/ephemeralcontainers", "patch pods/ephemeralcontainers", NOTHING, MERGE
    ),
    "a way into a pod": Request("POST", "/api/v1/namespaces/{ns}/pods/x/portforward", "create pods/portforward"),
    "the webhook's secret": Request("GET", "/api/v1/namespaces/{ns}/secrets/github-webhook-secret", "get secrets"),
    "all secrets": Request("GET", "/api/v1/secrets", "list secrets"),
    "another webhook's secret": Request(
        "PATCH",
        "/api/v1/namespaces/{ns}/secrets/github-webhook-secret",
        "patch secrets",
        {"stringData": {"secret": "x" * 32}},
        MERGE,
    ),
    "a Secret": Request("POST", "/api/v1/namespaces/{ns}/secrets", "create secrets", named("Secret")),
    "a ConfigMap's data": Request("GET", "/api/v1/namespaces/{ns}/configmaps/workflow-semaphores", "get configmaps"),
    "another ConfigMap's data": Request(
        "PUT", "/api/v1/namespaces/{ns}/configmaps/workflow-semaphores", "update configmaps", named("ConfigMap")
    ),
    "wider semaphores": Request(
        "PATCH",
        "/api/v1/namespaces/{ns}/configmaps/workflow-semaphores",
        "patch configmaps",
        {"data": {"coderun": "999"}},
        MERGE,
    ),
    "a Deployment": Request(
        "POST", "/apis/apps/v1/namespaces/{ns}/deployments", "create deployments", named("Deployment", "apps/v1")
    ),
    "a Job": Request("POST", "/apis/batch/v1/namespaces/{ns}/jobs", "create jobs", named("Job", "batch/v1")),
    "a Service's other side": Request(
        "GET", "/api/v1/namespaces/lab-nats/services/nats:8222/proxy/", "get services/proxy"
    ),
    "a node's other side": Request("GET", "/api/v1/nodes/lab/proxy/pods", "get nodes/proxy"),
    "a namespace": Request("POST", "/api/v1/namespaces", "create namespaces", named("Namespace")),
    "a service account": Request(
        "POST", "/api/v1/namespaces/{ns}/serviceaccounts", "create serviceaccounts", named("ServiceAccount")
    ),
    "another account's token": Request(
        "POST", "/api/v1/namespaces/{ns}/serviceaccounts/default/token", "create serviceaccounts/token", TOKEN
    ),
    "a newer token of its own": Request(
        "POST", f"/api/v1/namespaces/{{ns}}/serviceaccounts/{SUBMITTER}/token", "create serviceaccounts/token", TOKEN
    ),
    "more rights in its Role": Request(
        "PATCH",
        f"{RBAC}/namespaces/{{ns}}/roles/argo-events-workflow-submit-role",
        "patch roles",
        {"rules": FULL},
        MERGE,
    ),
    "a Role": Request(
        "POST",
        f"{RBAC}/namespaces/{{ns}}/roles",
        "create roles",
        named("Role", "rbac.authorization.k8s.io/v1", rules=FULL),
    ),
    "an administrator's RoleBinding": Request(
        "POST",
        f"{RBAC}/namespaces/{{ns}}/rolebindings",
        "create rolebindings",
        named("RoleBinding", "rbac.authorization.k8s.io/v1", roleRef=TO_ADMIN),
    ),
    "an administrator's ClusterRoleBinding": Request(
        "POST",
        f"{RBAC}/clusterrolebindings",
        "create clusterrolebindings",
        named("ClusterRoleBinding", "rbac.authorization.k8s.io/v1", roleRef=TO_ADMIN),
    ),
    "the end of a policy": Request(
        "DELETE", f"{POLICIES}/{PREFIX}-{{ns}}-sensor-starts", "delete validatingadmissionpolicies"
    ),
    "a policy that allows all": Request(
        "PATCH",
        f"{POLICIES}/{PREFIX}-{{ns}}-sensor-starts",
        "patch validatingadmissionpolicies",
        {"spec": {"failurePolicy": "Ignore"}},
        MERGE,
    ),
    "the end of a policy's binding": Request(
        "DELETE", f"{BINDINGS}/{PREFIX}-{{ns}}-sensor-starts", "delete validatingadmissionpolicybindings"
    ),
    "a webhook of its own": Request(
        "POST",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        "create mutatingwebhookconfigurations",
        named("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1"),
    ),
    "a CRD": Request(
        "POST",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "create customresourcedefinitions",
        named("CustomResourceDefinition", "apiextensions.k8s.io/v1"),
    ),
    "a certificate": Request(
        "POST",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
        "create certificatesigningrequests",
        named("CertificateSigningRequest", "certificates.k8s.io/v1", spec={}),
    ),
    "an event": Request("POST", "/api/v1/namespaces/{ns}/events", "create events", named("Event")),
    "a lease": Request(
        "POST",
        "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases",
        "create leases",
        named("Lease", "coordination.k8s.io/v1"),
    ),
}


@pytest.fixture(scope="module")
def there(cluster: Cluster) -> str:
    """The name of a Workflow that a Sensor started."""
    with cluster.watch() as watcher:
        posted = cluster.sender.post(one_of_each()["ic"])
        ((found, _),) = watcher.of([posted.delivery], seconds=SECONDS)
    return str(found["metadata"]["name"])


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_rbac_refuses(cluster: Cluster, sensor: client.ApiClient, there: str, request_: Request) -> None:
    path = request_.path.format(ns=cluster.namespace, workflow=there)
    answer = ask(sensor, request_.method, path, request_.body, request_.kind)
    verb, resource = request_.right.split()
    assert answer.status == 403, answer
    assert f'User "system:serviceaccount:{cluster.namespace}:{SUBMITTER}" cannot {verb} resource "{resource}"' in (
        answer.message
    )


@pytest.mark.parametrize("user", ["system:admin", "system:serviceaccount:kube-system:default"])
def test_rbac_refuses_to_take_the_token_for_another_account(
    cluster: Cluster, sensor: client.ApiClient, user: str
) -> None:
    as_another = client.ApiClient(sensor.configuration, "Impersonate-User", user)
    answer = ask(as_another, "GET", workflows(cluster.namespace))
    assert answer.status == 403
    assert "cannot impersonate resource" in answer.message


def test_rbac_refuses_what_is_no_object(sensor: client.ApiClient) -> None:
    for path in ("/metrics", "/logs", "/debug/pprof/"):
        answer = ask(sensor, "GET", path)
        assert answer.status == 403
        assert f'cannot get path "{path}"' in answer.message


def test_at_least_forty_things_were_tried() -> None:
    assert len(WORKFLOWS) + len(REQUESTS) > 100


def test_a_workflows_pod_can_report_and_nothing_else(cluster: Cluster) -> None:
    runner = with_token(cluster, RUNNER)
    results = f"{ARGO}/namespaces/{cluster.namespace}/workflowtaskresults"
    assert ask(runner, "POST", results, named("WorkflowTaskResult", ARGO_VERSION)).status == 201
    assert ask(runner, "PATCH", f"{results}/x", {"progress": "1/1"}, MERGE).status == 200
    assert ask(cluster.api, "DELETE", f"{results}/x").status == 200
    for path in (workflows(cluster.namespace), results, f"/api/v1/namespaces/{cluster.namespace}/secrets"):
        assert ask(runner, "GET", path).status == 403
    assert ask(runner, "POST", workflows(cluster.namespace), workflow()).status == 403


def test_deliveries_with_a_strangers_worst_text_are_accepted(cluster: Cluster) -> None:
    live = "{{=1+1}}{{{{workflow.name}}}} {{{"
    comment = one_of_each()["ic"].but(comment__body=live * 5000, repository__full_name="x" * 300 + "/{{y}}")
    push = one_of_each()["push"].but(repository__name=live, ref="refs/heads/master", sender__login=live, compare=live)
    opened = one_of_each()["pr"].but(pull_request__head__ref=live * 30, pull_request__body="y" * 200_000)
    with cluster.watch() as watcher:
        posted = [cluster.sender.post(payload) for payload in (comment, push, opened)]
        posted.append(cluster.sender.post(one_of_each()["prc"], delivery=f"{live} no name"))
        shown = [p.delivery.replace("{{", "{ {").replace("{{", "{ {") for p in posted]
        found = watcher.of(shown, seconds=SECONDS)
    assert [p.status for p in posted] == [200] * 4
    assert [phase_of(w) for w, _ in found] == ["Succeeded"] * 4
    assert all(w["spec"]["serviceAccountName"] == RUNNER for w, _ in found)


# --- Each clause for itself

CLAUSES: dict[tuple[str, str], str] = {
    ("sensor-starts", NO_STATUS): "a status that has it run something else",
    ("sensor-starts", METADATA): "an owner",
    ("sensor-starts", NAME): "a name of its own",
    ("sensor-starts", LABELS): "another controller",
    ("sensor-starts", FORGED_LABEL): "another agent's label",
    ("sensor-starts", ANNOTATIONS): "an annotation of Argo's",
    ("sensor-starts", LIVE_ANNOTATION): "an expression in an annotation",
    ("sensor-starts", FIELD): "a patch of the pods",
    ("sensor-starts", REFERENCE): "a ClusterWorkflowTemplate",
    ("sensor-starts", ACCOUNT): "the namespace's default account",
    ("sensor-starts", LIMIT): "no semaphore",
    ("sensor-starts", TTL): "a Workflow that is kept for ever",
    ("sensor-starts", ARGUMENTS): "artifacts",
    ("sensor-starts", PARAMETERS): "a parameter more",
    ("sensor-starts", PARAMETER): "a parameter by expression",
    ("sensor-starts", FORGED_PARAMETER): "another agent",
    ("sensor-starts", LIVE_PARAMETER): "an expression in a parameter",
}
"""A Workflow of the above that one clause alone refuses, by policy and the beginning of what that clause says."""

WRITES: dict[tuple[str, str], Request] = {
    **{clause: Request("POST", CONFIG_MAPS, "", body) for clause, body in LETTERS.items()},
    ("sensor-writes", "only Workflows, and dead"): Request(
        "POST", "/api/v1/namespaces/{ns}/serviceaccounts", "", named("ServiceAccount")
    ),
    ("sensor-writes", "only in the namespace"): Request("POST", f"{ARGO}/namespaces/default/workflows", "", workflow()),
    ("sensor-writes", "only by create, and"): Request("DELETE", f"{ARGO}/namespaces/{{ns}}/workflows/there", ""),
    ("webhook-secret", "the key secret of the Secret github-webhook-secret must hold"): Request(
        "POST",
        "/api/v1/namespaces/{ns}/secrets",
        "",
        {**named("Secret"), "metadata": {"name": "github-webhook-secret"}, "stringData": {"secret": ""}},
    ),
}
CHANGES: dict[tuple[str, str], tuple[str, object]] = {
    ("sensor-changes", "spec"): ("spec/shutdown", "Stop"),
    ("sensor-changes", "status"): ("status/phase", "Running"),
    ("sensor-changes", "metadata.labels"): ("metadata/labels/workflows.argoproj.io~completed", "false"),
    ("sensor-changes", "metadata.annotations"): ("metadata/annotations", {"x": "y"}),
    ("sensor-changes", "metadata.finalizers"): ("metadata/finalizers", ["x/y"]),
    ("sensor-changes", "metadata.ownerReferences"): ("metadata/ownerReferences", OWNER),
}
ATTEMPTS = [*CLAUSES, *WRITES, *CHANGES]


def policies_of(namespace: str) -> list[Manifest]:
    """Policies and bindings of a stack in this namespace."""
    settings = read_settings("lab").model_copy(update={"namespace": namespace})
    return [m for m in compile_stack(FAMILIES, settings).access if "Admission" in m["kind"]]


def without(policies: list[Manifest], clause: tuple[str, str] | None) -> list[Manifest]:
    """The policies, one clause of which lets everything through."""
    result = copy.deepcopy(policies)
    if clause is None:
        return result
    about, says = clause
    (policy,) = (m for m in result if m["metadata"]["labels"][COMPONENT] == about and "validations" in m["spec"])
    (validation,) = (v for v in policy["spec"]["validations"] if said(v["message"]).startswith(says))
    validation["expression"] = "true"
    return result


def said(message: str) -> str:
    """What a clause says of the case, without the part that all clauses of its policy begin with."""
    for beginning in (
        "a Sensor starts only what its routes start: ",
        "a Sensor writes no ConfigMap but dead letters: ",
        "a Sensor writes ",
        "a Sensor starts Workflows and changes none: this update would change its ",
    ):
        message = message.removeprefix(beginning)
    return message


@dataclass(frozen=True)
class Place:
    """A namespace with the stack's policies, and its Sensors' account with an administrator's rights.

    `administrator` is someone else with these rights.
    """

    namespace: str
    api: client.ApiClient
    administrator: client.ApiClient

    def attempt(self, clause: tuple[str, str]) -> Answer:
        """What one clause forbids and the others do not, as a dry run."""
        if clause in CLAUSES:
            change, _ = WORKFLOWS[CLAUSES[clause]]
            return self.do(Request("POST", workflows(self.namespace), "", changed(workflow(), change)))
        if clause in WRITES:
            return self.do(WRITES[clause], anyone=clause[0] == "webhook-secret")
        path, value = CHANGES[clause]
        there = ask(self.api, "GET", f"{workflows(self.namespace)}/there").body
        return self.do(Request("PUT", f"{workflows(self.namespace)}/there", "", changed(there, put(path, value))))

    def do(self, request: Request, *, anyone: bool = False) -> Answer:
        api = self.administrator if anyone else self.api
        return ask(api, request.method, f"{request.path.format(ns=self.namespace)}?dryRun=All", request.body)


@pytest.fixture(scope="module")
def places(cluster: Cluster) -> Iterator[dict[tuple[str, str] | None, Place]]:
    """One for each clause, where that clause is out, and one (None) where none is."""
    made: list[str] = []

    def make(numbered: tuple[int, tuple[str, str] | None]) -> Place:
        number, clause = numbered
        namespace = f"clause-{number}"
        api = new_client_from_config()
        made.append(f"/api/v1/namespaces/{namespace}")
        created = [
            ask(cluster.api, "POST", "/api/v1/namespaces", named("Namespace") | {"metadata": {"name": namespace}})
        ]
        # Argo Workflows leaves alone what is completed and has no time to live.
        there = changed(workflow(), both(take("spec/ttlStrategy"), put("status", {"phase": "Succeeded"})))
        there["metadata"] |= {"name": "there", "labels": {"workflows.argoproj.io/completed": "true"}}
        created.append(ask(cluster.api, "POST", workflows(namespace), there))
        for manifest in without(policies_of(namespace), clause):
            path = POLICIES if manifest["kind"] == "ValidatingAdmissionPolicy" else BINDINGS
            made.append(f"{path}/{manifest['metadata']['name']}")
            created.append(ask(cluster.api, "POST", path, manifest))
        assert {answer.status for answer in created} == {201}, created
        api.set_default_header("Impersonate-User", f"system:serviceaccount:{namespace}:{SUBMITTER}")
        api.set_default_header("Impersonate-Group", "system:masters")
        return Place(namespace, api, cluster.api)

    with ThreadPoolExecutor(4) as pool:
        try:
            clauses = [None, *ATTEMPTS]
            yield dict(zip(clauses, pool.map(make, enumerate(clauses)), strict=True))
        finally:
            list(pool.map(lambda path: ask(cluster.api, "DELETE", path), made))


def in_force(place: Place, clause: tuple[str, str]) -> Answer:
    """What is said of an attempt that must be refused, once the policies are in force: that takes a moment."""
    deadline = time.monotonic() + 20
    while (answer := place.attempt(clause)).status < 400 and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer


def test_there_is_an_attempt_for_each_clause() -> None:
    clauses = [
        (m["metadata"]["labels"][COMPONENT], said(validation["message"]))
        for m in policies_of("somewhere")
        for validation in m["spec"].get("validations", [])
    ]
    found = [[c for c in ATTEMPTS if c[0] == about and text.startswith(c[1])] for about, text in clauses]
    assert [len(one) for one in found] == [1] * len(clauses)
    assert len(clauses) == len(ATTEMPTS)


@pytest.mark.parametrize("clause", ATTEMPTS, ids=[" ".join(clause) for clause in ATTEMPTS])
def test_a_clause_alone_refuses_what_it_is_there_for(
    places: dict[tuple[str, str] | None, Place], clause: tuple[str, str]
) -> None:
    about, says = clause
    refused = in_force(places[None], clause)
    assert refused.status == 422, refused
    assert f"'{PREFIX}-{places[None].namespace}-{about}'" in refused.message
    assert says in refused.message
    place = places[clause]
    another = next((c for c in ATTEMPTS if c[0] == about and c != clause), ATTEMPTS[0])
    assert in_force(place, another).status == 422
    accepted = place.attempt(clause)
    assert accepted.status in (200, 201), accepted


def test_what_the_routes_start_is_accepted_with_all_clauses(places: dict[tuple[str, str] | None, Place]) -> None:
    assert in_force(places[None], ATTEMPTS[0]).status == 422
    for family in FAMILIES:
        for route in family.routes:
            for number in range(len(route.deliveries)):
                made = filled(family.name, route.sensor, number)
                assert places[None].do(Request("POST", workflows(places[None].namespace), "", made)).status == 201


def test_a_forged_status_would_run_anything(places: dict[tuple[str, str] | None, Place], cluster: Cluster) -> None:
    """What the one clause keeps out: the controller asks a Workflow's status before its WorkflowTemplate."""
    place = places["sensor-starts", NO_STATUS]
    stack = compiled("lab")
    semaphores = next(m for m in stack.access if m["kind"] == "ConfigMap")
    for path, manifest in [
        (f"/api/v1/namespaces/{place.namespace}/configmaps", semaphores),
        *((f"{ARGO}/namespaces/{place.namespace}/workflowtemplates", template) for template in stack.templates),
    ]:
        metadata = {"name": manifest["metadata"]["name"]}
        assert ask(cluster.api, "POST", path, manifest | {"metadata": metadata}).status == 201
    forged = changed(workflow(), put("status", STORED))
    assert ask(place.api, "POST", workflows(place.namespace), forged).status == 201
    pods: list[Manifest] = []
    for _ in range(100):
        pods = ask(cluster.api, "GET", f"/api/v1/namespaces/{place.namespace}/pods").body["items"]
        if pods:
            break
        time.sleep(0.2)
    (pod,) = pods
    assert "x" in [container["image"] for container in pod["spec"]["containers"]]
    assert pod["spec"].get("serviceAccountName", "default") == "default"
