"""What the properties of test_properties.py have found, by name."""

from __future__ import annotations

import json

import pytest

from cli.engine import Delivery, Engine
from cli.stacks import compiled
from cli.workflow import notes_of, parameters_of
from payloads import Payload, one_of_each
from routes.manifests import Manifest


def started(engine: Engine, payload: Payload) -> Manifest:
    headers = {"Content-Type": "application/json", "X-GitHub-Event": payload.event, "X-GitHub-Delivery": "d-1"}
    sent = Delivery(name="found", headers=headers, body=json.dumps(payload.body).encode())
    (taken,) = engine.deliver(compiled("lab"), [sent])
    ((outcome,),) = (outcomes for outcomes in taken.sensors if outcomes)
    assert outcome.object, outcome.failure
    return outcome.object


@pytest.mark.parametrize("number", [-1, 0.5, -(2**63), "abc"])
def test_what_cannot_be_the_number_of_a_pull_request_is_absent(engine: Engine, number: object) -> None:
    # "-1" is no label: the API server would refuse the Workflow.
    workflow = started(engine, one_of_each()["pr"].but(number=number))
    assert (parameters_of(workflow)["pr"], notes_of(workflow, "labels")["pr"]) == ("", "")


@pytest.mark.parametrize("title", ["task: \N{LATIN SMALL LETTER LONG S}1", "tas\N{KELVIN SIGN} 7"])
def test_a_letter_that_only_unicode_takes_for_another_makes_no_task_id(engine: Engine, title: str) -> None:
    assert parameters_of(started(engine, one_of_each()["issues"].but(issue__title=title)))["taskId"] == ""
