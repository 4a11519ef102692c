"""The tests' own checks, asked of mutants: by the engine's answers alone, never by comparing manifests."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from cli.delivery import signature
from cli.engine import Delivery, Engine, EngineError, Outcome, Taken
from routes.consumers import durable_names
from routes.manifests import Manifest
from tests.engine.asking import Question, misfired, parameters_in, unheard, with_parameters, wrong
from tests.engine.letters import gives_up_at_last, giving_up, wrong_letter
from tests.engine.pace import wrong_pace
from tests.engine.test_limits import filled
from tests.mutation.mutants import Gone, Mutant
from tests.mutation.suites import REDUCED, Suite
from tests.routes.test_consumers import OF_THE_ENGINE

SECRET = "s3cret"
ANSWERS = 800
"""Workflows in one answer, about: each has its whole event in it."""

ANSWERED_BYTES = 30_000_000
"""What these may have in events together, about."""

Answer = Sequence[Outcome] | str
"""Outcomes, or why there are none."""

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class Death:
    """Which check a mutant did not pass, and what it said."""

    check: str
    said: str


@dataclass
class Judge:
    """Asks the engine what the questions of a suite have against mutants. Starts it anew where a mutant ends it."""

    suite: Suite
    _engine: Engine = field(default_factory=lambda: Engine().__enter__())
    _killed: Counter[tuple[str, str]] = field(default_factory=Counter)
    _deliveries: dict[str, Delivery] = field(default_factory=dict)

    def told(self, mutants: Sequence[Mutant]) -> list[Death | None]:
        """What becomes of each mutant; they are of one object, and of one dependency if any."""
        deaths: dict[Mutant, Death | None] = dict.fromkeys(mutants)
        checks: tuple[Callable[[Sequence[Mutant]], Iterator[tuple[Mutant, Death]]], ...]
        if mutants[0].shown_by == "letter":
            checks = (self._validated, self._lettered)
        elif mutants[0].whole["kind"] == "Sensor":
            checks = (self._validated, self._paced, self._answered, self._heard, self._kept)
        else:
            checks = (self._validated, self._passed_on)
        for check in checks:
            for mutant, death in check([mutant for mutant, death in deaths.items() if not death]):
                deaths[mutant] = death
        return list(deaths.values())

    # --- Sensors

    def _validated(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        for mutant, answer in self._each(mutants, lambda engine, manifests: engine.validate(manifests)):
            if said := str(answer):
                yield mutant, Death("the controller's validation", said)

    def _paced(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        for mutant, answer in self._each(mutants, lambda engine, manifests: engine.limits(manifests)):
            if isinstance(answer, EngineError):
                yield mutant, Death("the Sensor begins", str(answer))
            elif said := wrong_pace([answer]):
                yield mutant, Death("pace", said[0])

    def _answered(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        """Those that answer a question wrongly. First comes the question that most others failed; then more."""
        if not mutants:
            return
        of = mutants[0].dependency
        questions = sorted(
            self._questions(mutants[0]), key=lambda q: (-self._killed[of, q[1].name], of not in q[1].fires)
        )
        alive, asked, size = list(mutants), 0, 1
        while alive and asked < len(questions):
            some = self._few(questions[asked : asked + size], len(alive))
            dead: dict[Mutant, Death] = {}
            for (check, question), answers in zip(some, self._outcomes(alive, [q for _, q in some]), strict=True):
                for mutant, answer in zip(alive, answers, strict=True):
                    problems = [answer] if isinstance(answer, str) else _wrong(question, answer, mutant)
                    if problems and mutant not in dead:
                        self._killed[of, question.name] += 1
                        dead[mutant] = Death(check, f"{question.name}: {problems[0]}")
            yield from dead.items()
            alive = [mutant for mutant in alive if mutant not in dead]
            asked += len(some)
            size = max(4, min(size * 2, ANSWERS // max(1, len(alive))))

    def _outcomes(self, mutants: Sequence[Mutant], questions: Sequence[Question]) -> list[list[Answer]]:
        """For each question each mutant's outcomes, or why there are none.

        Of a trigger's parameters only the changed one is evaluated, which is quick; what it writes differently from the
        parameter as it is, is then written into the Workflow of the whole Sensor.
        """
        if mutants[0].is_of_a_filter:
            return self._answers([_writing(mutant.manifest, []) for mutant in mutants], questions)
        if not mutants[0].is_of_a_parameter:
            return self._answers([mutant.manifest for mutant in mutants], questions)
        whole, changed = mutants[0].whole, [mutant.parameter for mutant in mutants]
        alone = {i: _writing(whole, [i]) for i in changed}
        manifests = [
            _writing(m.manifest, [] if m.value is Gone.REMOVED and len(m.path) == 7 else [m.parameter]) for m in mutants
        ]
        answers = self._answers([*manifests, *alone.values(), whole], questions)
        return [
            [
                _joined(answer, of[len(manifests) + list(alone).index(i)], of[-1])
                for answer, i in zip(of, changed, strict=False)
            ]
            for of in answers
        ]

    def _questions(self, mutant: Mutant) -> list[tuple[str, Question]]:
        """Those that can show a change like this one, with the check that each belongs to."""
        every = [
            (check, question)
            for check, questions in self.suite.questions.items()
            for question in questions
            if check != REDUCED or mutant.shown_by == "reduced"
        ]
        match mutant.shown_by:
            case "any":
                return every
            case "event":
                event = _event(mutant)
                return [(check, question) for check, question in every if question.payload.event == event]
            case "fired" | "reduced":
                return [(check, question) for check, question in every if mutant.dependency in question.fires]
            case "letter" if mutant.dependency:
                return [(check, question) for check, question in every if mutant.dependency in question.fires]
            case "letter" | "whole":
                names = _dependencies_of(mutant.whole)
                return [(c, q) for c, q in every if c == every[0][0] and not q.fires.keys().isdisjoint(names)]

    def _answers(
        self, sensors: Sequence[Manifest], questions: Sequence[Question], *, refuses: bool = False
    ) -> list[list[Answer]]:
        """For each question each Sensor's outcomes, or why there are none."""
        deliveries = [self._delivery(question) for question in questions]
        stack = self.suite.stack
        try:
            taken = self._ask(
                lambda engine, to: engine.deliver(stack, deliveries, refuses=refuses, twice=True, sensors=to), sensors
            )
        except EngineError as error:
            taken = [Taken(0, str(error))]
        if all(answer.status == 200 for answer in taken):
            return [list(answer.sensors) for answer in taken]
        if len(sensors) == 1:
            return [[next(answer.text for answer in taken if answer.status != 200)]] * len(questions)
        # One of them ends the engine, or what it does with a delivery: for all.
        alone = [self._answers([sensor], questions, refuses=refuses) for sensor in sensors]
        return [[answers[i][0] for answers in alone] for i in range(len(questions))]

    def _heard(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        if mutants and mutants[0].shown_by == "whole":
            questions = [question for _, question in self._questions(mutants[0])]
            for question, answers in zip(
                questions, self._answers([m.manifest for m in mutants], questions, refuses=True), strict=True
            ):
                for mutant, answer in zip(mutants, answers, strict=True):
                    if said := [answer] if isinstance(answer, str) else unheard(question, answer):
                        yield mutant, Death("an API server that refuses", said[0])

    def _kept(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        """Whether the consumer, and with it what waits there, is the one that the Sensor has on the running engine."""
        for mutant in mutants:
            found = durable_names(mutant.manifest)
            if mutant.of in OF_THE_ENGINE and found != OF_THE_ENGINE[mutant.of]:
                yield mutant, Death("consumers", f"reads {found}; what waits is in {OF_THE_ENGINE[mutant.of]}")

    # --- What a Sensor gives up

    def _lettered(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        sensors: dict[Mutant, Manifest] = {}
        for mutant in mutants:
            try:
                sensors[mutant] = giving_up(mutant.manifest)
                if gives_up_at_last(mutant.manifest):
                    yield mutant, Death("dead letters", "is given up as well")
                    del sensors[mutant]
            except (LookupError, TypeError, AttributeError, ValueError) as error:
                sensors.pop(mutant, None)
                yield mutant, Death("dead letters", f"there is none: {error!r}")
        trigger = mutants[0].whole["spec"]["triggers"][0]["template"]["name"] if mutants else ""
        for refuses in (False, True):
            questions = [question for _, question in self._questions(mutants[0])] if sensors else []
            while questions and sensors:
                some, questions = questions[:10], questions[10:]
                dead: dict[Mutant, Death] = {}
                answers = self._answers(list(sensors.values()), some, refuses=refuses)
                for question, of in zip(some, answers, strict=True):
                    for mutant, answer in zip(sensors, of, strict=True):
                        if isinstance(answer, str):
                            said = [answer]
                        elif refuses:
                            said = unheard(question, answer)
                        else:
                            said = _wrong_letter(question, answer, mutant, trigger)
                        if said and mutant not in dead:
                            dead[mutant] = Death("dead letters", f"{question.name}: {said[0]}")
                yield from dead.items()
                sensors = {mutant: sensor for mutant, sensor in sensors.items() if mutant not in dead}
                if refuses:
                    break

    def _few(self, questions: Sequence[tuple[str, Question]], times: int) -> Sequence[tuple[str, Question]]:
        """The first of them, so many that the answers are not too large; at least one."""
        sizes = itertools.accumulate(len(self._delivery(question).body) * times for _, question in questions)
        return questions[: max(1, sum(size <= ANSWERED_BYTES for size in sizes))]

    def _delivery(self, question: Question) -> Delivery:
        if question.name not in self._deliveries:
            self._deliveries[question.name] = question.delivery
        return self._deliveries[question.name]

    # --- The EventSource

    def _passed_on(self, mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, Death]]:
        for mutant in mutants:
            if death := self._lost(mutant) or self._signed(mutant) or self._sized(mutant):
                yield mutant, death

    def _lost(self, mutant: Mutant) -> Death | None:
        """Whether each of the first check's deliveries, signed as GitHub does, reaches its Sensor."""
        questions = next(iter(self.suite.questions.values()))
        every = {name for of in self.suite.stack.all_sensors() for name in _dependencies_of(of)}
        taken = self._through(mutant, [self._delivery(question) for question in questions], SECRET)
        for question, answer in zip(questions, taken, strict=True):
            outcomes = [outcome for of in answer.sensors for outcome in of]
            if said := [answer.text] if answer.status != 200 else wrong(question, outcomes, every):
                return Death("deliveries reach the Sensors", f"{question.name}: {said[0]}")
        return None

    def _signed(self, mutant: Mutant) -> Death | None:
        """Whether what is signed with another secret is refused."""
        question = next(iter(self.suite.questions.values()))[0]
        (taken,) = self._through(mutant, [self._delivery(question)], "another")
        return None if taken.status == 400 else Death("signatures", f"a wrong one is answered {taken.status}")

    def _sized(self, mutant: Mutant) -> Death | None:
        """Whether the largest body is taken, and one of a byte more is not: megabytes, for no other change."""
        if not mutant.is_unchanged and mutant.path[-1] not in ("webhook", "maxPayloadSize"):
            return None
        headers = {"Content-Type": "application/json", "X-GitHub-Event": "ping"}
        largest = self.suite.stack.event_source["spec"]["github"]["main"]["webhook"]["maxPayloadSize"]
        bodies = (filled(b"x", largest), filled(b"x", largest + 1))
        deliveries = [Delivery(name="largest", headers=headers, body=body) for body in bodies]
        found = [taken.status for taken in self._through(mutant, deliveries, SECRET)]
        return None if found == [200, 400] else Death("sizes", f"the largest and one of a byte more: {found}")

    def _through(self, mutant: Mutant, deliveries: Sequence[Delivery], secret: str) -> list[Taken]:
        signed = [
            replace(d, headers=d.headers | {"X-Hub-Signature-256": signature(secret.encode(), d.body)})
            for d in deliveries
        ]
        stack = replace(self.suite.stack, event_source=mutant.manifest)
        try:
            return self._ask(lambda engine, to: engine.deliver(to, signed, secret=SECRET), stack)
        except EngineError as error:
            return [Taken(0, str(error))] * len(deliveries)

    # --- The engine

    def _each(
        self, mutants: Sequence[Mutant], ask: Callable[[Engine, list[Manifest]], Sequence[T]]
    ) -> Iterator[tuple[Mutant, T | EngineError]]:
        """One answer for each mutant, asked together where the engine bears it."""
        manifests = [mutant.manifest for mutant in mutants]
        try:
            yield from zip(mutants, self._ask(ask, manifests), strict=True)
        except EngineError:
            for mutant, manifest in zip(mutants, manifests, strict=True):
                try:
                    (answer,) = self._ask(ask, [manifest])
                    yield mutant, answer
                except EngineError as error:
                    yield mutant, error

    def _ask(self, question: Callable[[Engine, U], T], about: U) -> T:
        try:
            return question(self._engine, about)
        except EngineError as error:
            if "ended" in str(error):
                self._engine = Engine().__enter__()
            raise


def _writing(sensor: Manifest, parameters: Sequence[int]) -> Manifest:
    """The Sensor with these of its trigger's parameters only."""
    return with_parameters(sensor, [parameters_in(sensor)[i] for i in parameters])


def _joined(changed: Answer, alone: Answer, whole: Answer) -> Answer:
    """A Sensor's outcomes, where those of one parameter are `changed` and were `alone` before."""
    if isinstance(changed, str) or isinstance(alone, str) or isinstance(whole, str):
        return changed
    joined = []
    for now, before, of in zip(changed, alone, whole, strict=True):
        whole_object = _grafted(of.object, before.object, now.object) if now.object else None
        joined.append(replace(now, object=whole_object))
    return joined


def _grafted(onto: Any, before: Any, after: Any) -> Any:
    """`onto`, with what `after` has otherwise than `before`."""
    if after == before:
        return onto
    match onto, before, after:
        case dict(), dict(), dict():
            kept = {key: value for key, value in onto.items() if key in after or key not in before}
            new = {key: _grafted(onto.get(key), before.get(key), value) for key, value in after.items()}
            return kept | {key: value for key, value in new.items() if key in onto or after[key] != before.get(key)}
        case list(), list(), list() if len(onto) == len(before) == len(after):
            return [_grafted(*of) for of in zip(onto, before, after, strict=True)]
    return after


def _event(mutant: Mutant) -> str:
    (of,) = (d for d in mutant.whole["spec"]["dependencies"] if d["name"] == mutant.dependency)
    pattern: str = of["filters"]["data"][0]["value"][0]
    return pattern.strip("^$")


def _wrong(question: Question, outcomes: Sequence[Outcome], mutant: Mutant) -> list[str]:
    if mutant.is_of_a_filter:
        return misfired(question, outcomes, _dependencies_of(mutant.manifest))
    try:
        return wrong(question, outcomes, _dependencies_of(mutant.manifest))
    except (LookupError, TypeError, AttributeError) as error:
        return [f"what it made is no Workflow: {error!r}"]  # a test that raises is one that fails


def _wrong_letter(question: Question, outcomes: Sequence[Outcome], mutant: Mutant, trigger: str) -> list[str]:
    try:
        return wrong_letter(question, outcomes, mutant.of, trigger)
    except (LookupError, TypeError, AttributeError) as error:
        return [f"what it made is no letter: {error!r}"]


def _dependencies_of(sensor: Manifest) -> list[str]:
    return [dependency["name"] for dependency in sensor["spec"]["dependencies"]]
