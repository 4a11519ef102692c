"""Large deliveries on a cluster: each that GitHub was answered 200 to starts its Workflow, reduced where it must be."""

from __future__ import annotations

import json

import pytest

from cli.delivery import Posted
from cli.workflow import Workflow, notes_of, parameters_of, phase_of
from payloads import PUSHED_AT_MOST, Payload, large_pull_request, large_push, one_of_each
from routes.limits import EVENT_BYTES
from routes.reduced import CUTS, REDUCED
from tests.e2e.conftest import SECONDS, Cluster

WORKFLOW_BYTES = 1024 * 1024
"""What the workflow-controller keeps of a Workflow at most."""


def started(cluster: Cluster, *payloads: Payload) -> list[Workflow]:
    """The Workflow of each delivery, after the workflow-controller is done with it."""
    with cluster.watch() as watcher:
        posted: list[Posted] = [cluster.sender.post(payload) for payload in payloads]
        assert [(p.status, p.answer) for p in posted] == [(200, "success")] * len(posted)
        watcher.of([p.delivery for p in posted], seconds=SECONDS)
    workflows = [cluster.settled(p.delivery) for p in posted]
    assert [phase_of(workflow) for workflow in workflows] == ["Succeeded"] * len(posted)
    return workflows


def stored(workflow: Workflow) -> int:
    return len(json.dumps(workflow, ensure_ascii=False).encode())


def test_a_push_of_2048_commits_and_a_pull_request_of_5_mb_start_their_workflows(cluster: Cluster) -> None:
    push, pull = large_push(5_000_000), large_pull_request(5_000_000)
    assert len(push.body["commits"]) == PUSHED_AT_MOST
    of_push, of_pull = started(cluster, push, pull)

    parameters = parameters_of(of_push)
    event = json.loads(parameters["event"])
    assert event[REDUCED]["cut"][0] == "commits" and 0 < len(event["commits"]) < PUSHED_AT_MOST
    assert event["head_commit"] == push.body["head_commit"]
    assert (parameters["branch"], parameters["repo"]) == (push.body["ref"], push.body["repository"]["name"])

    parameters = parameters_of(of_pull)
    event = json.loads(parameters["event"])
    text = pull.body["pull_request"]["body"]
    assert event[REDUCED]["cut"] == ["pull_request.body"]
    assert text.startswith(event["pull_request"]["body"]) and len(event["pull_request"]["body"]) == CUTS[0][0]
    assert event["pull_request"] | {"body": text} == pull.body["pull_request"]
    assert parameters["pr"] == str(pull.body["number"])

    for workflow, payload in ((of_push, push), (of_pull, pull)):
        told = json.loads(parameters_of(workflow)["event"])[REDUCED]
        assert notes_of(workflow, "annotations")["reduced"] == str(told["bytes"])
        assert told["bytes"] == len(json.dumps(payload.body, ensure_ascii=False, separators=(",", ":")).encode())
        assert stored(workflow) < WORKFLOW_BYTES / 2


def test_what_just_fits_arrives_whole(cluster: Cluster) -> None:
    pull = large_pull_request(220_000)
    (workflow,) = started(cluster, pull)
    event = parameters_of(workflow)["event"]
    assert json.loads(event) == pull.body
    assert EVENT_BYTES * 0.95 < len(json.dumps(event, ensure_ascii=False).encode()) <= EVENT_BYTES
    assert notes_of(workflow, "annotations").get("reduced", "") == ""
    assert stored(workflow) < WORKFLOW_BYTES


@pytest.mark.parametrize("text", ["\U0001f419", '"', "\\", "\x7f", "{{", "<"])
def test_the_longest_comment_fits_beside_its_event(cluster: Cluster, text: str) -> None:
    comment = one_of_each()["ic"].but(comment__body=text * (65_536 // len(text)))
    (workflow,) = started(cluster, comment)
    assert stored(workflow) < WORKFLOW_BYTES
