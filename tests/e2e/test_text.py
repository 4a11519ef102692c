"""A stranger's text is data to the running workflow-controller: through steps, dags, items, artifacts, expressions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.workflow import parameters_of, phase_of
from payloads import Payload, one_of_each
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.text_stack import Node, TextStack, documents, inputs_of, nodes_of, text_stack
from tests.e2e.texts import TEXTS, characters

pytestmark = pytest.mark.lab

HANDING_DOWN = Path(__file__).with_name("handing_down.yaml")
# How many nodes get how many texts. `leaf`: task, two items, one of withParam, expression, beside, exit.
NODES = {
    "dag": [4],
    "leaf": [4] * 7,
    "artifacts": [7],
    "files": [3],
    "own-files": [7],
    "items": [4],
    "expressions": [4],
}


@pytest.fixture(scope="module")
def stack(cluster: Cluster) -> Iterator[TextStack]:
    with text_stack(cluster, *documents(HANDING_DOWN)) as stack:
        yield stack


@pytest.fixture(autouse=True)
def no_workflows_are_left(stack: TextStack) -> Iterator[None]:
    yield
    stack.delete_workflows()


def said(text: str) -> Payload:
    """A review comment by someone who writes a text wherever one may."""
    return one_of_each()["prc"].but(
        comment__body=text,
        comment__path=text[:1_000],
        pull_request__title=f"task: T-7 {text[:1_000]}",
        pull_request__body=text[:1_000],
        pull_request__head__ref=text[:1_000],
        sender__login=text[:1_000],
    )


def delivered(stack: TextStack, payload: Payload) -> tuple[dict[str, str], list[Node]]:
    """Delivers it: it becomes a Workflow that succeeds. Its parameters, and its nodes."""
    with stack.cluster.watch() as watcher:
        posted = stack.cluster.sender.post(payload)
        assert (posted.status, posted.answer) == (200, "success")
        ((workflow, _),) = watcher.of([posted.delivery], seconds=SECONDS)
    assert phase_of(workflow) == "Succeeded", workflow.get("status", {}).get("message")
    sent, nodes = parameters_of(workflow), nodes_of(workflow)
    assert json.loads(sent["event"]) == payload.body
    assert not any("{{" in value for value in sent.values())
    assert {node["phase"] for node in nodes} == {"Succeeded"}
    return sent, nodes


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_strangers_text_goes_through_a_workflow_unchanged(stack: TextStack, text: str) -> None:
    sent, nodes = delivered(stack, said(text))
    seen: dict[str, list[int]] = {}
    notes = set()
    for node in nodes:
        inputs = inputs_of(node)
        notes |= {value for name, value in inputs if name == "note"}
        handed = [(name, value) for name, value in inputs if name != "note"]
        changed = [(name, value) for name, value in handed if value != sent[name]]
        assert not changed, node["displayName"]
        if handed:
            seen.setdefault(node["templateName"], []).append(len(handed))
    assert seen == NODES
    assert sent["branch"] + sent["commentBody"] in notes
    (every,) = (json.loads(note) for note in notes if note.startswith('[{"name":"event"'))
    assert {p["name"]: p["value"] for p in every} == sent


@pytest.mark.parametrize("text", list(characters()), ids=lambda text: f"U+{ord(text[0]):04X}")
def test_every_character_goes_through_a_workflow(stack: TextStack, text: str) -> None:
    sent, nodes = delivered(stack, one_of_each()["pr"].but(pull_request__head__ref=text))
    (leaf,) = (dict(inputs_of(node)) for node in nodes if node.get("templateName") == "leaf")
    assert leaf == {"event": sent["event"], "branch": sent["branch"]}
    assert len(sent["branch"]) == len(text)
