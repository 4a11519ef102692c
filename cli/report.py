"""What a branch changes, stack by stack: found on a machine, kept as JSON, told as the comment on its pull request.

The JSON may come from a run of a stranger's code. So it is read into closed types, and every text in it is only text in
the comment: `markdown` writes all that has a meaning there.
"""

from __future__ import annotations

import io
import re
import subprocess
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from cli import diffed
from cli.diff import Diff, DiffError, Side, diff, samples
from cli.revision import at_revision, left_from, stacks_at
from cli.stacks import ROOT, compiled, stack_names, written_settings
from routes.settings import SettingsError

BASE = "origin/main"
FILE = "report.json"
LONGEST_REPORT = 5 * 1024**2
LONGEST_PREVIEW = 20_000
LONGEST_COMMENT = 60_000
"""Characters. GitHub takes 65,536 in a comment."""
CLOSED = ConfigDict(extra="forbid", hide_input_in_errors=True)
Short = Annotated[str, Field(max_length=2000)]


class ReportError(Exception):
    """What a run has left is no report. The text says why, and shows nothing of it."""


@checked(frozen=True, config=CLOSED)
class Preview:
    """What `pulumi preview` printed, the end of it where that is long, and its exit code."""

    code: int
    text: Annotated[str, Field(max_length=2 * LONGEST_PREVIEW)]


@checked(frozen=True, kw_only=True, config=CLOSED)
class StackReport:
    """What becomes of one stack. Neither `diff` nor `told`: it renders as before. `failed`: `told` says why."""

    stack: Short
    diff: Diff | None = None
    told: Short = ""
    failed: bool = False
    preview: Preview | None = None

    @property
    def changed(self) -> bool:
        return bool(self.diff or self.told)


@checked(frozen=True, kw_only=True, config=CLOSED)
class Report:
    """All stacks, compared with where the branch has left `base`."""

    base: Short
    stacks: tuple[StackReport, ...]

    @property
    def failed(self) -> bool:
        return any(stack.failed or (stack.preview and stack.preview.code) for stack in self.stacks)

    def without_previews(self) -> Report:
        return replace(self, stacks=tuple(replace(stack, preview=None) for stack in self.stacks))


_JSON = TypeAdapter(Report)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The run that a report comes from, as GitHub says. `fork` is empty where the branch is the repository's own."""

    conclusion: str
    url: str
    fork: str = ""


# --- Made


def report(base: str, *, previewed: Collection[str] = (), root: Path = ROOT) -> Report:
    """What the working tree makes of each stack, compared with where HEAD has left `base`. Raises DiffError.

    A stack has changed when it renders otherwise. Of those `previewed`, the changed ones are.
    """
    here = stack_names(root)
    if unknown := sorted(set(previewed) - set(here)):
        raise DiffError(f"there is no stack {', '.join(unknown)} to preview; the stacks here are {', '.join(here)}")
    commit = left_from(base, root)
    there = stacks_at(commit, root)
    found: list[StackReport] = []
    for stack in sorted({*here, *there}):
        if stack not in here:
            one = StackReport(stack=stack, told=f"it is gone: there is no Pulumi.{stack}.yaml any more")
        elif stack not in there:
            one = StackReport(stack=stack, told=f"it is new: there is no Pulumi.{stack}.yaml at {base}")
        else:
            one = _compared(stack, base, commit, root)
        if one.changed and stack in previewed:
            one = replace(one, preview=preview(stack, root))
        found.append(one)
    return Report(base=base, stacks=tuple(found))


def _compared(stack: str, base: str, commit: str, root: Path) -> StackReport:
    try:
        old = replace(at_revision(commit, stack, root), name=f"{stack} at {base} ({commit[:7]})")
        objects = compiled(stack, root).objects()
        new = Side(name="this change", settings=written_settings(stack, root), objects=objects)
        if old.objects == new.objects and old.settings == new.settings:
            return StackReport(stack=stack)
        return StackReport(stack=stack, diff=diff(old, new, samples(), deployed=True))
    except (DiffError, SettingsError) as error:
        return StackReport(stack=stack, told=str(error)[:2000], failed=True)


def preview(stack: str, root: Path = ROOT) -> Preview:
    """`pulumi preview` of a stack. Pulumi writes no secret."""
    command = ["pulumi", "preview", "--stack", stack, "--non-interactive", "--color", "never", "--suppress-progress"]
    try:
        done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        return Preview(127, "pulumi is not on PATH: https://www.pulumi.com/docs/iac/download-install/")
    text = done.stdout.strip()
    return Preview(done.returncode, text if len(text) <= LONGEST_PREVIEW else f"…\n{text[-LONGEST_PREVIEW:]}")


# --- Kept


def to_json(found: Report) -> bytes:
    return _JSON.dump_json(found, indent=2)


def unpack(archive: bytes) -> Report:
    """The report in a run's artifact, which anybody may have made. Raises ReportError."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as files, files.open(FILE) as file:
            content = file.read(LONGEST_REPORT + 1)
    except (zipfile.BadZipFile, zlib.error, KeyError, RuntimeError, OSError, EOFError) as error:
        raise ReportError(f"the artifact holds no {FILE}: {type(error).__name__}") from None
    if len(content) > LONGEST_REPORT:
        raise ReportError(f"{FILE} has more than {LONGEST_REPORT:,} bytes, which no report has")
    try:
        return _JSON.validate_json(content)
    except ValidationError as error:
        raise ReportError(
            f"{FILE} is no report as this revision writes them: {error.error_count()} places in it are otherwise"
        ) from None


# --- Told


def markdown(found: Report | None, run: Checked | None = None, longest: int = LONGEST_COMMENT) -> str:
    """The comment. None: the run that it is about has left no report."""
    kept, size = [], 0
    for line in _lines(found, run):
        size += len(line) + 1
        if size > longest:
            kept.append("\n… and more than fits into a comment: `make pr-check` prints all of it.")
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def _lines(found: Report | None, run: Checked | None) -> Iterator[str]:
    """Line by line, but what must not be torn apart as one."""
    yield "## What this changes"
    if run:
        yield f"\nThe checks: [{run.conclusion}]({run.url})."
    if run and run.fork:
        yield (
            f"\nThis comes from the fork {diffed.code(run.fork)}, and its own code says it: read the code too."
            " A fork's change is not previewed, since no secret goes to it."
        )
    if not found:
        yield "\nThey ended before they could compare the stacks."
        return
    if same := [diffed.code(diffed.plain(stack.stack)) for stack in found.stacks if not stack.changed]:
        yield f"\nCompared with {diffed.code(diffed.plain(found.base))} nothing changes in {', '.join(same)}."
    for stack in found.stacks:
        if stack.changed:
            yield from _of(stack)


def _of(stack: StackReport) -> Iterator[str]:
    name = diffed.prose(stack.stack)
    yield ""
    if stack.diff:
        yield from diffed.markdown(stack.diff).splitlines()
    else:
        told = f"{name} cannot be compared" if stack.failed else name
        yield f"### {told}\n"
        yield (
            _fenced(stack.told)
            if stack.failed
            else f"{diffed.prose(stack.told)[:1].upper()}{diffed.prose(stack.told)[1:]}."
        )
    if stack.preview:
        ended = f", which failed (exit code {stack.preview.code})" if stack.preview.code else ""
        summary = f"<summary>pulumi preview of {name}{ended}</summary>"
        yield f"\n<details>{summary}\n\n{_fenced(stack.preview.text)}\n\n</details>"


def _fenced(text: str) -> str:
    """Literal text, which cannot end its fence: nobody is called by it, and nothing in it is a link."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    lines = "\n".join(diffed.plain(line) for line in text.splitlines())
    return f"{fence}text\n{lines}\n{fence}"
