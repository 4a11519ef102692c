"""Which of GitHub's example deliveries starts what: the committed table `matrix.md`, a row for each of them.

`python -m tests.engine.matrix` prints it anew from the engine's answers. It is what the tests expect, so read what
changed before you commit it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.engine import Engine, Taken
from cli.stacks import compiled
from payloads import Body, Payload, events, examples
from routes.compiler import CompiledStack
from tests.engine.asking import Question, Started

TABLE = Path(__file__).parent / "matrix.md"
STACK = "dev"
NOTHING = "nothing"
COLUMNS = ("event", "action", "example", "facts", "starts")

FACTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "draft": ("pull_request.draft", ()),
    "merged": ("pull_request.merged", ("pull_request",)),
    "conclusion": ("{event}.conclusion", ()),
    "comment by": ("comment.user.type", ()),
    "ref": ("ref", ()),
    "default branch": ("repository.default_branch", ("push",)),
    "deleted": ("deleted", ("push",)),
    "workflow": ("workflow.name", ()),
    "run": ("workflow_run.name", ()),
}
"""What a row tells of an example that has it: where it stands, and of which events only."""

INTRODUCTION = f"""\
# Which of GitHub's examples starts what

What each example of `@octokit/webhooks-examples` must start on stack {STACK}, by dependency and Sensor. The tests hold
the engine to it. `make matrix` writes it anew from what the engine says: read what changed before you commit it.

"""


@dataclass(frozen=True)
class Row:
    """One example, the `number`th of its event. `starts`: `dependency -> Sensor`, several after commas, or nothing."""

    event: str
    action: str
    number: int
    facts: str
    starts: str

    def __str__(self) -> str:
        return f"| {self.event} | {self.action} | {self.number} | {self.facts} | {self.starts} |"

    @property
    def described(self) -> Row:
        """What the row says of the example itself."""
        return replace(self, starts="")


def described() -> list[Row]:
    """A row for each example, without what it starts."""
    return [
        Row(event, body.get("action") or "", number, _facts(event, body), "")
        for event in events()
        for number, body in enumerate(examples(event), 1)
    ]


def _facts(event: str, body: Body) -> str:
    told = []
    for fact, (path, only) in FACTS.items():
        try:
            value: Any = functools.reduce(lambda node, key: node[key], path.format(event=event).split("."), body)
        except (KeyError, TypeError):
            continue
        if not only or event in only:
            told.append(f"{fact} {value if value and isinstance(value, str) else json.dumps(value)}")
    return ", ".join(told)


def read() -> list[Row]:
    """The committed table. Raises ValueError for a line that is no row."""
    rows = []
    for line in TABLE.read_text().splitlines()[len(INTRODUCTION.splitlines()) + 2 :]:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != len(COLUMNS) or not cells[2].isdecimal():
            raise ValueError(f"{TABLE.name}: not a row: {line}")
        event, action, number, facts, starts = cells
        rows.append(Row(event, action, int(number), facts, starts))
    return rows


def questions(rows: Iterable[Row]) -> list[Question]:
    """The rows as deliveries. A row whose example is not there has none."""
    there = {event: examples(event) for event in events()}
    return [
        Question(
            name=f"{row.event} example {row.number}",
            why=f"the row of {TABLE.name}",
            payload=Payload(row.event, there[row.event][row.number - 1]),
            delivery_id=f"{row.event}-{row.number}",
            fires={start.partition(" ")[0]: Started() for start in row.starts.split(", ") if start != NOTHING},
        )
        for row in rows
        if row.number <= len(there.get(row.event, []))
    ]


def started(stack: CompiledStack, taken: Taken) -> str:
    """The last cell of a row, as the engine says."""
    names = [sensor["metadata"]["name"] for sensor in stack.all_sensors()]
    return (
        ", ".join(
            f"{outcome.dependency} -> {name}"
            for name, outcomes in zip(names, taken.sensors, strict=True)
            for outcome in outcomes
            if outcome.passes
        )
        or NOTHING
    )


def written() -> Iterator[str]:
    """The whole table, line by line, as the engine answers."""
    yield from INTRODUCTION.splitlines()
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    stack, rows = compiled(STACK), described()
    with Engine() as engine:
        answers = engine.deliver(stack, [question.delivery for question in questions(rows)])
    for row, taken in zip(rows, answers, strict=True):
        yield str(replace(row, starts=started(stack, taken)))


if __name__ == "__main__":
    print("\n".join(written()))
