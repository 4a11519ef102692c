"""The guards of stack prod on the running engine: who starts a Workflow, and who is heard by nobody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from cli.stacks import ROOT
from cli.workflow import delivery_of
from lab.stack import LabStack
from routes.settings import PROJECT
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.test_stacks import NAMESPACE, second
from tests.engine.guarded import ACCEPTED, OWN

pytestmark = pytest.mark.lab

GUARDS = ("trust", "neverAnswered", "repositories", "triage", "drafts", "securityEvents")


@pytest.fixture(scope="module")
def stack(cluster: Cluster) -> Iterator[LabStack]:
    """Stack `prod`'s guards in the second namespace."""
    config = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())["config"]
    stack = second(**{key: config[f"{PROJECT}:{key}"] for key in GUARDS})
    stack.up()
    yield stack
    stack.destroy()


@pytest.fixture(scope="module")
def guarded(stack: LabStack, cluster: Cluster) -> Cluster:
    return cluster.beside(stack.outputs()["webhook"], NAMESPACE)


def test_strangers_and_the_agents_themselves_start_nothing_and_all_others_one_workflow_each(guarded: Cluster) -> None:
    strangers = [
        ACCEPTED["pr"].but(pull_request__author_association="NONE"),
        ACCEPTED["ic"].but(comment__author_association="FIRST_TIMER"),
        ACCEPTED["prc"].but(comment__author_association="CONTRIBUTOR"),
        ACCEPTED["issues"].but(issue__author_association="NONE"),
        ACCEPTED["wr"].but(workflow_run__head_repository__full_name="stranger/api"),
        *(payload.but(repository__full_name="stranger/api") for name, payload in ACCEPTED.items() if name != "secadv"),
    ]
    own = [ACCEPTED[of].but(**patch) for of, patch in OWN.values()]
    with guarded.watch() as watcher:
        assert guarded.sender.listening(30)
        stopped = [guarded.sender.post(payload) for payload in (*strangers, *own)]
        # A Sensor takes its deliveries in their order: once these are Workflows, those have been looked at.
        accepted = [guarded.sender.post(payload) for payload in ACCEPTED.values()]
        workflows = watcher.of([p.delivery for p in accepted], seconds=SECONDS)
    assert {p.status for p in (*stopped, *accepted)} == {200}
    assert sorted(delivery_of(workflow) for workflow, _ in workflows) == sorted(p.delivery for p in accepted)
    assert not {p.delivery for p in stopped} & set(guarded.workflows())


def test_guards_that_are_off_are_told_at_preview(stack: LabStack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.preview()
    assert "warning" not in "".join(capsys.readouterr())
    second(triage={"checkRuns": "all"}).preview()
    said = "".join(capsys.readouterr())
    assert "warning: 2 guards are off (docs/who-is-answered.md)" in said
    assert "triage.forks: a stranger's pull request that fails starts" in said
    assert "triage.branchesIgnore, triage.actorsIgnore: an agent triages" in said
