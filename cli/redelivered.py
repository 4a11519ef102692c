"""What is missing, in a terminal and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from cli.redeliver import Found, Look, What

COLOURS = {What.FAILED: "red", What.MISSING: "red", What.WAITS: "yellow", What.NOTHING: "dim"}


def table(found: Iterable[Found]) -> Table:
    """A line for each delivery with which something is the matter."""
    told = Table(box=None, pad_edge=False, header_style="bold")
    told.add_column("time (UTC)", no_wrap=True)
    for column in ("event", "repository", "delivery", "what went wrong", "Sensor"):
        told.add_column(column, overflow="fold")
    for one in found:
        delivery = one.delivery
        why = Text(one.why, style=COLOURS[one.what])
        told.add_row(
            _time(delivery.at),
            *map(Text, (delivery.kind, one.repository, delivery.guid)),
            why,
            Text(", ".join(one.routes)),
        )
    return told


def summary(look: Look, wanted: Sequence[Found], since: datetime, until: datetime) -> str:
    """In a line or two, how many are to be asked for again, and what is not known."""
    counts = {what: sum(one.what == what for one in look.found) for what in What}
    told = [
        f"{_number(look.looked, 'delivery')} between {_time(since)} and {_time(until)} UTC:"
        f" {counts[What.FAILED]} failed, {counts[What.MISSING]} without their Workflow;"
        f" {len(wanted) or 'none'} to ask for again."
    ]
    if counts[What.WAITS]:
        told.append(
            f"{counts[What.WAITS]} may still be waiting for their turn: look again in a while. To ask for them would do"
            " no harm, and no good."
        )
    if counts[What.NOTHING] and not any(one.what == What.NOTHING for one in wanted):
        told.append(f"{counts[What.NOTHING]} failed and would start nothing: not asked for without --all.")
    if look.unknown:
        told.append(
            f"{look.unknown} came before the time in which Workflows are kept (setting workflowTtlSeconds): that theirs"
            " are not there means nothing."
        )
    return "\n".join(told)


def outcome(asked: Sequence[Found], refused: Mapping[str, str], without: Sequence[Found], waited: float) -> Text:
    """What came of it. `without`: what did not become its Workflow though that was waited for."""
    told = [f"GitHub was asked for {len(asked)} of {len(asked) + len(refused)}."]
    told += [f"It does not redeliver {guid}: {why}" for guid, why in refused.items()]
    for one in without:
        told.append(f"{one.delivery.guid} has no Workflow of {', '.join(one.routes)} after {waited:g} s.")
    return Text("\n".join(told), style="red" if refused or without else "")


def as_json(
    look: Look,
    since: datetime,
    until: datetime,
    *,
    asked: Sequence[Found],
    refused: Mapping[str, str],
    without: Sequence[Found],
) -> dict[str, Any]:
    """All of it as plain JSON."""
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "looked": look.looked,
        "unknown": look.unknown,
        "deliveries": [
            {
                "delivery": one.delivery.guid,
                "at": one.delivery.at.isoformat(),
                "event": one.delivery.last.event,
                "action": one.delivery.last.action,
                "repository": one.repository,
                "attempts": len(one.delivery.attempts),
                "what": one.what.value,
                "why": one.why,
                "sensors": list(one.routes),
                "asked": one in asked,
                "refused": refused.get(one.delivery.guid, ""),
                "waitedInVain": one in without,
            }
            for one in look.found
        ],
    }


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what if count == 1 else what.removesuffix('y') + 'ies'}"
