"""The console blocks of README and docs, run: what a page shows as printed is compared with what is printed.

A block of the language `console` has commands, each after `$ `, and below each what it prints; nothing below it means
that only its exit code counts (2, for an error, is none of a page's). To compare, on both sides:

- white space is alike, line breaks too: a page may break a line where it likes;
- `…` on the page stands for any text, with the white space around it;
- what differs from run to run is replaced by what `VOLATILE` calls it: ids, commits, moments, durations.

`make X` is run as the `python -m cli` command that make says it would run, in this process.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from cli.__main__ import app
from cli.stacks import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

VOLATILE = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "<moment>"),
    (r"\([0-9a-f]{7,40}\)", "(<commit>)"),
    (r"\b\d+(\.\d+)? (ms|s|min|h|seconds?|minutes?|hours?|days?)\b", "<duration>"),
)
BLOCK = re.compile(r"^( *)```console\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
ANYTHING = "…"


@dataclass(frozen=True)
class Shown:
    """A command on a page, and what the page shows below it."""

    page: Path
    line: int
    command: str
    printed: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"

    def differs(self, printed: str) -> str:
        """What the page would have to show, where it shows something else."""
        pattern = ".*?".join(map(re.escape, re.split(f" ?{ANYTHING} ?", _alike(self.printed))))
        if not self.printed or re.fullmatch(pattern, _alike(printed), re.DOTALL):
            return ""
        return f"{self}: `{self.command}` prints\n{printed}\nand the page shows\n{self.printed}"


@dataclass(frozen=True)
class Ran:
    code: int
    printed: str


def shown(page: Path) -> Iterator[Shown]:
    """Every command in the console blocks of a page. Raises ValueError for a block that begins with none."""
    text = page.read_text()
    for block in BLOCK.finditer(text):
        first = text[: block.start()].count("\n") + 2
        command, at, printed = "", first, list[str]()
        for number, line in enumerate(textwrap.dedent(block[2]).splitlines(), first):
            if line.startswith("$ "):
                if command:
                    yield Shown(page, at, command, "\n".join(printed))
                command, at, printed = line[2:], number, []
            elif not command:
                raise ValueError(f"{page.name}:{number}: a console block begins with a command, after `$ `")
            else:
                printed.append(line)
        yield Shown(page, at, command, "\n".join(printed))


def run(command: str, folder: Path, *, typed: str = "") -> Ran:
    """What a `python -m cli …`, of make or by itself, does in a folder. `typed` is what somebody answers."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(app, words_of(command), input=typed)
    finally:
        os.chdir(before)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.output)


def run_by_bash(command: str) -> Ran:
    """What any other command does. Nothing but the lab may be in its reach."""
    return _ran(["bash", "-c", command], ROOT)


_ALL_OF_THEM = """
import json, sys
from typer.testing import CliRunner
from cli.__main__ import app
results = [CliRunner().invoke(app, words) for words in json.loads(sys.argv[1])]
print(json.dumps([[result.exit_code, result.output] for result in results]))
"""


def run_in_copy(commands: Sequence[str], root: Path) -> dict[str, Ran]:
    """What commands, each a `python -m cli …` of make or by itself, do in a copy of this project; in one process."""
    words = json.dumps([words_of(command) for command in commands])
    done = _ran([sys.executable, "-c", _ALL_OF_THEM, words], root)
    assert done.code == 0, done.printed
    return dict(zip(commands, (Ran(*result) for result in json.loads(done.printed)), strict=True))


def _ran(words: Sequence[str], folder: Path) -> Ran:
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return Ran(done.returncode, done.stdout)


def words_of(command: str) -> list[str]:
    """What a command gives to `python -m cli`, that of make to the last one that it would run; nothing if to none."""
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        planned = subprocess.run(
            ["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=True
        )
        lines = [line for line in planned.stdout.replace("\\\n", " ").splitlines() if " -m cli " in line]
        words = shlex.split(lines[-1]) if lines else []
        words = words[: words.index("||")] if "||" in words else words
    module = words.index("cli") if "cli" in words else 0
    return words[module + 1 :] if module and words[module - 1] == "-m" else []


def _alike(text: str) -> str:
    for pattern, name in VOLATILE:
        text = re.sub(pattern, name, text)
    return " ".join(text.split())
