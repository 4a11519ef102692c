"""A real delivery of each kind becomes one Workflow, with everything that the contract says, and it runs."""

import json
import urllib.parse

import pytest

from cli.delivery import Sender, Watcher
from cli.workflow import delivery_of, parameters_of, phase_of
from payloads import one_of_each
from tests.e2e.conftest import SECONDS, Cluster, Story, silent

CODERTOCAT = {"owner": "Codertocat", "repo": "Hello-World"}
OCTO = {"owner": "octo-org", "repo": "octo-repo"}
CODERUN = {"pr": "", "issue": "", "branch": "", "includeComments": "", "commentBody": "", "taskId": ""}

# By dependency: Sensor, WorkflowTemplate, the beginning of the name, and every parameter but `event`.
EXPECTED: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "pr": (
        "github-pr-to-pr-validation",
        "pr-validation",
        "pr-validation-",
        CODERTOCAT | {"pr": "2", "branch": "changes", "taskId": ""},
    ),
    "ic": (
        "github-issue-comment-to-rex",
        "coderun-template",
        "coderun-rex-",
        CODERTOCAT
        | CODERUN
        | {
            "issue": "1",
            "agent": "rex",
            "includeComments": "true",
            "commentBody": "You are totally right! I'll get this fixed right away.",
        },
    ),
    "prc": (
        "github-pr-review-comment-to-rex",
        "coderun-template",
        "coderun-rex-",
        CODERTOCAT
        | CODERUN
        | {
            "pr": "2",
            "branch": "changes",
            "agent": "rex",
            "includeComments": "true",
            "commentBody": "Maybe you should use more emoji on this line.",
        },
    ),
    "wr": (
        "github-ci-failures-to-triage",
        "coderun-template",
        "coderun-triage-",
        OCTO | CODERUN | {"agent": "triage"},
    ),
    "cr": (
        "github-ci-failures-to-triage",
        "coderun-template",
        "coderun-triage-",
        CODERTOCAT | CODERUN | {"agent": "triage"},
    ),
    "issues": (
        "github-issues-to-implementation",
        "implementation",
        "implementation-",
        CODERTOCAT | {"issue": "1", "agent": "rex", "taskId": ""},
    ),
    "secadv": (
        "github-security-to-agent",
        "coderun-template",
        "coderun-security-",
        {"owner": "", "repo": ""} | CODERUN | {"agent": "security"},
    ),
    "secscan": (
        "github-security-to-agent",
        "coderun-template",
        "coderun-security-",
        OCTO | CODERUN | {"agent": "security"},
    ),
    "push": (
        "github-push-merge-to-orchestrator",
        "orchestrator-resume-close",
        "orchestrator-",
        CODERTOCAT | {"pr": "", "branch": "refs/heads/master", "taskId": ""},
    ),
    "merged": (
        "github-push-merge-to-orchestrator",
        "orchestrator-resume-close",
        "orchestrator-",
        CODERTOCAT | {"pr": "2", "branch": "changes", "taskId": ""},
    ),
}


def test_all_ten_dependencies_are_looked_at() -> None:
    assert list(EXPECTED) == list(one_of_each())


@pytest.mark.parametrize("dependency", EXPECTED)
def test_a_delivery_becomes_one_workflow_that_succeeds(story: Story, dependency: str) -> None:
    sensor, template, prefix, _ = EXPECTED[dependency]
    posted = story.posted[dependency]
    assert (posted.status, posted.answer) == (200, "success")
    (workflow,) = story.of(dependency)
    assert workflow["metadata"]["name"] == prefix + posted.delivery
    assert workflow["metadata"]["labels"]["github-to-argo/route"] == sensor
    assert workflow["spec"]["workflowTemplateRef"]["name"] == template
    assert phase_of(workflow) == "Succeeded"


@pytest.mark.parametrize("dependency", EXPECTED)
def test_every_parameter_is_the_contracts(story: Story, dependency: str) -> None:
    (workflow,) = story.of(dependency)
    parameters = parameters_of(workflow)
    event = parameters.pop("event")
    assert parameters == EXPECTED[dependency][3]
    assert json.loads(event) == story.payloads[dependency].body


def test_a_workflow_says_where_it_came_from(story: Story) -> None:
    (workflow,) = story.of("prc")
    labels, annotations = workflow["metadata"]["labels"], workflow["metadata"]["annotations"]
    ours = {key.partition("/")[2]: value for key, value in labels.items() if key.startswith("github-to-argo/")}
    assert ours == {
        "route": "github-pr-review-comment-to-rex",
        "event": "pull_request_review_comment",
        "repository": "Codertocat.Hello-World",
        "pr": "2",
        "agent": "rex",
    }
    assert {key: annotations[f"github-to-argo/{key}"] for key in ("delivery", "sender", "sha", "ref", "url")} == {
        "delivery": story.posted["prc"].delivery,
        "sender": "Codertocat",
        "sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
        "ref": "changes",
        "url": "https://github.com/Codertocat/Hello-World/pull/2#discussion_r284312630",
    }


@pytest.mark.parametrize("name", [name for deliveries in silent().values() for name, _, _ in deliveries])
def test_nothing_is_started_by(story: Story, name: str) -> None:
    assert story.of(name) == []
    refused = "signature" in name
    assert story.posted[name].status == (400 if refused else 200)


def test_a_wrong_path_is_not_found_and_starts_nothing(cluster: Cluster, watcher: Watcher) -> None:
    parts = urllib.parse.urlsplit(cluster.sender.url)
    elsewhere = Sender(url=parts._replace(path="/elsewhere").geturl(), secret=cluster.sender.secret)
    lost = elsewhere.post(one_of_each()["ic"])
    assert lost.status == 404
    after = cluster.sender.post(one_of_each()["ic"])
    assert watcher.of([after.delivery], seconds=SECONDS)
    assert lost.delivery not in cluster.workflows()


@pytest.mark.parametrize("dependency", ["pr", "ic"])
def test_the_same_delivery_twice_is_one_workflow(cluster: Cluster, watcher: Watcher, dependency: str) -> None:
    payload = one_of_each()[dependency]
    first = cluster.sender.post(payload)
    ((workflow, _),) = watcher.of([first.delivery], seconds=SECONDS)
    finished = cluster.settled(first.delivery)
    again = cluster.sender.post(payload, delivery=first.delivery)
    assert again.status == 200
    after = cluster.sender.post(payload)
    assert watcher.of([after.delivery], seconds=SECONDS)
    (still,) = cluster.workflows()[first.delivery]
    assert still["metadata"]["uid"] == workflow["metadata"]["uid"]
    assert still["metadata"]["resourceVersion"] == finished["metadata"]["resourceVersion"]


def test_a_strangers_text_is_data(cluster: Cluster, watcher: Watcher) -> None:
    text = 'task: T-7 {{=1+1}} {{workflow.name}} {{{{inputs.parameters.event}}}} "quoted" \\{{ <no value> 🐙'
    payload = one_of_each()["ic"].but(comment__body=text, issue__title="{{=1+1}}", issue__pull_request={"url": "x"})
    posted = cluster.sender.post(payload)
    ((workflow, _),) = watcher.of([posted.delivery], seconds=SECONDS)
    parameters = parameters_of(workflow)
    assert phase_of(workflow) == "Succeeded"
    assert json.loads(parameters["event"]) == payload.body
    assert parameters["taskId"] == "T-7"
    assert parameters["pr"] == parameters["issue"] == "1"
    assert parameters["commentBody"] == text.replace("{{", "{ {").replace("{{", "{ {")
    assert not any("{{" in value for value in parameters.values())


def test_task_ids_come_from_the_comment_else_from_the_title(cluster: Cluster, watcher: Watcher) -> None:
    texts = {
        ("TaskID: T-7", "task 8"): "T-7",
        ("please do task 42 now", ""): "42",
        ("this task is hard", "Task #12 of many"): "12",
        ("multitasking: 5, task: --help", "no task"): "",
    }
    posted = {
        cluster.sender.post(one_of_each()["ic"].but(comment__body=comment, issue__title=title)).delivery: task
        for (comment, title), task in texts.items()
    }
    found = {delivery_of(w): parameters_of(w)["taskId"] for w, _ in watcher.of(posted, seconds=SECONDS)}
    assert found == posted


def test_a_delivery_id_that_is_no_name_is_made_one(cluster: Cluster, watcher: Watcher) -> None:
    strange = "Not a {{valid}} NAME/" + "x" * 300
    posted = cluster.sender.post(one_of_each()["prc"], delivery=strange)
    shown = strange.replace("{{", "{ {")
    ((workflow, _),) = watcher.of([shown], seconds=SECONDS)
    assert len(workflow["metadata"]["name"]) <= 63
    assert delivery_of(workflow) == shown
    assert posted.status == 200
