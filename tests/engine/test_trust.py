"""Who is answered, by the engine's own code: for each rule and guard a delivery that passes and one that is stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from cli.engine import Delivery, Engine
from cli.explain import explain
from payloads import Payload, acted, alerts
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.guards import fires_on
from routes.model import EVENT
from routes.settings import StackSettings, parse_settings
from routes.words import path_of, wanted
from tests.engine.asking import Question, wrong
from tests.engine.guarded import (
    ACCEPTED,
    GUARDS,
    KNOWN,
    OWN,
    PROD,
    REPOSITORY,
    ROUTES,
    STOPPED,
    Guard,
    Patch,
    of_alerts,
    of_prod,
)
from tests.routes.test_settings import MINIMAL


def delivered(payload: Payload) -> Delivery:
    headers = {"X-GitHub-Event": payload.event, "X-GitHub-Delivery": "d-1", "Content-Type": "application/json"}
    return Delivery(name=payload.event, headers=headers, body=json.dumps(payload.body).encode())


def started(engine: Engine, settings: StackSettings, payloads: Sequence[Payload]) -> list[set[str]]:
    """By which dependencies each delivery starts a Workflow. No filter may meet an error: it would log the payload."""
    stack = compile_stack(FAMILIES, settings)
    found = []
    for taken in engine.deliver(stack, [delivered(payload) for payload in payloads]):
        assert taken.status == 200
        outcomes = [outcome for outcomes in taken.sensors for outcome in outcomes]
        assert [o.error for o in outcomes if o.error] == []
        assert [o.failure for o in outcomes if o.failure] == []
        found.append({o.dependency for o in outcomes if o.object})
    return found


# --- Stack prod: each condition of each kind of delivery


def test_each_kind_of_delivery_passes_every_guard_of_prod_and_starts_one_workflow(engine: Engine) -> None:
    assert started(engine, PROD, list(ACCEPTED.values())) == [{name} for name in ACCEPTED]


def test_every_condition_of_prod_stops_a_delivery_that_meets_all_others_and_explain_says_which() -> None:
    answers = explain(PROD, [delivered(ACCEPTED[name].but(**patch)) for name, patch in STOPPED])
    told = []
    for (name, patch), answer in zip(STOPPED, answers, strict=True):
        (look,) = (look for look in answer.looks if look.kind.name == name)
        assert look.stopped, (name, patch)
        assert not look.stopped.error
        key, value = next(iter(patch.items()))
        path = key.replace("__", ".")
        assert look.stopped.path.startswith(path) or path in look.stopped.path, (name, patch, look.stopped)
        if not isinstance(value, dict | None):
            assert look.stopped.found == json.dumps(value)
        told.append((name, look.stopped.path, look.stopped.wanted.split(", here ")[0]))
    conditions = [
        (kind.name, path_of(condition), wanted(condition, PROD))
        for route in ROUTES
        for kind in fires_on(route, PROD)
        for condition in kind.conditions
        if path_of(condition) != EVENT
    ]
    assert sorted(told) == sorted(conditions)


def asked(engine: Engine, settings: StackSettings, questions: Sequence[Question]) -> list[str]:
    """What the engine's answers have against them."""
    stack = compile_stack(FAMILIES, settings)
    dependencies = [d["name"] for sensor in stack.all_sensors() for d in sensor["spec"]["dependencies"]]
    answers = engine.deliver(stack, [question.delivery for question in questions], twice=True)
    return [
        f"{question.name}: {problem}"
        for question, taken in zip(questions, answers, strict=True)
        for problem in wrong(question, [o for outcomes in taken.sensors for o in outcomes], dependencies)
    ]


def test_prod_starts_what_it_should_and_nothing_else(engine: Engine) -> None:
    assert asked(engine, PROD, list(of_prod())) == []


# --- Each setting by itself


@pytest.mark.parametrize("guard", [pytest.param(guard, id=guard.name) for guard in GUARDS])
def test_a_guard_lets_pass_and_stops(engine: Engine, guard: Guard) -> None:
    settings = parse_settings(MINIMAL | guard.settings, source="test")
    patches = [*guard.passes, *guard.stops]
    fired = started(engine, settings, [KNOWN[guard.of].but(**patch) for patch in patches])
    assert [(patch, guard.of in by) for patch, by in zip(patches, fired, strict=True)] == [
        *((patch, True) for patch in guard.passes),
        *((patch, False) for patch in guard.stops),
    ]


# --- Loops end at the first round


@pytest.mark.parametrize(("of", "patch"), OWN.values(), ids=OWN)
def test_what_an_agent_does_itself_starts_nothing(engine: Engine, of: str, patch: Patch) -> None:
    assert started(engine, PROD, [ACCEPTED[of].but(**patch)]) == [set()]


@pytest.mark.parametrize("login", ["my-agent", "my-agent-app[bot]"])
def test_an_agents_own_pull_request_is_validated_and_its_merge_goes_on(engine: Engine, login: str) -> None:
    own = {"pull_request__user__login": login, "pull_request__author_association": "NONE"}
    pushed = acted("pull_request", "synchronize").but(repository__full_name=REPOSITORY, **own)
    payloads = [ACCEPTED["pr"].but(**own), pushed, ACCEPTED["merged"].but(**own)]
    assert started(engine, PROD, payloads) == [{"pr"}, {"pr"}, {"merged"}]


def test_without_the_guards_an_agent_answers_itself(engine: Engine) -> None:
    open_to_all = parse_settings(MINIMAL, source="test")
    user = [name for name, (of, patch) in OWN.items() if patch.get("comment__user__type") != "Bot" and of != "codescan"]
    payloads = [ACCEPTED[of].but(**patch) for of, patch in (OWN[name] for name in user)]
    assert started(engine, open_to_all, payloads) == [{OWN[name][0]} for name in user]


# --- What a further event carries


def test_an_alert_carries_its_repository_its_page_and_where_it_is(engine: Engine) -> None:
    every = parse_settings(MINIMAL | {"securityEvents": [p.event for p in alerts().values()]}, source="test")
    stack = compile_stack(FAMILIES, every)
    carried = {}
    for name, payload in alerts().items():
        (taken,) = engine.deliver(stack, [delivered(payload)])
        (workflow,) = (o.object for outcomes in taken.sensors for o in outcomes if o.object)
        parameters = {p["name"]: p["value"] for p in workflow["spec"]["arguments"]["parameters"]}
        repository = payload.body["repository"]
        assert json.loads(parameters.pop("event")) == payload.body
        assert {key: value for key, value in parameters.items() if value} == {
            "owner": repository["owner"]["login"],
            "repo": repository["name"],
            "agent": "security",
        }
        labels, notes = workflow["metadata"]["labels"], workflow["metadata"]["annotations"]
        assert labels["github-to-argo/event"] == payload.event
        assert labels["github-to-argo/repository"] == repository["full_name"].replace("/", ".")
        assert notes["github-to-argo/sender"] == payload.body["sender"]["login"]
        carried[name] = {key: notes[f"github-to-argo/{key}"] for key in ("url", "ref", "sha")}
    alert = alerts()["codescan"].body
    assert carried["codescan"] == {
        "url": alert["alert"]["html_url"],
        "ref": "refs/heads/code-feature",
        "sha": alert["commit_oid"],
    }
    assert carried["depalert"]["url"] == alerts()["depalert"].body["alert"]["html_url"]
    assert carried["secretscan"]["url"].endswith("/security/secret-scanning/7")
    assert carried["repoadv"]["url"].endswith("/security/advisories/GHSA-c3gp-4rp9-hjmw")
    assert all(not notes["ref"] and not notes["sha"] for name, notes in carried.items() if name != "codescan")


def test_an_alert_carries_each_parameter_and_where_it_lacks_something_that_is_empty(engine: Engine) -> None:
    every = parse_settings(MINIMAL | {"securityEvents": [p.event for p in alerts().values()]}, source="test")
    assert asked(engine, every, list(of_alerts())) == []


def test_an_alert_without_a_sender_still_starts_its_workflow(engine: Engine) -> None:
    secret = alerts()["secretscan"]
    alone = Payload(secret.event, {key: value for key, value in secret.body.items() if key != "sender"})
    settings = parse_settings(MINIMAL | {"securityEvents": [secret.event]}, source="test")
    assert started(engine, settings, [alone]) == [{"secretscan"}]
