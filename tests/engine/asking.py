"""What is asked of the engine and what must come of it: a delivery, and for each dependency that fires its Workflow.

`wrong` judges the engine's answers alone, never a manifest, so that it can judge those of any Sensor: the stack's own
and the broken ones of `tests/mutation`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.engine import Delivery, Outcome
from cli.workflow import notes_of, parameters_of
from payloads import Body, Payload
from routes.manifests import Manifest

DELIVERY_ID = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
"""As GitHub's documentation shows one."""

LARGEST_EXACT = 2**53
"""Above it the EventSource rounds whole numbers to the nearest that a float has."""

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
UNSPEAKABLE = re.compile(r"[\x00-\x07\x0b\x0e-\x1f\x7f]")
BEYOND = re.compile("[\U00010000-\U0010ffff]")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@dataclass(frozen=True, kw_only=True)
class Started:
    """What is expected of a Workflow. What is None is not looked at; labels and annotations are without prefix.

    `parameters` are all but `event`. `event` is that of a body too large for a Workflow; any other arrives as it was
    sent. `whole` is the whole Workflow but for the parameter `event`, which stands for "". `mutex`: what it waits for.
    """

    parameters: Mapping[str, str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    whole: Manifest | None = None
    event: Body | None = None
    mutex: str | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """A delivery, and what must come of it: nothing but what `fires` has, by dependency."""

    name: str
    why: str
    payload: Payload
    delivery_id: str = DELIVERY_ID
    fires: Mapping[str, Started] = field(default_factory=dict)

    @property
    def delivery(self) -> Delivery:
        """The request as GitHub makes it; without X-GitHub-Delivery where there is no id."""
        headers = {"Content-Type": "application/json", "X-GitHub-Event": self.payload.event}
        if self.delivery_id:
            headers["X-GitHub-Delivery"] = self.delivery_id
        return Delivery(name=self.name, headers=headers, body=json.dumps(self.payload.body).encode())


def writing(sensor: Manifest, *places: str) -> Manifest:
    """The Sensor with those of its trigger's parameters only that write to these places of the Workflow: quicker."""
    chosen = [parameter for parameter in parameters_in(sensor) if parameter["dest"] in places]
    assert {parameter["dest"] for parameter in chosen} == set(places)
    return with_parameters(sensor, chosen)


def parameters_in(sensor: Manifest) -> list[Manifest]:
    """The parameters of its one trigger."""
    (trigger,) = sensor["spec"]["triggers"]
    found: list[Manifest] = trigger["template"]["k8s"]["parameters"]
    return found


def with_parameters(sensor: Manifest, parameters: Sequence[Manifest]) -> Manifest:
    """The Sensor with these as its trigger's parameters."""
    (trigger,) = sensor["spec"]["triggers"]
    k8s = trigger["template"]["k8s"] | {"parameters": list(parameters)}
    changed = trigger | {"template": trigger["template"] | {"k8s": k8s}}
    return sensor | {"spec": sensor["spec"] | {"triggers": [changed]}}


def kept(body: Any) -> Any:
    """What the EventSource keeps of a body: of whole numbers above 2^53 what a float has."""
    match body:
        case dict():
            return {key: kept(value) for key, value in body.items()}
        case list():
            return [kept(value) for value in body]
        case int() if abs(body) > LARGEST_EXACT:
            return float(body)
    return body


def wrong(question: Question, outcomes: Collection[Outcome], dependencies: Iterable[str]) -> list[str]:
    """What the engine's outcomes of a question have against it, in one line each; `dependencies` are those asked."""
    told = misfired(question, outcomes, dependencies)
    for outcome in outcomes:
        if outcome.passes and outcome.dependency in question.fires:
            told += [f"{outcome.dependency}: {problem}" for problem in _problems(question, outcome)]
    return told


def misfired(question: Question, outcomes: Collection[Outcome], dependencies: Iterable[str]) -> list[str]:
    """What the outcomes' filters alone have against them."""
    told = [f"{o.dependency}: an error, and the payload in the log: {o.error}" for o in outcomes if o.error]
    fired = sorted(outcome.dependency for outcome in outcomes if outcome.passes)
    expected = sorted(set(question.fires) & set(dependencies))
    if fired != expected:
        told.append(f"fires {', '.join(fired) or 'nothing'}; expected {', '.join(expected) or 'nothing'}")
    return told


def unheard(question: Question, outcomes: Iterable[Outcome]) -> list[str]:
    """Which outcomes of an API server that refuses are no failures: the engine would not try again, and say nothing."""
    return [
        f"{outcome.dependency}: lost where the API server refuses, and nobody hears of it"
        for outcome in outcomes
        if outcome.dependency in question.fires and not outcome.failure
    ]


def _problems(question: Question, outcome: Outcome) -> Iterator[str]:
    if outcome.failure:
        yield f"no Workflow: {outcome.failure}"
    if outcome.redelivered:
        yield f"the same delivery again: {outcome.redelivered}"
    if outcome.object is None:
        if not outcome.failure:
            yield "no Workflow, and nobody hears of it"
        return
    metadata, expected = outcome.object["metadata"], question.fires[outcome.dependency]
    if not NAME.fullmatch(metadata["name"]):
        yield f"a Workflow cannot be called {metadata['name']}"
    if bad := {k: v for k, v in metadata["labels"].items() if not LABEL_VALUE.fullmatch(v)}:
        yield f"no label values: {bad}"
    parameters = parameters_of(outcome.object)
    live = [name for name, value in (metadata["annotations"] | parameters).items() if "{{" in value]
    if live:
        yield f"substituted by Argo Workflows: {', '.join(live)}"
    lost = [name for name, value in (metadata["annotations"] | parameters).items() if UNSPEAKABLE.search(value)]
    if lost:
        yield f"fails the Workflow, since Argo Workflows quotes it as no JSON: {', '.join(lost)}"
    event = parameters.pop("event")
    if BEYOND.search(event):
        yield "beyond U+FFFF, where it is not for every Go to say what it can hand on"
    if not _same(event, question.payload.body if expected.event is None else expected.event):
        yield f"another event than was sent: {event[:200]}"
    if expected.mutex is not None:
        waits = outcome.object["spec"]["synchronization"]
        if waits != {"mutexes": [{"name": expected.mutex}]}:
            yield f"waits for {json.dumps(waits)}; expected the mutex {expected.mutex}"
    if expected.name is not None and metadata["name"] != expected.name:
        yield f"called {metadata['name']}; expected {expected.name}"
    if expected.parameters is not None:
        yield from _differences("parameter ", parameters, expected.parameters)
    for kind in ("labels", "annotations"):
        wanted: Mapping[str, str] = getattr(expected, kind)
        found = notes_of(outcome.object, kind)
        yield from _differences(f"{kind} ", {name: found.get(name, "missing") for name in wanted}, wanted)
    if expected.whole is not None and _without_event(outcome.object) != expected.whole:
        yield f"another Workflow: {json.dumps(_without_event(outcome.object))}"


def _same(event: str, body: Body) -> bool:
    try:
        return bool(kept(json.loads(event)) == kept(body))
    except ValueError:
        return False


def _differences(what: str, found: Mapping[str, str], expected: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            yield f"{what}{name} is {found.get(name)!r:.200}; expected {expected.get(name)!r:.200}"


def _without_event(workflow: Manifest) -> Manifest:
    parameters = [p | {"value": ""} if p["name"] == "event" else p for p in workflow["spec"]["arguments"]["parameters"]]
    return workflow | {"spec": workflow["spec"] | {"arguments": {"parameters": parameters}}}
