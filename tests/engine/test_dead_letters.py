"""What names a delivery that was given up: the Sensors' dead letters, by the engine's own code."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from hypothesis import given

from cli.engine import Delivery, Engine, Outcome
from cli.stacks import compiled
from payloads import Payload, alerts, one_of_each
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.dead_letters import FIELDS, LABEL, NAME, OF_THE_ENGINE
from routes.manifests import Manifest
from routes.settings import parse_settings
from tests.engine.strategies import headers
from tests.routes.test_settings import MINIMAL

ALERTS = ("repository_advisory", "code_scanning_alert", "secret_scanning_alert", "dependabot_alert")
STACK = compile_stack(FAMILIES, parse_settings(MINIMAL | {"securityEvents": list(ALERTS)}, source="test"))


def giving_up() -> list[Manifest]:
    """The Sensors, with the dead letter's trigger in place of the route's: the engine runs them alike."""
    sensors = copy.deepcopy(STACK.all_sensors())
    for sensor in sensors:
        (trigger,) = sensor["spec"]["triggers"]
        trigger["template"] = {
            **trigger.pop("dlqTrigger")["template"],
            "conditions": trigger["template"]["conditions"],
        }
    return sensors


SENSORS = giving_up()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as running:
        yield running


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
    for sensor in STACK.all_sensors():
        (trigger,) = sensor["spec"]["triggers"]
        retry = trigger["dlqTrigger"]["retryStrategy"]
        assert retry["steps"] * int(retry["duration"].removesuffix("s")) > 100 * 365 * 24 * 3600
