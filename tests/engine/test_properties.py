"""Whatever a stranger writes and whatever a stack sets: hypothesis against the engine's own code.

`pytest tests/engine/test_properties.py --hypothesis-profile=thorough` tries fifty times as much, and anew each time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cli.engine import Delivery, Engine, Outcome
from cli.stacks import compiled
from cli.workflow import DELIVERY, parameters_of
from payloads import Body, one_of_each
from routes import FAMILIES, pull_requests
from routes.compiler import EVENT_NAME, CompiledStack, compile_stack
from routes.contract import ANNOTATIONS, LABELS, LONGEST_ID, PARAMETERS, TEMPLATES, Carried, Prose, Text
from routes.manifests import Manifest
from routes.reduced import REDUCED
from routes.settings import SettingsError, StackSettings, parse_settings
from tests.engine.asking import writing
from tests.engine.strategies import Changed, Path, changed, configs, headers, patterns
from tests.engine.workflows import Validation
from tests.routes.test_settings import MINIMAL

STACK = compiled("lab")
KINDS = one_of_each()
(VALIDATION,) = pull_requests.FAMILY.routes
ID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"

# From Kubernetes' documentation: "Object Names and IDs", "Labels and Selectors", "Annotations".
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
QUALIFIED = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
ANNOTATIONS_BYTES = 256 * 1024
# The workflow-controller writes it into a label of each pod.
WORKFLOW_NAME_LENGTH = 63


def delivery(event: str, body: Body, delivery_id: str = ID, *, ascii_only: bool = False) -> Delivery:
    sent = {"Content-Type": "application/json", "X-GitHub-Event": event, "X-GitHub-Delivery": delivery_id}
    return Delivery(name=event, headers=sent, body=json.dumps(body, ensure_ascii=ascii_only).encode())


def outcomes(
    engine: Engine, deliveries: Iterable[Delivery], stack: CompiledStack = STACK, **how: Any
) -> list[list[Outcome]]:
    """What the Sensors that a delivery passes make of it, of each delivery. Nothing that was taken is lost."""
    found = []
    for taken in engine.deliver(stack, deliveries, twice=True, **how):
        assert (taken.status, taken.text) == (200, "success")
        found.append([outcome for sensor in taken.sensors for outcome in sensor])
        for outcome in found[-1]:
            assert (outcome.error, outcome.failure, outcome.redelivered) == ("", "", "")
    return found


def fired(found: Iterable[Outcome]) -> set[str]:
    return {outcome.dependency for outcome in found if outcome.passes}


def workflows(found: Iterable[Outcome]) -> list[Manifest]:
    return [outcome.object for outcome in found if outcome.object]


# --- What is read of a delivery


@pytest.fixture(scope="module")
def usual(engine: Engine) -> dict[str, set[str]]:
    """Which dependencies fire on each kind of delivery as it is."""
    found = outcomes(engine, [delivery(payload.event, payload.body) for payload in KINDS.values()])
    return dict(zip(KINDS, map(fired, found), strict=True))


def read_by_conditions(stack: CompiledStack) -> set[Path]:
    """Every path of the body in the Sensors' filters."""
    filters = [d["filters"] for sensor in stack.all_sensors() for d in sensor["spec"]["dependencies"]]
    paths = [data["path"] for f in filters for data in f["data"]]
    paths += [field["path"] for f in filters for expr in f.get("exprs", ()) for field in expr["fields"]]
    return {tuple(found.split(".")) for path in paths for found in re.findall(r"body\.([^],]+)", path)}


def read_by_contract(event: str) -> set[Path]:
    """Every path of the body that a Workflow of this event is given."""
    carried: list[Carried] = [*PARAMETERS.values(), *LABELS.values(), *ANNOTATIONS.values()]
    sources = [one.source(event) for one in carried]
    paths = [
        path for s in sources for path in (*getattr(s, "paths", ()), getattr(s, "path", ""), getattr(s, "given", ""))
    ]
    return {tuple(path.split(".")) for path in paths if path}


def touches(changed: Path, read: Path) -> bool:
    return all(a == b for a, b in zip(changed, read, strict=False))


def at(body: Body, path: str) -> Any:
    found: Any = body
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


# --- What must hold of every Workflow


def numbers_as_floats(text: str) -> Any:
    """JSON as the EventSource keeps it, whose numbers are those of JavaScript."""
    return json.loads(text, parse_int=float)


def is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return bool(re.fullmatch(QUALIFIED, name)) and (
        not slash or (bool(re.fullmatch(SUBDOMAIN, prefix)) and len(prefix) <= 253)
    )


def check_metadata(metadata: Manifest) -> None:
    assert re.fullmatch(SUBDOMAIN, metadata["name"]) and len(metadata["name"]) <= WORKFLOW_NAME_LENGTH
    labels, annotations = metadata["labels"], metadata["annotations"]
    assert all(is_qualified(key) for key in (*labels, *annotations))
    assert all(value == "" or re.fullmatch(QUALIFIED, value) for value in labels.values())
    assert sum(len((key + value).encode()) for key, value in annotations.items()) <= ANNOTATIONS_BYTES


def check_nothing_is_live(workflow: Manifest) -> None:
    metadata = workflow["metadata"]
    written = [metadata["name"], *metadata["labels"].values(), *metadata["annotations"].values()]
    values = [*parameters_of(workflow).values(), *written]
    assert not any("{{" in value for value in values)


def is_same_text(came: str, sent: str) -> bool:
    """Whether a text came as it was sent but for spaces, which part braces, and what would fail a Workflow."""
    came, sent = came.replace(" ", ""), sent.replace(" ", "")
    return len(came) == len(sent) and all(a in (b, "\ufffd") for a, b in zip(came, sent, strict=True))


def check_parameters(workflow: Manifest, event: str, sent: bytes) -> None:
    parameters = parameters_of(workflow)
    assert list(parameters) == list(TEMPLATES[workflow["spec"]["workflowTemplateRef"]["name"]])
    body = numbers_as_floats(sent.decode())
    event_of_workflow = numbers_as_floats(parameters["event"])
    # What becomes of the others: test_reduced.py.
    assert event_of_workflow == body or REDUCED in event_of_workflow
    assert re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_-]*)?", parameters.get("taskId", ""))
    for number in ("pr", "issue"):
        assert re.fullmatch(r"([1-9][0-9]*)?", parameters.get(number, ""))
    for name, value in parameters.items():
        source = PARAMETERS[name].source(event)
        if isinstance(source, Text | Prose):
            text = at(body, source.path)
            if isinstance(text, str):
                assert is_same_text(value, text) or (isinstance(source, Text) and text == "<no value>" and value == "")
            elif text is None:
                assert value == ""


def checked(engine: Engine, validation: Validation, sent: Delivery) -> list[Outcome]:
    """What comes of a delivery, with all that must hold of it."""
    (found,) = outcomes(engine, [sent])
    started = workflows(found)
    for workflow in started:
        check_metadata(workflow["metadata"])
        check_nothing_is_live(workflow)
        check_parameters(workflow, sent.event, sent.body)
    if started:
        assert validation.check(STACK.templates, started).workflows == [""] * len(started)
    assert len(started) == len(fired(found))
    return found


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_whatever_a_delivery_holds_becomes_the_same_workflows_with_nothing_live_in_them(
    engine: Engine, validation: Validation, usual: dict[str, set[str]], kind: str, data: st.DataObject
) -> None:
    event, body = KINDS[kind].event, KINDS[kind].body
    conditions = read_by_conditions(STACK)
    drawn: Changed = data.draw(changed(body, sorted(conditions | read_by_contract(event))))
    sent = delivery(event, drawn.body, ascii_only=data.draw(st.booleans(), label="ASCII only"))
    found = checked(engine, validation, sent)
    if not any(touches(path, read) for path in drawn.paths for read in conditions):
        assert fired(found) == usual[kind]


@given(kind=st.sampled_from(sorted(KINDS)), ids=st.lists(headers, min_size=2, max_size=2, unique=True))
def test_whatever_a_delivery_is_called_names_one_workflow(
    engine: Engine, validation: Validation, usual: dict[str, set[str]], kind: str, ids: list[str]
) -> None:
    event, body = KINDS[kind].event, KINDS[kind].body
    names = set()
    for delivery_id in ids:
        found = checked(engine, validation, delivery(event, body, delivery_id))
        assert fired(found) == usual[kind]
        (workflow,) = workflows(found)
        names.add(workflow["metadata"]["name"])
        told = workflow["metadata"]["annotations"][DELIVERY]
        assert is_same_text(told, delivery_id[:LONGEST_ID]) or (delivery_id == "<no value>" and told == "")
    assert len(names) == len(ids)


ONE_AT_A_TIME = compile_stack(
    FAMILIES, parse_settings(MINIMAL | {"routes": {VALIDATION.sensor: {"onePerPullRequest": True}}}, source="test")
)
LANES = {f"pr-validation-{number}" for number in range(5)}


@given(
    name=st.text(),
    number=st.integers(1) | st.none() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    texts=st.lists(st.text(), min_size=2, max_size=2),
)
def test_a_pull_request_takes_the_same_mutex_at_each_push_whatever_it_and_its_repository_are_called(
    engine: Engine, validation: Validation, name: str, number: object, texts: list[str]
) -> None:
    opened = KINDS["pr"].but(repository__full_name=name, number=number)
    pushed = [opened.but(action="synchronize", before=text, pull_request__title=text) for text in texts]
    sent = [delivery(p.event, p.body, f"{ID}-{n}") for n, p in enumerate([opened, *pushed])]
    started = [workflow for found in outcomes(engine, sent, ONE_AT_A_TIME) for workflow in workflows(found)]
    taken = [mutex["name"] for w in started for mutex in w["spec"]["synchronization"]["mutexes"]]
    assert len(taken) == 3
    assert len(set(taken)) == 1
    assert set(taken) <= LANES
    assert validation.check(STACK.templates, started).workflows == [""] * 3


def test_pull_requests_are_spread_over_all_mutexes(engine: Engine) -> None:
    sent = [delivery("pull_request", KINDS["pr"].but(number=number).body, f"{ID}-{number}") for number in range(100)]
    only = [writing(ONE_AT_A_TIME.sensor(VALIDATION.sensor), "metadata.name", "spec.synchronization.mutexes.0.name")]
    started = [w for found in outcomes(engine, sent, ONE_AT_A_TIME, sensors=only) for w in workflows(found)]
    taken = [w["spec"]["synchronization"]["mutexes"][0]["name"] for w in started]
    assert len(taken) == len(sent) and set(taken) == LANES
    assert max(map(taken.count, LANES)) <= 30


@given(pattern=patterns)
def test_a_regular_expression_that_passes_is_one_to_the_engine(engine: Engine, pattern: str) -> None:
    settings = accepted(MINIMAL | {"securityWorkflows": pattern})
    run = KINDS["secscan"]
    sent = [delivery(run.event, run.but(workflow__name=name).body) for name in ("Code scanning", "")]
    _, unnamed = outcomes(engine, sent, compile_stack(FAMILIES, settings))
    assert "secscan" not in fired(unnamed)


# --- Settings


def accepted(config: dict[str, Any]) -> StackSettings:
    """The settings of a config; hypothesis takes another one where they are refused."""
    try:
        return parse_settings(config, source="test")
    except SettingsError:
        assume(False)
        raise


@given(config=configs(), kind=st.sampled_from(sorted(KINDS)))
def test_settings_that_pass_make_objects_that_the_engine_takes(
    engine: Engine, validation: Validation, config: dict[str, Any], kind: str
) -> None:
    settings = accepted(config)
    stack = compile_stack(FAMILIES, settings)
    objects = [stack.event_bus, stack.event_source, *stack.all_sensors()]
    assert engine.validate(objects) == [""] * len(objects)
    for sensor, pace in zip(stack.all_sensors(), engine.limits(stack.all_sensors()), strict=True):
        (trigger,) = sensor["spec"]["triggers"]
        rate = trigger.get("rateLimit")
        every = {"Second": 1e3, "Minute": 6e4, "Hour": 36e5}[rate["unit"]] / rate["requestsPerUnit"] if rate else 0
        assert pace.every == pytest.approx(every, rel=1e-3)
        assert settings.retry_minutes * 60_000 - 5_000 <= pace.patience <= settings.retry_minutes * 60_000
    sent = [delivery(KINDS[name].event, KINDS[name].body) for name in (kind, "secscan")]
    started = [workflow for found in outcomes(engine, sent, stack) for workflow in workflows(found)]
    assert validation.check(STACK.templates, started).workflows == [""] * len(started)


@given(config=configs())
def test_settings_that_pass_make_objects_that_kubernetes_takes(config: dict[str, Any]) -> None:
    settings = accepted(config)
    stack = compile_stack(FAMILIES, settings)
    named = [(o["kind"], o["metadata"].get("namespace"), o["metadata"]["name"]) for o in stack.objects()]
    assert len(named) == len(set(named))
    assert all(re.fullmatch(SUBDOMAIN, name) and len(name) <= 253 for _, _, name in named)
    volumes = list(volumes_of(stack))
    assert len(volumes) == len(set(volumes))
    assert all(re.fullmatch(LABEL, volume) and len(volume) <= 63 for volume in volumes)


def volumes_of(stack: CompiledStack) -> Iterator[str]:
    """The volumes of the EventSource's pod, as argo-events 1.9.11 calls them: `buildDeployment`."""
    yield from ("tmp", "auth-volume")
    yield f"secret-{stack.event_source['spec']['github'][EVENT_NAME]['webhookSecret']['name']}"
    tls = stack.event_bus["spec"].get("jetstreamExotic", {}).get("tls", {})
    if "caCertSecret" in tls:
        yield re.sub(r"[^a-z0-9-]", "-", tls["caCertSecret"]["name"]).strip("-")[:63]
