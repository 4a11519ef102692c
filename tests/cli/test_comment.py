"""pr-comment: one comment on a pull request, and what a stranger's run cannot do with it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.comment import MARK
from cli.diff import Altered, Diff, Rerouted
from cli.report import FILE, LONGEST_COMMENT, LONGEST_REPORT, Checked, Preview, Report, StackReport, markdown, to_json
from tests.cli.github_server import TOKEN, GitHubServer, Reviewed, says, serving

SHA = "d3d1b76"
PULL = {"number": 7, "head": {"label": "acme:topic", "sha": SHA}}
OF_FORK = {"number": 8, "head": {"label": "stranger:topic", "sha": SHA}}
RERAN = Checked(conclusion="success", url="https://github.com/acme/api/actions/runs/42")


def changed(preview: Preview | None = None) -> StackReport:
    rerouted = Rerouted(("github-issues-to-implementation",), (), ("issues/0 opened",))
    found = Diff(
        old="dev at origin/main",
        new="this change",
        replayed=332,
        rerouted=(rerouted,),
        altered=(),
        workflows=0,
        waiting=(),
        changed=(),
    )
    return StackReport(stack="dev", diff=found, preview=preview)


REPORT = Report(base="origin/main", stacks=(changed(), StackReport(stack="lab")))


def artifact(report: Report | bytes, name: str = FILE) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr(name, report if isinstance(report, bytes) else to_json(report))
    return held.getvalue()


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    with serving(GitHubServer(reviewed=Reviewed(pulls=[PULL, OF_FORK], artifacts={"report": artifact(REPORT)}))) as one:
        yield one


def comment(server: GitHubServer, folder: Path, *, head: str = "acme/api", token: str = TOKEN) -> Result:
    """What the workflow runs once the checks of a branch `topic` of the repository `head` have ended."""
    owner = head.partition("/")[0]
    run = {
        "id": 42,
        "head_branch": "topic",
        "head_sha": SHA,
        "head_repository": {"full_name": head, "owner": {"login": owner}} if head else None,
        "conclusion": "success",
        "html_url": RERAN.url,
    }
    event = folder / "event.json"
    event.write_text(
        json.dumps({"workflow_run": run, "repository": {"full_name": "acme/api", "owner": {"login": "acme"}}})
    )
    environment = {"GITHUB_TOKEN": token, "GITHUB_API_URL": server.url, "GITHUB_EVENT_PATH": str(event)}
    return CliRunner().invoke(app, ["pr-comment"], env=environment)


def bodies(server: GitHubServer, number: int = 7) -> list[str]:
    return [one["body"] for one in server.reviewed.comments.get(number, [])]


def test_two_runs_make_one_comment_that_says_what_the_second_found(server: GitHubServer, tmp_path: Path) -> None:
    assert comment(server, tmp_path).stdout == "The comment on #7 was made.\n"
    assert bodies(server) == [f"{MARK}\n{markdown(REPORT, RERAN)}"]
    server.reviewed.artifacts["report"] = artifact(Report(base="origin/main", stacks=(StackReport(stack="dev"),)))
    assert comment(server, tmp_path).stdout == "The comment on #7 was updated.\n"
    (only,) = bodies(server)
    assert "Compared with `origin/main` nothing changes in `dev`." in only
    assert comment(server, tmp_path).stdout == "The comment on #7 is as it was.\n"
    assert [method for method, _ in server.asked if method != "GET"] == ["POST", "PATCH"]


def test_it_is_found_behind_others_and_a_strangers_like_it_is_not_taken(server: GitHubServer, tmp_path: Path) -> None:
    for _ in range(5):  # three are a page
        server.reviewed.comment(7, f"{MARK}\nnothing to see here", author="stranger")
    comment(server, tmp_path)
    assert [len(bodies(server)), bodies(server)[:5]] == [6, [f"{MARK}\nnothing to see here"] * 5]
    server.reviewed.artifacts.clear()
    comment(server, tmp_path)
    assert len(bodies(server)) == 6
    assert "They ended before they could compare the stacks." in bodies(server)[-1]


def test_a_pull_request_that_has_gone_on_is_left_alone(server: GitHubServer, tmp_path: Path) -> None:
    server.reviewed.pulls = [PULL | {"head": {"label": "acme:topic", "sha": "newer"}}]
    result = comment(server, tmp_path)
    assert result.stdout == f"No open pull request of acme:topic is at {SHA} any more.\n"
    assert (result.exit_code, server.reviewed.comments) == (0, {})


def test_a_fork_is_told_as_one_and_has_no_preview(server: GitHubServer, tmp_path: Path) -> None:
    forged = Report(base="origin/main", stacks=(changed(preview=Preview(0, "all is well")),))
    server.reviewed.artifacts["with-previews"] = artifact(forged)
    assert comment(server, tmp_path, head="stranger/api").stdout == "The comment on #8 was made.\n"
    (body,) = bodies(server, 8)
    assert "This comes from the fork `stranger/api`, and its own code says it" in body
    assert "all is well" not in body
    assert comment(server, tmp_path).exit_code == 0
    assert "all is well" in bodies(server, 7)[0]


STRANGE = "@acme `x` ```\n</details><img src=x onerror=y> [x](http://x) | &#64;acme\n# Approved\n\x1b[1m\u202e"


def test_a_strangers_text_is_only_text(server: GitHubServer, tmp_path: Path) -> None:
    altered = Altered(STRANGE, STRANGE, {STRANGE: STRANGE}, 1, 1, (STRANGE,), STRANGE)
    diff = changed().diff
    assert diff
    strange = replace(diff, old=STRANGE, new=STRANGE, altered=(altered,), rerouted=(Rerouted((STRANGE,), (), ()),))
    stacks = (
        StackReport(stack=STRANGE, diff=strange),
        StackReport(stack=STRANGE),
        StackReport(stack=STRANGE, told=STRANGE),
    )
    server.reviewed.artifacts["report"] = artifact(Report(base=STRANGE, stacks=stacks))
    comment(server, tmp_path, head="stranger/api")
    (body,) = bodies(server, 8)
    for live in ("@acme", "<img", "[x]", "\x1b", "\u202e", "\n# Approved", "```", "</details>"):
        assert live not in body, live


def test_what_is_literal_cannot_end_its_fence() -> None:
    stacks = (changed(preview=Preview(1, STRANGE)), StackReport(stack="lab", told=STRANGE, failed=True))
    text = markdown(Report(base="origin/main", stacks=stacks))
    assert text.count("````text\n@acme `x` ```\n</details>") == 2
    assert text.count("\n````\n") == 2
    assert "failed (exit code 1)" in text and "### lab cannot be compared" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (b"no zip", "the artifact holds no report.json: BadZipFile"),
        (artifact(b"{}", "../report.json"), "the artifact holds no report.json: KeyError"),
        (artifact(b" " * (LONGEST_REPORT + 1)), "report.json has more than 5,242,880 bytes"),
        (b"x" * (LONGEST_REPORT + 1), "the artifact report is not there, or has more than 5,242,880 bytes"),
        (artifact(b'{"base": "s3cret"}'), "is no report as this revision writes them: 1 places"),
        (artifact(to_json(REPORT).replace(b'"stack"', b'"s3cret"')), "is no report as this revision writes them"),
        (artifact(b"[" * 100_000), "is no report as this revision writes them"),
    ],
)
def test_what_is_no_report_is_refused_and_not_shown(
    server: GitHubServer, tmp_path: Path, left: bytes, said: str
) -> None:
    server.reviewed.artifacts["report"] = left
    result = comment(server, tmp_path)
    assert said in result.stderr
    assert "s3cret" not in result.stderr
    assert (result.exit_code, server.reviewed.comments) == (2, {})


def test_a_long_report_is_cut_and_says_so() -> None:
    report = Report(base="origin/main", stacks=tuple(changed(preview=Preview(0, "x" * 20_000)) for _ in range(9)))
    text = markdown(report)
    assert 40_000 < len(text) < LONGEST_COMMENT + 200
    assert text.endswith("… and more than fits into a comment: `make pr-check` prints all of it.\n")
    assert text.count("<details>") == text.count("</details>") == 2


def test_a_token_that_may_not_comment_is_told_what_it_needs(server: GitHubServer, tmp_path: Path) -> None:
    for token, refused in (("ghp_wrong", "401 Bad credentials"), (TOKEN, "403 Resource not accessible by integration")):
        server.after = lambda method, path: says(403, "Resource not accessible by integration")
        result = comment(server, tmp_path, token=token)
        assert f"GitHub answers {refused} for pull requests of acme/api: GITHUB_TOKEN needs" in result.stderr
        assert token not in result.stderr


def test_a_run_that_is_none_or_whose_fork_is_gone_is_told(server: GitHubServer, tmp_path: Path) -> None:
    assert "the fork that the pull request comes from is gone" in comment(server, tmp_path, head="").stderr
    (tmp_path / "event.json").write_text('{"pull_request": {}}')
    result = CliRunner().invoke(app, ["pr-comment", "--event", str(tmp_path / "event.json")])
    assert "does not hold GitHub's event workflow_run" in result.stderr
