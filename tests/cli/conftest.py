"""A git checkout of this project, for what compares revisions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.stacks import ROOT


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
