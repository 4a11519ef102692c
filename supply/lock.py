"""Locks: every package of `<name>.in`, and of what it needs, at one version and with its hashes, in `<name>.txt`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from supply.tools import ROOT, SupplyError, Tools, index_of_pip

NAMES = ("requirements", "requirements-dev", "requirements-toolchain", "requirements-supply")
PYTHON = "3.11"
"""The oldest Python. The locks hold for it and for every newer one."""


@dataclass(frozen=True)
class Locked:
    """One package of a lock; `wanted_by` are the files and packages that ask for it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    wanted_by: tuple[str, ...]


def write(tools: Tools, *, upgrade: bool) -> None:
    """Writes every lock anew; versions stay unless `upgrade` or the `.in` asks for others. Raises SupplyError."""
    for name in NAMES:
        options = ["--universal", f"--python-version={PYTHON}", "--generate-hashes", "--no-emit-index-url"]
        options += ["--quiet", "--custom-compile-command=make lock", f"--output-file={name}.txt"]
        options += ["--upgrade"] if upgrade else []
        done = tools.python("uv", "pip", "compile", *options, f"{name}.in", env=index_of_pip())
        if done.code:
            raise SupplyError(f"{name}.in cannot be locked: {done.last_line}")


def wanted(name: str, root: Path = ROOT) -> Iterator[tuple[str, str, str]]:
    """File, package and version of each line of `<name>.in`, and of the files that it names with `-r`."""
    for line in (root / f"{name}.in").read_text().splitlines():
        if line.startswith("-r "):
            yield from wanted(line.removeprefix("-r ").removesuffix(".in"), root)
        elif line and not line.startswith("#"):
            package, version = line.split("==")
            yield f"{name}.in", _normal(package), version


def read(name: str, root: Path = ROOT) -> list[Locked]:
    """The packages of `<name>.txt`."""
    text = (root / f"{name}.txt").read_text().replace("\\\n", "")
    found: list[Locked] = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        if pin := re.match(r"([\w.-]+)==([^\s;]+)", block):
            via = re.search(r"# via(.*)", block, re.DOTALL)
            asked = via.group(1).replace("#", "").split("\n") if via else []
            found.append(
                Locked(
                    _normal(pin.group(1)),
                    pin.group(2),
                    tuple(re.findall(r"--hash=sha256:([0-9a-f]{64})\b", block)),
                    tuple(part.strip() for part in asked if part.strip()),
                )
            )
    return found


def stale(name: str, root: Path = ROOT) -> list[str]:
    """What `<name>.txt` does not say as `<name>.in` does; each with the remedy. Asks nobody."""
    asked = {(package, version) for _, package, version in wanted(name, root)}
    locked = read(name, root)
    direct = {
        (package.name, package.version) for package in locked if any(by.startswith("-r ") for by in package.wanted_by)
    }
    told = [f"{package}=={version} is in {name}.in, not in {name}.txt" for package, version in sorted(asked - direct)]
    told += [f"{package}=={version} is in {name}.txt, not in {name}.in" for package, version in sorted(direct - asked)]
    told += [f"{package.name} has no hash in {name}.txt" for package in locked if not package.hashes]
    return [f"{what}; run: make lock" for what in told]


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()
