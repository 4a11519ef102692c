"""A stack on the lab, by the real Pulumi engine: the Automation API runs the project's own `__main__.py`.

Runs inside the lab (`python -m lab exec -- python -m lab.stack up`). The stack's file is copied below `.lab/stacks/`:
the two secrets that the lab makes up are written there, encrypted, and the clone's file stays as it is.
"""

from __future__ import annotations

import json
import logging
import os
import runpy
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import typer
import yaml
from kubernetes import client, config
from pulumi import automation
from pulumi.automation.events import EngineEvent
from rich.console import Console

from lab.layout import CLONE, Layout
from routes.settings import PROJECT, SECRETS

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
console = Console(highlight=False)
# Pulumi reports what a program raises; grpc would print it a second time.
logging.getLogger("grpc").setLevel(logging.CRITICAL)

Config = dict[str, Any]

CUT_SHORT = "Pulumi was ended before it could say anything. `make up` goes on from where it was."


class StackFailed(Exception):
    """Pulumi could not do it; the text is what it said."""


@dataclass(frozen=True)
class Up:
    """How many resources were created, updated, the same, …, and the stack's outputs."""

    changes: dict[str, int]
    outputs: dict[str, Any]


@dataclass(frozen=True)
class LabStack:
    """Stack `name`: the settings of `Pulumi.lab.yaml`, with `overrides` (keys without the project's name).

    `account` is its account at the lab's NATS.
    """

    name: str
    overrides: Mapping[str, object] | None = None
    account: str = "lab"

    @property
    def folder(self) -> Path:
        return Layout().state / "stacks" / self.name

    def up(self, *, refresh: bool = False) -> Up:
        """Bring the stack up. `refresh`: look first what became of what is there. Raises StackFailed."""
        with _Said() as said:
            result = self.ready().up(on_event=said.hear, color="never", refresh=refresh)
        return Up(_by_name(result.summary.resource_changes), {key: out.value for key, out in result.outputs.items()})

    def preview(self) -> dict[str, int]:
        """What `up` would do. Raises StackFailed."""
        with _Said() as said:
            result = self.ready().preview(on_event=said.hear, color="never")
        return _by_name(result.change_summary)

    def destroy(self) -> None:
        """Remove all that the stack made, and the stack. Raises StackFailed."""
        with _Said() as said:
            self._select().destroy(on_event=said.hear, color="never", remove=True)
        shutil.rmtree(self.folder)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs."""
        return {name: output.value for name, output in self._select().outputs().items()}

    def ready(self) -> automation.Stack:
        """The stack with its settings and secrets written."""
        self._write_settings()
        stack = self._select()
        layout = Layout()
        if any((layout.pulumi_state / ".pulumi/locks").rglob("*.json")):
            stack.cancel()  # an `up` that was killed has left it locked
        secrets = {"webhookSecretValue": layout.webhook_secret, "eventBusAccessValue": layout.nats_access(self.account)}
        for key in SECRETS:
            if f"{PROJECT}:{key}" not in self._written():
                self._set_secret(key, secrets[key].read_text())
        return stack

    def _select(self) -> automation.Stack:
        return automation.create_or_select_stack(
            stack_name=self.name,
            project_name=PROJECT,
            program=program,
            opts=automation.LocalWorkspaceOptions(work_dir=str(self.folder)),
        )

    def _write_settings(self) -> None:
        """The clone's settings, with what Pulumi had encrypted before."""
        document: Config = yaml.safe_load((CLONE / "Pulumi.lab.yaml").read_text())
        encrypted = {key: value for key, value in self._written().items() if key.removeprefix(f"{PROJECT}:") in SECRETS}
        overrides = {f"{PROJECT}:{key}": value for key, value in (self.overrides or {}).items()}
        document["config"] = document["config"] | overrides | encrypted
        if self.file.exists():
            document["encryptionsalt"] = yaml.safe_load(self.file.read_text()).get("encryptionsalt")
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(CLONE / "Pulumi.yaml", self.folder)
        self.file.write_text(yaml.safe_dump(document))

    @property
    def file(self) -> Path:
        """Its settings."""
        return self.folder / f"Pulumi.{self.name}.yaml"

    def _written(self) -> Config:
        return yaml.safe_load(self.file.read_text()).get("config", {}) if self.file.exists() else {}

    def _set_secret(self, key: str, value: str) -> None:
        """On standard input, which no process list shows; the Automation API would put it on a command line."""
        command = ["pulumi", "config", "set", "--secret", "--stack", self.name, f"{PROJECT}:{key}"]
        subprocess.run(command, cwd=self.folder, input=value, text=True, check=True, stdout=subprocess.DEVNULL)


def program() -> None:
    """The project's own, as it stands in the clone."""
    runpy.run_path(str(CLONE / "__main__.py"), run_name="__main__")


def _by_name(changes: Mapping[Any, int] | None) -> dict[str, int]:
    return {str(getattr(operation, "value", operation)): count for operation, count in (changes or {}).items()}


class _Said:
    """What Pulumi says while it works: a line for each object as it is done; its errors become a StackFailed."""

    def __init__(self) -> None:
        self._errors: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if isinstance(error, automation.CommandError | subprocess.CalledProcessError):
            last = str(error).rpartition("stderr:")[2].strip()
            raise StackFailed("\n".join(self._errors) or last or CUT_SHORT) from None

    def hear(self, event: EngineEvent) -> None:
        if (diagnostic := event.diagnostic_event) and not diagnostic.ephemeral:
            text = diagnostic.message.strip()
            if diagnostic.severity == "error" and text and text not in self._errors:
                self._errors.append(text)
            elif diagnostic.severity == "warning":
                console.print(f"  warning: {text}", style="yellow", soft_wrap=True)
        if event.res_outputs_event and event.res_outputs_event.metadata.op.value != "same":
            metadata = event.res_outputs_event.metadata
            if metadata.type.startswith("kubernetes:"):
                kind, name = metadata.type.rpartition(":")[2], metadata.urn.rpartition("::")[2]
                console.print(f"  {metadata.op.value:<8} {kind:<32} {name}", soft_wrap=True)


def write_webhook(service: Mapping[str, str], layout: Layout) -> None:
    """Says where stack `lab` takes deliveries, its output `webhook`, to whoever runs a command inside."""
    name, namespace, _ = service["service"].split(".")
    port = service["service"].rpartition(":")[2]
    address = client.CoreV1Api(config.new_client_from_config()).read_namespaced_service(name, namespace).spec.cluster_ip
    variables = {
        "WEBHOOK_URL": f"http://{address}:{port}{service['path']}",
        "WEBHOOK_SECRET_FILE": str(layout.webhook_secret),
        "WORKFLOW_NAMESPACE": namespace,
    }
    layout.webhook.write_text(json.dumps(variables))


@app.command()
def up(stack: str = "lab") -> None:
    """Bring a stack up. At SIGTERM Pulumi, which gets it too, ends what it is at and writes it down."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    try:
        result = LabStack(stack).up()
    except StackFailed as error:
        if ended:
            raise typer.Exit(130) from None
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    if stack == "lab":
        write_webhook(result.outputs["webhook"], Layout())
    told = ", ".join(f"{count} {operation}" for operation, count in sorted(result.changes.items()))
    console.print(f"Stack {stack} is up: {'no changes' if set(result.changes) == {'same'} else told}.")


@app.command()
def destroy(stack: str = "lab") -> None:
    """Remove all that a stack made."""
    try:
        LabStack(stack).destroy()
    except StackFailed as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(f"Stack {stack} is gone.")


if __name__ == "__main__":
    os.chdir(CLONE)
    app()
