"""diff: what a change does, by the engine's own code, and what a reviewer reads of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.diff import Altered, Changed, Diff, DiffError, Rerouted, Side, Waiting, diff, samples
from cli.diffed import markdown, summary, text
from cli.revision import at_revision
from payloads import corpus, examples
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.contract import PARAMETERS, Carried, Text
from routes.manifests import Manifest
from routes.model import Family, Is, Route
from routes.settings import parse_settings
from tests.cli.conftest import Repository
from tests.routes.test_settings import EXOTIC, MINIMAL

PR = "github-pr-to-pr-validation"
CI = "github-ci-failures-to-triage"
ISSUES = "github-issues-to-implementation"
EVENTS = ("pull_request", "issues", "push", "check_run", "workflow_run")
# Of those with the same action the first.
SAMPLES = list({re.sub("/[0-9]+ ", "/", d.name): d for d in reversed(samples()) if d.event in EVENTS}.values())[::-1]
REPLAYED = f"({len(SAMPLES)} sample deliveries replayed)"


def side(families: tuple[Family, ...] = FAMILIES, **changes: object) -> Side:
    """A stack of these settings, and of these routes."""
    settings = {key: value for key, value in (MINIMAL | changes).items() if value is not None}
    stack = compile_stack(families, parse_settings(settings, source="test"))
    return Side(name="a stack", settings=settings, objects=stack.objects())


def with_route(name: str, change: Callable[[Route], Route]) -> tuple[Family, ...]:
    return tuple(
        replace(family, routes=tuple(change(r) if r.sensor == name else r for r in family.routes))
        for family in FAMILIES
    )


def with_first_delivery(**changes: Any) -> Callable[[Route], Route]:
    return lambda route: replace(route, deliveries=(replace(route.deliveries[0], **changes), *route.deliveries[1:]))


def compared(new: Side, old: Side | None = None, *, deployed: bool = True) -> Diff:
    return diff(old or side(), new, SAMPLES, deployed=deployed)


def objects_compared(new: Side, old: Side) -> Diff:
    """Without any delivery, which is quick."""
    return diff(old, new, [], deployed=True)


def told(found: Diff, width: int = 300) -> str:
    console = Console(width=width, file=StringIO())
    console.print(text(found))
    return cast(StringIO, console.file).getvalue()


# --- What is found


def test_nothing_is_said_in_one_line() -> None:
    found = compared(side())
    assert not found
    assert told(found) == f"a stack → a stack: nothing changes {REPLAYED}\n"
    assert markdown(found) == f"### a stack → a stack\n\nNothing changes {REPLAYED}.\n"


def test_the_samples_are_githubs_examples_and_what_they_lack() -> None:
    named = corpus()
    assert named["pull_request/0 opened"].body == examples("pull_request")[0]
    patched = [name for name in named if not name.split("/")[1][0].isdigit()]
    assert patched == ["workflow_run/wr completed", "workflow_run/secscan completed", "pull_request/merged closed"]
    assert len({d.id for d in samples()}) == 1


def test_a_changed_condition_fires_otherwise_and_loses_nothing() -> None:
    actions = ("opened", "synchronize", "ready_for_review", "closed")
    found = compared(side(with_route(PR, with_first_delivery(actions=actions))))
    by_change = {(one.was, one.now): one.deliveries for one in found.rerouted}
    merge = ("github-push-merge-to-orchestrator",)
    assert set(by_change) == {((PR,), ()), ((), (PR,)), (merge, (PR, *merge))}
    assert all(name.endswith(" reopened") for name in by_change[(PR,), ()])
    assert by_change[merge, (PR, *merge)] == ("pull_request/merged closed",)
    assert found.waiting == ()
    (changed,) = found.changed
    assert (changed.objects, changed.path) == ((f"Sensor {PR}",), "spec.dependencies.pr.filters.data.1.value")
    assert found.altered == ()
    fires = sum(map(len, by_change.values()))
    assert summary(found) == (
        f"{fires} deliveries fire otherwise, no Workflow differs, no Sensor loses waiting events, 1 other change"
        f" {REPLAYED}"
    )


def test_a_filter_that_no_delivery_of_the_samples_meets_is_told_all_the_same() -> None:
    found = compared(side(securityWorkflows="(?i)security|scan|codeql"))
    assert not found.rerouted
    assert [one.path for one in found.changed] == [
        "securityWorkflows",
        "spec.dependencies.secscan.filters.data.2.value",
    ]
    assert found.losing == set()


def test_a_route_with_other_deliveries_loses_what_waits() -> None:
    fewer = with_route(CI, lambda route: replace(route, deliveries=route.deliveries[1:]))
    found = objects_compared(side(fewer), side())
    assert found.losing == {CI}
    assert (
        f"{CI}: its conditions changed from wr || cr || queue to cr || queue, so the engine deletes the consumer of"
        " trigger coderun-triage and all that waits" in told(found)
    )
    assert "1 Sensor loses waiting events" in summary(found)


def test_a_changed_source_of_a_parameter_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    old = side()
    branch = PARAMETERS["branch"]
    base = replace(branch, by_event={**branch.by_event, "pull_request": Text("pull_request.base.ref")})
    monkeypatch.setitem(cast(dict[str, Carried], PARAMETERS), "branch", base)
    found = compared(side(), old)
    (altered,) = found.altered
    assert altered == Altered(
        what="parameter branch",
        was="changes",
        now="master",
        values=1,
        workflows=found.workflows,
        sensors=(PR, "github-push-merge-to-orchestrator"),
        delivery="pull_request/0 opened",
    )
    assert found.workflows > 1
    assert not (found.rerouted or found.waiting or found.changed)  # the deliveries show it: not told again
    assert f'- parameter branch: "changes" → "master": {found.workflows} Workflows of {PR}' in told(found)


def test_a_parameter_that_becomes_empty_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    old = side()
    branch = PARAMETERS["branch"]
    base = replace(branch, by_event={"pull_request": Text("pull_request.base.ref")})
    monkeypatch.setitem(cast(dict[str, Carried], PARAMETERS), "branch", base)
    found = compared(side(), old)
    assert {(one.what, one.was, one.now) for one in found.altered} == {
        ("parameter branch", "changes", "master"),
        ("parameter branch", "refs/heads/master", ""),
    }
    assert sum(one.workflows for one in found.altered) == found.workflows
    # Of comments on a line of code there is no sample here, nor of what else the Sensors' account could write.
    assert {one.objects for one in found.changed} == {
        ("Sensor github-pr-review-comment-to-rex",),
        ("ValidatingAdmissionPolicy github-to-argo-events-sensor-starts",),
    }


def test_another_template_semaphore_and_agent_are_named() -> None:
    found = compared(
        side(with_route(CI, lambda route: replace(route, template="implementation", semaphore="implementation")))  # type: ignore[arg-type]
    )
    named = {one.what: (one.was, one.now) for one in found.altered if one.sensors == (CI,)}
    assert named["template"] == ("coderun-template", "implementation")
    assert named["semaphore"][0] != named["semaphore"][1]
    assert named["parameter commentBody"] == ("", None)
    assert found.losing == set()


def test_a_changed_rate_is_told_though_no_delivery_shows_it() -> None:
    found = compared(side(routes={ISSUES: {"rate": {"limit": 5}}}))
    assert found.changed == (
        Changed(("settings",), f"routes.{ISSUES}.rate.limit", None, 5),
        Changed((f"Sensor {ISSUES}",), "spec.triggers.0.rateLimit.requestsPerUnit", 10, 5),
    )
    assert not (found.rerouted or found.altered or found.waiting)


def test_what_changes_alike_in_several_objects_is_one_line() -> None:
    found = objects_compared(side(retryMinutes=20), side())
    (_, steps) = found.changed
    assert len(steps.objects) == len(side().sensors)
    assert (steps.was, steps.now) == (120, 240)


def test_a_route_that_goes_leaves_what_waits_and_finds_it_if_it_comes_back() -> None:
    off = side(routes={ISSUES: {"enabled": False}})
    gone = compared(off)
    assert {(one.was, one.now) for one in gone.rerouted} == {((ISSUES,), ())}
    assert Changed((f"Sensor {ISSUES}",), "", "there", None) in gone.changed
    assert gone.losing == {ISSUES}
    assert "nothing reads what waits, but its consumer stays in JetStream" in told(gone)

    back = compared(side(), off)
    assert {(one.was, one.now) for one in back.rerouted} == {((), (ISSUES,))}
    assert back.losing == set()
    assert "If it was there before, it starts what came while it was not" in told(back)


def test_a_route_that_fires_twice_or_fails_is_told() -> None:
    def twice(route: Route) -> Route:
        (once,) = route.deliveries
        return replace(route, deliveries=(once, replace(once, name="again", where=(Is("issue.locked", False),))))

    found = compared(side(with_route(ISSUES, twice)))
    assert {(one.was, one.now) for one in found.rerouted} == {((ISSUES,), (f"{ISSUES}, 2 times",))}

    broken = side()
    template = broken.sensors[ISSUES]["spec"]["triggers"][0]["template"]
    template["k8s"]["parameters"][0]["src"] = {"dependencyName": "issues", "dataKey": "body.nothing"}
    (failing,) = {one.now for one in compared(broken).rerouted}
    assert failing[0].startswith(f"{ISSUES} (fails: ")


def test_a_filter_that_the_engine_cannot_apply_is_told() -> None:
    broken = side()
    data = broken.sensors[ISSUES]["spec"]["dependencies"][0]["filters"]["data"]
    data[1]["path"] = "body.nothing"
    found = compared(broken).rerouted
    assert {one.was for one in found} == {(), (ISSUES,)}
    assert all(
        what.startswith(f"{ISSUES} (filter error, which logs the payload: ") for one in found for what in one.now
    )


def test_an_event_source_that_refuses_is_told() -> None:
    small = side()
    small.one("EventSource")["spec"]["github"]["main"]["webhook"]["maxPayloadSize"] = 10
    found = compared(small)
    refused = {one.now for one in found.rerouted}
    assert all(what.startswith("the EventSource refuses it: 400 ") for (what,) in refused)
    assert sum(len(one.deliveries) for one in found.rerouted) == found.replayed


NATIVE = {"kind": "native"}
EVERYONE = len(side().sensors)


@pytest.mark.parametrize(
    ("old", "new", "losing", "words"),
    [
        (NATIVE, EXOTIC, EVERYONE, "the EventBus is another kind: the Sensors go to another NATS"),
        (EXOTIC, EXOTIC | {"url": "tls://other.nats.svc:4222"}, EVERYONE, "what waits in the old one starts nothing"),
        (EXOTIC, EXOTIC | {"access": {"name": "other"}}, 0, "if they belong to another account"),
        (EXOTIC, EXOTIC | {"streamReplicas": 3}, 0, "the engine reads it only when it makes the stream"),
        (NATIVE, NATIVE | {"replicas": 5}, 0, "from 3 NATS servers to 5"),
        (NATIVE, NATIVE | {"replicas": 1}, EVERYONE, "it stops, and what waits is lost"),
        (NATIVE, NATIVE | {"version": "2.11"}, 0, "each without what it had"),
        (NATIVE | {"replicas": 1}, {**NATIVE, "replicas": 1, "version": "2.11"}, EVERYONE, "all that waits is lost"),
        (NATIVE | {"storage": "1Gi"}, {**NATIVE, "storage": "1Gi", "version": "2.11"}, 0, "on their volumes"),
        (NATIVE, NATIVE | {"storage": "1Gi"}, 0, "Kubernetes lets nobody change those of a StatefulSet"),
    ],
)
def test_a_changed_event_bus_is_told_with_what_becomes_of_the_events(
    old: Manifest, new: Manifest, losing: int, words: str
) -> None:
    found = objects_compared(side(eventBus=new), side(eventBus=old))
    assert words in told(found)
    assert len(found.losing) == losing


def test_another_namespace_leaves_the_engines_own_event_bus_behind() -> None:
    assert objects_compared(side(namespace="other"), side()).waiting == (
        Waiting(
            "the namespace changes from events to other: the EventBus is made anew there, and starts empty",
            tuple(side().sensors),
        ),
    )
    shared = compared(side(namespace="other", eventBus=EXOTIC), side(eventBus=EXOTIC))
    assert shared.losing == set()  # a NATS that exists knows Sensors by their names alone
    assert {one.what for one in shared.altered} == {"metadata.namespace"}


def test_of_two_stacks_neither_loses_what_waits() -> None:
    found = diff(side(), side(securityWorkflows="codeql"), [], deployed=False)
    assert found
    assert found.waiting is None
    assert "loses waiting events" not in summary(found)


def test_a_side_without_an_event_source_cannot_be_compared() -> None:
    whole = side()
    lacking = replace(whole, objects=[o for o in whole.objects if o["kind"] != "EventSource"])
    with pytest.raises(DiffError, match="a stack has 0 objects of kind EventSource"):
        compared(lacking)


# --- How it reads


def written(**differences: object) -> Diff:
    """Something of everything that a payload may have text in, as a diff."""
    empty: dict[str, Any] = {"rerouted": (), "altered": (), "workflows": 0, "waiting": (), "changed": ()}
    return Diff(old="old", new="new", replayed=1, **(empty | differences))


STRANGE = "<b>`a|b` @acme\n\x1b[1m\u202e![x](http://x)"


def test_a_strangers_text_is_only_text_in_markdown() -> None:
    altered = Altered("parameter commentBody", STRANGE, "", 1, 1, (CI,), "issues/0 opened")
    line = markdown(written(altered=(altered,), workflows=1)).splitlines()[-1]
    value = line.split(": ")[1].split(" → ")[0]
    assert value.startswith("<code>") and value.endswith("</code>")
    assert not set("<>`|@![]\\\x1b\u202e") & set(value.removeprefix("<code>").removesuffix("</code>").replace("&#", ""))
    assert "&#92;u202e" in value and "&#92;n" in value


def test_a_failure_and_a_sentence_are_only_text_in_markdown() -> None:
    rerouted = Rerouted((), (f"{ISSUES} (fails: {STRANGE})",), ("issues/0 opened",))
    page = markdown(written(rerouted=(rerouted,), waiting=(Waiting(STRANGE, ()),)))
    assert "<b>" not in page and "@acme" not in page and "![x]" not in page and "\x1b" not in page


def test_a_strangers_text_does_nothing_to_a_terminal() -> None:
    page = told(written(waiting=(Waiting(STRANGE, ()),), altered=(Altered("x", STRANGE, "", 1, 1, (CI,), "y"),)))
    assert "\x1b" not in page and "\u202e" not in page


def test_long_values_are_cut_where_they_part() -> None:
    page = told(written(altered=(Altered("x", "a" * 500 + "b" * 500, "a" * 500 + "c", 1, 1, (CI,), "y"),)))
    assert f'- x: …{"a" * 15}{"b" * 45}… → …{"a" * 15}c": 1 Workflow of' in page


def test_a_regular_expression_reads_as_it_is_written() -> None:
    page = told(written(changed=(Changed(("Sensor x",), "value", [r'^\["(a|b)"\]$'], [r'^\["(a)"\]$']),)))
    assert r'- Sensor x: value: "^\["(a|b)"\]$" → "^\["(a)"\]$"' in page


@pytest.mark.parametrize("width", [60, 100, 200])
def test_it_fits_the_terminal(width: int) -> None:
    page = told(compared(side(eventBus=EXOTIC, routes={CI: {"enabled": False}})), width)
    assert max(map(len, page.splitlines())) <= width


# --- The command


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["diff", *arguments])


def test_two_stacks_of_the_working_tree_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.__main__.samples", lambda: SAMPLES)
    assert run("--with", "dev").exit_code == 0
    result = run("--stack", "dev", "--with", "lab")
    assert result.exit_code == 1
    assert result.stdout.startswith("dev → lab: no delivery fires otherwise, ")
    assert run("--with", "lab", "--markdown").stdout.startswith("### dev → lab\n\nNo delivery fires otherwise, ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["HEAD", "--with", "lab"], "give a revision or --with, not both: HEAD or --with lab?"),
        (["--with", "staging"], "there is no Pulumi.staging.yaml; the stacks here are dev, "),
    ],
)
def test_what_cannot_be_compared_is_exit_code_2(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


# --- A revision


def test_a_revision_is_compared_with_the_working_tree(repository: Repository, tmp_path: Path) -> None:
    repository.change("routes/pull_requests.py", '"reopened", ', "")
    result = repository.diff("main", "--stack", "dev")
    assert result.stderr == ""
    assert result.returncode == 1
    assert result.stdout.startswith("dev at main (")
    assert f"2 deliveries: {PR} → nothing: pull_request/18 reopened, pull_request/19 reopened" in result.stdout
    assert list((tmp_path / "temporary").iterdir()) == []

    repository.commit()
    assert repository.diff().returncode == 0  # with HEAD, that is


def test_a_revision_compiles_its_own_settings(repository: Repository) -> None:
    repository.change("Pulumi.dev.yaml", "namespace: argo-events", "namespace: other")
    old = at_revision("HEAD", "dev", repository.root)
    assert old.settings["namespace"] == "argo-events"
    assert {o["metadata"]["namespace"] for o in old.objects if o["kind"] == "Sensor"} == {"argo-events"}


def test_a_project_that_is_not_at_the_root_of_its_repository_is_found(tmp_path: Path, repository: Repository) -> None:
    shutil.rmtree(repository.root / ".git")
    outer = repository.root.parent
    subprocess.run(["git", "init", "--quiet"], cwd=outer, check=True)
    repository.commit()
    assert at_revision("HEAD", "dev", repository.root).sensors


@pytest.mark.parametrize("revision", ["nowhere", "--help", "HEAD:cli"])
def test_a_revision_that_is_none_is_told(repository: Repository, tmp_path: Path, revision: str) -> None:
    with pytest.raises(DiffError, match=f"there is no revision {revision} here; .* must be fetched first"):
        at_revision(revision, "dev", repository.root)


def test_a_revision_that_cannot_be_rendered_shows_its_last_lines(repository: Repository, tmp_path: Path) -> None:
    repository.change("routes/issues.py", '"""', 'raise RuntimeError("half done")\n"""')
    repository.commit()
    with pytest.raises(DiffError) as raised:
        at_revision("HEAD", "dev", repository.root)
    message = str(raised.value)
    assert "cannot be rendered by its own code" in message
    assert message.endswith("RuntimeError: half done")
    assert str(tmp_path) not in message
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_revision_that_renders_no_json_is_told(repository: Repository) -> None:
    (repository.root / "cli/__main__.py").write_text("print('it is', 'changed')")
    repository.commit()
    with pytest.raises(DiffError, match=r"cannot be rendered by its own code .*\nit is changed$"):
        at_revision("HEAD", "dev", repository.root)


def test_a_stack_that_is_not_there_is_told(repository: Repository) -> None:
    shutil.copy(repository.root / "Pulumi.dev.yaml", repository.root / "Pulumi.new.yaml")
    (repository.root / "Pulumi.lab.yaml").unlink()
    for stack, message in (
        ("new", "stack new is new: there is no Pulumi.new.yaml at HEAD"),
        ("lab", "stack lab is gone: Pulumi.lab.yaml is at HEAD, but not here"),
        ("staging", "there is no Pulumi.staging.yaml, neither here nor at HEAD; the stacks here are dev, "),
    ):
        with pytest.raises(DiffError, match=message):
            at_revision("HEAD", stack, repository.root)


def test_a_folder_that_is_no_checkout_is_told(repository: Repository) -> None:
    shutil.rmtree(repository.root / ".git")
    result = repository.diff("main")
    assert result.returncode == 2
    assert result.stderr.startswith("this is no git checkout, so there is no revision to compare with\n")


def test_git_that_is_missing_is_told(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DiffError, match="git is not installed"):
        at_revision("main", "dev", repository.root)
