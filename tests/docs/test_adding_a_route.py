"""The worked example of docs/adding-a-route.md: its lines are put into a copy of the project, and do what it says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.stacks import ROOT
from payloads import EXAMPLES, acted
from tests.docs.console import run_in_copy, shown
from tests.docs.where import NOT_RUN

PAGE = ROOT / "docs/adding-a-route.md"
PATCH = "".join(re.findall(r"^```diff\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project with the page's lines in it, and one of GitHub's releases."""
    root = tmp_path_factory.mktemp("copy")
    for folder in ("cli", "lab", "payloads", "routes"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    for file in (*ROOT.glob("Pulumi.*.yaml"), ROOT / "pyproject.toml"):
        shutil.copy(file, root)
    (root / "payloads/node_modules").symlink_to(EXAMPLES.parents[3])
    (root / "release.json").write_text(json.dumps(acted("release", "published").body))
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgSign=false")
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "as it is"]):
        subprocess.run([*git, *arguments], cwd=root, check=True)
    subprocess.run(["git", "apply", "--recount", "-"], cwd=root, input=PATCH, text=True, check=True)
    return root


def test_the_page_and_the_readme_count_its_lines() -> None:
    lines = len(re.findall(r"^\+(?!\+\+ )", PATCH, re.MULTILINE))
    files = PATCH.count("diff --git")
    assert files == 6
    assert f"It is {lines} lines, in six files." in PAGE.read_text().replace("\n", " ")
    assert f"adds one, in {lines} lines." in (ROOT / "README.md").read_text().replace("\n", " ")


def test_the_new_route_does_what_the_page_shows(copy: Path) -> None:
    commands = {one.command: one for one in shown(PAGE) if one.command not in NOT_RUN}
    assert len(commands) == 2
    for command, ran in run_in_copy([*commands], copy).items():
        assert ran.code != 2, ran.printed
        assert not (differs := commands[command].differs(ran.printed)), differs


def test_its_lines_are_written_as_all_others(copy: Path) -> None:
    for check in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *check, "routes"]
        done = subprocess.run(ruff, cwd=copy, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
