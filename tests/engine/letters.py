"""The dead letter of a delivery that is given up, by the engine's own code: what it must tell."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from cli.engine import Outcome
from routes.manifests import Manifest
from tests.engine.asking import Question

CENTURY = 100 * 365 * 24 * 3600
"""In seconds."""

ENGINES_ID = re.compile(r"[0-9a-f-]{16,64}")
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9._-]*[A-Za-z0-9]")


def giving_up(sensor: Manifest) -> Manifest:
    """A Sensor with the dead letter's trigger in place of the route's: the engine runs them alike.

    Without its retries, whose pace `cli.engine` adds up one by one.
    """
    changed = copy.deepcopy(sensor)
    (trigger,) = changed["spec"]["triggers"]
    letter = {key: value for key, value in trigger["dlqTrigger"].items() if key != "retryStrategy"}
    letter["template"]["conditions"] = trigger["template"]["conditions"]
    changed["spec"]["triggers"] = [letter]
    return changed


def gives_up_at_last(sensor: Manifest) -> bool:
    """Whether a letter is not tried for a century."""
    (trigger,) = sensor["spec"]["triggers"]
    retry = trigger["dlqTrigger"]["retryStrategy"]
    return bool(retry["steps"] * int(retry["duration"].removesuffix("s")) < CENTURY)


def wrong_letter(question: Question, outcomes: Iterable[Outcome], sensor: str, trigger: str) -> list[str]:
    """What a delivery's dead letter has against it, of a Sensor's trigger, in one line each."""
    fired = [outcome for outcome in outcomes if outcome.passes and outcome.dependency in question.fires]
    return [problem for outcome in fired for problem in _problems(question, outcome, sensor, trigger)]


def _problems(question: Question, outcome: Outcome, sensor: str, trigger: str) -> Iterator[str]:
    letter = outcome.object
    if letter is None or outcome.failure:
        yield f"no letter: {outcome.failure}"
        return
    if (letter["apiVersion"], letter["kind"]) != ("v1", "ConfigMap"):
        yield f"a letter is no {letter['kind']}"
    if letter["metadata"].get("generateName") != "dead-letter-":
        yield "the policy admits no letter of another name"
    labels = {key: value for key, value in letter["metadata"].get("labels", {}).items() if "timestamp" not in key}
    if labels != {
        "github-to-argo/dead-letter": sensor,
        "events.argoproj.io/sensor": sensor,
        "events.argoproj.io/trigger": f"{trigger}-dead-letter",
    }:
        yield f"other labels: {labels}"
    told = dict(letter["data"])
    if not ENGINES_ID.fullmatch(told.pop("eventId", "")):
        yield "does not tell the engine's own id"
    try:
        datetime.fromisoformat(told.pop("accepted", ""))
    except ValueError:
        yield "does not tell when it came"
    expected = {"delivery": _neutral(question.delivery_id), "event": question.payload.event}
    repository = _repository(question, outcome.dependency)
    if repository is None:
        told.pop("repository", "")
    else:
        expected["repository"] = repository
    if told != expected:
        yield f"tells {told}; expected {expected}"


def _neutral(text: str) -> str:
    shortened = text.encode()[:200].decode(errors="replace")
    neutral = shortened.replace("{{", "{ {").replace("{{", "{ {")
    return neutral + " " if neutral.endswith("{") else neutral


def _repository(question: Question, dependency: str) -> str | None:
    """The repository as a label has it; None where the case does not say."""
    if "repository" in question.fires[dependency].labels:
        return question.fires[dependency].labels["repository"]
    name = (question.payload.body.get("repository") or {}).get("full_name", "")
    return name.replace("/", ".") if isinstance(name, str) and (not name or PLAIN_NAME.fullmatch(name)) else None
