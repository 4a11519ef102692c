"""The engine's code, started once; and a git checkout of this project, for what compares revisions."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.engine import Engine
from cli.stacks import ROOT


@dataclass
class AskedOnce(Engine):
    """The engine's code, which keeps its answers: two thirds of what these tests ask it they have asked before."""

    _answers: dict[bytes, dict[str, Any]] = field(default_factory=dict, repr=False)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        question = hashlib.sha256(json.dumps(request).encode()).digest()  # one may be of 25 MB
        if question not in self._answers:
            self._answers[question] = super().ask(request)
        return self._answers[question]


@pytest.fixture(scope="package", autouse=True)
def one_engine() -> Iterator[None]:
    """The commands that run within these tests ask one process, in place of one each."""
    with AskedOnce() as running, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "__enter__", lambda _: running)
        patch.setattr(Engine, "__exit__", lambda *_: None)
        yield


class Repository:
    """A git checkout of this project, as it is in the working tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        without = shutil.ignore_patterns("node_modules", "__pycache__")
        for folder in ("cli", "lab", "payloads", "routes"):
            shutil.copytree(ROOT / folder, root / folder, ignore=without)
        for file in ROOT.glob("Pulumi.*.yaml"):
            shutil.copy(file, root)
        (root / "payloads/node_modules").symlink_to(ROOT / "payloads/node_modules")
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit()

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgSign=false")
        subprocess.run(["git", *identity, *arguments], cwd=self.root, check=True)

    def commit(self) -> None:
        self.git("add", "cli", "lab", "payloads/__init__.py", "routes", *(p.name for p in self.root.glob("*.yaml")))
        self.git("commit", "--quiet", "--message", "test")

    def change(self, file: str, old: str, new: str) -> None:
        before = (self.root / file).read_text()
        assert old in before
        (self.root / file).write_text(before.replace(old, new))

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "cli", *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True)

    def diff(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.cli("diff", *arguments)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    (tmp_path / "checkout").mkdir()
    return Repository(tmp_path / "checkout")
