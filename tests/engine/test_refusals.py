"""What the engine refuses, and what it does where the API server refuses."""

import json
from dataclasses import replace

import pytest

from cli.delivery import signature
from cli.engine import Engine
from routes.compiler import CompiledStack
from tests.engine.asking import unheard
from tests.engine.cases import complete

CASES = list(complete())


@pytest.mark.parametrize("signed", [None, "", "sha256=" + "0" * 64, signature(b"another", CASES[0].delivery.body)])
def test_what_is_not_signed_with_the_secret_is_refused(
    engine: Engine, stack: CompiledStack, signed: str | None
) -> None:
    headers = {} if signed is None else {"X-Hub-Signature-256": signed}
    deliveries = [replace(case.delivery, headers=case.delivery.headers | headers) for case in CASES]
    answers = engine.deliver(stack, deliveries, secret="s3cret")
    assert [(taken.status, taken.sensors) for taken in answers] == [(400, ())] * len(CASES)


def test_what_is_signed_with_the_secret_is_taken(engine: Engine, stack: CompiledStack) -> None:
    deliveries = [
        replace(d, headers=d.headers | {"X-Hub-Signature-256": signature(b"s3cret", d.body)})
        for d in (case.delivery for case in CASES)
    ]
    assert {taken.status for taken in engine.deliver(stack, deliveries, secret="s3cret")} == {200}


def test_an_event_source_that_names_no_secret_takes_anything(engine: Engine, stack: CompiledStack) -> None:
    open_to_all = json.loads(json.dumps(stack.event_source))
    del open_to_all["spec"]["github"]["main"]["webhookSecret"]
    (taken,) = engine.deliver(replace(stack, event_source=open_to_all), [CASES[0].delivery], secret="s3cret")
    assert taken.status == 200


def test_what_the_api_server_refuses_is_tried_again(engine: Engine, stack: CompiledStack) -> None:
    """The engine retries what fails, and names it in a metric: it must hear of it."""
    answers = engine.deliver(stack, [case.delivery for case in CASES], refuses=True)
    outcomes = [[o for outcomes in taken.sensors for o in outcomes] for taken in answers]
    assert [unheard(case, of) for case, of in zip(CASES, outcomes, strict=True)] == [[]] * len(CASES)
    assert {o.failure for of in outcomes for o in of} == {
        "failed to execute trigger, failed to retrieve existing object. err: the API server refuses"
    }


def test_without_at_least_once_nobody_would_hear_of_it(engine: Engine, stack: CompiledStack) -> None:
    (sensor,) = json.loads(json.dumps(stack.sensors["issues"]))
    sensor["spec"]["triggers"][0]["atLeastOnce"] = False
    (case,) = (case for case in CASES if "issues" in case.fires)
    (taken,) = engine.replay(stack.event_source, [sensor], [case.delivery], refuses=True)
    assert len(unheard(case, taken.sensors[0])) == 1
