"""Prometheus and promtool, for the tests: from PATH, or Debian's package, unpacked into the cache without root.

`python -m lab.prometheus` brings them. The Python packages have none, and to build it takes longer than all the engine.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lab.errors import LabError
from lab.tools import cache_root

PROGRAMS = ("prometheus", "promtool")


def installed() -> dict[str, Path] | None:
    """Where the programs are, by name; None: not here."""
    on_path = [shutil.which(name) for name in PROGRAMS]
    found = [Path(path) for path in on_path if path] if all(on_path) else [_folder() / name for name in PROGRAMS]
    return dict(zip(PROGRAMS, found, strict=True)) if all(path.is_file() for path in found) else None


def bring() -> dict[str, Path]:
    """The programs, downloaded if they are not here. Raises LabError."""
    if found := installed():
        return found
    if missing := [name for name in ("apt-get", "dpkg-deb") if not shutil.which(name)]:
        raise LabError(
            f"The tests of the alerts need {' and '.join(PROGRAMS)}, and {' and '.join(missing)} is not here to bring"
            " them. Install Prometheus so that both are on PATH."
        )
    folder = _folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        unpacked = Path(temporary, "unpacked")
        for argv in (_apt(Path(temporary), "update"), _apt(Path(temporary), "download", "prometheus")):
            _run(argv, Path(temporary))
        (package,) = Path(temporary).glob("prometheus_*.deb")
        _run(["dpkg-deb", "--extract", str(package), str(unpacked)], Path(temporary))
        if not folder.is_dir():
            (unpacked / "usr/bin").rename(folder)
    found = installed()
    assert found, "Debian's package holds both"
    return found


def _folder() -> Path:
    return cache_root() / "prometheus"


def _apt(state: Path, *command: str) -> list[str]:
    """apt-get with lists of its own: the machine's may be old, or not there, and only root may renew them."""
    for folder in ("lists/partial", "archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State::lists": state / "lists",
        "Dir::Cache": state,
        "Debug::NoLocking": 1,
        "APT::Sandbox::User": "root",
    }
    return ["apt-get", "--quiet", "--quiet", *(f"--option={name}={value}" for name, value in options.items()), *command]


def _run(argv: list[str], folder: Path) -> None:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip()[-500:]
        raise LabError(f"Prometheus could not be downloaded: `{argv[0]} … {argv[-1]}` says\n{last}")


if __name__ == "__main__":
    try:
        bring()
    except LabError as error:
        sys.exit(str(error))
