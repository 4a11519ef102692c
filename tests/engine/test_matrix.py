"""Every example that GitHub publishes, before every route: what the engine answers is what `matrix.md` says."""

import pytest

from cli.engine import Engine, Taken
from payloads import events, examples
from routes.compiler import CompiledStack
from tests.engine.asking import Question, wrong
from tests.engine.matrix import NOTHING, Row, described, questions, read, started
from tests.engine.workflows import Validation, managed

TAKE = "`make matrix` writes the table anew; read what changed in it"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return read()


@pytest.fixture(scope="module")
def asked(rows: list[Row]) -> list[Question]:
    return questions(rows)


@pytest.fixture(scope="module")
def answers(engine: Engine, stack: CompiledStack, asked: list[Question]) -> list[Taken]:
    return engine.deliver(stack, [question.delivery for question in asked], twice=True)


def test_the_table_has_a_row_for_each_example_and_says_what_it_holds(rows: list[Row]) -> None:
    there, told = described(), [row.described for row in rows]
    assert [str(row) for row in there if row not in told] == [], f"examples without a row. {TAKE}"
    assert [str(row) for row in told if row not in there] == [], f"rows without an example. {TAKE}"
    assert there == told, f"rows in another order. {TAKE}"


def test_each_example_starts_what_its_row_says(rows: list[Row], answers: list[Taken], stack: CompiledStack) -> None:
    found = [(row, started(stack, taken)) for row, taken in zip(rows, answers, strict=True)]
    assert [f"{row} but starts {starts}" for row, starts in found if starts != row.starts] == [], TAKE


def test_each_example_is_taken_without_error_and_its_workflows_are_whole(
    asked: list[Question], answers: list[Taken], stack: CompiledStack
) -> None:
    assert {(taken.status, taken.text) for taken in answers} == {(200, "success")}
    dependencies = [d["name"] for sensor in stack.all_sensors() for d in sensor["spec"]["dependencies"]]
    told = {
        question.name: wrong(question, [o for outcomes in taken.sensors for o in outcomes], dependencies)
        for question, taken in zip(asked, answers, strict=True)
    }
    assert {name: problems for name, problems in told.items() if problems} == {}


def test_argo_workflows_takes_each_workflow(validation: Validation, answers: list[Taken]) -> None:
    workflows = [o.object for taken in answers for outcomes in taken.sensors for o in outcomes if o.object]
    assert len(workflows) > 20
    verdict = validation.check(managed("dev").templates, workflows)
    assert [told for told in verdict.workflows if told] == []


def test_rows_that_start_something_are_of_every_kind_that_examples_have(rows: list[Row]) -> None:
    assert {row.starts.partition(" ")[0] for row in rows} == {
        NOTHING,
        "cr",
        "ic",
        "issues",
        "pr",
        "prc",
        "push",
        "secadv",
    }
    assert len(rows) == sum(len(examples(event)) for event in events())
