"""The tools, each at its pinned version, in an environment that is made for one use and removed after it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import golang

ROOT = Path(__file__).parent.parent
GOVULNCHECK = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"


class SupplyError(Exception):
    """One line that says what could not be done, and what to look at."""


@dataclass(frozen=True)
class Said:
    """What a tool did."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"


@dataclass(frozen=True)
class Tools:
    """Where the tools are."""

    folder: Path

    def python(self, *command: str, env: Mapping[str, str] | None = None) -> Said:
        """Runs one of the Python tools, or `python` with those at hand."""
        program, *arguments = command
        return run([str(self.folder / "bin" / program), *arguments], env=env)

    def govulncheck(self, *arguments: str) -> Said:
        """Runs govulncheck, compiled at its first use. Raises SupplyError where it cannot be had."""
        binary = self.folder / "go" / "govulncheck"
        if not binary.exists():
            built = run([golang.chosen(), "install", GOVULNCHECK], env={"GOBIN": str(binary.parent), "GOWORK": "off"})
            if built.code:
                raise SupplyError(f"{GOVULNCHECK} cannot be had from Go's module proxy: {built.last_line}")
        return run([str(binary), *arguments])


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None) -> Said:
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


@contextmanager
def tools() -> Iterator[Tools]:
    """The Python tools, installed with their hashes checked. Raises SupplyError where they cannot be had."""
    with tempfile.TemporaryDirectory(prefix="github-to-argo-supply-") as folder:
        made = run([sys.executable, "-m", "venv", folder])
        found = Tools(Path(folder))
        if not made.code:
            options = (
                "--quiet",
                "--disable-pip-version-check",
                "--no-compile",
                "--require-hashes",
                "--only-binary=:all:",
            )
            made = found.python("pip", "install", *options, "-r", "requirements-supply.txt")
        if made.code:
            raise SupplyError(f"the tools of requirements-supply.txt cannot be installed: {made.last_line}")
        yield found


def index_of_pip() -> Mapping[str, str]:
    """The package index that pip is set to, as uv takes it; nothing where that is the usual one."""
    listed = run([sys.executable, "-m", "pip", "config", "list"]).out
    found = re.findall(r"^(?:global|user|site|:env:)\.index-url='(.*)'$", listed, re.MULTILINE)
    return {"UV_DEFAULT_INDEX": found[-1]} if found else {}
