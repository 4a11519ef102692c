"""pr-check: what a branch changes, stack by stack; and the GitHub workflows that run it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli.__main__ import app
from cli.diff import DiffError
from cli.report import FILE, LONGEST_PREVIEW, Report, StackReport, markdown, preview, report, to_json
from cli.stacks import ROOT
from tests.cli.conftest import Repository

WORKFLOWS = ROOT / ".github/workflows"
ISSUES = "github-issues-to-implementation"


@pytest.fixture
def branch(repository: Repository) -> Repository:
    """A branch that has given dev another rate and has a stack more and one less, while main has gone on."""
    repository.git("checkout", "--quiet", "-b", "topic")
    rate = f"  github-to-argo:routes: {{{ISSUES}: {{rate: {{limit: 5}}}}}}"
    repository.change("Pulumi.dev.yaml", "config:", f"config:\n{rate}")
    shutil.copy(repository.root / "Pulumi.prod.yaml", repository.root / "Pulumi.new.yaml")
    repository.git("mv", "Pulumi.lab.yaml", "old.yaml")
    repository.commit()
    repository.git("checkout", "--quiet", "main")
    repository.change("Pulumi.prod.yaml", "storage: 10Gi", "storage: 20Gi")
    repository.commit()
    repository.git("checkout", "--quiet", "topic")
    return repository


def pulumi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Has a program of this name run `script`."""
    (folder / "bin").mkdir()
    (folder / "bin/pulumi").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def test_a_branch_is_told_with_what_it_changes_and_not_with_what_its_base_changed_since(
    branch: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi(tmp_path, monkeypatch, 'echo "previewed: $*"')
    monkeypatch.setattr("cli.report.samples", list)  # what deliveries show is test_diff.py's
    text = markdown(report("main", previewed=["dev", "prod", "new"], root=branch.root))
    headings = re.findall(r"^### (.*)", text, re.MULTILINE)
    assert [re.sub(r"\([0-9a-f]{7}\)", "(…)", heading) for heading in headings] == [
        "dev at main (…) → this change",
        "lab",
        "new",
    ]
    assert "\nCompared with `main` nothing changes in `prod`.\n" in text
    assert f"`Sensor {ISSUES}`: `spec.triggers.0.rateLimit.requestsPerUnit`: `10` → `5`" in text
    assert "It is gone: there is no Pulumi.lab.yaml any more." in text
    assert "It is new: there is no Pulumi.new.yaml at main." in text
    previewed = re.findall(r"previewed: preview --stack (\w+) --non-interactive --color never", text)
    assert previewed == ["dev", "new"]


def test_the_command_prints_the_comment_and_keeps_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    found = Report(base="main", stacks=(StackReport(stack="dev"),))

    def reported(base: str, *, previewed: Collection[str]) -> Report:
        asked.append((base, previewed))
        return found

    monkeypatch.setattr("cli.report.report", reported)
    arguments = ["pr-check", "--base", "main", "--preview", "dev", "--report", str(tmp_path / FILE)]
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, result.stdout, asked) == (0, markdown(found), [("main", ["dev"])])
    assert (tmp_path / FILE).read_bytes() == to_json(found)
    found = Report(base="main", stacks=(StackReport(stack="dev", told="broken", failed=True),))
    assert CliRunner().invoke(app, arguments).exit_code == 1


def test_a_stack_that_its_base_cannot_render_fails_the_check_and_the_others_are_told(repository: Repository) -> None:
    repository.git("rm", "--quiet", "Pulumi.lab.yaml")
    repository.change("Pulumi.prod.yaml", "storage: 10Gi", "storage: ten")
    repository.commit()
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.change("Pulumi.prod.yaml", "storage: ten", "storage: 10Gi")
    found = report("main", root=repository.root)
    text = markdown(found)
    assert found.failed
    assert "### prod cannot be compared" in text
    assert "github-to-argo:eventBus.storage: not of the right form" in text
    assert "nothing changes in `dev`." in text


def test_a_base_that_is_not_there_and_a_stack_that_is_none_are_told(repository: Repository) -> None:
    with pytest.raises(DiffError, match=r"there is no revision origin/main here; .* `git fetch origin BRANCH`"):
        report("origin/main", root=repository.root)
    with pytest.raises(DiffError, match="there is no stack staging to preview; the stacks here are dev, "):
        report("main", previewed=["staging"], root=repository.root)
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.change("Pulumi.prod.yaml", "storage: 10Gi", "storage: 20Gi")
    repository.commit()
    with pytest.raises(DiffError, match="HEAD and main have no commit in common; in a shallow clone"):
        report("main", root=repository.root)


def test_a_preview_that_fails_keeps_its_code_and_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi(
        tmp_path,
        monkeypatch,
        f"head -c {LONGEST_PREVIEW} /dev/zero | tr '\\0' x; echo; echo 'no such context' >&2; exit 255",
    )
    found = preview("dev", tmp_path)
    assert found.code == 255
    assert found.text.startswith("…\nxxx") and found.text.endswith("xxx\nno such context")
    monkeypatch.setenv("PATH", "")
    assert preview("dev", tmp_path).text.startswith("pulumi is not on PATH: https://")


# --- The workflows


def jobs() -> dict[str, dict[str, object]]:
    return {
        f"{file.stem}/{name}": job
        for file in WORKFLOWS.glob("*.yml")
        for name, job in yaml.safe_load(file.read_text())["jobs"].items()
    }


def test_the_workflows_are_valid_and_have_no_known_weakness() -> None:
    zizmor = [str(Path(sys.executable).parent / "zizmor"), "--offline", "--strict-collection", "--no-progress"]
    done = subprocess.run([*zizmor, str(WORKFLOWS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_pull_request_of_a_fork_meets_no_secret_and_no_right_to_write() -> None:
    found = jobs()
    secret = {name for name, job in found.items() if "secrets." in str(job)}
    assert secret == {"pull-request/preview"}
    condition = str(found["pull-request/preview"]["if"])
    assert "github.event.pull_request.head.repo.full_name == github.repository" in condition
    assert found["pull-request/preview"]["environment"] == "preview"
    writing = {name for name, job in found.items() if "write" in str(job["permissions"])}
    assert writing == {"pull-request-comment/comment"}
    assert {"actions/checkout", "actions/setup-python"} == {
        str(step["uses"]).partition("@")[0]
        for step in found["pull-request-comment/comment"]["steps"]  # type: ignore[attr-defined]
        if "uses" in step
    }


def test_a_workflow_with_a_known_weakness_would_be_found(tmp_path: Path) -> None:
    text = (WORKFLOWS / "pull-request.yml").read_text()
    (tmp_path / "weak.yml").write_text(text.replace("on: pull_request", "on: pull_request_target"))
    (tmp_path / "broken.yml").write_text(text.replace("runs-on: ubuntu-24.04", "run-on: ubuntu-24.04"))
    zizmor = [str(Path(sys.executable).parent / "zizmor"), "--offline", "--strict-collection", "--no-progress"]
    for name, said in (("weak.yml", "dangerous-triggers"), ("broken.yml", "run-on")):
        done = subprocess.run([*zizmor, str(tmp_path / name)], capture_output=True, text=True)
        assert done.returncode != 0
        assert said in done.stdout + done.stderr
