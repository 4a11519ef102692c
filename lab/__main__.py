"""`python -m lab`: up, start, down, status, logs, kill, exec, shell."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.stacks import read_settings
from lab import host
from lab.build import build_missing
from lab.errors import LabError
from lab.layout import Layout
from routes.settings import SettingsError

app = typer.Typer(help="The embedded engine of this clone.", no_args_is_help=True, add_completion=False)
console = Console(stderr=True)

_ERROR_LINE = re.compile(
    r'"level":"(error|fatal|panic)"|level=(error|fatal|panic)|^[EF]\d{4} |\[(ERR|FTL)\]|^panic:|^\[lab\]',
    re.I,
)


class Stopped(Exception):
    """Ctrl-C, and what is left of what had been begun."""


@contextmanager
def _told() -> Iterator[None]:
    """A LabError is its message and exit code 1; a SIGTERM ends like Ctrl-C."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    try:
        yield
    except (LabError, SettingsError) as error:
        console.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except Stopped as stopped:
        console.print(str(stopped), style="red")
        raise typer.Exit(130) from None
    except KeyboardInterrupt:
        console.print("Stopped; what had been started is gone.", style="red")
        raise typer.Exit(130) from None


@app.command()
def up() -> None:
    """Start the lab, bring stack `lab` up on it, deliver one of each kind and show what became of it."""
    with _told():
        began = time.monotonic()
        read_settings("lab")  # a typo is told before anything is built
        before = host.running()
        lab = host.start(console)
        stands = lab == before
        console.print(f"The lab runs{' already' if stands else ''}. Stack lab:", highlight=False)
        try:
            with host.exclusive(lab.layout, "make up"):
                _inside(lab, "lab.stack", "up")
            stands = True
            console.print("One delivery of each kind:", highlight=False)
            _inside(lab, "cli", "deliver")
        except KeyboardInterrupt:
            if stands:
                raise Stopped("Stopped; the lab still runs. `make up` goes on from there.") from None
            host.down()
            raise
        console.print(
            f"Up in {time.monotonic() - began:.0f} s. Next: make status, make deliver FILE=… EVENT=…, make shell,"
            " make down.",
            highlight=False,
            soft_wrap=True,
        )


def _inside(lab: host.Lab, *module: str) -> None:
    """Runs a module of this project inside the lab; its failure, already told, is ours.

    In a session of its own: at Ctrl-C it is we who end it, so that Pulumi can still write down what it did.
    """
    child = lab.popen([sys.executable, "-m", *module], start_new_session=True)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        _end(child)
        raise
    if code:
        raise typer.Exit(code)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Asks once, waits for what is under way, then insists."""
    for how, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 5)):
        try:
            os.killpg(child.pid, how)
            child.wait(seconds)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


@app.command()
def start() -> None:
    """Build what is missing and start the lab, or reuse the one that runs."""
    with _told():
        began = time.monotonic()
        host.start(console)
        console.print(f"The lab is ready ({time.monotonic() - began:.1f} s).", highlight=False)


@app.command()
def build(
    tools: Annotated[list[str] | None, typer.Argument(help="Tools, as in lab/engine/<tool>. None: all.")] = None,
) -> None:
    """Only build what is missing in the cache."""
    with _told():
        build_missing(console, *tools or ())


@app.command()
def down() -> None:
    """End the lab and remove all it made but the cache."""
    with _told():
        console.print("The lab is gone." if host.down() else "There was no lab.")


def last_error(log: Path) -> str:
    """The last line of a log that tells of an error, from its last 64 KiB."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 65536))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line for line in reversed(lines) if _ERROR_LINE.search(line)), "")


@app.command()
def status() -> None:
    """A table of what runs."""
    with _told():
        lab = host.require()
        found = host.read_status(lab.layout) or {"processes": []}
        out = Console(width=None if sys.stdout.isatty() else 160)
        out.print(_status_table(found["processes"], lab.layout, out.width))


def _status_table(processes: list[dict[str, Any]], layout: Layout, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("component", overflow="fold")
    for column in ("pid", "up", "restarts"):
        table.add_column(column, no_wrap=True, min_width=len(column), justify="right")
    table.add_column("last error", overflow="fold")
    for process in processes:
        name = process["name"]
        log = layout.log(name)
        if process["kind"] == "pod":
            stable = layout.log(f"pod-{name}")
            name = name if stable.is_file() else name.rsplit("-", 2)[0]  # its Deployment
            log = layout.log(f"pod-{name}")
        up = _duration(time.time() - process["since"]) if process["state"] == "running" else process["state"]
        error = escape((process["reason"] or last_error(log))[: max(20, width - 95)])
        table.add_row(name, str(process["pid"] or "-"), up, str(process["restarts"]), error)
    return table


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


@app.command()
def logs(
    name: Annotated[str, typer.Argument(help="A component, or part of a pod's name.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
) -> None:
    """The log of one component or pod."""
    with _told():
        layout = Layout()
        names = host.component_names(layout)
        fitting = [name] if name in names else [one for one in names if name in one]
        if len(fitting) != 1 or not name:
            choice = "\n  ".join(fitting or names) or "none: the lab does not run"
            raise LabError(f"Whose log? A part of the name will do if it is one's only. There are:\n  {choice}")
        try:
            _print_log(layout.log(fitting[0]), follow)
        except (BrokenPipeError, KeyboardInterrupt):
            os._exit(0)


def _print_log(log: Path, follow: bool) -> None:
    with log.open("rb") as file:
        while True:
            chunk = file.read(65536)
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            if not chunk:
                if not follow:
                    return
                time.sleep(0.2)


@app.command()
def kill(
    name: Annotated[str, typer.Argument(help="A component, or part of a pod's name.")],
    seconds: Annotated[float, typer.Option("--for", min=0, help="How long it stays away, in seconds.")] = 0,
) -> None:
    """Kill (-9) one component or pod of the lab, which is then started again."""
    with _told():
        _inside(host.require(), "lab.away", name, str(seconds))


@app.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def execute(command: Annotated[list[str], typer.Argument(help="What to run inside, after `--`.")]) -> None:
    """Run a command inside the lab; kubectl and pulumi are on its PATH."""
    with _told():
        lab = host.require()
        argv = lab.argv(command)
        os.execvpe(argv[0], argv, lab.env())


@app.command()
def shell() -> None:
    """A shell inside the lab."""
    with _told():
        lab = host.require()
        argv = lab.argv([os.environ.get("SHELL") or "/bin/sh"])
        os.execvpe(argv[0], argv, lab.env())


if __name__ == "__main__":
    app(prog_name="python -m lab")
