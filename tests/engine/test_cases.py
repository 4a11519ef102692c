"""Each case of `cases.py`, asked of the engine in one go."""

import pytest

from cli.engine import Engine, Taken
from routes.compiler import CompiledStack
from tests.engine.asking import Question, wrong
from tests.engine.cases import PARAMETERS, cases
from tests.engine.workflows import Validation, managed

CASES = cases()


@pytest.fixture(scope="module")
def answers(engine: Engine, stack: CompiledStack) -> dict[str, Taken]:
    taken = engine.deliver(stack, [case.delivery for case in CASES], twice=True)
    return {case.name: answer for case, answer in zip(CASES, taken, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_starts_what_it_should(answers: dict[str, Taken], case: Question) -> None:
    taken = answers[case.name]
    assert (taken.status, taken.text) == (200, "success")
    told = wrong(case, [outcome for outcomes in taken.sensors for outcome in outcomes], PARAMETERS)
    assert told == [], f"{case.why}: {'; '.join(told)}"


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for case in CASES]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_argo_workflows_takes_each_workflow(validation: Validation, answers: dict[str, Taken]) -> None:
    workflows = [o.object for taken in answers.values() for outcomes in taken.sensors for o in outcomes if o.object]
    verdict = validation.check(managed("dev").templates, workflows)
    assert {told for told in verdict.workflows if told} == set()
