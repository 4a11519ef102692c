"""redeliver: what is found missing, and what GitHub is asked for. The engine is real, GitHub a server on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli import again, cluster
from cli.__main__ import app
from cli.cluster import ClusterError, Started
from cli.redeliver import moment
from payloads import Payload, one_of_each
from routes.settings import SecretRef
from tests.cli.github_server import ORGANIZATION, REPOSITORY, TOKEN, GitHubServer, Webhook, ago, says, serving
from tests.routes.test_settings import MINIMAL

ISSUE, PULL, COMMENT = (one_of_each()[name] for name in ("issues", "pr", "ic"))
IMPLEMENTATION, VALIDATION = "github-issues-to-implementation", "github-pr-to-pr-validation"
REX = "github-issue-comment-to-rex"
DRAFT = PULL.but(pull_request__draft=True)
PING = Payload("ping", {"zen": "Keep it logically awesome."})


@dataclass
class Workflows:
    """The Workflows of a cluster, by Sensor and delivery, and when each was made."""

    made: dict[tuple[str, str], datetime] = field(default_factory=dict)
    refuses: str = ""
    secrets: dict[tuple[str, str], str] = field(default_factory=dict)

    def started(self) -> Started:
        if self.refuses:
            raise ClusterError(self.refuses)
        times = {sensor: [at for (s, _), at in self.made.items() if s == sensor] for sensor, _ in self.made}
        return Started(frozenset(self.made), times)

    def secret(self, ref: SecretRef) -> str:
        return self.secrets[ref.name, ref.key]


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    with serving(GitHubServer(webhooks={REPOSITORY: Webhook(), ORGANIZATION: Webhook()}, page=100)) as running:
        yield running


@pytest.fixture
def hook(server: GitHubServer) -> Webhook:
    return server.webhooks[REPOSITORY]


@pytest.fixture
def workflows(monkeypatch: pytest.MonkeyPatch) -> Workflows:
    found = Workflows()
    monkeypatch.setattr(cluster, "connect", lambda settings: found)
    return found


Redeliver = Callable[..., Result]


@pytest.fixture
def redeliver(server: GitHubServer, workflows: Workflows, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Redeliver:
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setattr("cli.github.CHANGE_EVERY", 0.0)
    monkeypatch.setattr("cli.redeliver.LOOK_EVERY", 0.02)

    def run(*options: str, settings: dict[str, Any] | None = None, **given: Any) -> Result:
        file = tmp_path / "settings.yaml"
        config = {f"github-to-argo:{key}": value for key, value in (MINIMAL | (settings or {})).items()}
        file.write_text(yaml.safe_dump({"config": config}))
        if not any(option in options for option in ("--repository", "--organization", "--app", "none")):
            options = (*options, "--repository", "acme/api")
        chosen = [option for option in options if option != "none"]
        return CliRunner().invoke(app, ["redeliver", "--settings", str(file), *chosen], **given)

    return run


def listed(result: Result) -> dict[str, dict[str, Any]]:
    """What `--json` prints, by delivery."""
    return {one["delivery"]: one for one in json.loads(result.stdout)["deliveries"]}


# --- What is missing


def test_what_github_could_not_hand_over_is_asked_for_once_and_then_is_well(
    redeliver: Redeliver, hook: Webhook, workflows: Workflows
) -> None:
    guid = hook.deliver(ISSUE, code=503)
    told = redeliver("--yes")
    assert told.exit_code == 0, told.output
    line = next(line for line in told.stdout.splitlines() if guid in line)
    assert line.split()[2:] == [
        "issues.opened",
        "Codertocat/Hello-World",
        guid,
        *["503", "Service", "Unavailable"],
        IMPLEMENTATION,
    ]
    assert "1 failed, 0 without their Workflow; 1 to ask for again." in told.stdout
    assert "GitHub was asked for 1 of 1." in told.stdout
    assert [attempt["status_code"] for attempt in hook.attempts] == [503, 200]
    workflows.made[IMPLEMENTATION, guid] = datetime.now(UTC)
    told = redeliver("--yes")
    assert (told.exit_code, len(hook.attempts)) == (0, 2)
    assert "1 delivery between" in told.stdout
    assert "none to ask for again" in told.stdout


def test_what_was_handed_over_and_has_no_workflow_is_asked_for(
    redeliver: Redeliver, hook: Webhook, workflows: Workflows
) -> None:
    lost = hook.deliver(ISSUE, code=200, at=ago(minutes=20))
    fine = hook.deliver(PULL, code=200, at=ago(minutes=20))
    workflows.made[VALIDATION, fine] = ago(minutes=20)
    told = redeliver("--yes", "--json")
    assert told.exit_code == 0
    assert list(listed(told)) == [lost]
    found = listed(told)[lost]
    assert (found["what"], found["why"]) == ("missing", "handed over, no Workflow")
    assert (found["sensors"], found["asked"], found["attempts"]) == ([IMPLEMENTATION], True, 1)
    assert len(hook.attempts) == 3


def test_a_payload_is_read_only_where_github_and_the_cluster_leave_it_open(
    redeliver: Redeliver, server: GitHubServer, hook: Webhook, workflows: Workflows
) -> None:
    fine = hook.deliver(ISSUE, code=200, at=ago(minutes=20))
    workflows.made[IMPLEMENTATION, fine] = ago(minutes=20)
    hook.deliver(PING, code=200, at=ago(minutes=20))
    hook.deliver(ISSUE.but(action="labeled"), code=503, at=ago(minutes=20))
    assert redeliver("--json").exit_code == 0
    reads = [path for _, path in server.asked if path.rpartition("/")[2].isdigit()]
    assert reads == []


def test_what_starts_nothing_is_told_apart_and_asked_for_only_with_all(redeliver: Redeliver, hook: Webhook) -> None:
    draft = hook.deliver(DRAFT, code=500)
    ping = hook.deliver(PING, code=500)
    hook.deliver(DRAFT, code=200, at=ago(minutes=20))
    told = redeliver("--yes", "--json")
    assert told.exit_code == 0
    found = listed(told)
    assert {found[draft]["what"], found[ping]["what"]} == {"starts nothing"}
    assert "pull_request.draft is true, wanted false" in found[draft]["why"]
    assert found[ping]["why"] == "500 Service Unavailable; no route is about ping"
    assert len(found) == 2
    assert len(hook.attempts) == 3
    assert "2 failed and would start nothing: not asked for without --all." in redeliver("--yes").stdout
    told = redeliver("--yes", "--all")
    assert "GitHub was asked for 2 of 2." in told.stdout
    assert [attempt["guid"] for attempt in hook.attempts[3:]] == [draft, ping]


def test_what_the_event_source_would_refuse_is_not_asked_for(redeliver: Redeliver, hook: Webhook) -> None:
    large = hook.deliver(ISSUE.but(issue__body="x" * 70_000), code=400)
    found = listed(redeliver("--yes", "--json", settings={"webhook": {"maxPayloadBytes": 65_536}}))[large]
    assert (found["what"], found["asked"]) == ("starts nothing", False)
    assert "the EventSource refuses it: 400" in found["why"]


def test_what_github_could_not_hand_over_but_came_through_all_the_same_is_well(
    redeliver: Redeliver, hook: Webhook, workflows: Workflows
) -> None:
    guid = hook.deliver(ISSUE, code=504)
    workflows.made[IMPLEMENTATION, guid] = datetime.now(UTC)
    told = redeliver("--yes", "--json")
    assert (told.exit_code, listed(told), len(hook.attempts)) == (0, {}, 1)


def test_a_delivery_of_two_routes_misses_the_one_whose_workflow_is_not_there(
    redeliver: Redeliver, hook: Webhook, workflows: Workflows
) -> None:
    scan = one_of_each()["secscan"].but(workflow_run__conclusion="failure")
    guid = hook.deliver(scan, code=200, at=ago(minutes=20))
    workflows.made["github-ci-failures-to-triage", guid] = ago(minutes=20)
    assert listed(redeliver("--yes", "--json"))[guid]["sensors"] == ["github-security-to-agent"]


def test_a_route_that_is_off_misses_nothing(redeliver: Redeliver, hook: Webhook) -> None:
    hook.deliver(ISSUE, code=200, at=ago(minutes=20))
    told = redeliver("--json", settings={"routes": {IMPLEMENTATION: {"enabled": False}}})
    assert (told.exit_code, listed(told)) == (0, {})


# --- What may still come


def test_what_was_handed_over_just_now_may_still_be_on_its_way(redeliver: Redeliver, hook: Webhook) -> None:
    guid = hook.deliver(ISSUE, code=200, at=ago(seconds=40))
    told = redeliver("--yes")
    assert told.exit_code == 0
    assert "handed over 40 s ago" in told.stdout or "handed over 41 s ago" in told.stdout
    assert "1 may still be waiting for their turn" in told.stdout
    assert len(hook.attempts) == 1
    assert listed(redeliver("--json", "--grace", "30s"))[guid]["what"] == "missing"


def test_a_redelivery_that_was_just_handed_over_is_not_asked_for_again(redeliver: Redeliver, hook: Webhook) -> None:
    guid = hook.deliver(ISSUE, code=503, at=ago(minutes=50))
    redeliver("--yes")
    assert len(hook.attempts) == 2
    told = redeliver("--yes", "--json")
    assert listed(told)[guid]["what"] == "waits"
    assert len(hook.attempts) == 2


def at_rate(limit: int) -> dict[str, Any]:
    return {"routes": {IMPLEMENTATION: {"rate": {"limit": limit, "unit": "Minute"}}}}


def test_what_waits_for_its_routes_rate_is_told_and_what_was_passed_over_is_missing(
    redeliver: Redeliver, hook: Webhook, workflows: Workflows
) -> None:
    deliveries = [hook.deliver(ISSUE, code=200, at=ago(minutes=20, seconds=-n)) for n in range(24)]
    done = [n for n in range(22) if n != 7]
    for n in done:  # one a minute, since the first came
        workflows.made[IMPLEMENTATION, deliveries[n]] = ago(minutes=20 - n)
    found = listed(redeliver("--json", settings=at_rate(1)))
    assert {deliveries.index(guid): one["what"] for guid, one in found.items()} == {
        7: "missing",
        22: "waits",
        23: "waits",
    }
    assert found[deliveries[23]]["why"] == "waits for the rate of its route"


def test_a_route_that_was_not_at_work_all_the_time_is_not_waited_for(
    redeliver: Redeliver, hook: Webhook, workflows: Workflows
) -> None:
    left = hook.deliver(ISSUE, code=200, at=ago(minutes=20))
    for n in range(15):  # by another webhook
        workflows.made[IMPLEMENTATION, f"other-{n}"] = ago(minutes=n)
    assert listed(redeliver("--json", settings=at_rate(1)))[left]["what"] == "waits"
    assert listed(redeliver("--json", settings=at_rate(2)))[left]["what"] == "missing"


def test_a_route_that_has_stopped_is_not_waited_for(redeliver: Redeliver, hook: Webhook, workflows: Workflows) -> None:
    done, left = (hook.deliver(ISSUE, code=200, at=ago(minutes=minutes)) for minutes in (40, 30))
    workflows.made[IMPLEMENTATION, done] = ago(minutes=40)
    assert listed(redeliver("--json"))[left]["what"] == "missing"


# --- How far back


def test_a_workflow_that_is_not_kept_any_more_means_nothing(redeliver: Redeliver, hook: Webhook) -> None:
    old = hook.deliver(ISSUE, code=200, at=ago(minutes=50))
    failed = hook.deliver(ISSUE, code=503, at=ago(minutes=50))
    short = {"workflowTtlSeconds": 1800}
    told = redeliver("--json", settings=short)
    assert list(listed(told)) == [failed]
    assert json.loads(told.stdout)["unknown"] == 1
    assert (
        "1 came before the time in which Workflows are kept (setting workflowTtlSeconds)"
        in redeliver("--yes", settings=short).stdout
    )
    assert set(listed(redeliver("--json"))) == {old, failed}


def test_a_redelivery_does_not_prolong_the_time_in_which_a_workflow_is_kept(
    redeliver: Redeliver, hook: Webhook
) -> None:
    guid = hook.deliver(ISSUE, code=200, at=ago(minutes=50))
    hook.deliver(ISSUE, guid=guid, code=200, at=ago(minutes=25))
    told = redeliver("--yes", "--json", settings={"workflowTtlSeconds": 1800})
    assert (told.exit_code, listed(told), json.loads(told.stdout)["unknown"]) == (0, {}, 1)
    assert len(hook.attempts) == 2


def test_since_and_until_are_about_the_first_attempt(redeliver: Redeliver, hook: Webhook) -> None:
    before, within, after = (hook.deliver(ISSUE, code=503, at=ago(minutes=minutes)) for minutes in (90, 60, 30))
    hook.deliver(ISSUE, guid=before, code=503, at=ago(minutes=55))
    assert list(listed(redeliver("--json", "--since", "75m", "--until", "45m"))) == [within]
    assert list(listed(redeliver("--json"))) == [before, within, after]
    hook.deliver(ISSUE, guid=within, code=200, at=ago(minutes=10))
    assert listed(redeliver("--json", "--since", "75m", "--until", "45m"))[within]["what"] == "missing"


def test_github_keeps_deliveries_for_three_days(redeliver: Redeliver, hook: Webhook) -> None:
    hook.deliver(ISSUE, code=503, at=ago(days=3, hours=1))
    told = redeliver("--yes", "--since", "5d")
    assert told.exit_code == 0
    assert "GitHub keeps deliveries for three days; what is older cannot be fetched back." in told.stderr
    assert "0 deliveries between" in told.stdout


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15m", 900), ("2h", 7200), ("3d", 259_200), ("2026-05-04 03:00:01 UTC", 120)]
)
def test_a_time_is_so_long_ago_or_a_moment_in_utc(text: str, seconds: int) -> None:
    now = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    assert now - moment(text, now) == timedelta(seconds=seconds)


# --- What GitHub is asked for


def test_where_nobody_can_be_asked_nothing_happens_without_yes(redeliver: Redeliver, hook: Webhook) -> None:
    guid = hook.deliver(ISSUE, code=503)
    told = redeliver()
    assert told.exit_code == 2
    assert guid in told.stdout
    assert "Nobody is there to say whether GitHub shall redeliver it: add --yes, or --json to list only" in told.stderr
    assert len(hook.attempts) == 1


@pytest.mark.parametrize(("answer", "code", "attempts"), [("n\n", 1, 1), ("y\n", 0, 2)])
def test_a_person_is_asked_first(
    redeliver: Redeliver, hook: Webhook, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, attempts: int
) -> None:
    monkeypatch.setattr(again, "_somebody_is_there", lambda: True)
    hook.deliver(ISSUE, code=503)
    told = redeliver(input=answer)
    assert "Ask GitHub for it again?" in told.stdout
    assert (told.exit_code, len(hook.attempts)) == (code, attempts)


def test_json_without_yes_only_lists(redeliver: Redeliver, hook: Webhook) -> None:
    guid = hook.deliver(ISSUE, code=503)
    told = redeliver("--json")
    assert (told.exit_code, len(hook.attempts)) == (1, 1)
    assert listed(told)[guid]["asked"] is False


def test_what_github_does_not_redeliver_is_told_and_the_rest_is_asked_for(redeliver: Redeliver, hook: Webhook) -> None:
    old, young = (hook.deliver(ISSUE, code=503, at=ago(minutes=minutes)) for minutes in (30, 20))
    hook.too_old.add(old)
    told = redeliver("--yes")
    assert told.exit_code == 1
    assert f"It does not redeliver {old}: 422 Delivery cannot be redelivered" in told.stdout
    assert "GitHub was asked for 1 of 2." in told.stdout
    assert [attempt["guid"] for attempt in hook.attempts] == [old, young, young]


def test_a_token_that_may_only_read_is_told_before_anything_else_is_tried(
    redeliver: Redeliver, server: GitHubServer, hook: Webhook
) -> None:
    for _ in range(3):
        hook.deliver(ISSUE, code=503)
    server.after = lambda method, path: says(403, "Resource not accessible") if method == "POST" else None
    told = redeliver("--yes")
    assert told.exit_code == 2
    assert "needs the repository permission Webhooks (read and write)" in told.stderr
    assert len(server.posts()) == 1


def test_workflows_that_do_not_come_are_told_where_they_are_waited_for(redeliver: Redeliver, hook: Webhook) -> None:
    guid = hook.deliver(ISSUE, code=503)
    told = redeliver("--yes", "--wait", "0.1")
    assert told.exit_code == 1
    assert f"{guid} has no Workflow of {IMPLEMENTATION} after 0.1 s." in told.stdout


# --- Where it is asked, and with what


def test_the_setting_says_which_webhook_and_which_secret(
    redeliver: Redeliver, server: GitHubServer, workflows: Workflows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    workflows.secrets = {("redelivery", "token"): TOKEN, ("other", "key"): "wrong"}
    guid = server.webhooks[ORGANIZATION].deliver(ISSUE, code=503)
    setting = {
        "hook": {"kind": "organization", "name": "acme"},
        "token": {"name": "redelivery", "key": "token"},
        "image": f"registry.example/x@sha256:{'a' * 64}",
    }
    assert list(listed(redeliver("none", "--json", settings={"redelivery": setting}))) == [guid]
    told = redeliver("none", "--json", "--secret", "other/key", settings={"redelivery": setting})
    assert (told.exit_code, "in the Secret other, key key (401 Bad credentials)" in told.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["none"],
            "whose webhook is it? Give --repository OWNER/NAME, --organization NAME or --app ID, or set redeliv",
        ),
        (["--repository", "acme/api", "--app", "1"], "give one of --repository and --app, not both"),
        (["--repository", "acme"], "--repository acme is no repository: write owner/name"),
        (["--organization", "acme/api"], "--organization acme/api is no organization"),
        (["--app", "1", "--hook", "2"], "--hook is for a repository or an organization: a GitHub App has one webhook"),
        (["--secret", "name"], "--secret name does not say which key: write NAME/KEY"),
        (["--since", "yesterday"], "--since yesterday: write a time ago (90m, 2h, 3d), or a moment in UTC (2026-"),
        (["--since", "1h", "--until", "2h"], "--until 2h is before --since 1h"),
        (["--grace", "5 minutes"], "--grace 5 minutes: write a time ago"),
        (
            ["--hook", "99"],
            "GitHub shows no such webhook: the webhook of the repository acme/api (/repos/acme/api/hooks/",
        ),
    ],
)
def test_what_cannot_be_looked_at_is_told(redeliver: Redeliver, options: list[str], said: str) -> None:
    told = redeliver(*options)
    assert (told.exit_code, told.stdout) == (2, "")
    assert said in told.stderr


def test_without_a_token_it_is_told_where_one_is_looked_for(
    redeliver: Redeliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    told = redeliver()
    assert told.exit_code == 2
    assert "Set GITHUB_TOKEN, or GITHUB_TOKEN_FILE to a file that holds it, or give --secret NAME/KEY" in told.stderr
    assert "Set GITHUB_APP_PRIVATE_KEY, or GITHUB_APP_PRIVATE_KEY_FILE" in redeliver("--app", "1").stderr


def test_a_cluster_that_says_no_is_told(redeliver: Redeliver, hook: Webhook, workflows: Workflows) -> None:
    hook.deliver(ISSUE, code=503)
    workflows.refuses = 'the cluster refuses it: User "x" cannot list resource "workflows"'
    told = redeliver("--yes")
    assert (told.exit_code, workflows.refuses in told.stderr, len(hook.attempts)) == (2, True, 1)


def test_the_token_is_in_nothing_that_is_said(redeliver: Redeliver, hook: Webhook, server: GitHubServer) -> None:
    hook.too_old.add(hook.deliver(ISSUE, code=503))
    said = [redeliver("--yes").output, redeliver("--json").output]
    server.after = lambda method, path: says(404, "Not Found")
    said.append(redeliver("--yes").output)
    assert all(said)
    assert not any(TOKEN in text for text in said)


def test_the_names_of_the_variables_are_in_the_help() -> None:
    told = CliRunner().invoke(app, ["redeliver", "--help"]).stdout
    for variable in ("GITHUB_TOKEN", "GITHUB_APP_PRIVATE_KEY", "GITHUB_TOKEN_FILE", "GITHUB_API_URL"):
        assert variable in told
