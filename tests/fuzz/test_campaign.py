"""What a campaign finds wrong, shown on reports of campaigns that nobody ran."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.workflow import Workflow
from tests.fuzz.campaign import MEMORY, SPARE, Report, Vitals, mark_of
from tests.fuzz.kinds import BODIES, DELIVERIES, Kind, Request
from tests.fuzz.sending import CLOSED, SILENT, Answer

WELL = Vitals(pid=7, restarts=0, memory=100_000_000, files=10, goroutines=30)
DELIVERY, BODY = DELIVERIES.kinds[0], BODIES.kinds[0]
NULL = next(kind for kind in BODIES.kinds if kind.known)


def report(*heard: tuple[Kind, Answer], **fields: Any) -> Report:
    made = Report(seed=1, run="run", planned=len(heard), **fields)
    for number, (kind, answer) in enumerate(heard):
        sent = Request(kind, number, f"run-{number}", b"x", "issues" if kind.starts else "")
        made.heard(sent, answer)
    return made


def workflow(mark: str, name: str = "implementation-x", before: str = "") -> Workflow:
    event = f'{{{before}"mark":"{mark}"}}'
    return {"metadata": {"name": name}, "spec": {"arguments": {"parameters": [{"name": "event", "value": event}]}}}


def test_nothing_is_wrong_with_a_campaign_that_went_well() -> None:
    well = report(
        (DELIVERY, Answer(200, "success")),
        (BODY, Answer(400, "no")),
        (NULL, CLOSED),
        created=[workflow("run-0")],
        vitals=[WELL, WELL, WELL],
    )
    assert well.problems() == []
    assert well.started(DELIVERY) == 1


def test_requests_that_there_was_no_time_for_are_told() -> None:
    (problem,) = replace(report((BODY, Answer(400, "no"))), planned=3).problems()
    assert problem.startswith("only 1 of 3 ")


@pytest.mark.parametrize("answer", [Answer(500, "oh"), Answer(503, ""), CLOSED, SILENT])
def test_a_5xx_and_no_answer_are_told_but_where_they_are_known(answer: Answer) -> None:
    assert list(report((BODY, answer)).faults()) == [f"Bodies: none #0: {answer}"]
    assert list(report((NULL, answer)).faults()) == []


def test_a_kind_that_gets_two_answers_is_told_with_a_request_for_each() -> None:
    got = report((BODY, Answer(400, "a")), (BODY, Answer(400, "b")), (BODY, Answer(400, "b")))
    assert list(got.uneven()) == ["Bodies: none #0: 400 a; Bodies: none #1: 400 b"]
    assert got.of_each_kind() == {BODY: Answer(400, "b")}


@pytest.mark.parametrize(
    ("created", "problem"),
    [
        ([], "a delivery as GitHub makes it #0: 0 Workflows instead of one"),
        ([workflow("run-0"), workflow("run-0", "implementation-y")], "makes it #0: 2 Workflows instead of one"),
        ([workflow("run-0", "orchestrator-x")], "named orchestrator-x, not implementation-…"),
        ([workflow("run-0", "implementation-" + "x" * 49)], "its Workflow is named implementation-xxx"),
        ([workflow("run-0"), workflow("run-1")], "Workflow implementation-x of run-1 should not be there"),
        ([workflow("run-0"), workflow("")], "Workflow implementation-x of no request should not be there"),
    ],
)
def test_a_delivery_without_its_one_workflow_and_a_workflow_without_delivery_are_told(
    created: list[Workflow], problem: str
) -> None:
    told = list(report((DELIVERY, Answer(200, "success")), (BODY, Answer(400, "no")), created=created).miscreated())
    assert len(told) == 1 and problem in told[0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"pid": 8}, "the EventSource ended: process 7 is 8"),
        ({"restarts": 1}, "1 restarts"),
        ({"memory": WELL.memory + MEMORY + 1}, "its memory grew from 100,000,000 to "),
        ({"files": WELL.files + SPARE + 1}, "it had 10 open files and has 16"),
        ({"goroutines": WELL.goroutines + SPARE + 1}, "it had 30 goroutines and has 36"),
    ],
)
def test_what_ails_the_process_is_told(change: dict[str, int], problem: str) -> None:
    (told,) = report(vitals=[WELL, WELL, replace(WELL, **change)]).ailments()
    assert problem in told


def test_what_grew_before_the_first_look_at_memory_does_not_count() -> None:
    grown = replace(WELL, memory=WELL.memory + MEMORY + 1)
    assert list(report(vitals=[WELL, grown, grown]).ailments()) == []


def test_the_mark_of_a_workflow_is_found_however_deep_its_event() -> None:
    assert mark_of(workflow("run-7", before=f'"deep":{"[" * 9000}{"]" * 9000},')) == "run-7"
