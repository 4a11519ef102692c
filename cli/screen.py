"""A stack's status for a person, on one screen, and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.status import Pods, RouteStatus, Status
from cli.terminal import in_words
from components.jetstream import Unknown
from routes.settings import StackSettings
from routes.words import rate_in_words

NUMBERS = ("waiting", "oldest", "idle", "started", "failed", "rate")


def screen(status: Status, settings: StackSettings) -> RenderableType:
    """All of it; what somebody should look at is red."""
    return Group(_head(status, settings), Text(), _routes(status), Text(), *_semaphores(status), *_wrong(status))


def as_json(status: Status) -> dict[str, Any]:
    """The same for programs. Numbers that cannot be had are null, with the reason beside them."""
    return {
        "accepted": _number(status.accepted),
        "acceptedUnknown": _reason(status.accepted),
        "eventSource": _pods_of(status.event_source),
        "routes": [
            {
                "sensor": one.route.sensor,
                "pods": _pods_of(one.pods),
                "waiting": _number(one.waiting),
                "waitingUnknown": _reason(one.waiting),
                "oldestSeconds": round(one.oldest.total_seconds()) if one.oldest else None,
                "oldestExact": one.exact if one.oldest else None,
                "idleSeconds": round(one.idle.total_seconds()) if one.idle else None,
                "standsStill": one.stands_still,
                "started": one.started,
                "failed": one.failed,
                "phases": dict(one.phases),
                "recent": one.recent,
                "rate": rate_in_words(one.rate) if one.rate else None,
                "lastFailure": one.failure or None,
            }
            for one in status.routes
        ],
        "semaphores": [
            {"name": one.name, "held": one.held, "limit": one.limit, "waiting": one.waiting}
            for one in status.semaphores
        ],
        "deadLetters": [
            {"sensor": one.route, "delivery": one.delivery, "event": one.event, "reason": one.reason or None}
            for one in status.dead_letters
        ],
        "wrong": status.wrong,
    }


def _head(status: Status, settings: StackSettings) -> Text:
    text = Text(f"Namespace {settings.namespace} in context {settings.kube_context}: ")
    text.append(f"EventSource {_pods(status.event_source)}", "red" if status.event_source.down else "")
    accepted = status.accepted
    return text.append(f", {accepted}" if isinstance(accepted, Unknown) else f", {accepted:,} deliveries accepted")


def _routes(status: Status) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Sensor", "pods", *NUMBERS):
        table.add_column(column, no_wrap=True, justify="right" if column in NUMBERS else "left")
    for one in status.routes:
        table.add_row(
            one.route.sensor,
            Text(_pods(one.pods), "red" if one.pods.down else ""),
            Text("?" if isinstance(one.waiting, Unknown) else f"{one.waiting:,}", "red" if one.stands_still else ""),
            _oldest(one),
            Text(_since(one), "red" if one.stands_still else ""),
            f"{one.started:,}",
            f"{one.failed:,}",
            f"{one.recent} of {rate_in_words(one.rate)}" if one.rate else "no limit",
        )
    return table


def _semaphores(status: Status) -> Iterator[Text]:
    told = [
        f"{one.name} {one.held} of {one.limit}" + (f", {one.waiting} wait" if one.waiting else "")
        for one in status.semaphores
    ]
    yield Text(f"Semaphores: {'; '.join(told)}")


def _wrong(status: Status) -> Iterator[Text]:
    reasons = {one.waiting for one in status.routes if isinstance(one.waiting, Unknown)}
    for reason in sorted(reasons):
        yield Text(f"What waits is not known: {reason}")
    for one in status.routes:
        if one.stands_still:
            yield Text(
                f"{one.route.sensor}: {one.waiting} wait, and it has done none for {_since(one)}: its log says what it"
                " tries, or its pod hangs (start it anew: nothing is lost)",
                "red",
            )
        if one.failure:
            yield Text(f"{one.route.sensor}, the last that failed: {one.failure}", "yellow")
    for letter in status.dead_letters:
        yield Text(
            f"{letter.route} gave up {letter.event} {letter.delivery} of {letter.repository} at {letter.given_up}:"
            f" {letter.reason or 'its log no longer says why'}",
            "red",
        )


def _pods(pods: Pods) -> str:
    return f"{pods.ready} of {pods.wanted}" if pods.wanted else "not there"


def _since(one: RouteStatus) -> str:
    """How long it has done none, where something waits."""
    if not one.waiting or isinstance(one.waiting, Unknown) or one.idle is None:
        return ""
    return in_words(max(0, round(one.idle.total_seconds())))


def _oldest(one: RouteStatus) -> str:
    """How long the oldest that waits has waited; "<" where JetStream tells no more than that of another route."""
    if one.oldest is None:
        return ""
    return f"{'' if one.exact else '< '}{in_words(round(one.oldest.total_seconds()))}"


def _pods_of(pods: Pods) -> dict[str, int]:
    return {"ready": pods.ready, "wanted": pods.wanted}


def _number(value: int | Unknown) -> int | None:
    return None if isinstance(value, Unknown) else value


def _reason(value: int | Unknown) -> str | None:
    return str(value) if isinstance(value, Unknown) else None
