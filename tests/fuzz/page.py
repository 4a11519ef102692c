"""docs/bad-input.md: what each kind of request got. Nothing in it changes from run to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.fuzz.kinds import GROUPS, Kind
from tests.fuzz.sending import Answer

PAGE = Path(__file__).parent.parent.parent / "docs/bad-input.md"

ABOUT = """\
# What bad input gets

Written by `make fuzz WRITE=1`, from what the EventSource of the running lab answered. Do not edit it.

`make fuzz` sends at least 10,000 requests, of every kind below, in an order that its seed makes; `make test-long` 600.
Afterwards the EventSource is the same process, holds as many files and goroutines as before, and is, once it has
collected its garbage, no more than 32 MiB larger than after the first fifth of the requests. Each delivery that counts
has become one Workflow, and no other request has.

"Signed" is as GitHub signs it. A body that is not is never read as JSON: whatever is in it, the answer is about the
signature. What stands in `"…"` and `'…'` is the request's own text, up to a MiB of it, in the answer and in a line of
the EventSource's log.

The EventSource has no time limits. Clients that send byte by byte, 200 at once, stay connected as long as they like;
they hold up nobody, and other deliveries become Workflows meanwhile. An Ingress in front should limit how long a
request may take, how large its headers may be, and its methods to POST.

Two things that are signed harm others, so only GitHub, or who has its secret, could do them. An event that the EventBus
does not take is tried again for some seconds, and what comes after it waits as long (megabytes of `<`). A body of
exactly 10,000 levels is taken, and the Sensors cannot read it: the one that it fires tries for `retryMinutes`.
"""


def page(answers: Mapping[Kind, Answer]) -> str:
    """The page, in Markdown."""
    return "\n".join(
        [ABOUT, *(line for group in GROUPS for line in _table(group.name, group.about, group.kinds, answers))]
    )


def _table(name: str, about: str, kinds: tuple[Kind, ...], answers: Mapping[Kind, Answer]) -> Iterator[str]:
    yield from (f"## {name}", "", about, "", "| request | answer |", "|---|---|")
    for kind in kinds:
        known = f" ({kind.known})" if kind.known else ""
        yield f"| {kind.name} | {_answer(answers[kind])}{known} |"
    yield ""


def _answer(answer: Answer) -> str:
    words = answer.words.replace("|", "\\|")
    if not answer.status:
        return words
    return f"{answer.status} {f'`{words}`' if words else 'and no text'}"
