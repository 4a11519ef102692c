"""The cases of `cases.py`, asked of the engine in one go; a test for each of its subjects tells which are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cli.engine import Engine, Taken
from routes.compiler import CompiledStack
from tests.engine.asking import Question, wrong
from tests.engine.cases import PARAMETERS, SUBJECTS, cases
from tests.engine.workflows import Validation, managed


@pytest.fixture(scope="module")
def answers(engine: Engine, stack: CompiledStack) -> dict[str, Taken]:
    asked = cases()
    taken = engine.deliver(stack, [case.delivery for case in asked], twice=True)
    return {case.name: answer for case, answer in zip(asked, taken, strict=True)}


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.__name__)
def test_they_start_what_they_should(answers: dict[str, Taken], subject: Callable[[], Iterator[Question]]) -> None:
    told = []
    for case in subject():
        taken = answers[case.name]
        assert (taken.status, taken.text) == (200, "success"), case.name
        found = wrong(case, [outcome for outcomes in taken.sensors for outcome in outcomes], PARAMETERS)
        told += [f"{case.name} ({case.why}): {problem}" for problem in found]
    assert not told, "\n".join(told)


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for case in cases()]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_argo_workflows_takes_each_workflow(validation: Validation, answers: dict[str, Taken]) -> None:
    workflows = [o.object for taken in answers.values() for outcomes in taken.sensors for o in outcomes if o.object]
    verdict = validation.check(managed("dev").templates, workflows)
    assert {told for told in verdict.workflows if told} == set()
