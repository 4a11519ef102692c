"""`python -m supply`: lock, audit, sbom."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lab.build import build_missing
from lab.errors import LabError
from lab.tools import TOOLS, built_folder
from supply import audit, lock, sbom
from supply.tools import ROOT, SupplyError, tools

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Look = Callable[[], list[str]]

COULD_NOT = 2
"""The exit code where something could not be looked at; 1 is for what was found."""


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (SupplyError, LabError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(COULD_NOT) from None


@app.command("lock")
def write_locks(
    upgrade: Annotated[bool, typer.Option(help="Take the newest versions of what the .in files leave open.")] = False,
) -> None:
    """Write requirements*.txt anew from requirements*.in, with hashes."""
    with _told(), tools() as found:
        lock.write(found, upgrade=upgrade)


@app.command("audit")
def look_for_vulnerabilities() -> None:
    """Known vulnerabilities of the Python packages and of the engine's binaries.

    Exit code 1: there are some. 2: a database could not be asked, so that nothing is known.
    """
    with _told():
        build_missing(Console(stderr=True))
        with tools() as found:
            looks: list[Look] = [partial(audit.python, found, ROOT / f"{name}.txt") for name in lock.NAMES]
            looks += [partial(audit.go, found, tool) for tool in TOOLS]
            code = _look(looks)
    raise typer.Exit(code)


def _look(looks: Sequence[Look]) -> int:
    """Each look's lines; of several that could not, what is wrong is said once for each tool."""
    known = 0
    failed: dict[str, SupplyError] = {}
    for look in looks:
        try:
            lines = look()
        except SupplyError as error:
            failed.setdefault(str(error).split()[0], error)  # its first word is the tool's name
            continue
        known += len(lines)
        for line in lines:
            print(line)
    for told in failed.values():
        print(told, file=sys.stderr)
    if failed:
        return COULD_NOT
    print(f"{known or 'no'} known vulnerabilities")
    return 1 if known else 0


@app.command("sbom")
def write_bills(folder: Annotated[Path, typer.Argument(help="Where to.")] = ROOT / "sbom") -> None:
    """Write a CycloneDX bill of materials for each lock and each binary of the engine."""
    with _told():
        build_missing(Console(stderr=True))
        folder.mkdir(parents=True, exist_ok=True)
        with tools() as found:
            for name in lock.NAMES:
                sbom.python(found, ROOT / f"{name}.txt", folder / f"{name}.cdx.json")
            for tool in TOOLS:
                for binary in tool.packages.values():
                    sbom.go(found, built_folder(tool) / binary, folder / f"{binary}.cdx.json")
    print(f"{len(list(folder.glob('*.cdx.json')))} bills of materials in {folder}")


if __name__ == "__main__":
    app()
