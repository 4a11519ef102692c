"""Why a delivery did, or did not, start a Workflow: the engine's own answers, in the words of the route table."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cli.engine import Delivery, Engine, Outcome, Taken
from routes import FAMILIES
from routes.compiler import compile_stack, conditions_of
from routes.guards import fires_on
from routes.manifests import Manifest
from routes.model import EVENT, Route
from routes.model import Delivery as Kind
from routes.settings import StackSettings
from routes.words import path_of, wanted


@dataclass(frozen=True)
class Stopped:
    """The first condition that a delivery does not meet, and what it holds there; `error` is the engine's, if any."""

    path: str
    wanted: str
    found: str
    error: str = ""

    def __str__(self) -> str:
        return f"{self.path} is {self.found}, wanted {self.wanted}" + (f" (error: {self.error})" if self.error else "")


@dataclass(frozen=True)
class Look:
    """A route's look at a delivery, as one of the kinds of delivery that it fires on.

    `stopped`: why it does not fire. `workflow`: what it starts. `lost`: why it starts nothing though it should.
    """

    route: Route
    kind: Kind
    stopped: Stopped | None = None
    workflow: Manifest | None = None
    lost: str = ""

    @property
    def about(self) -> bool:
        """Whether the route is about deliveries of this event at all."""
        return not (self.stopped and self.stopped.path == EVENT)


@dataclass(frozen=True)
class Explained:
    """What becomes of one delivery. `refused`: why the EventSource does not take it."""

    delivery: Delivery
    status: int
    refused: str
    looks: tuple[Look, ...]

    @property
    def started(self) -> list[Look]:
        return [look for look in self.looks if look.workflow]

    @property
    def lost(self) -> bool:
        """Whether the engine refuses it, or cannot make the Workflow that it should."""
        return bool(self.refused) or any(look.lost for look in self.looks)

    def why_nothing(self) -> str:
        """In one line, why nothing was started."""
        if self.refused:
            return self.refused
        if lost := [look for look in self.looks if look.lost]:
            return "; ".join(f"{look.route.sensor}: {look.lost}" for look in lost)
        nearest = [f"{look.kind.name}: {look.stopped}" for look in self.looks if look.about and look.stopped]
        return "; ".join(nearest) or no_route(self.delivery.event, (look.kind.event for look in self.looks))


def no_route(event: str, known: Iterable[str]) -> str:
    """What is said of a delivery whose event none of the routes, which are about the `known` ones, is about."""
    near = difflib.get_close_matches(event, known, 1, cutoff=0.85)
    return f"no route is about {event or 'a delivery without X-GitHub-Event'}" + (
        f"; did you mean {near[0]}?" if near else ""
    )


def explain(settings: StackSettings, deliveries: Sequence[Delivery], *, secret: str = "") -> list[Explained]:
    """What the stack does with each delivery, in their order. Raises EngineError where the engine cannot be asked."""
    stack = compile_stack(FAMILIES, settings)
    routes = [route for family in FAMILIES for route in family.routes if settings.route(route).enabled]
    with Engine() as engine:
        answers = engine.deliver(
            stack, deliveries, filters=True, secret=secret, max_message=settings.event_bus.max_payload_bytes
        )
    return [
        Explained(d, taken.status, _refused(d, taken, settings.max_body), tuple(_looks(routes, taken, settings)))
        for d, taken in zip(deliveries, answers, strict=True)
    ]


def _looks(routes: Sequence[Route], taken: Taken, settings: StackSettings) -> Iterator[Look]:
    for route, outcomes in zip(routes, taken.sensors, strict=False):  # none where it was refused
        by_dependency = {outcome.dependency: outcome for outcome in outcomes}
        for kind in fires_on(route, settings):
            outcome = by_dependency[kind.name]
            if outcome.passes:
                yield Look(route, kind, workflow=outcome.object, lost=outcome.failure)
            else:
                yield Look(route, kind, stopped=_stopped(kind, outcome, settings))


def _stopped(kind: Kind, outcome: Outcome, settings: StackSettings) -> Stopped:
    """The first condition of the table that one of its filters, tried alone, does not let through."""
    exprs, data = conditions_of(kind, settings)
    tried = list(zip([*exprs, *data], outcome.filters, strict=False))  # up to the first of `data` that stops it
    for condition in kind.conditions:
        for other, verdict in tried:
            if other == condition and not verdict.passes:
                found, *compared = map(_held, verdict.found)
                here = f", here {', '.join(compared)}" if compared else ""
                return Stopped(path_of(condition), wanted(condition, settings) + here, found, verdict.error)
    return Stopped("the delivery", "what each filter alone lets through", "refused by them together", outcome.error)


def _held(found: str) -> str:
    """What the delivery holds, of the engine's words for it.

    `[path]` gives a list: of the value, or of nothing. Of two paths the last is the one that is told.
    """
    value = json.loads(found) if found else ""
    if isinstance(value, list):
        value = value[-1] if value else ""
    return "missing" if value == "" else json.dumps(value, ensure_ascii=False)


def _refused(delivery: Delivery, taken: Taken, max_body: int) -> str:
    """Why the EventSource does not take a delivery; empty where it does."""
    size = len(delivery.body)
    match taken.status:
        case 200:
            return ""
        case 0:
            return f"it drops the connection: {taken.text}"
        case 500:
            return f"500 {taken.text}: with what the engine adds it has {taken.message:,} bytes, more than NATS takes"
        case status if not size:
            return f"{status} {taken.text}: the delivery is empty"
        case status if "max depth" in taken.text:
            return f"{status} {taken.text}: it is nested deeper than the engine reads"
        case status if "too large" in taken.text:
            return f"{status} {taken.text}: it has {size:,} bytes, and the EventSource takes {max_body:,}"
        case status if "signature" in taken.text:
            return (
                f"{status} {taken.text}: it was signed with another secret, or the payload is not, byte for byte, what"
                " GitHub sent"
            )
        case status if "Media" in taken.text or "Content-Type" in taken.text:
            return f"{status} {taken.text}; set the webhook's content type to application/json"
        case status:
            return f"{status} {taken.text}: a delivery is a JSON object"


# --- For programs


def as_json(explained: Explained) -> dict[str, Any]:
    """All of it as plain JSON; the keys are those of the engine and of the contract."""
    return {
        "name": explained.delivery.name,
        "event": explained.delivery.event,
        "delivery": explained.delivery.id,
        "status": explained.status,
        "refused": explained.refused,
        "routes": [
            {
                "sensor": look.route.sensor,
                "dependency": look.kind.name,
                "fires": look.workflow is not None,
                "stopped": vars(look.stopped) if look.stopped else None,
                "lost": look.lost,
                "workflow": look.workflow,
            }
            for look in explained.looks
        ],
    }
