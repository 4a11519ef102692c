"""Which deliveries are missing: GitHub could not hand them over, or they were and their Workflow is not there.

Three things are asked: GitHub, which attempts it made; the cluster, which Workflows there are; and for what these two
leave open the engine's own code (`explain`), which routes a payload starts.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from cli.cluster import Started
from cli.explain import Explained, explain
from cli.github import Attempt, GitHub, RefusedError
from cli.records import record
from cli.terminal import in_words
from routes import FAMILIES, limits
from routes.guards import fires_on
from routes.model import Rate
from routes.settings import StackSettings

KEPT = timedelta(days=3)
"""How long GitHub keeps a delivery."""

LOOK_EVERY = 1.0
"""Seconds between two looks for Workflows that are waited for."""
BATCH = 50
"""Payloads in memory at once."""

SENSOR_EVERY_SECOND = limits.REQUESTS_A_SECOND / limits.REQUESTS_OF_A_WORKFLOW
"""Workflows that a Sensor starts in a second at most, whatever its rate."""


class What(StrEnum):
    """What is the matter with a delivery."""

    FAILED = "failed"
    """GitHub could not hand it over, and it starts something."""
    MISSING = "missing"
    """It was handed over, and a Workflow that it starts is not there."""
    WAITS = "waits"
    """The same, but it may still be on its way."""
    NOTHING = "starts nothing"
    """GitHub could not hand it over, and nothing was lost by it."""


@dataclass(frozen=True)
class Delivered:
    """A delivery: all attempts to hand it over that are known, the newest first."""

    attempts: tuple[Attempt, ...]

    @property
    def last(self) -> Attempt:
        return self.attempts[0]

    @property
    def guid(self) -> str:
        return self.last.guid

    @property
    def at(self) -> datetime:
        """When it was first tried."""
        return self.attempts[-1].at

    @property
    def handed_over(self) -> tuple[datetime, ...]:
        """When it was handed over, the newest first."""
        return tuple(attempt.at for attempt in self.attempts if attempt.handed_over)

    @property
    def whole(self) -> bool:
        """Whether its first attempt is among them: what is only tried again came before."""
        return not self.attempts[-1].redelivery

    @property
    def kind(self) -> str:
        return ".".join(filter(None, (self.last.event, self.last.action)))


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is the matter with a delivery, and why. `routes`: the Sensors whose Workflow is not there."""

    delivery: Delivered
    what: What
    why: str
    routes: tuple[str, ...] = ()
    repository: str = ""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What became of the deliveries of a time.

    looked: how many there were. unknown: how many were handed over so long ago that a Workflow that is not there may
    have been removed after it was done.
    """

    looked: int
    found: tuple[Found, ...]
    unknown: int = 0

    def asked_for(self, *, everything: bool) -> list[Found]:
        """What is to be asked for again; `everything`: also what starts nothing."""
        wanted = {What.FAILED, What.MISSING} | ({What.NOTHING} if everything else set())
        return [found for found in self.found if found.what in wanted]


class Cluster(Protocol):
    """Where the Workflows are."""

    def started(self) -> Started: ...


@dataclass(frozen=True, kw_only=True)
class Search:
    """The deliveries that were first tried between `since` and `until`, judged at `now`.

    What was handed over less than `grace` ago may still be on its way. `step` hears how many payloads are read, of how
    many.
    """

    settings: StackSettings
    since: datetime
    until: datetime
    now: datetime
    grace: timedelta
    step: Callable[[int, int], None] = lambda done, of: None

    def look(self, github: GitHub, cluster: Cluster) -> Look:
        """Raises GitHubError, ClusterError and EngineError."""
        everything = _grouped(github.attempts(self.since))
        started = cluster.started()  # after the attempts: what was handed over by then may be there by now
        within = [delivery for delivery in everything if delivery.whole and delivery.at <= self.until]
        found: list[Found] = []
        unclear: list[Delivered] = []
        unknown = 0
        for delivery in within:
            possible = self._possible(delivery)
            if not possible and not delivery.handed_over:
                why = f"{_failure(delivery)}; no route is about {delivery.kind}"
                found.append(Found(delivery=delivery, what=What.NOTHING, why=why))
            elif all(started.has(sensor, delivery.guid) for sensor in possible):
                continue
            elif delivery.handed_over and delivery.handed_over[-1] < self.now - self._kept:
                unknown += 1  # a redelivery that found its Workflow made none that would be kept longer
            else:
                unclear.append(delivery)
        waiting = queue(started, everything)
        for delivery, explained in self._explained(github, unclear):
            if judged := self.judge(delivery, explained, waiting):
                found.append(judged)
        found.sort(key=lambda one: one.delivery.at)
        return Look(looked=len(within), found=tuple(found), unknown=unknown)

    @property
    def _kept(self) -> timedelta:
        """How long a Workflow is there at least."""
        return timedelta(seconds=self.settings.workflow_ttl_seconds)

    def _possible(self, delivery: Delivered) -> list[str]:
        """The Sensors that may start something for its event and action."""
        event, action = delivery.last.event, delivery.last.action
        return [
            route.sensor
            for family in FAMILIES
            for route in family.routes
            if self.settings.route(route).enabled
            and any(
                kind.event == event and (not kind.actions or action in kind.actions)
                for kind in fires_on(route, self.settings)
            )
        ]

    def _explained(self, github: GitHub, deliveries: Sequence[Delivered]) -> Iterator[tuple[Delivered, Explained]]:
        done = 0
        for first in range(0, len(deliveries), BATCH):
            batch = deliveries[first : first + BATCH]
            records = []
            for delivery in batch:
                records.append(record(delivery.guid, github.record(delivery.last)))
                done += 1
                self.step(done, len(deliveries))
            yield from zip(batch, explain(self.settings, records), strict=True)

    def judge(self, delivery: Delivered, explained: Explained, queue: Queue) -> Found | None:
        """None for one with which all is well."""
        missing = [look.route for look in explained.started if not queue.started.has(look.route.sensor, delivery.guid)]
        routes = tuple(route.sensor for route in missing)
        found = Found(delivery=delivery, what=What.NOTHING, why="", routes=routes, repository=_repository(explained))
        if not delivery.handed_over:
            if not explained.started:
                return replace(found, why=f"{_failure(delivery)}; {_reason(explained)}")
            return replace(found, what=What.FAILED, why=_failure(delivery)) if routes else None
        if not routes:
            return None
        since = delivery.handed_over[0]
        ago = self.now - since
        if ago < self.grace:
            return replace(found, what=What.WAITS, why=f"handed over {in_words(int(ago.total_seconds()))} ago")
        if all(queue.waits(route.sensor, self.settings.rate(route), since, self.now) for route in missing):
            return replace(found, what=What.WAITS, why="waits for the rate of its route")
        times = len(delivery.handed_over)
        often = "" if times == 1 else f" {times} times"
        return replace(found, what=What.MISSING, why=f"handed over{often}, no Workflow")


@dataclass(frozen=True)
class Queue:
    """How far each route has come, by its Sensor. It takes its deliveries in the order in which they were handed over.

    reached: when the last of those was handed over that have their Workflow.
    """

    started: Started
    reached: Mapping[str, datetime]

    def waits(self, sensor: str, rate: Rate | None, since: datetime, now: datetime) -> bool:
        """Whether what was handed over then may still wait for the route's rate.

        So it may where nothing was started that was handed over later, and the route has been at work all the time:
        half of what its rate allows is taken for that.
        """
        if (reached := self.reached.get(sensor)) and reached > since:
            return False
        a_second = min(rate.limit / rate.seconds, SENSOR_EVERY_SECOND) if rate else SENSOR_EVERY_SECOND
        allowed = (now - since).total_seconds() * a_second
        return sum(at >= since for at in self.started.times.get(sensor, ())) >= max(1.0, allowed / 2)


def queue(started: Started, deliveries: Iterable[Delivered]) -> Queue:
    """What the deliveries that have their Workflows say of each route."""
    handed_over = {delivery.guid: delivery.handed_over[-1] for delivery in deliveries if delivery.handed_over}
    reached: dict[str, datetime] = {}
    for sensor, guid in started.workflows:
        if at := handed_over.get(guid):
            reached[sensor] = max(at, reached.get(sensor, at))
    return Queue(started, reached)


def ask_again(
    github: GitHub, wanted: Iterable[Found], step: Callable[[Found], None] = lambda _: None
) -> dict[str, str]:
    """Asks GitHub for each once more. What GitHub will not do, by guid, and why. Raises GitHubError."""
    refused: dict[str, str] = {}
    for found in wanted:
        try:
            github.redeliver(found.delivery.last)
        except RefusedError as error:
            refused[found.delivery.guid] = str(error)
        step(found)
    return refused


def wait_for(cluster: Cluster, wanted: Sequence[Found], seconds: float) -> list[Found]:
    """Those that have not become their Workflows after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        started = cluster.started()
        left = [f for f in wanted if not all(started.has(sensor, f.delivery.guid) for sensor in f.routes)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(LOOK_EVERY)


def moment(text: str, now: datetime) -> datetime:
    """A time ago (`90m`, `2h`, `3d`), or a moment in UTC. Raises ValueError."""
    if found := re.fullmatch(r"(\d+)([smhd])", text):
        units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
        return now - timedelta(**{units[found.group(2)]: int(found.group(1))})
    parsed = datetime.fromisoformat(text.removesuffix(" UTC"))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _grouped(attempts: Iterable[Attempt]) -> list[Delivered]:
    by_guid: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_guid.setdefault(attempt.guid, []).append(attempt)
    newest_first = (
        sorted(group, key=lambda attempt: (attempt.at, attempt.id), reverse=True) for group in by_guid.values()
    )
    return [Delivered(tuple(group)) for group in newest_first]


def _failure(delivery: Delivered) -> str:
    """Why GitHub could not hand it over, by its last attempt."""
    last = delivery.last
    times = f", tried {len(delivery.attempts)} times" if len(delivery.attempts) > 1 else ""
    if str(last.code) in last.status or not last.code:
        return f"{last.status or 'no answer'}{times}"
    return f"{last.code} {last.status}".strip() + times


def _reason(explained: Explained) -> str:
    return f"the EventSource refuses it: {explained.refused}" if explained.refused else explained.why_nothing()


def _repository(explained: Explained) -> str:
    body = json.loads(explained.delivery.body)
    repository = body.get("repository") if isinstance(body, dict) else None
    return str(repository["full_name"]) if isinstance(repository, dict) and "full_name" in repository else ""
