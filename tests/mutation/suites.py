"""Which stacks are changed, and what each is asked.

Stack dev in full, but for the Sensor of security events: that of a stack that takes every further event. Stack prod and
a stack of each guard by itself: what they have besides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.stacks import compiled, read_settings
from payloads import alerts, one_of_each
from routes import FAMILIES
from routes.compiler import CompiledStack, compile_stack
from routes.settings import parse_settings
from tests.engine import matrix
from tests.engine.asking import Question
from tests.engine.cases import cases, complete, least
from tests.engine.guarded import GUARDS, Guard, of_alerts, of_prod
from tests.engine.reduced import large
from tests.mutation import mutants
from tests.mutation.mutants import Mutant
from tests.routes.test_settings import MINIMAL

IN_FULL = ("github-issue-comment-to-rex", "github-issues-to-implementation")
"""What comes first: Sensors with all that a template can be made of, which is changed in full just once."""


SECURITY = "github-security-to-agent"

REDUCED = "reduced events"
"""The check of what is too large for a Workflow, which only changes of the event and its size are asked."""


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A stack and its questions, by the name of their check.

    `of`: the dependencies whose filters are changed, and nothing else; empty: all is. `sensors`: the only ones changed.
    """

    name: str
    stack: CompiledStack
    questions: Mapping[str, Sequence[Question]]
    of: frozenset[str] = frozenset()
    sensors: frozenset[str] = frozenset(route.sensor for family in FAMILIES for route in family.routes)

    def mutants(self, forms: set[str]) -> Iterator[Mutant]:
        """Every mutant that the questions are about."""
        for sensor in sorted(self.stack.all_sensors(), key=lambda sensor: sensor["metadata"]["name"] not in IN_FULL):
            if sensor["metadata"]["name"] not in self.sensors:
                continue
            for mutant in mutants.sensor(sensor, forms):
                if not self.of or (mutant.dependency in self.of and mutant.is_of_a_filter):
                    yield mutant
        if not self.of:
            yield from mutants.event_source(self.stack.event_source)


def suites() -> Iterator[Suite]:
    """All of them. What is the same in two stacks is judged in the first."""
    whole = [*complete(), *least()]
    known = {question.name for question in whole}
    more = [question for question in cases() if question.name not in known]
    security = frozenset({SECURITY})
    yield Suite(
        name="dev",
        stack=compiled(matrix.STACK),
        questions={
            "the whole Workflow": whole,
            "cases": more,
            "matrix": matrix.questions(matrix.read()),
            REDUCED: list(large(one_of_each())),
        },
        sensors=Suite.sensors - security,
    )
    further = [payload.event for payload in alerts().values()]
    yield Suite(
        name="every event",
        stack=compile_stack(FAMILIES, read_settings(matrix.STACK).model_copy(update={"security_events": further})),
        questions={
            "the whole Workflow": [*whole, *of_alerts()],
            "cases": [question for question in more if question.payload.event not in further],
            "guards": [q for guard in GUARDS if _further(guard.settings) for q in guard.questions()],
            REDUCED: list(large(one_of_each() | alerts())),
        },
        sensors=security,
    )
    by_settings: dict[str, list[Guard]] = {}
    for guard in GUARDS:
        by_settings.setdefault(json.dumps(guard.settings), []).append(guard)
    for settings, guards in by_settings.items():
        yield Suite(
            name=settings,
            stack=_compiled(guards[0].settings),
            questions={"guards": [question for guard in guards for question in guard.questions()]},
            of=frozenset(guard.of for guard in guards),
        )
    yield Suite(name="prod", stack=compiled("prod"), questions={"prod": list(of_prod())})


def _further(settings: Mapping[str, Any]) -> bool:
    """Whether all that a guard sets is an event that the stack takes too."""
    return set(settings) == {"securityEvents"} and settings["securityEvents"] != []


def _compiled(settings: dict[str, Any]) -> CompiledStack:
    return compile_stack(FAMILIES, parse_settings(MINIMAL | settings, source="a guard"))
