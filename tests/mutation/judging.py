"""The tests' own checks, asked of mutants: by the engine's answers alone, never by comparing manifests."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self, TypeVar

from cli.delivery import signature
from cli.engine import Delivery, Engine, EngineError, Outcome, Taken
from routes.compiler import CompiledStack
from routes.manifests import Manifest
from tests.engine.asking import Question, unheard, wrong
from tests.engine.pace import wrong_pace
from tests.mutation.mutants import Mutant

SECRET = "s3cret"
TOGETHER = 40
"""Mutants in one request."""
ANSWERS = 800
"""Workflows in one answer, about: each has its whole event in it."""

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Death:
    """Which check a mutant did not pass, and what it said."""

    check: str
    said: str


@dataclass
class Judge:
    """Asks the engine, and starts it anew where a mutant ends it. `questions` by the name of their check."""

    stack: CompiledStack
    questions: Mapping[str, Sequence[Question]]
    _engine: Engine = field(default_factory=Engine)
    _killed: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> Self:
        self._engine.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._engine.__exit__(kind, error, tb)

    def sensors(self, mutants: Iterable[Mutant]) -> dict[Mutant, Death | None]:
        """What becomes of each mutant of one Sensor."""
        told: dict[Mutant, Death | None] = dict.fromkeys(mutants)
        for check in (self._validated, self._paced, self._answered, self._heard):
            for mutant, death in check([mutant for mutant, death in told.items() if not death]):
                told[mutant] = death
        return told

    def event_sources(self, mutants: Iterable[Mutant]) -> dict[Mutant, Death | None]:
        """What becomes of each mutant of the EventSource."""
        told: dict[Mutant, Death | None] = dict.fromkeys(mutants)
        told |= dict(self._validated(list(told)))
        for mutant in [mutant for mutant, death in told.items() if not death]:
            told[mutant] = self._passed_on(mutant) or self._signed(mutant)
        return told

    # --- Sensors

    def _validated(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        answers = self._each(mutants, lambda engine, manifests: engine.validate(manifests))
        for mutant, answer in zip(mutants, answers, strict=True):
            if said := str(answer):
                yield mutant, Death("the controller's validation", said)

    def _paced(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        answers = self._each(mutants, lambda engine, manifests: engine.limits(manifests))
        for mutant, answer in zip(mutants, answers, strict=True):
            if isinstance(answer, EngineError):
                yield mutant, Death("the Sensor begins", str(answer))
            elif said := wrong_pace([answer]):
                yield mutant, Death("pace", said[0])

    def _answered(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        checks = {question: check for check, questions in self.questions.items() for question in questions}
        for mutant_of, group in _grouped(mutants):
            # Deliveries that fire another dependency do not see what one of them writes.
            seen = [question for question in checks if not mutant_of or mutant_of in question.fires]
            for together in _batched(group, TOGETHER):
                for mutant, (question, said) in self._asked(together, seen):
                    self._killed[question.name] += 1
                    yield mutant, Death(checks[question], f"{question.name}: {said}")

    def _asked(
        self, mutants: Sequence[Mutant], questions: Sequence[Question]
    ) -> Iterator[tuple[Mutant, tuple[Question, str]]]:
        """Those that answer a question wrongly. First come the questions that others failed; few, then more."""
        alive = list(mutants)
        asked, size = 0, 4
        questions = sorted(questions, key=lambda question: -self._killed[question.name])
        while alive and asked < len(questions):
            some = questions[asked : asked + size]
            dead: dict[Mutant, tuple[Question, str]] = {}
            for question, answers in zip(some, self._answers(alive, some), strict=True):
                for mutant, answer in zip(alive, answers, strict=True):
                    problems = [answer] if isinstance(answer, str) else wrong(question, answer, _dependencies(mutant))
                    if problems and mutant not in dead:
                        dead[mutant] = (question, problems[0])
            yield from dead.items()
            alive = [mutant for mutant in alive if mutant not in dead]
            asked += size
            size = max(4, min(size * 2, ANSWERS // max(1, len(alive))))

    def _answers(
        self, mutants: Sequence[Mutant], questions: Sequence[Question], *, refuses: bool = False
    ) -> list[list[Sequence[Outcome] | str]]:
        """For each question each mutant's outcomes, or why there are none."""
        deliveries = [question.delivery for question in questions]
        try:
            taken = self._deliver(deliveries, [mutant.manifest for mutant in mutants], refuses)
        except EngineError as error:
            taken = [Taken(0, str(error))]
        if all(answer.status == 200 for answer in taken):
            return [list(answer.sensors) for answer in taken]
        if len(mutants) == 1:
            return [[next(answer.text for answer in taken if answer.status != 200)]] * len(questions)
        # One of them ends the engine, or what it does with a delivery: for all.
        alone = [self._answers([mutant], questions, refuses=refuses) for mutant in mutants]
        return [[answers[i][0] for answers in alone] for i in range(len(questions))]

    def _deliver(self, deliveries: Sequence[Delivery], sensors: Sequence[Manifest], refuses: bool) -> list[Taken]:
        def deliver(engine: Engine, to: Sequence[Manifest]) -> list[Taken]:
            return engine.deliver(self.stack, deliveries, refuses=refuses, sensors=to)

        return self._ask(deliver, sensors)

    def _heard(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        questions = next(iter(self.questions.values()))
        for together in _batched(mutants, TOGETHER):
            for question, answers in zip(questions, self._answers(together, questions, refuses=True), strict=True):
                for mutant, answer in zip(together, answers, strict=True):
                    if said := [answer] if isinstance(answer, str) else unheard(question, answer):
                        yield mutant, Death("an API server that refuses", said[0])

    # --- EventSources

    def _passed_on(self, mutant: Mutant) -> Death | None:
        """Whether each of the first check's deliveries, signed as GitHub does, reaches its Sensor."""
        questions = next(iter(self.questions.values()))
        for question, taken in zip(questions, self._through(mutant, questions, SECRET), strict=True):
            outcomes = [outcome for of in taken.sensors for outcome in of]
            every = {name for of in self.stack.all_sensors() for name in _dependencies_of(of)}
            if said := [taken.text] if taken.status != 200 else wrong(question, outcomes, every):
                return Death("deliveries reach the Sensors", f"{question.name}: {said[0]}")
        return None

    def _signed(self, mutant: Mutant) -> Death | None:
        """Whether what is signed with another secret is refused."""
        questions = next(iter(self.questions.values()))[:1]
        (taken,) = self._through(mutant, questions, "another")
        return None if taken.status == 400 else Death("signatures", f"a wrong one is answered {taken.status}")

    def _through(self, mutant: Mutant, questions: Sequence[Question], secret: str) -> list[Taken]:
        deliveries = [
            replace(d, headers=d.headers | {"X-Hub-Signature-256": signature(secret.encode(), d.body)})
            for d in (question.delivery for question in questions)
        ]
        stack = replace(self.stack, event_source=mutant.manifest)
        try:
            return self._ask(lambda engine, to: engine.deliver(to, deliveries, secret=SECRET), stack)
        except EngineError as error:
            return [Taken(0, str(error))] * len(deliveries)

    # --- The engine

    def _each(
        self, mutants: Sequence[Mutant], ask: Callable[[Engine, list[Manifest]], Sequence[T]]
    ) -> Iterator[T | EngineError]:
        """One answer for each mutant, asked together where the engine bears it."""
        for together in _batched(mutants, TOGETHER):
            manifests = [mutant.manifest for mutant in together]
            try:
                yield from self._ask(ask, manifests)
            except EngineError:
                for manifest in manifests:
                    try:
                        yield from self._ask(ask, [manifest])
                    except EngineError as error:
                        yield error

    def _ask(self, question: Callable[[Engine, U], T], about: U) -> T:
        try:
            return question(self._engine, about)
        except EngineError as error:
            if "ended" in str(error):
                self._engine = Engine().__enter__()
            raise


def _dependencies(mutant: Mutant) -> list[str]:
    return _dependencies_of(mutant.manifest)


def _dependencies_of(sensor: Manifest) -> list[str]:
    return [dependency["name"] for dependency in sensor["spec"]["dependencies"]]


def _grouped(mutants: Iterable[Mutant]) -> Iterator[tuple[str, list[Mutant]]]:
    for dependency, group in itertools.groupby(
        sorted(mutants, key=lambda mutant: mutant.dependency), key=lambda mutant: mutant.dependency
    ):
        yield dependency, list(group)


def _batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
