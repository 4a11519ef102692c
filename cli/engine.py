"""The engine's own code, asked without a cluster: `lab/engine/explain` over Argo Events.

What the EventSource answers to a delivery, which Sensors it passes, and which Workflow comes of it.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from lab.errors import LabError
from lab.tools import built_folder, tools_named
from routes.compiler import CompiledStack
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A request as GitHub makes it. `name` is what a person calls it."""

    name: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        return self.header("X-GitHub-Event")

    @property
    def id(self) -> str:
        return self.header("X-GitHub-Delivery")

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")


@dataclass(frozen=True)
class Verdict:
    """One filter alone. `found` is the JSON at each of its paths, empty where there is nothing."""

    kind: str
    passes: bool
    error: str = ""
    found: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What one trigger makes of a delivery by one of its dependencies.

    object: what it wrote to the cluster. failure: why it wrote nothing though the filters let it. redelivered: what a
    second delivery of the same does; empty when it does nothing, or was not asked for.
    """

    trigger: str
    dependency: str
    passes: bool
    error: str = ""
    filters: tuple[Verdict, ...] = ()
    object: Manifest | None = None
    failure: str = ""
    redelivered: str = ""


@dataclass(frozen=True)
class Taken:
    """What the EventSource answers (status 0: it drops the connection), and each Sensor's outcomes, in their order.

    message: the size of the EventBus's message in bytes.
    """

    status: int
    text: str
    message: int = 0
    sensors: tuple[tuple[Outcome, ...], ...] = ()


@dataclass(frozen=True)
class Limits:
    """A trigger's pace: one action `every` so many milliseconds, tried again for `patience` milliseconds."""

    trigger: str
    every: float
    patience: float


class EngineError(Exception):
    """The engine's code could not be asked. The text says why and what to do."""


@dataclass
class Engine:
    """The program, kept running between questions: a context manager."""

    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __enter__(self) -> Engine:
        (tool,) = tools_named(["explain"])
        try:
            folder = built_folder(tool)
            self._process = subprocess.Popen(
                [folder / "argo-events-explain"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"GOGC": "400"} | os.environ,  # a sixth less processor time for some memory
            )
        except FileNotFoundError:
            raise EngineError("The engine's code is not built yet; run: make engine") from None
        except (OSError, LabError) as error:
            raise EngineError(f"The engine's code cannot be run: {error}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._process:
            self._process.communicate()

    def deliver(
        self,
        stack: CompiledStack,
        deliveries: Iterable[Delivery],
        *,
        filters: bool = False,
        secret: str = "",
        max_message: int = 0,
        refuses: bool = False,
        twice: bool = False,
        sensors: Sequence[Manifest] | None = None,
    ) -> list[Taken]:
        """What becomes of each delivery in a stack, in their order; see `replay`. `sensors` are in place of its own."""
        return self.replay(
            stack.event_source,
            stack.all_sensors() if sensors is None else sensors,
            deliveries,
            filters=filters,
            secret=secret,
            max_message=max_message,
            refuses=refuses,
            twice=twice,
        )

    def replay(
        self,
        event_source: Manifest,
        sensors: Iterable[Manifest],
        deliveries: Iterable[Delivery],
        *,
        filters: bool = False,
        secret: str = "",
        max_message: int = 0,
        refuses: bool = False,
        twice: bool = False,
    ) -> list[Taken]:
        """What becomes of each delivery that an EventSource takes and Sensors hear of, in their order.

        `filters`: also of those that do not pass, with each filter alone: its `exprs`, then its `data` up to the first
        that stops the delivery. `secret`: what signatures are checked with; none are if empty. `max_message`: the
        largest message that the EventBus takes, in bytes; 0: any. `refuses`: by an API server that refuses everything.
        `twice`: also what a second delivery of the same does, until one by the same dependency did nothing: whether a
        trigger makes the same again stands in the trigger.
        """
        answer = self.ask(
            {
                "eventSource": event_source,
                "sensors": list(sensors),
                "deliveries": [{"headers": d.headers, "body": base64.b64encode(d.body).decode()} for d in deliveries],
                "filters": filters,
                "secret": secret,
                "refuses": refuses,
                "twice": twice,
                "maxMessage": max_message,
            }
        )
        return [_taken(taken) for taken in answer.get("deliveries", [])]

    def limits(self, sensors: Iterable[Manifest]) -> list[Limits]:
        """The pace of each Sensor's triggers, by the engine's own limiter and backoff."""
        answer = self.ask({"sensors": list(sensors)})
        return [Limits(**limits) for triggers in answer.get("sensors", []) for limits in triggers]

    def validate(self, objects: Iterable[Manifest]) -> list[str]:
        """What the controller has against each EventBus, EventSource or Sensor; empty for nothing."""
        validated: list[str] = self.ask({"validate": list(objects)}).get("validated", [])
        return validated

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """One request, one answer. Raises EngineError where the engine cannot begin with what it is given."""
        process = self._process
        assert process and process.stdin and process.stdout, "use it in a `with`"
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass
        line = process.stdout.readline()
        if not line:
            raise EngineError(f"The engine's code ended with {process.wait()}; see above")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EngineError(f"The engine cannot begin: {answer['error']}")
        return answer


def _taken(answer: dict[str, Any]) -> Taken:
    return Taken(
        status=answer["status"],
        text=answer["text"],
        message=answer.get("message", 0),
        sensors=tuple(tuple(_outcome(o) for o in outcomes) for outcomes in answer.get("sensors", [])),
    )


def _outcome(answer: dict[str, Any]) -> Outcome:
    filters = tuple(
        Verdict(f["kind"], f["passes"], f.get("error", ""), tuple(f.get("found", ())))
        for f in answer.get("filters", ())
    )
    return Outcome(**answer | {"filters": filters})
