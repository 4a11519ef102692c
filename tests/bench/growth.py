"""What Pulumi costs as Sensors become more: the project's program beside a bare one that makes the same objects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import yaml

from cli.stacks import ROOT, settings_from
from lab.layout import HOLLOW
from lab.stack import LabStack
from routes import FAMILIES
from routes.compiler import compile_stack
from tests.bench.hollow import hollow
from tests.bench.many import many
from tests.bench.program import OBJECTS, STACKS

SIZES = {1: 3, 10: 2, 100: 1}
"""How many times the seven Sensors, and how often that is measured."""
MADE_AT_MOST = 10
"""So many times the seven Sensors are made. More are previewed only, unless there are as many as MADE_SECONDS left."""
MADE_SECONDS = 20 * 60
ONCE = {"PULUMI_SKIP_CHECKPOINTS": "true"}
"""Has Pulumi write its state at the end, where more are made: by default it writes all of it before and after each
resource, which takes a file as its backend longer than all the rest and is the same for both programs."""
CHANGED = "github-issues-to-implementation"
"""The one Sensor that a change is about: its rate."""
OPERATIONS = (
    ("preview", "from nothing"),
    ("up", "from nothing"),
    ("preview", "nothing changed"),
    ("up", "nothing changed"),
    ("preview", "one change"),
    ("up", "one change"),
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of Pulumi. `program` and `engine` are seconds of processor time, of Python and of Pulumi beside it."""

    who: str
    sensors: int
    operation: str
    case: str
    wall: float
    program: float
    engine: float
    program_memory: int
    engine_memory: int
    changes: dict[str, int]

    @property
    def cpu(self) -> float:
        return self.program + self.engine


def growth(say: Callable[[str], None], *, until: float) -> list[Run]:
    """Every run, ours and the bare one in turn; after the monotonic second `until` what is left is left out."""
    found: list[Run] = []
    with hollow():
        for copies, repeats in SIZES.items():
            for _ in range(repeats):
                if time.monotonic() > until:
                    say(f"no time left for {7 * copies} Sensors")
                    continue
                with (
                    patch.dict(os.environ, ONCE if copies > MADE_AT_MOST else {}),
                    _stack("ours") as ours,
                    _stack("bare") as bare,
                ):
                    made = copies <= MADE_AT_MOST or until - time.monotonic() > MADE_SECONDS
                    for operation, case in OPERATIONS if made else OPERATIONS[:1]:
                        if time.monotonic() > until:
                            say(f"no time left for {7 * copies} Sensors, {operation}, {case}")
                            continue
                        for stack, who in ((ours, "ours"), (bare, "bare")):
                            run = _run(stack, who, copies, operation, case)
                            found.append(run)
                            memory = run.program_memory / 1024**2
                            told = f"CPU {run.cpu:.1f} s, of it Python {run.program:.1f} s, {memory:.0f} MiB"
                            say(f"{who}, {run.sensors} Sensors, {operation}, {case}: {told}")
    return found


@contextmanager
def _stack(who: str) -> Iterator[LabStack]:
    stack = LabStack(STACKS[who], _overrides(who), "bench")
    try:
        yield stack
    finally:
        if stack.folder.exists():
            stack.destroy()


def _overrides(who: str) -> dict[str, object]:
    bus = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"]["github-to-argo:eventBus"]
    return {
        "namespace": f"{HOLLOW}{who}",
        # A Pod that stands for the EventSource's is not a restricted one; and no Sensor subscribes to anything.
        "podSecurity": "baseline",
        "eventBus": {key: value for key, value in bus.items() if key != "monitor"},
    }


def _run(stack: LabStack, who: str, copies: int, operation: str, case: str) -> Run:
    changed = {"routes": {CHANGED: {"rate": {"limit": 11}}}} if case == "one change" else {}
    now = LabStack(stack.name, {**(stack.overrides or {}), **changed}, stack.account)
    now.ready()
    compiled = many(compile_stack(FAMILIES, settings_from(now.file)), copies)
    (now.folder / OBJECTS).write_text(json.dumps(compiled.objects()))
    argv = [sys.executable, "-m", "tests.bench.program", str(now.folder), who, str(copies), operation]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv[1:])} failed: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Run(who=who, sensors=len(compiled.all_sensors()), operation=operation, case=case, **told)
