"""What names a delivery that was given up: the Sensors' dead letters, by the engine's own code."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from cli.engine import Delivery, Engine, Outcome
from cli.stacks import compiled
from payloads import Payload, alerts, one_of_each
from routes import FAMILIES
from routes.compiler import CompiledStack, compile_stack
from routes.dead_letters import FIELDS, LABEL, NAME, OF_THE_ENGINE
from routes.settings import parse_settings
from tests.engine.cases import complete, delivery_ids, labels_and_annotations, least
from tests.engine.letters import gives_up_at_last, giving_up, wrong_letter
from tests.engine.strategies import headers
from tests.routes.test_settings import MINIMAL

ALERTS = ("repository_advisory", "code_scanning_alert", "secret_scanning_alert", "dependabot_alert")
STACK = compile_stack(FAMILIES, parse_settings(MINIMAL | {"securityEvents": list(ALERTS)}, source="test"))


SENSORS = [giving_up(sensor) for sensor in STACK.all_sensors()]


def letters(engine: Engine, payload: Payload, delivery: str = "d-1") -> list[Outcome]:
    sent = {"Content-Type": "application/json", "X-GitHub-Event": payload.event, "X-GitHub-Delivery": delivery}
    body = json.dumps(payload.body, ensure_ascii=False).encode()
    (taken,) = engine.deliver(STACK, [Delivery(name="d", headers=sent, body=body)], sensors=SENSORS)
    return [outcome for outcomes in taken.sensors for outcome in outcomes]


def test_the_controller_takes_the_sensors(engine: Engine) -> None:
    for stack in ("dev", "prod", "lab"):
        sensors = compiled(stack).all_sensors()
        assert engine.validate(sensors) == [""] * len(sensors)


@pytest.mark.parametrize("payload", [*one_of_each().values(), *alerts().values()], ids=[*one_of_each(), *alerts()])
def test_each_delivery_has_a_letter_with_its_id_and_route_and_no_more_than_that(
    engine: Engine, payload: Payload
) -> None:
    (outcome,) = letters(engine, payload)
    letter = outcome.object
    assert letter, outcome.failure
    assert set(letter["data"]) == set(FIELDS)
    told = letter["data"]
    assert (told["delivery"], told["event"]) == ("d-1", payload.event)
    assert told["repository"] == payload.body.get("repository", {}).get("full_name", "").replace("/", ".")
    assert told["eventId"] and told["accepted"].endswith("Z")
    assert letter["metadata"]["generateName"] == NAME
    labels = letter["metadata"]["labels"]
    assert set(labels) == {LABEL, *OF_THE_ENGINE}
    assert labels[LABEL] == labels["events.argoproj.io/sensor"]


@given(delivery=headers)
def test_whatever_a_delivery_is_called_its_letter_is_one_that_the_policy_admits(engine: Engine, delivery: str) -> None:
    (outcome,) = letters(engine, one_of_each()["issues"], delivery)
    assert outcome.object, outcome.failure
    assert all(len(value) <= 500 and "{{" not in value for value in outcome.object["data"].values())


def test_a_letter_is_tried_for_as_long_as_it_takes() -> None:
    assert not any(gives_up_at_last(sensor) for sensor in STACK.all_sensors())


def test_each_case_has_its_letter(engine: Engine, stack: CompiledStack) -> None:
    sensors = [giving_up(sensor) for sensor in stack.all_sensors()]
    questions = [*complete(), *least(), *delivery_ids(), *labels_and_annotations()]
    answers = engine.deliver(stack, [question.delivery for question in questions], sensors=sensors)
    for question, taken in zip(questions, answers, strict=True):
        for sensor, outcomes in zip(stack.all_sensors(), taken.sensors, strict=True):
            (trigger,) = sensor["spec"]["triggers"]
            told = wrong_letter(question, outcomes, sensor["metadata"]["name"], trigger["template"]["name"])
            assert told == [], question.name
