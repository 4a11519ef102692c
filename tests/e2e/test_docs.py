"""What README and docs show of commands that need a cluster is what they print, on the lab."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes import client

from cli.delivery import WORKFLOWS
from cli.stacks import ROOT, read_settings, settings_from
from lab.stack import LabStack
from payloads import acted, one_of_each
from tests.cli.github_server import ORGANIZATION, TOKEN, GitHubServer, Webhook, ago, serving
from tests.docs.console import PAGES, Shown, run, run_by_bash, shown, words_of
from tests.docs.where import IN_A_FOLDER, IN_THE_STACKS_FOLDER, ON_THE_LAB
from tests.e2e.conftest import SECONDS, Cluster

pytestmark = pytest.mark.lab

RERUN, LOST = "7815e107-13f9-4429-a415-d1cbb76762e8", "c5a0f2b9-8534-418f-bdf6-61cd8917c01a"
"""Deliveries that docs/redeliver.md names."""

THERE = [one for page in PAGES for one in shown(page) if one.command in ON_THE_LAB]
WITH_PULUMI = [one for page in PAGES for one in shown(page) if one.command in IN_THE_STACKS_FOLDER]


@pytest.fixture(scope="module")
def told(cluster: Cluster) -> Iterator[None]:
    """What the pages tell of: a check that has run, and a webhook whose last deliveries GitHub could not hand over."""
    custom = client.CustomObjectsApi(cluster.api)
    for workflow in cluster.workflows().get(RERUN, []):
        custom.delete_namespaced_custom_object(*WORKFLOWS, cluster.namespace, "workflows", workflow["metadata"]["name"])
    with cluster.watch() as watcher:
        cluster.sender.post(one_of_each()["cr"], delivery=RERUN)
        assert watcher.of([RERUN], seconds=SECONDS)
    opened = one_of_each()["pr"]
    hook = Webhook(url="http://127.0.0.1:9/events")
    hook.deliver(acted("issues", "reopened"), code=200, at=ago(minutes=30))
    hook.deliver(one_of_each()["ic"], guid=LOST, code=200, at=ago(minutes=25))
    for payload in (opened, one_of_each()["issues"], one_of_each()["push"], opened.but(pull_request__draft=True)):
        hook.deliver(payload)
    with serving(GitHubServer(webhooks={ORGANIZATION: hook})) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("GITHUB_API_URL", server.url)
        patch.setenv("GITHUB_TOKEN", TOKEN)
        patch.setattr("cli.github.CHANGE_EVERY", 0.05)
        patch.setattr("cli.again._somebody_is_there", lambda: True)
        yield


@pytest.mark.parametrize("one", THERE, ids=str)
def test_a_command_prints_on_the_lab_what_its_page_shows(one: Shown, told: None, tmp_path: Path) -> None:
    command = ON_THE_LAB[one.command]
    ran = run(command, tmp_path, typed="y\n") if words_of(command) else run_by_bash(command)
    assert ran.code != 2, ran.printed
    assert not (differs := one.differs(ran.printed)), differs


@pytest.mark.parametrize("one", WITH_PULUMI, ids=str)
def test_pulumi_prints_on_the_lab_what_its_page_shows(one: Shown) -> None:
    command = IN_THE_STACKS_FOLDER[one.command].split()
    ran = subprocess.run(command, cwd=LabStack("lab").folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert not (differs := one.differs(ran.stdout)), differs


def test_the_commands_of_the_readme_make_a_stack_that_can_be_deployed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(ROOT / file, tmp_path)
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "state").as_uri())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of this test")
    (tmp_path / "state").mkdir()
    for command in IN_A_FOLDER:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    settings = settings_from(tmp_path / "Pulumi.dev.yaml")
    assert (settings.kube_context, settings.namespace) == ("lab", "argo-events")
    assert settings.webhook_secret == read_settings("dev").webhook_secret
