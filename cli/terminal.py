"""What the commands share: where they print, how they fail, which stack they are about."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer
from rich.console import Console

console = Console() if sys.stdout.isatty() else Console(width=200)

Stack = Annotated[str, typer.Option(help="The stack, as in Pulumi.<stack>.yaml.")]


def in_words(seconds: int) -> str:
    """A time in its largest unit that says enough: `119 s`, `2 min`, `2 h`."""
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def fail(message: str) -> NoReturn:
    """One message on standard error, exit code 2."""
    typer.echo(message, err=True)
    raise typer.Exit(2)
