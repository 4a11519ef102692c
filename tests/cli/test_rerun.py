"""rerun: a delivery's Workflows once more, under other names; GitHub's redelivery where they are gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from typer.testing import CliRunner, Result

from cli import cluster
from cli.__main__ import app
from cli.cluster import ClusterError
from cli.rerun import LONGEST, again, numbered
from cli.workflow import Workflow, delivery_of, notes_of
from payloads import one_of_each
from routes import FAMILIES
from routes.model import Route
from tests.cli.github_server import REPOSITORY, TOKEN, GitHubServer, Webhook, ago, serving

GUID = "0b989ba4-242f-11e5-81e1-c7b6966d2516"
ISSUE = one_of_each()["issues"]


def workflow(name: str, delivery: str = GUID, **annotations: str) -> Workflow:
    """A Workflow as the API server has it once it has run."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": name,
            "namespace": "events",
            "uid": "1",
            "resourceVersion": "2",
            "creationTimestamp": "2026-05-04T03:02:01Z",
            "managedFields": [{"manager": "workflow-controller"}],
            "labels": {
                "github-to-argo/route": "github-issues-to-implementation",
                "github-to-argo/issue": "1",
                "workflows.argoproj.io/phase": "Failed",
                "workflows.argoproj.io/completed": "true",
                "team": "agents",
            },
            "annotations": {
                "github-to-argo/delivery": delivery,
                "workflows.argoproj.io/pod-name-format": "v2",
                **{f"github-to-argo/{key.replace('_', '-')}": value for key, value in annotations.items()},
            },
        },
        "spec": {
            "workflowTemplateRef": {"name": "implementation"},
            "arguments": {"parameters": [{"name": "event", "value": "{}"}]},
            "shutdown": "Terminate",
        },
        "status": {"phase": "Failed"},
    }


@dataclass
class Workflows:
    """The Workflows of a cluster, by name."""

    made: dict[str, Workflow] = field(default_factory=dict)
    races: set[str] = field(default_factory=set)
    refuses: str = ""

    def names_of(self, delivery: str) -> list[str]:
        return sorted(name for name, w in self.made.items() if delivery_of(w) == delivery)

    def workflow(self, name: str) -> Workflow:
        return self.made[name]

    def create(self, made: Workflow) -> bool:
        if self.refuses:
            raise ClusterError(self.refuses)
        name = made["metadata"]["name"]
        if name in self.made or name in self.races:
            return False
        self.made[name] = made
        return True


@pytest.fixture
def workflows(monkeypatch: pytest.MonkeyPatch) -> Workflows:
    found = Workflows()
    monkeypatch.setattr(cluster, "connect", lambda settings: found)
    return found


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    with serving(GitHubServer(webhooks={REPOSITORY: Webhook()})) as running:
        monkeypatch.setenv("GITHUB_API_URL", running.url)
        monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
        yield running


def rerun(*options: str, delivery: str = GUID) -> Result:
    return CliRunner().invoke(app, ["rerun", delivery, "--stack", "lab", *options])


def test_a_workflow_runs_again_as_it_was_under_another_name(workflows: Workflows) -> None:
    first = workflows.made["implementation-1"] = workflow("implementation-1")
    told = rerun()
    assert (told.exit_code, told.stdout) == (0, "implementation-1-2 runs, as implementation-1 did\n")
    made = workflows.made["implementation-1-2"]
    assert made == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": "implementation-1-2",
            "namespace": "events",
            "labels": {
                "github-to-argo/route": "github-issues-to-implementation",
                "github-to-argo/issue": "1",
                "team": "agents",
            },
            "annotations": {"github-to-argo/delivery": GUID, "github-to-argo/rerun-of": "implementation-1"},
        },
        "spec": {key: first["spec"][key] for key in ("workflowTemplateRef", "arguments")},
    }
    assert first["spec"]["shutdown"] == "Terminate"


def test_each_rerun_has_the_next_number_and_names_the_first(workflows: Workflows) -> None:
    workflows.made["implementation-1"] = workflow("implementation-1")
    workflows.races = {"implementation-1-3"}
    for _ in range(3):
        assert rerun().exit_code == 0
    assert sorted(workflows.made) == [f"implementation-1{ending}" for ending in ("", "-2", "-4", "-5")]
    reruns = [w for name, w in workflows.made.items() if name != "implementation-1"]
    assert {notes_of(w, "annotations")["rerun-of"] for w in reruns} == {"implementation-1"}


def test_each_route_of_a_delivery_runs_again_and_no_other_delivery_does(workflows: Workflows) -> None:
    workflows.made = {name: workflow(name) for name in ("coderun-triage-1", "coderun-security-1")}
    workflows.made["coderun-rex-9"] = workflow("coderun-rex-9", "another")
    assert rerun().exit_code == 0
    assert {"coderun-triage-1-2", "coderun-security-1-2"} < set(workflows.made)
    assert len(workflows.made) == 5


def test_where_only_a_rerun_is_left_that_one_runs_again(workflows: Workflows) -> None:
    workflows.made["implementation-1-2"] = workflow("implementation-1-2", rerun_of="implementation-1")
    assert rerun().stdout == "implementation-1-3 runs, as implementation-1 did\n"
    made = workflows.made["implementation-1-3"]
    assert notes_of(made, "annotations")["rerun-of"] == "implementation-1"


@pytest.mark.parametrize("route", [route for family in FAMILIES for route in family.routes], ids=lambda r: r.sensor)
@pytest.mark.parametrize("ending", [GUID, "a" * 40])
def test_the_name_of_a_rerun_is_valid_for_every_route(route: Route, ending: str) -> None:
    names = {numbered(f"{route.workflow}-{ending}", number) for number in range(2, 1000)}
    assert len(names) == 998
    assert all(len(name) <= LONGEST and re.fullmatch("[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) for name in names)


def test_a_name_that_would_be_too_long_is_cut_to_a_valid_one() -> None:
    assert numbered("a" * 63, 2) == "a" * 61 + "-2"
    assert numbered("a" * 60 + "-bb", 2) == "a" * 60 + "-2"


def test_what_the_run_became_is_not_part_of_the_next(workflows: Workflows) -> None:
    made = again(workflow("x"), "x", "x-2")
    assert set(made) == {"apiVersion", "kind", "metadata", "spec"}
    assert set(made["metadata"]) == {"name", "namespace", "labels", "annotations"}


def test_a_right_that_is_missing_is_told(workflows: Workflows) -> None:
    workflows.made["implementation-1"] = workflow("implementation-1")
    workflows.refuses = 'the cluster refuses it: User "x" cannot create resource "workflows"'
    told = rerun()
    assert (told.exit_code, told.stderr) == (2, f"{workflows.refuses}\n")


# --- Where the Workflow is gone


def test_a_delivery_whose_workflow_is_gone_is_redelivered(workflows: Workflows, server: GitHubServer) -> None:
    hook = server.webhooks[REPOSITORY]
    hook.deliver(ISSUE, guid=GUID, code=200, at=ago(days=2))
    for _ in range(9):
        hook.deliver(ISSUE, code=200, at=ago(days=1))
    told = rerun("--repository", "acme/api", "--hook", "11")
    assert told.exit_code == 0, told.output
    assert "None of its Workflows is there any more. Asking GitHub …" in told.stdout
    assert "GitHub was asked to redeliver it: issues of " in told.stdout
    assert [attempt["guid"] for attempt in hook.attempts[10:]] == [GUID]


def test_a_delivery_that_github_does_not_have_or_does_not_redeliver_is_told(
    workflows: Workflows, server: GitHubServer
) -> None:
    hook = server.webhooks[REPOSITORY]
    told = rerun("--repository", "acme/api")
    assert (told.exit_code, "GitHub has no delivery of this id at this webhook" in told.stdout) == (1, True)
    hook.too_old.add(hook.deliver(ISSUE, guid=GUID, code=200))
    told = rerun("--repository", "acme/api")
    assert told.exit_code == 1
    assert "GitHub does not redeliver it: 422 Delivery cannot be redelivered" in told.stdout


def test_where_it_is_gone_and_no_webhook_is_named_that_is_told(workflows: Workflows) -> None:
    told = rerun()
    assert told.exit_code == 2
    assert "whose webhook is it? Give --repository OWNER/NAME" in told.stderr
