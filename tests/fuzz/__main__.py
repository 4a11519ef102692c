"""`make fuzz`: at least 10,000 bad requests at the EventSource of the running lab, and what each kind of them gets.

Exit code 1: something is wrong, or docs/bad-input.md says otherwise. Each finding names the request that shows it.
"""

from __future__ import annotations

import random
import sys
import uuid
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.fuzz.campaign import Report, Target, run
from tests.fuzz.kinds import GROUP_OF, KINDS, named, plan, request
from tests.fuzz.page import PAGE, page
from tests.fuzz.sending import send

SHOWN = 1500
"""Bytes of a request that are shown."""


def main(
    seed: Annotated[int | None, typer.Option(help="Makes the same requests again. By default a new one.")] = None,
    total: Annotated[int, typer.Option(help="At least so many requests.", min=1)] = 10_000,
    minutes: Annotated[float, typer.Option(help="No request is sent later.", min=0.1)] = 15.0,
    only: Annotated[str, typer.Option(help='One request, as a finding names it: "Bodies: null #3".')] = "",
    write: Annotated[bool, typer.Option(help="Write docs/bad-input.md, in place of comparing with it.")] = False,
) -> None:
    """At least 10,000 bad requests at the EventSource of the running lab, and what each kind of them gets."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    seed = random.randrange(1_000_000) if seed is None else seed
    target = Target.of_lab()
    if only:
        _once(target, only, seed, console)
        return
    planned = len(plan(total, seed))
    console.print(f"Seed {seed}: {planned:,} requests; sending ends after {minutes:g} minutes at the latest.")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("requests", total=planned)
        report = run(target, total, seed, minutes=minutes, done=lambda: progress.advance(task))
    console.print(_summary(report))
    _tell(report, console)
    findings = report.problems()
    text = page(report.of_each_kind())
    if write and not findings:
        PAGE.write_text(text)
        console.print(f"Written: {PAGE.name}.")
    elif text != PAGE.read_text():
        findings.append(f"{PAGE.name} says otherwise; if the engine's answers are right: make fuzz WRITE=1")
    for finding in findings:
        console.print(f"{finding}", style="red", markup=False, soft_wrap=True)
    if findings:
        console.print(f"One request again: make fuzz SEED={seed} ONLY='…'", markup=False)
        raise typer.Exit(1)


def _once(target: Target, name: str, seed: int, console: Console) -> None:
    """Sends one request again, and shows it and its answer."""
    found = named(name)
    if not found:
        console.print(f'No request is named {name!r}. A finding names one so: "Bodies: null #3".', style="red")
        raise typer.Exit(2)
    sent = request(*found, seed=seed, run=uuid.uuid4().hex, host=target.host, secret=target.secret)
    console.print(shown(sent.wire), markup=False, soft_wrap=True)
    console.print(f"→ {send(target.address, sent)}", markup=False, soft_wrap=True)


def shown(wire: bytes) -> str:
    """The beginning of a request, one line a line."""
    text = wire[:SHOWN].decode("latin-1").replace("\r\n", "\n")
    more = f"\n… {len(wire) - SHOWN:,} bytes more" if len(wire) > SHOWN else ""
    return "".join(c if c == "\n" or c.isprintable() else f"\\x{ord(c):02x}" for c in text) + more


def _summary(report: Report) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("kind", "sent", "answer", "Workflows"):
        table.add_column(column, justify="right" if column in ("sent", "Workflows") else "left", overflow="fold")
    for kind in KINDS:
        answers = report.answers.get(kind)
        if answers:
            said = "; ".join(str(answer) for answer, _ in answers.most_common())
            started = str(report.started(kind)) if kind.starts else ""
            table.add_row(f"{GROUP_OF[kind]}: {kind.name}", str(answers.total()), said, started)
    return table


def _tell(report: Report, console: Console) -> None:
    before, warm, after = report.vitals
    console.print(
        f"{report.sent:,} requests of {len(report.answers)} kinds, {report.bytes / 1e6:,.0f} MB, in"
        f" {report.seconds:.0f} s; {len(report.created)} Workflows of {len(report.expected)} deliveries that count.\n"
        f"The EventSource: process {before.pid}, then {after.pid}; memory {before.memory / 1e6:.0f} MB, after a fifth"
        f" {warm.memory / 1e6:.0f}, at the end {after.memory / 1e6:.0f}; files {before.files}, then {after.files};"
        f" goroutines {before.goroutines}, then {after.goroutines}.",
        soft_wrap=True,
    )


if __name__ == "__main__":
    typer.run(main)
