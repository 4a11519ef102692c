"""python -m cli: show and render a stack, deliver a payload."""

from __future__ import annotations

import atexit
import gc
import json
from pathlib import Path
from typing import Annotated

import typer

from cli import again, cured, diffed, explained, pull_request
from cli.diff import DiffError, Side, diff, samples
from cli.engine import EngineError
from cli.explain import as_json, explain
from cli.hook_addresses import hook_addresses
from cli.records import UnreadableError, read_deliveries
from cli.revision import at_revision
from cli.stacks import compiled, read_settings, stack_names, written_settings
from cli.terminal import Stack, console, fail
from payloads import Payload, one_of_each
from routes.settings import SECRETS, SettingsError

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Url = Annotated[str, typer.Option(envvar="WEBHOOK_URL", help="Where the EventSource listens, with its path.")]
SecretFile = Annotated[
    Path, typer.Option(envvar="WEBHOOK_SECRET_FILE", help="A file that holds the webhook's secret and nothing else.")
]
Namespace = Annotated[str, typer.Option(envvar="WORKFLOW_NAMESPACE", help="Where the Workflows appear.")]


app.command()(again.redeliver)
app.command()(again.rerun)
app.command()(cured.cure)
app.command()(pull_request.pr_check)
app.command()(pull_request.pr_comment)
app.command()(hook_addresses)


@app.command()
def render(stack: Stack = "dev") -> None:
    """Print every Kubernetes object of a stack as one JSON list. No Pulumi, no cluster, no secret values."""
    try:
        objects = compiled(stack).objects()
    except SettingsError as error:
        fail(str(error))
    typer.echo(json.dumps(objects, indent=2, ensure_ascii=False))


@app.command()
def show(
    stack: Stack = "dev",
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="As Markdown, with the contract: docs/routes.md.")
    ] = False,
    page: Annotated[Path | None, typer.Option("--into", help="Write the tables into this page: README.md.")] = None,
) -> None:
    """Show the route table of a stack: what each Sensor fires on, what it starts, and how often."""
    from cli.show import in_page, markdown, route_table

    try:
        settings = read_settings(stack)
    except SettingsError as error:
        fail(str(error))
    if page:
        page.write_text(in_page(page.read_text(), settings))
    elif as_markdown:
        typer.echo(markdown(stack, settings), nl=False)
    else:
        console.print(route_table(settings, console.width))


@app.command()
def stacks() -> None:
    """Print the names of the stacks."""
    typer.echo("\n".join(stack_names()))


@app.command()
def settings(
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown: docs/settings.md.")] = False,
) -> None:
    """List every setting of a stack, its default and what it is."""
    from cli.settings import markdown, table

    if as_markdown:
        typer.echo(markdown(), nl=False)
        return
    console.print(table())
    console.print("\nSecrets, set with `pulumi config set --secret`:")
    for key, meaning in SECRETS.items():
        console.print(f"  {key}: {meaning}")


@app.command("explain")
def explain_(
    deliveries: Annotated[
        list[str],
        typer.Argument(help="A payload, GitHub's record of a delivery, a folder of them, or - for standard input."),
    ],
    stack: Stack = "dev",
    event: Annotated[str, typer.Option(help="A bare payload's X-GitHub-Event.")] = "",
    full: Annotated[bool, typer.Option("--full", help="Show long parameters whole.")] = False,
    for_programs: Annotated[bool, typer.Option("--json", help="Print a JSON list, all of it.")] = False,
    secret_file: Annotated[
        Path | None, typer.Option(envvar="WEBHOOK_SECRET_FILE", help="Check signatures with the secret in this file.")
    ] = None,
) -> None:
    """Say why a delivery does, or does not, start a Workflow. The engine's own code says it; no cluster is asked.

    Exit code 0: every delivery starts something. 1: one starts nothing. 3: the engine refuses or loses one. 2: it could
    not be explained.
    """
    try:
        settings = read_settings(stack)
        found = [d for place in deliveries for d in read_deliveries(place, event)]
        secret = secret_file.read_text().strip() if secret_file else ""
        answers = explain(settings, found, secret=secret)
    except (SettingsError, UnreadableError, EngineError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    if for_programs:
        typer.echo(json.dumps([as_json(one) for one in answers], indent=2, ensure_ascii=False))
    elif len(answers) == 1:
        console.print(explained.whole(answers[0], settings, full=full))
    else:
        console.print(explained.table(answers))
    if any(one.lost for one in answers):
        raise typer.Exit(3)
    if not all(one.started for one in answers):
        raise typer.Exit(1)


@app.command("diff")
def diff_(
    revision: Annotated[
        str | None, typer.Argument(metavar="REV", help="A git revision to compare with; HEAD if none is given.")
    ] = None,
    stack: Stack = "dev",
    other: Annotated[
        str | None, typer.Option("--with", help="Another stack to compare with, instead of a revision.")
    ] = None,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown, for a pull request.")] = False,
) -> None:
    """Say what a change does: which sample deliveries fire otherwise, how Workflows differ, which Sensors lose events.

    GitHub's examples go through both sides' Sensors, in the engine's own code. No cluster is asked. A revision's stack
    is compiled by that revision's own code, which runs here.

    Exit code 0: nothing changes. 1: something does. 2: they could not be compared.
    """
    if revision and other:
        fail(f"give a revision or --with, not both: {revision} or --with {other}?")
    try:
        if other:
            old, new = _here(stack, stack), _here(other, other)
        else:
            old, new = at_revision(revision or "HEAD", stack), _here(stack, "the working tree")
        found = diff(old, new, samples(), deployed=not other)
    except (SettingsError, DiffError, EngineError, FileNotFoundError) as error:
        fail(str(error))
    if as_markdown:
        typer.echo(diffed.markdown(found), nl=False)
    else:
        console.print(diffed.text(found))
    if found:
        raise typer.Exit(1)


def _here(stack: str, name: str) -> Side:
    """A stack of the working tree."""
    return Side(name=name, settings=written_settings(stack), objects=compiled(stack).objects())


@app.command()
def rotate(
    stack: Stack = "dev",
    url: Annotated[
        str,
        typer.Option(
            envvar="WEBHOOK_URL", help="Where the EventSource listens, with its path. None: asked by the API server."
        ),
    ] = "",
) -> None:
    """Have the EventSource take the webhook's new secret, and say what GitHub saw. Give the Secret its new value first.

    It starts the EventSource's pod anew and waits until a delivery that is signed with the new secret is taken.
    """
    from kubernetes import config

    from cli.rotate import Rotation, RotationError, told

    try:
        settings = read_settings(stack)
        rotation = Rotation(
            settings=settings, api=config.new_client_from_config(context=settings.kube_context), url=url
        )
        rotated = rotation.rotate()
    except (SettingsError, RotationError, config.ConfigException) as error:
        fail(str(error))
    if rotated is None:
        typer.echo(f"The EventSource takes the Secret's value already. To rotate, first {rotation.how()}")
    else:
        typer.echo(told(rotated))


@app.command("status")
def status_(
    stack: Stack = "dev",
    for_programs: Annotated[bool, typer.Option("--json", help="Print JSON, all of it.")] = False,
) -> None:
    """Show what a stack does now: deliveries that wait, Workflows, rates, semaphores, what went wrong last.

    Exit code 0: nothing needs you. 1: pods are missing, a route stands still, or a delivery was given up. 2: the
    cluster cannot be asked.
    """
    from cli.cluster import ClusterError, connect
    from cli.screen import as_json as status_as_json
    from cli.screen import screen
    from cli.status import status

    try:
        settings = read_settings(stack)
        found = status(settings, connect(settings))
    except (SettingsError, ClusterError) as error:
        fail(str(error))
    if for_programs:
        typer.echo(json.dumps(status_as_json(found), indent=2, ensure_ascii=False))
    else:
        console.print(screen(found, settings))
    if found.wrong:
        raise typer.Exit(1)


@app.command("dead-letters")
def dead_letters_(
    stack: Stack = "dev",
    for_programs: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
    forget_them: Annotated[
        bool, typer.Option("--forget", help="Delete the letters of deliveries that have their Workflow now.")
    ] = False,
) -> None:
    """List the deliveries that were given up: Sensor, delivery id, reason. Exit code 1: some have no Workflow yet."""
    from cli.cluster import ClusterError, connect
    from cli.dead_letters import dead_letters, forget, table

    try:
        cluster = connect(read_settings(stack))
        letters = dead_letters(cluster, cluster.metadata_of_workflows())
        if for_programs:
            typer.echo(json.dumps([vars(letter) for letter in letters], indent=2, ensure_ascii=False))
        elif letters:
            console.print(table(letters))
        else:
            typer.echo("No delivery was given up.")
        if forget_them:
            forget(cluster, [letter for letter in letters if letter.workflow])
    except (SettingsError, ClusterError) as error:
        fail(str(error))
    if not all(letter.workflow for letter in letters):
        raise typer.Exit(1)


@app.command()
def deliver(
    url: Url,
    secret_file: SecretFile,
    namespace: Namespace,
    file: Annotated[Path | None, typer.Argument(help="A payload as JSON. None: one of each kind.")] = None,
    event: Annotated[str, typer.Option(help="The payload's X-GitHub-Event.")] = "",
    seconds: Annotated[float, typer.Option(help="How long to wait for the Workflows.")] = 60.0,
) -> None:
    """Deliver a payload, signed as GitHub does, and show which Workflow it became."""
    from kubernetes import config  # slow to import, and no other command needs a cluster

    from cli.delivered import table
    from cli.delivery import Sender, Watcher
    from cli.workflow import Workflow, delivery_of, phase_of

    payloads = one_of_each() if file is None else {file.name: _read(file, event)}
    secret = secret_file.read_bytes().strip()
    if not secret:
        fail(f"{secret_file} is empty; write the webhook's secret into it")
    sender = Sender(url=url, secret=secret)
    api = config.new_client_from_config()
    if not sender.listening(30):
        fail(
            f"nothing answers at {url}; is the EventSource's pod running? `make status` and `make logs` tell on the lab"
        )
    with Watcher(api, namespace) as watcher, console.status("delivering"):
        posted = [sender.post(payload) for payload in payloads.values()]
        accepted = [p for p in posted if p.status == 200]
        workflows = watcher.of([p.delivery for p in accepted], seconds=seconds if file is None else min(seconds, 15))
    by_delivery: dict[str, list[tuple[Workflow, float]]] = {}
    for workflow, seen in workflows:
        by_delivery.setdefault(delivery_of(workflow), []).append((workflow, seen))
    console.print(table(posted, by_delivery, console.width))
    console.print("ms: from the POST to the Workflow. A route's rate makes its second delivery wait.", style="dim")
    everything = all(
        len(by_delivery.get(p.delivery, [])) == 1 and phase_of(by_delivery[p.delivery][0][0]) == "Succeeded"
        for p in posted
    )
    if file is None and not everything:
        fail("not every delivery became one Workflow that succeeded; `make logs` shows what the engine says")
    if any(p.status != 200 for p in posted):
        raise typer.Exit(1)


def _read(file: Path, event: str) -> Payload:
    if not event:
        fail(
            "which event is it? Give it as GitHub's header X-GitHub-Event has it, for example: --event issue_comment"
            " (with make: EVENT=issue_comment)"
        )
    try:
        body = json.loads(file.read_text())
    except OSError as error:
        fail(f"{file}: {error.strerror}")
    except ValueError as error:
        fail(f"{file} is not JSON: {error}")
    if not isinstance(body, dict):
        fail(f"{file} holds no JSON object; a delivery's body is one")
    return Payload(event, body)


if __name__ == "__main__":
    # Else Python looks through all that was imported for garbage when it ends: a sixth of a short command's time.
    atexit.register(gc.freeze)
    app()
