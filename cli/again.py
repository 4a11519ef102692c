"""`redeliver` and `rerun`: deliveries once more."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn

from cli.engine import EngineError
from cli.records import UnreadableError
from cli.stacks import read_settings, settings_from
from cli.terminal import Stack, console, fail
from routes.settings import (
    GitHubHook,
    Redelivery,
    SecretRef,
    SettingsError,
    StackSettings,
    hook_named,
)

if TYPE_CHECKING:  # slow to import, and no other command needs them
    from cli.cluster import Cluster
    from cli.github import Credentials, GitHub

TIMES = "a time ago (90m, 2h, 3d), or a moment in UTC (2026-05-04 03:02:06)"

Since = Annotated[str, typer.Option(help=f"From when on: {TIMES}.")]
Repository = Annotated[str, typer.Option(metavar="OWNER/NAME", help="The webhook is this repository's.")]
Organization = Annotated[str, typer.Option(metavar="NAME", help="The webhook is this organization's.")]
App = Annotated[str, typer.Option("--app", metavar="ID", help="The webhook is this GitHub App's, by id or client id.")]
HookId = Annotated[
    int | None,
    typer.Option("--hook", metavar="ID", help="The webhook's number. None: the one that posts to the stack's path."),
]
InSecret = Annotated[
    str,
    typer.Option(
        "--secret", metavar="NAME/KEY", help="The Secret in the stack's namespace that holds the token or the key."
    ),
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FILE", help="A file like Pulumi.<stack>.yaml, in place of --stack."),
]


def redeliver(
    stack: Stack = "dev",
    since: Since = "2h",
    until: Annotated[str, typer.Option(help="Until when, as --since has it. None: until now.")] = "",
    repository: Repository = "",
    organization: Organization = "",
    app: App = "",
    hook: HookId = None,
    secret: InSecret = "",
    settings_file: SettingsFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask GitHub without asking you.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Also for what failed and would start nothing.")] = False,
    grace: Annotated[str, typer.Option(help="What was handed over less long ago may still be on its way.")] = "5m",
    wait: Annotated[float, typer.Option(help="Wait so many seconds for the Workflows of what was asked for.")] = 0.0,
    for_programs: Annotated[
        bool, typer.Option("--json", help="Print JSON, all of it. Without --yes GitHub is asked for nothing.")
    ] = False,
) -> None:
    """Ask GitHub again for deliveries that it could not hand over, or whose Workflow is not there.

    GitHub is asked with the token in GITHUB_TOKEN, for a GitHub App with the private key in GITHUB_APP_PRIVATE_KEY; or
    with what is in the file that GITHUB_TOKEN_FILE or GITHUB_APP_PRIVATE_KEY_FILE names, or in a Secret (--secret).
    GITHUB_API_URL says where its API is, if not https://api.github.com. A setting `redelivery` says which webhook and
    which Secret. To ask twice is safe: a Workflow that is there is not made again.

    Exit code 0: nothing is missing, or GitHub was asked for all of it. 1: something is missing that it was not asked
    for, that it does not redeliver, or that did not become its Workflow (--wait). 2: it could not be looked at.
    """
    from cli import redelivered
    from cli.redeliver import KEPT, Search, ask_again, wait_for

    now = datetime.now(UTC)
    with _told():
        settings = settings_from(settings_file) if settings_file else read_settings(stack)
        began, patience = _moment("--since", since, now), now - _moment("--grace", grace, now)
        ended = _moment("--until", until, now) if until else now
        if ended < began:
            fail(f"--until {until} is before --since {since}")
        cluster, github = _reach(settings, repository, organization, app, hook, secret)
        with _progress("reading deliveries") as (progress, task):
            github.told = progress.console.print
            search = Search(
                settings=settings,
                since=max(began, now - KEPT),
                until=ended,
                now=now,
                grace=patience,
                step=lambda done, of: progress.update(task, completed=done, total=of),
            )
            look = search.look(github, cluster)
        wanted = look.asked_for(everything=everything)
        if not for_programs:
            if look.found:
                console.print(redelivered.table(look.found))
            console.print(redelivered.summary(look, wanted, search.since, search.until), highlight=False)
        if began < search.since:
            typer.echo("GitHub keeps deliveries for three days; what is older cannot be fetched back.", err=True)
        asked = bool(wanted) and (yes or (not for_programs and _agreed(len(wanted))))
        refused: dict[str, str] = {}
        if asked:
            with _progress("asking GitHub again") as (progress, task):
                github.told = progress.console.print
                progress.update(task, total=len(wanted))
                refused = ask_again(github, wanted, lambda _: progress.advance(task))
        done = [one for one in wanted if asked and one.delivery.guid not in refused]
        without = wait_for(cluster, done, wait) if wait else []
    if for_programs:
        told = redelivered.as_json(look, search.since, search.until, asked=done, refused=refused, without=without)
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif asked:
        console.print(redelivered.outcome(done, refused, without, wait))
    if len(done) < len(wanted) or without:
        raise typer.Exit(1)


def rerun(
    delivery: Annotated[str, typer.Argument(help="GitHub's id of the delivery: X-GitHub-Delivery, or its guid.")],
    stack: Stack = "dev",
    repository: Repository = "",
    organization: Organization = "",
    app: App = "",
    hook: HookId = None,
    secret: InSecret = "",
) -> None:
    """Run once more what a delivery has started: each of its Workflows under another name, as it was.

    It takes your own right to get, list and create Workflows. Where none of them is there any more GitHub is asked to
    redeliver, which takes what `redeliver` takes.

    Exit code 0: it was done. 1: there is neither a Workflow nor a delivery of this id, or GitHub does not redeliver it.
    2: it could not be looked at.
    """
    from cli.github import RefusedError
    from cli.redeliver import KEPT
    from cli.rerun import rerun as rerun_

    with _told():
        settings = read_settings(stack)
        cluster = _connect(settings)
        if again := rerun_(cluster, delivery):
            for original, name in again:
                console.print(f"{name} runs, as {original} did", highlight=False)
            return
        console.print("None of its Workflows is there any more. Asking GitHub …", highlight=False)
        github = _github(settings, cluster, repository, organization, app, hook, secret)
        attempts = github.attempts(datetime.now(UTC) - KEPT)
        attempt = next((one for one in attempts if one.guid == delivery), None)
        try:
            if attempt:
                github.redeliver(attempt)
        except RefusedError as error:
            console.print(f"GitHub does not redeliver it: {error}", markup=False, highlight=False)
            raise typer.Exit(1) from None
    if not attempt:
        console.print("GitHub has no delivery of this id at this webhook: it keeps them for three days.")
        raise typer.Exit(1)
    console.print(f"GitHub was asked to redeliver it: {attempt.event} of {attempt.at:%Y-%m-%d %H:%M:%S} UTC")


# --- What both need


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be looked at is told, with exit code 2."""
    from cli.cluster import ClusterError
    from cli.github import GitHubError

    try:
        yield
    except (SettingsError, ClusterError, GitHubError, EngineError, UnreadableError) as error:
        fail(str(error))


def _reach(
    settings: StackSettings, repository: str, organization: str, app: str, hook: int | None, secret: str
) -> tuple[Cluster, GitHub]:
    cluster = _connect(settings)
    return cluster, _github(settings, cluster, repository, organization, app, hook, secret)


def _connect(settings: StackSettings) -> Cluster:
    from cli.cluster import connect

    return connect(settings)


def _github(
    settings: StackSettings,
    cluster: Cluster,
    repository: str,
    organization: str,
    app: str,
    hook: int | None,
    secret: str,
) -> GitHub:
    from cli.github import API, GitHub, api_url

    named = {kind: name for kind, name in (("repository", repository), ("organization", organization), ("app", app))}
    chosen = _hook({kind: name for kind, name in named.items() if name}, hook, settings.redelivery)
    return GitHub(
        hook=chosen,
        credentials=_credentials(chosen, cluster, secret, settings.redelivery),
        url=api_url(settings.redelivery.api_url if settings.redelivery else API),
        endpoint=settings.webhook.endpoint,
    )


def _hook(named: dict[str, str], number: int | None, redelivery: Redelivery | None) -> GitHubHook:
    """The webhook that the options name, else the setting's."""
    if len(named) > 1:
        fail(f"give one of --{' and --'.join(named)}, not both")
    if number is not None and ("app" in named or (not named and redelivery and redelivery.hook.kind == "app")):
        fail("--hook is for a repository or an organization: a GitHub App has one webhook")
    if not named and redelivery:
        return redelivery.hook if number is None else redelivery.hook.model_copy(update={"id": number})
    if not named:
        fail(
            "whose webhook is it? Give --repository OWNER/NAME, --organization NAME or --app ID, or set redelivery.hook"
        )
    ((kind, name),) = named.items()
    try:
        return hook_named(kind, name, number)
    except ValueError:
        what = {"repository": "repository: write owner/name", "organization": "organization", "app": "App's id"}[kind]
        fail(f"--{kind} {name} is no {what}")


def _credentials(hook: GitHubHook, cluster: Cluster, secret: str, redelivery: Redelivery | None) -> Credentials:
    """Of the Secret that is named, else of the environment, else of the setting's Secret."""
    from cli.github import Credentials, GitHubError, from_environment, variable_of

    if secret and not re.fullmatch("[^/]+/[^/]+", secret):
        fail(f"--secret {secret} does not say which key: write NAME/KEY")
    if not secret and (found := from_environment(hook)):
        return found
    if secret:
        name, key = secret.split("/")
        ref = SecretRef(name=name, key=key)
    elif redelivery:
        ref = redelivery.token
    else:
        variable = variable_of(hook)
        raise GitHubError(
            f"what shall GitHub be asked with? Set {variable}, or {variable}_FILE to a file that holds it, or give"
            " --secret NAME/KEY, a Secret of the stack's namespace"
        )
    return Credentials(secret=cluster.secret(ref), source=f"the Secret {ref.name}, key {ref.key}")


def _moment(option: str, text: str, now: datetime) -> datetime:
    from cli.redeliver import moment

    try:
        return moment(text, now)
    except ValueError:
        fail(f"{option} {text}: write {TIMES}")


def _agreed(count: int) -> bool:
    if not _somebody_is_there():
        fail(
            f"Nobody is there to say whether GitHub shall redeliver {'it' if count == 1 else f'these {count}'}:"
            " add --yes, or --json to list only"
        )
    return typer.confirm(f"Ask GitHub for {'it' if count == 1 else f'these {count}'} again?")


def _somebody_is_there() -> bool:
    return sys.stdin.isatty()


@contextmanager
def _progress(what: str) -> Iterator[tuple[Progress, TaskID]]:
    """A line on standard error while it lasts, where somebody looks."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    errors = Console(stderr=True)
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        yield progress, progress.add_task(what, total=None)
