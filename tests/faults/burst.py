"""A burst of deliveries as GitHub sends them: of every kind, over several connections, some of them twice."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import urllib3

from cli.delivery import Sender
from payloads import one_of_each
from routes import FAMILIES

CONNECTIONS = 8
REDELIVERED = 10
"""One delivery in so many is an earlier one, again."""


@dataclass(frozen=True)
class Planned:
    """A delivery to send: its id and the dependency whose payload it carries."""

    delivery: str
    dependency: str


@dataclass(frozen=True)
class Answer:
    """What the EventSource said to one delivery; status 0: nothing, within GitHub's ten seconds."""

    delivery: str
    dependency: str
    status: int


def plan(size: int) -> list[Planned]:
    """A mixed burst, in which every Sensor has as much to do: each kind alike often, but for those that share one."""
    chosen = random.Random(size)
    routes = [[delivery.name for delivery in route.deliveries] for family in FAMILIES for route in family.routes]
    most = max(len(names) for names in routes)
    kinds = [name for names in routes for name in names for _ in range(most // len(names))]
    planned: list[Planned] = []
    while len(planned) < size:
        if planned and len(planned) % REDELIVERED == REDELIVERED - 1:
            planned.append(chosen.choice(planned))
        else:
            place = len(planned) - len(planned) // REDELIVERED
            planned.append(Planned(str(uuid.uuid4()), kinds[place % len(kinds)]))
    return planned


@dataclass(frozen=True)
class Burst:
    """Posts what is planned, `pace` a second at most. Every answer is kept."""

    sender: Sender
    pace: float

    def send(
        self,
        planned: Sequence[Planned],
        fault: Callable[[], None] = lambda: None,
        due: Callable[[], bool] = lambda: False,
        *,
        after: int = 0,
    ) -> list[Answer]:
        """Posts each once, and does `fault` meanwhile: once half of it is sent, as soon as it is `due`.

        The last `after` deliveries are not sent before the fault is done. Raises what `fault` raises, after the last
        answer.
        """
        free = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as connections, ThreadPoolExecutor(1) as beside:
            done: Future[None] | None = None
            posted = []
            for number, one in enumerate(planned):
                if number >= len(planned) // 2 and not done and due():
                    done = beside.submit(fault)
                if done and number >= len(planned) - after:
                    wait([done])
                time.sleep(max(0.0, free - time.monotonic()))
                free = time.monotonic() + 1 / self.pace
                posted.append(connections.submit(self._post, one))
            answers = [one.result() for one in posted]
            if done:
                done.result()
        return answers

    def repeat(self, answers: Sequence[Answer], *, seconds: float) -> list[Answer]:
        """Posts what was not answered 200 again and again, as a person would who watches GitHub's list; all answers."""
        told = list(answers)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            accepted = {answer.delivery for answer in told if answer.status == 200}
            missing = {a.delivery: Planned(a.delivery, a.dependency) for a in told if a.delivery not in accepted}
            if not missing:
                break
            time.sleep(1)
            told += self.send(list(missing.values()))
        return told

    def _post(self, planned: Planned) -> Answer:
        payload = _PAYLOADS[planned.dependency]
        try:
            posted = self.sender.post(payload, delivery=planned.delivery)
        except urllib3.exceptions.HTTPError:
            return Answer(planned.delivery, planned.dependency, 0)
        return Answer(planned.delivery, planned.dependency, posted.status)


_PAYLOADS = one_of_each()


class Sampler:
    """Notes what `look` says twice a second, from the `with` on; None is not noted."""

    def __init__(self, look: Callable[[], int | None]) -> None:
        self.seen: list[tuple[float, int]] = []
        self._look = look
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._over.wait(0.5):
            found = self._look()
            if found is not None:
                self.seen.append((time.monotonic(), found))
