"""What the author of a WorkflowTemplate must not do: each attack works on the naive template, and not on the safe one.

The templates run on the workflow-controller; what it hands to a pod is run by a real shell. docs/security.md tells the
same in words, and docs/templates/ has the safe way.
"""

from __future__ import annotations

import bisect
import copy
import json
import os
import random
import shutil
import string
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from cli.engine import Delivery, Engine
from cli.stacks import ROOT, compiled
from cli.workflow import Workflow, parameters_of, phase_of
from payloads import Payload, one_of_each
from routes.limits import EVENT_BYTES, LARGEST_BYTES
from routes.manifests import Manifest
from routes.reduced import REDUCED
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.text_stack import NAMESPACE, TextStack, documents, inputs_of, nodes_of, text_stack
from tests.e2e.texts import TEXTS
from tests.engine.workflows import Validation

pytestmark = pytest.mark.lab

(EXAMPLE,) = documents(ROOT / "docs/templates/coderun-template.yaml")
CANARY = "somebody-was-here"


@pytest.fixture(scope="module")
def stack(cluster: Cluster) -> Iterator[TextStack]:
    with text_stack(cluster, EXAMPLE) as stack:
        yield stack


@pytest.fixture(autouse=True)
def no_workflows_are_left(stack: TextStack) -> Iterator[None]:
    yield
    stack.delete_workflows()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as running:
        yield running


def said(text: str) -> Payload:
    """A review comment on a branch of that name, with a label of that name; its event comes whole."""
    short = text[:1_000]
    return one_of_each()["prc"].but(
        comment__body=text,
        pull_request__head__ref=short,
        pull_request__labels=[{"name": short}],
        sender__login=short,
    )


def written(engine: Engine, payload: Payload, sensors: Sequence[Manifest] | None = None) -> dict[str, str]:
    """The parameters of the Workflow that the stack's Sensors make of a delivery, or these Sensors."""
    headers = {"Content-Type": "application/json", "X-GitHub-Event": payload.event, "X-GitHub-Delivery": "d"}
    delivery = Delivery(name="d", headers=headers, body=json.dumps(payload.body, ensure_ascii=False).encode())
    (taken,) = engine.deliver(compiled("lab"), [delivery], sensors=sensors)
    ((outcome,),) = (outcomes for outcomes in taken.sensors if outcomes)
    assert outcome.object, outcome.failure
    return parameters_of(outcome.object)


def naive_sensors() -> list[Manifest]:
    """The stack's, with parameters as one would write them: the payload's text as it is."""
    keys = {"event": "body", "commentBody": "body.comment.body", "branch": "body.pull_request.head.ref"}
    sensors = copy.deepcopy(compiled("lab").all_sensors())
    for sensor in sensors:
        (trigger,) = sensor["spec"]["triggers"]
        k8s = trigger["template"]["k8s"]
        names = [p["name"] for p in k8s["source"]["resource"]["spec"]["arguments"]["parameters"]]
        for parameter in k8s["parameters"]:
            for name, key in keys.items():
                if name in names and parameter["dest"] == f"spec.arguments.parameters.{names.index(name)}.value":
                    dependency = parameter["src"]["dependencyName"]
                    parameter["src"] = {"dependencyName": dependency, "dataKey": key}
    return sensors


def hand(value: str, **step: Any) -> Manifest:
    """A step that hands `value` to a leaf."""
    leaf = {"name": "leaf", "inputs": {"parameters": [{"name": "x"}]}, "suspend": {"duration": "0s"}}
    call = {"name": "step", "template": "leaf", "arguments": {"parameters": [{"name": "x", "value": value}]}, **step}
    return {"entrypoint": "main", "templates": [{"name": "main", "steps": [[call]]}, leaf]}


def leaf(workflow: Workflow) -> str:
    """What came to the leaf; its phase where nothing did."""
    (node,) = (node for node in nodes_of(workflow) if node["displayName"].startswith("step"))
    return str(dict(inputs_of(node)).get("x", node["phase"]))


# --- The Sensor's parameters


@pytest.mark.parametrize(
    ("text", "parameter", "becomes"),
    [
        ("{{=1+1}}", "commentBody", "2"),
        ("{{=1+1}}", "branch", "2"),
        ("{{workflow.namespace}}", "commentBody", NAMESPACE),
        ("{{workflow.parameters.owner}}", "commentBody", "Codertocat"),
        ("{{inputs.parameters.event}}", "commentBody", "failed to resolve {{inputs.parameters.event}}"),
        ("🏴\U000e0067\U000e007f", "commentBody", "cannot finish template replacement"),
        ("\x1b[0m", "commentBody", "cannot finish template replacement"),
    ],
)
def test_a_naive_sensor_lets_payload_text_live_and_ours_does_not(
    stack: TextStack, engine: Engine, text: str, parameter: str, becomes: str
) -> None:
    payload, naive = said(text), naive_sensors()
    spec = hand(f"{{{{workflow.parameters.{parameter}}}}}")
    attacked = stack.run(spec, written(engine, payload, naive))
    if phase_of(attacked) == "Succeeded":
        assert leaf(attacked) == becomes
    else:
        assert becomes in attacked["status"]["message"]
    ours = written(engine, payload)
    assert leaf(stack.run(spec, ours)) == ours[parameter]


def test_a_naive_sensor_lets_an_event_live_and_ours_does_not(stack: TextStack, engine: Engine) -> None:
    payload = said("{{=1+1}}")
    spec = hand("{{workflow.parameters.event}}")
    attacked = leaf(stack.run(spec, written(engine, payload, naive_sensors())))
    assert json.loads(attacked)["comment"]["body"] == "2"
    assert json.loads(leaf(stack.run(spec, written(engine, payload)))) == payload.body


def test_two_texts_side_by_side_become_a_mark_with_a_naive_sensor_and_not_with_ours(
    stack: TextStack, engine: Engine
) -> None:
    payload = said("{=1+1}}").but(pull_request__head__ref="{")
    spec = hand("{{workflow.parameters.branch}}{{workflow.parameters.commentBody}}")
    assert leaf(stack.run(spec, written(engine, payload, naive_sensors()))) == "2"
    assert leaf(stack.run(spec, written(engine, payload))) == "{ {=1+1}}"


# --- Templates that Argo Workflows evaluates


@dataclass(frozen=True)
class Mistake:
    """A template's step, the text that attacks it, what comes of it; and the same thing done safely."""

    naive: Manifest
    text: str
    becomes: str
    safe: Manifest
    stays: Callable[[Mapping[str, str]], str]


EVENT = "{{workflow.parameters.event}}"
COMMENT = "{{workflow.parameters.commentBody}}"
PASSED_ON = (hand(EVENT), lambda sent: sent["event"])
COMPARED = hand("ran", when="{{=workflow.parameters.branch == 'main'}}")

MISTAKES = {
    "jsonpath of the event": Mistake(
        hand("{{=jsonpath(workflow.parameters.event, '$.comment.body')}}"), "{{=1+1}}", "2", *PASSED_ON
    ),
    "fromJSON of the event": Mistake(
        hand("{{=fromJSON(workflow.parameters.event).comment.body}}"), "{{workflow.namespace}}", NAMESPACE, *PASSED_ON
    ),
    "withParam of a list in the event": Mistake(
        hand("{{item.name}}", withParam="{{=toJson(jsonpath(workflow.parameters.event, '$.pull_request.labels'))}}"),
        "{{workflow.namespace}}",
        NAMESPACE,
        *PASSED_ON,
    ),
    "withParam of a text": Mistake(
        hand("{{item}}", withParam="{{=toJson([workflow.parameters.commentBody])}}"),
        'said "so"',
        'said \\"so\\"',
        hand(COMMENT),
        lambda sent: sent["commentBody"],
    ),
    "a function that takes blanks away": Mistake(
        hand("{{=sprig.nospace(workflow.parameters.commentBody)}}"),
        "{{=1+1}}",
        "2",
        hand(COMMENT),
        lambda sent: sent["commentBody"],
    ),
    "a condition that a text is written into": Mistake(
        hand("ran", when="'{{workflow.parameters.branch}}' == 'main'"),
        "x' != 'main' || 'x",
        "ran",
        COMPARED,
        lambda _: "Skipped",
    ),
    "a condition without quotes": Mistake(
        hand("ran", when="{{workflow.parameters.branch}} == main"),
        "x == x || main",
        "ran",
        COMPARED,
        lambda _: "Skipped",
    ),
    "the name of another parameter": Mistake(
        hand("{{workflow.parameters.{{workflow.parameters.branch}}}}"),
        "agent",
        "rex",
        hand("{{workflow.parameters.branch}}"),
        lambda sent: sent["branch"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_what_argo_workflows_evaluates_must_not_hold_a_text(stack: TextStack, engine: Engine, mistake: Mistake) -> None:
    sent = written(engine, said(mistake.text))
    assert leaf(stack.run(mistake.naive, sent)) == mistake.becomes
    assert leaf(stack.run(mistake.safe, sent)) == mistake.stays(sent)


def test_a_text_must_not_choose_the_template(stack: TextStack, engine: Engine) -> None:
    spec = hand("x")
    spec["templates"] += [{"name": name, "suspend": {"duration": "0s"}} for name in ("check", "deploy")]
    (((step,),),) = (t["steps"] for t in spec["templates"] if "steps" in t)
    del step["arguments"]
    step["template"] = "{{workflow.parameters.branch}}"
    sent = written(engine, said("deploy"))
    templates = {node.get("templateName") for node in nodes_of(stack.run(spec, sent))}
    assert "deploy" in templates
    step |= {"template": "check", "when": "{{=workflow.parameters.branch == 'main'}}"}
    assert "deploy" not in {node.get("templateName") for node in nodes_of(stack.run(spec, sent))}


# --- Templates that make pods


def container(**fields: Any) -> Manifest:
    """A template of one container, which is never run, with these fields beside it or in it."""
    of_template = {key: fields.pop(key) for key in list(fields) if key in ("podSpecPatch", "resource", "script")}
    body = (
        {} if {"resource", "script"} & set(of_template) else {"container": {"image": "x", "command": ["x"], **fields}}
    )
    return {"entrypoint": "main", "templates": [{"name": "main", **of_template, **body}]}


def main_container(stack: TextStack, workflow: Workflow) -> client.V1Container:
    pods = stack.pods_of(workflow)
    assert len(pods) == 1, workflow.get("status", {}).get("message")
    (main,) = (c for pod in pods for c in pod.spec.containers if c.name == "main")
    return main


def test_a_text_must_not_choose_the_image(stack: TextStack, engine: Engine) -> None:
    sent = written(engine, said("registry.example/evil:latest"))
    naive = container(image="{{workflow.parameters.branch}}")
    assert main_container(stack, stack.run(naive, sent)).image == "registry.example/evil:latest"
    assert main_container(stack, stack.run(EXAMPLE["spec"], sent)).image == "python:3.11-slim"


def test_a_text_must_not_stand_in_a_pod_spec_patch(stack: TextStack, engine: Engine) -> None:
    patch = '{"containers": [{"name": "main", "workingDir": "/%s"}]}'
    sent = written(engine, said('", "securityContext": {"runAsUser": 0}, "tty": false, "image": "x'))
    naive = main_container(stack, stack.run(container(podSpecPatch=patch % "{{workflow.parameters.branch}}"), sent))
    assert naive.security_context.run_as_user == 0
    safe = main_container(stack, stack.run(container(podSpecPatch=patch % "work"), sent))
    assert not safe.security_context or safe.security_context.run_as_user is None


def test_a_text_must_not_stand_in_a_manifest(stack: TextStack, engine: Engine) -> None:
    def manifest(text: str) -> Any:
        resource = {
            "action": "create",
            "manifest": f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  branch: {text}\n",
        }
        handed = stack.handed(stack.run(container(resource=resource), sent))
        return yaml.safe_load(handed["resource"]["manifest"])

    sent = written(engine, said("x\nkind: Pod\nspec: {hostPID: true}\n"))
    assert manifest("{{workflow.parameters.branch}}") | {"data": None} == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x"},
        "data": None,
        "spec": {"hostPID": True},
    }
    assert manifest("{{workflow.parameters.pr}}")["kind"] == "ConfigMap"


# --- Scripts, run for real


def files_of(template: Manifest, folder: Path) -> Path:
    """The files that a template's raw artifacts become, `/` being `folder`; the folder that its script starts in."""
    for artifact in template.get("inputs", {}).get("artifacts", []):
        path = folder / artifact["path"].lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(artifact["raw"]["data"].encode())
    start: Path = folder / template["script"].get("workingDir", "/").lstrip("/")
    start.mkdir(parents=True, exist_ok=True)
    return start


def run_script(template: Manifest, folder: Path) -> subprocess.CompletedProcess[str]:
    """A template's script as its pod runs it, in a folder of its own, with nothing but the template's environment."""
    script = template["script"]
    environment = {e["name"]: e.get("value", "") for e in script.get("env", [])}
    start = files_of(template, folder)
    source = folder / "source"
    source.write_text(script["source"])
    (program,) = script["command"]
    found = shutil.which(program)
    assert found
    done = subprocess.run(
        [found, str(source)],
        cwd=start,
        env={"PATH": os.defpath + os.pathsep + os.environ["PATH"], "LC_ALL": "C.UTF-8"} | environment,
        capture_output=True,
        timeout=20,
        check=False,
    )
    # Decoded here, since `text=True` takes a lone CR for the end of a line.
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def script(source: str, **fields: Any) -> Manifest:
    return container(script={"image": "x", "command": ["sh"], "source": source, **fields})


INLINED = {
    "a script": (f"echo branch {COMMENT}\n", f"x; touch {CANARY}"),
    "a script, in quotes": (f'echo "{COMMENT}"\n', f"$(touch {CANARY})"),
    "a script, in single quotes": (f"echo '{COMMENT}'\n", f"'; touch {CANARY}; '"),
    "a here document": (f"cat <<EOF\n{COMMENT}\nEOF\n", f"`touch {CANARY}`"),
    "a here document in quotes": (f"cat <<'EOF'\n{COMMENT}\nEOF\n", f"x\nEOF\ntouch {CANARY}\n"),
    "another language": (
        f'python3 -c \'print("""{COMMENT}""")\'\n',
        f'""" + str(open("{CANARY}", "w")) + """',
    ),
}


@pytest.mark.parametrize(("source", "text"), INLINED.values(), ids=INLINED)
def test_a_text_must_not_be_written_into_a_script(
    stack: TextStack, engine: Engine, tmp_path: Path, source: str, text: str
) -> None:
    sent = written(engine, said(text))
    naive, safe = tmp_path / "naive", tmp_path / "safe"
    run_script(stack.handed(stack.run(script(source), sent)), naive)
    assert list(naive.rglob(CANARY))
    done = run_script(stack.handed(stack.run(EXAMPLE["spec"], sent)), safe)
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(safe.rglob(CANARY))


def touches(stack: TextStack, source: str, sent: Mapping[str, str], folder: Path) -> bool:
    """Whether a script that reads the comment from the file `text` makes the canary."""
    spec = script(source)
    spec["templates"][0]["inputs"] = {"artifacts": [{"name": "text", "path": "/text", "raw": {"data": COMMENT}}]}
    run_script(stack.handed(stack.run(spec, sent)), folder)
    return (folder / CANARY).exists()


def test_a_text_must_not_be_taken_for_an_option(stack: TextStack, engine: Engine, tmp_path: Path) -> None:
    sent = written(engine, said(f"--output={CANARY}"))
    assert touches(stack, 'sort "$(cat text)" </dev/null\n', sent, tmp_path / "naive")
    assert not touches(stack, 'sort -- "$(cat text)" </dev/null\n', sent, tmp_path / "safe")


def test_a_text_must_not_be_read_without_quotes(stack: TextStack, engine: Engine, tmp_path: Path) -> None:
    sent = written(engine, said(f"/dev/null --output={CANARY}"))
    assert touches(stack, "sort $(cat text)\n", sent, tmp_path / "naive")
    assert not touches(stack, 'sort -- "$(cat text)"\n', sent, tmp_path / "safe")


def test_a_long_text_does_not_fit_into_an_environment(stack: TextStack, engine: Engine, tmp_path: Path) -> None:
    long = "x" * 65_536
    sent = written(engine, one_of_each()["prc"].but(comment__body=long, pull_request__body=long))
    with pytest.raises(OSError, match="Argument list too long"):
        run_script(
            stack.handed(stack.run(script("true\n", env=[{"name": "EVENT", "value": EVENT}]), sent)), tmp_path / "naive"
        )
    assert run_script(stack.handed(stack.run(EXAMPLE["spec"], sent)), tmp_path / "safe").returncode == 0


# --- The example


def example_of(stack: TextStack, payload: Payload) -> tuple[dict[str, str], Workflow]:
    """Delivered through the stack: the parameters, and the Workflow once it has made its pod."""
    with stack.cluster.watch() as watcher:
        posted = stack.cluster.sender.post(payload)
        assert (posted.status, posted.answer) == (200, "success")
        ((workflow, _),) = watcher.of([posted.delivery], seconds=SECONDS, finished=False)
    stack.wait_for_pods(workflow)
    return parameters_of(workflow), workflow


def test_the_examples_are_valid_with_what_every_route_sends() -> None:
    sensors = compiled("lab").all_sensors()
    workflows = [sensor["spec"]["triggers"][0]["template"]["k8s"]["source"]["resource"] for sensor in sensors]
    theirs = [w for w in workflows if w["spec"]["workflowTemplateRef"]["name"] == EXAMPLE["metadata"]["name"]]
    assert len(theirs) == 4
    with Validation() as validation:
        verdict = validation.check([EXAMPLE], theirs)
    assert (verdict.templates, verdict.workflows) == ([""], [""] * 4)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_examples_script_reads_a_strangers_text(stack: TextStack, tmp_path: Path, text: str) -> None:
    payload = said(text).but(pull_request__title=f"task: T-7 {text[:1_000]}")
    sent, workflow = example_of(stack, payload)
    template = stack.handed(workflow)
    done = run_script(template, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    work = tmp_path / "work"
    assert json.loads((work / "event.json").read_bytes()) == payload.body
    assert (work / "comment").read_bytes().decode() == sent["commentBody"]
    assert (work / "branch").read_bytes().decode() == sent["branch"]
    assert done.stdout == (
        "agent rex, repository Codertocat/Hello-World\n"
        f"pull request 2, issue none, task {sent['taskId']}\n"
        f"branch {sent['branch'].rstrip(chr(10))}\n"
        f"a comment of {len(sent['commentBody'].encode())} bytes\n"
        f"sender {json.dumps(payload.body['sender']['login'])}\n"
    )
    (pod,) = stack.pods_of(workflow)
    for c in pod.spec.containers:
        for word in [*(c.command or []), *(c.args or []), *(e.value or "" for e in c.env if e.name != "ARGO_TEMPLATE")]:
            assert sent["commentBody"] not in word or len(text) < 5


def test_the_example_with_a_delivery_that_has_no_pull_request(stack: TextStack, tmp_path: Path) -> None:
    sent, workflow = example_of(stack, one_of_each()["wr"])
    done = run_script(stack.handed(workflow), tmp_path)
    assert done.stdout.splitlines()[:3] == [
        "agent triage, repository octo-org/octo-repo",
        "pull request none, issue none, task none",
        "branch ",
    ]
    assert (done.returncode, sent["commentBody"]) == (0, "")


@pytest.mark.parametrize("words", ["and more of them, line by line\n", '"\\"', "random"])
def test_the_largest_event_comes_to_the_examples_script_whole(stack: TextStack, tmp_path: Path, words: str) -> None:
    payload = one_of_each()["prc"].but(comment__body="x" * 65_536)
    letters = random.Random(7).choices(string.ascii_letters + string.digits, k=EVENT_BYTES)
    filler = "".join(letters) if words == "random" else words * EVENT_BYTES

    def event(length: int) -> Payload:
        return payload.but(pull_request__body=filler[:length])

    def size(of: Payload) -> int:
        return len(
            json.dumps(json.dumps(of.body, ensure_ascii=False, separators=(",", ":")), ensure_ascii=False).encode()
        )

    longest = bisect.bisect(range(EVENT_BYTES), EVENT_BYTES - 500, key=lambda length: size(event(length)))
    _, workflow = example_of(stack, event(longest))
    done = run_script(stack.handed(workflow), tmp_path)
    assert done.returncode == 0
    assert json.loads((tmp_path / "work/event.json").read_bytes()) == event(longest).body


def test_a_larger_event_comes_to_the_examples_script_reduced(stack: TextStack, tmp_path: Path) -> None:
    payload = one_of_each()["prc"].but(comment__body="x" * 65_536, pull_request__body="all ordinary words " * 300_000)
    sent, workflow = example_of(stack, payload)
    done = run_script(stack.handed(workflow), tmp_path)
    assert done.returncode == 0
    event = json.loads((tmp_path / "work/event.json").read_bytes())
    assert event[REDUCED]["cut"] == ["comment.body", "pull_request.body"]
    assert (tmp_path / "work/comment").read_bytes().decode() == sent["commentBody"] == "x" * 65_536


def test_what_is_larger_than_the_event_source_takes_is_answered_400(stack: TextStack) -> None:
    posted = stack.cluster.sender.post(one_of_each()["prc"].but(comment__body="x" * LARGEST_BYTES))
    assert (posted.status, posted.answer) == (400, "http: request body too large")


def test_the_examples_pod_is_admitted_where_pod_security_is_restricted(stack: TextStack, engine: Engine) -> None:
    (pod,) = stack.pods_of(stack.run(EXAMPLE["spec"], written(engine, said("x"))))
    core = client.CoreV1Api(stack.cluster.api)
    name = f"{NAMESPACE}-restricted"
    core.create_namespace({"metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    try:
        new = {"metadata": {"name": "example"}, "spec": stack.cluster.api.sanitize_for_serialization(pod.spec)}
        core.create_namespaced_pod(name, new, dry_run="All")
        new["spec"].pop("securityContext")
        with pytest.raises(client.ApiException) as refused:
            core.create_namespaced_pod(name, new, dry_run="All")
        assert "violates PodSecurity" in str(refused.value.body)
    finally:
        core.delete_namespace(name)
