"""A stack as a git revision has it: that revision's own code compiles that revision's own settings."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from cli.diff import DiffError, Side
from cli.stacks import ROOT, stack_names, written_settings
from routes.settings import SettingsError

STACK_FILE = re.compile(r"Pulumi\.([^.]+)\.yaml")
LAST_LINES = 8
"""How much is shown of what a revision's code says when it fails."""


def at_revision(revision: str, stack: str, root: Path = ROOT) -> Side:
    """The stack as of a revision of the git checkout at `root`. Raises DiffError."""
    commit = _commit(revision, root)
    name = f"{stack} at {revision}" + ("" if revision.startswith(commit) else f" ({commit})")
    archive = _git(root, "archive", "--format=tar", commit, otherwise=f"git cannot give the files at {revision}")
    with tempfile.TemporaryDirectory(prefix="github-to-argo-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder)
        there = Path(folder)
        _check_stack(stack, revision, there=stack_names(there), here=stack_names(root))
        try:
            settings = written_settings(stack, there)
        except SettingsError as error:
            raise DiffError(f"{name}: {error}") from None
        return Side(name=name, settings=settings, objects=_rendered(name, stack, there))


def left_from(base: str, root: Path = ROOT) -> str:
    """The commit at which HEAD has left `base`. Raises DiffError."""
    commit = _commit(base, root)
    otherwise = f"HEAD and {base} have no commit in common; in a shallow clone: `git fetch --unshallow`"
    return _git(root, "merge-base", commit, "HEAD", otherwise=otherwise).decode().strip()


def stacks_at(revision: str, root: Path = ROOT) -> list[str]:
    """The stacks that have a file at a revision. Raises DiffError."""
    listed = _git(root, "ls-tree", "--name-only", revision, otherwise=f"git cannot list the files at {revision}")
    return sorted(found[1] for name in listed.decode().splitlines() if (found := STACK_FILE.fullmatch(name)))


def _commit(revision: str, root: Path) -> str:
    """A revision's commit, short."""
    _git(root, "rev-parse", "--git-dir", otherwise="this is no git checkout, so there is no revision to compare with")
    commit = _git(
        root,
        *("rev-parse", "--short", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"),
        otherwise=f"there is no revision {revision} here; a branch or tag of the remote must be fetched first, with"
        " `git fetch origin BRANCH`, and is then FETCH_HEAD",
    )
    return commit.decode().strip()


def _check_stack(stack: str, revision: str, *, there: list[str], here: list[str]) -> None:
    if stack not in there and stack in here:
        raise DiffError(
            f"stack {stack} is new: there is no Pulumi.{stack}.yaml at {revision}, so all of it is."
            f" `python -m cli render --stack {stack}` prints it; stacks at {revision}: {', '.join(there) or 'none'}"
        )
    if stack not in here:
        gone = f"stack {stack} is gone: Pulumi.{stack}.yaml is at {revision}, but not here"
        nowhere = f"there is no Pulumi.{stack}.yaml, neither here nor at {revision}"
        raise DiffError(f"{gone if stack in there else nowhere}; the stacks here are {', '.join(here)}")


def _rendered(name: str, stack: str, folder: Path) -> list[dict[str, object]]:
    """What the code in `folder` compiles, with this Python and its packages."""
    command = [sys.executable, "-m", "cli", "render", "--stack", stack]
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    said = done.stderr
    if done.returncode == 0:
        try:
            objects: list[dict[str, object]] = json.loads(done.stdout)
            return objects
        except ValueError:
            said = done.stdout
    last = "\n".join(said.strip().splitlines()[-LAST_LINES:]).replace(f"{folder}/", "")
    raise DiffError(f"{name} cannot be rendered by its own code (`python -m cli render --stack {stack}`):\n{last}")


def _git(root: Path, *arguments: str, otherwise: str) -> bytes:
    """What git prints. Raises DiffError saying `otherwise`, and what git says."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True)
    except FileNotFoundError:
        raise DiffError("git is not installed; it is needed to see another revision") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise DiffError(f"{otherwise}\n{said}".strip())
    return done.stdout
