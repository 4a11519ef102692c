"""`pr-check` and `pr-comment`: what a pull request changes, and the comment that says so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.diff import DiffError
from cli.engine import EngineError
from cli.terminal import fail


def pr_check(
    base: Annotated[str, typer.Option(help="The branch that this one is to be merged into.")] = "origin/main",
    previewed: Annotated[
        list[str] | None, typer.Option("--preview", metavar="STACK", help="Run `pulumi preview` of it, if it changes.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write it as JSON too, for pr-comment.")
    ] = None,
) -> None:
    """Print what this branch changes, stack by stack: the comment that its pull request gets.

    Each stack that renders otherwise than where the branch has left --base is compared as `diff` does. That revision's
    own code renders it, on this machine.

    Exit code 0: every stack was compared. 1: one could not be, or its preview failed. 2: none could be.
    """
    from cli.report import markdown, report, to_json

    try:
        found = report(base, previewed=previewed or ())
    except (DiffError, EngineError, FileNotFoundError) as error:
        fail(str(error))
    if file:
        file.write_bytes(to_json(found))
    typer.echo(markdown(found), nl=False)
    if found.failed:
        raise typer.Exit(1)


def pr_comment(
    event: Annotated[
        Path, typer.Option(envvar="GITHUB_EVENT_PATH", help="GitHub's event workflow_run, of the run that ended.")
    ],
) -> None:
    """Comment on the pull request whose checks ended, once: the next time that comment is updated.

    The token is in GITHUB_TOKEN. What the run has left may be a stranger's: it is only ever text.
    """
    from cli.comment import EventError, PullRequests, run_of
    from cli.github import Credentials, GitHubError, api_url
    from cli.report import ReportError, markdown

    try:
        run = run_of(event)
        pulls = PullRequests(
            repository=run.repository,
            credentials=Credentials(secret=os.environ.get("GITHUB_TOKEN", ""), source="GITHUB_TOKEN"),
            url=api_url(),
            told=typer.echo,
        )
        numbers = pulls.of(run)
        text = markdown(pulls.report(run), run.checked) if numbers else ""
        for number in numbers:
            typer.echo(f"The comment on #{number} {pulls.say(number, text)}.")
    except (EventError, ReportError, GitHubError) as error:
        fail(str(error))
    if not numbers:
        typer.echo(f"No open pull request of {run.head} is at {run.sha} any more.")
