"""explain: what a person reads of the engine's answers, for every form that a delivery comes in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.delivery import signature
from payloads import Payload, acted, one_of_each
from routes.settings import parse_settings
from tests.routes.test_settings import MINIMAL

ISSUE = one_of_each()["issues"]
SENSOR = "github-issues-to-implementation"
Explain = Callable[..., Result]


@pytest.fixture
def explain(monkeypatch: pytest.MonkeyPatch) -> Explain:
    monkeypatch.delenv("WEBHOOK_SECRET_FILE", raising=False)
    return lambda *arguments, **given: CliRunner().invoke(app, ["explain", *map(str, arguments)], **given)


def written(path: Path, document: object) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def record(payload: Payload, delivery: str = "0b989ba4-242f-11e5-81e1-c7b6966d2516", **headers: str) -> dict[str, Any]:
    """A delivery as GitHub's API gives it."""
    headers = {"X-GitHub-Event": payload.event, "X-GitHub-Delivery": delivery, **headers}
    return {
        "id": 1,
        "guid": delivery,
        "event": payload.event,
        "status_code": 200,
        "request": {"headers": {"Content-Type": "application/json", **headers}, "payload": payload.body},
        "response": {"headers": {}, "payload": "success"},
    }


# --- What is said


def test_a_delivery_that_fires_shows_its_workflow(explain: Explain, tmp_path: Path) -> None:
    told = explain(written(tmp_path / "d.json", record(ISSUE)))
    assert told.exit_code == 0
    assert f"✓ {SENSOR} (issues) starts implementation-0b989ba4-242f-11e5-81e1-c7b6966d2516" in told.output
    lines = [line.strip() for line in told.output.splitlines()]
    assert "template     implementation" in lines
    assert "pace         at most 10 a minute; semaphore implementation: 5 at once" in lines
    assert any(
        line.startswith("labels       agent=rex  event=issues  issue=1  repository=Codertocat.") for line in lines
    )
    assert {"owner   Codertocat", "repo    Hello-World", "issue   1", "agent   rex", 'taskId  ""'} <= set(lines)
    assert "about other events: github-pr-to-pr-validation, " in told.output


def test_long_parameters_are_cut_unless_all_is_asked_for(explain: Explain, tmp_path: Path) -> None:
    file = written(tmp_path / "d.json", record(ISSUE))
    assert "… (11,6" in explain(file).output
    whole = explain(file, "--full").output
    assert "characters)" not in whole
    assert ISSUE.body["sender"]["url"] + '"}' in whole.replace(" ", "").replace("\n", "")


def test_a_delivery_that_does_not_fire_says_at_which_condition_with_what_it_holds(
    explain: Explain, tmp_path: Path
) -> None:
    draft = acted("pull_request", "opened").but(pull_request__draft=True)
    told = explain(written(tmp_path / "d.json", draft.body), "--event", "pull_request")
    assert told.exit_code == 1
    assert (
        "- github-pr-to-pr-validation (pr) does not fire: pull_request.draft is true, wanted false\n"
        '  - github-push-merge-to-orchestrator (merged) does not fire: action is "opened", wanted closed\n'
    ) in told.output.replace(" \n", "\n")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (one_of_each()["ic"].but(comment__user__type="Bot"), 'comment.user.type is "Bot", wanted any but Bot'),
        (one_of_each()["ic"].but(comment__user=None), "comment.user.type is missing, wanted any but Bot"),
        (
            one_of_each()["cr"].but(check_run__conclusion=None),
            "check_run.conclusion is null, wanted failure or timed_out",
        ),
        (one_of_each()["push"].but(deleted=True), "deleted is true, wanted false"),
        (
            one_of_each()["push"].but(ref="refs/heads/dev"),
            'ref is "refs/heads/dev", wanted the branch main, master, or the one at repository.default_branch, here'
            ' "master"',
        ),
        (
            one_of_each()["secscan"].but(workflow__name="Lint"),
            'workflow.name, else workflow_run.name is "Lint", wanted a match of (?i)security|scan',
        ),
    ],
)
def test_each_kind_of_condition_is_told(explain: Explain, tmp_path: Path, payload: Payload, why: str) -> None:
    told = explain(written(tmp_path / "d.json", payload.body), "--event", payload.event)
    assert told.exit_code == 1
    assert why in " ".join(told.output.split())


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({}, 'repository.full_name is "Codertocat/Hello-World", wanted one like my-org/*'),
        (
            {"repository__full_name": "my-org/api", "pull_request__author_association": "NONE"},
            'pull_request.author_association is "NONE", wanted OWNER, MEMBER, or COLLABORATOR; or'
            " pull_request.user.login my-agent or my-agent-app[bot]",
        ),
    ],
)
def test_a_guard_is_told_as_any_other_condition(
    explain: Explain, tmp_path: Path, patch: dict[str, Any], why: str
) -> None:
    told = explain(written(tmp_path / "d.json", record(one_of_each()["pr"].but(**patch))), "--stack", "prod")
    assert told.exit_code == 1
    assert f"github-pr-to-pr-validation (pr) does not fire: {why}" in " ".join(told.output.split())


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        ({"comment__user__login": "my-agent"}, 'comment.user.login is "my-agent", wanted none like my-agent or my-ag'),
        (
            {"comment__performed_via_github_app": {"slug": "my-agent-app"}},
            'comment.performed_via_github_app.slug is "my-agent-app", wanted none like my-agent-app',
        ),
    ],
)
def test_an_agent_that_is_not_answered_is_told(
    explain: Explain, tmp_path: Path, patch: dict[str, Any], why: str
) -> None:
    comment = one_of_each()["ic"].but(repository__full_name="my-org/api", **patch)
    told = explain(written(tmp_path / "d.json", record(comment)), "--stack", "prod")
    assert told.exit_code == 1
    assert why in " ".join(told.output.split())


def test_a_run_of_a_forks_branch_is_told_with_both_repositories(explain: Explain, tmp_path: Path) -> None:
    run = one_of_each()["wr"].but(repository__full_name="my-org/api")
    told = explain(written(tmp_path / "d.json", record(run)), "--stack", "prod")
    assert (
        'workflow_run.head_repository.full_name is "octo-org/octo-repo", wanted the one at repository.full_name, here'
        ' "my-org/api"'
    ) in " ".join(told.output.split())


def test_an_event_that_no_route_is_about(explain: Explain, tmp_path: Path) -> None:
    file = written(tmp_path / "d.json", ISSUE.body)
    told = explain(file, "--event", "issue")
    assert told.exit_code == 1
    assert "no route is about issue; did you mean issues? (they are about check_run, issue_comment," in told.output
    assert "no route is about check_suite (they" in explain(file, "--event", "check_suite").output


def test_a_route_that_is_off_is_named(explain: Explain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    off = parse_settings(MINIMAL | {"routes": {SENSOR: {"enabled": False}}}, source="test")
    monkeypatch.setattr("cli.__main__.read_settings", lambda _: off)
    told = explain(written(tmp_path / "d.json", record(ISSUE)))
    assert told.exit_code == 1
    assert f"off in this stack: {SENSOR}" in told.output


# --- What it is given


def test_a_bare_payload_needs_its_event(explain: Explain, tmp_path: Path) -> None:
    file = written(tmp_path / "d.json", ISSUE.body)
    told = explain(file)
    assert told.exit_code == 2
    assert f"{file}: which event is it? Give it as GitHub's header X-GitHub-Event has it" in told.output
    assert explain(file, "--event", "issues").exit_code == 0


def test_what_recent_deliveries_shows_can_be_copied(explain: Explain, tmp_path: Path) -> None:
    headers = "Request URL: https://example.org/events\nRequest method: POST\ncontent-type: application/json\n"
    headers += "X-GitHub-Delivery: 0b989ba4-242f-11e5-81e1-c7b6966d2516\nX-GitHub-Event: issues\n\n"
    told = explain(written(tmp_path / "d.txt", headers + json.dumps(ISSUE.body, indent=2)))
    assert told.exit_code == 0
    assert "starts implementation-0b989ba4-242f-11e5-81e1-c7b6966d2516" in told.output


def test_several_records_are_one_batch_with_a_line_each(explain: Explain, tmp_path: Path) -> None:
    records = [record(p, f"d-{name}") for name, p in one_of_each().items()]
    in_a_list = explain(written(tmp_path / "list.json", records))
    a_line_each = explain(written(tmp_path / "lines.json", "\n".join(map(json.dumps, records))))
    assert in_a_list.exit_code == a_line_each.exit_code == 0
    for told in (in_a_list, a_line_each):
        assert told.output.count("✓") == 10
        assert f"✓ {SENSOR}: implementation-d-issues" in told.output


def test_a_folder_and_standard_input_are_read(explain: Explain, tmp_path: Path) -> None:
    written(tmp_path / "a.json", record(ISSUE))
    written(tmp_path / "b.json", record(one_of_each()["pr"]))
    assert explain(tmp_path).output.count("✓") == 2
    assert explain("-", input=json.dumps(record(ISSUE))).output.startswith("standard input: issues 0b98")
    (tmp_path / "none").mkdir()
    told = explain(tmp_path / "none")
    assert (told.exit_code, told.output) == (2, f"{tmp_path}/none: there is no file in this folder\n")


def test_a_file_that_is_not_there_and_a_stack_that_is_not(explain: Explain, tmp_path: Path) -> None:
    assert explain(tmp_path / "no.json").output == f"{tmp_path}/no.json: No such file or directory\n"
    told = explain(written(tmp_path / "d.json", record(ISSUE)), "--stack", "staging")
    assert (told.exit_code, told.output) == (2, "there is no Pulumi.staging.yaml; the stacks here are dev, lab, prod\n")


def test_a_record_without_an_event_is_no_delivery(explain: Explain, tmp_path: Path) -> None:
    told = explain(written(tmp_path / "d.json", {"headers": {"Accept": "*/*"}, "payload": {}}))
    assert (told.exit_code, told.output) == (2, f"{tmp_path}/d.json: the record has no header X-GitHub-Event\n")


# --- What the EventSource does not take


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "400 unexpected end of JSON input: the delivery is empty"),
        ("hello", "400 invalid character 'h' looking for beginning of value: a delivery is a JSON object"),
        (
            "[1, 2]",
            "400 json: cannot unmarshal array into Go value of type map[string]interface {}: a delivery is a JSON",
        ),
        ("null", "it drops the connection: assignment to entry in nil map"),
        (
            '{"a":' * 20_000 + "1" + "}" * 20_000,
            "400 invalid character '{' exceeded max depth: it is nested deeper",
        ),
        (
            json.dumps(ISSUE.but(issue__body="x" * 25_000_000).body),
            "400 http: request body too large: it has 25,0",
        ),
        (
            json.dumps(ISSUE.but(issue__body="x" * 6_291_456).body),
            "400 http: request body too large: it has 6,30",
        ),
    ],
    ids=["empty", "no JSON", "a list", "null", "deep", "25 MB", "6 MiB and more"],
)
def test_what_the_event_source_refuses_has_one_clear_answer(
    explain: Explain, tmp_path: Path, body: str, why: str
) -> None:
    told = explain(written(tmp_path / "d.json", body), "--event", "issues")
    assert told.exit_code == 3
    assert f"✗ the EventSource refuses it: {why}" in " ".join(told.output.split())
    assert len(told.output) < 400


def test_a_deep_delivery_that_the_engine_reads_is_explained(explain: Explain, tmp_path: Path) -> None:
    deep = '{"action": "opened", "a":' + '{"a":' * 5_000 + "1" + "}" * 5_001
    assert explain(written(tmp_path / "d.json", deep), "--event", "issues").exit_code == 0


def test_a_signature_is_checked_where_a_secret_is_given(explain: Explain, tmp_path: Path) -> None:
    secret = written(tmp_path / "secret", "It's a Secret to Everybody")
    body = json.dumps(ISSUE.body, separators=(",", ":"), ensure_ascii=False).encode()
    right = signature(b"It's a Secret to Everybody", body)
    signed = written(tmp_path / "d.json", record(ISSUE, **{"X-Hub-Signature-256": right}))
    assert explain(signed, "--secret-file", secret).exit_code == 0
    forged = written(tmp_path / "d.json", record(ISSUE, **{"X-Hub-Signature-256": signature(b"guessed", body)}))
    assert explain(forged).exit_code == 0
    told = explain(forged, "--secret-file", secret)
    assert told.exit_code == 3
    assert "400 payload signature check failed: it was signed with another secret, or" in told.output
    assert "Everybody" not in told.output


# --- For programs


def test_json_has_all_of_it(explain: Explain, tmp_path: Path) -> None:
    told = explain(written(tmp_path / "d.json", [record(ISSUE), record(ISSUE.but(action="closed"))]), "--json")
    assert told.exit_code == 1
    fired, not_fired = json.loads(told.output)
    assert (fired["event"], fired["status"], fired["refused"]) == ("issues", 200, "")
    (route,) = (route for route in fired["routes"] if route["fires"])
    assert (route["sensor"], route["dependency"]) == (SENSOR, "issues")
    assert route["workflow"]["spec"]["workflowTemplateRef"] == {"name": "implementation"}
    (route,) = (route for route in not_fired["routes"] if route["sensor"] == SENSOR)
    assert route["stopped"] == {"path": "action", "wanted": "opened", "found": '"closed"', "error": ""}
