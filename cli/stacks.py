"""A stack's settings read from its file, without Pulumi."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from routes import FAMILIES
from routes.compiler import CompiledStack, compile_stack
from routes.settings import PROJECT, SettingsError, StackSettings, parse_settings, settings_in

ROOT = Path(__file__).parent.parent


def stack_names(root: Path = ROOT) -> list[str]:
    """The stacks that have a file."""
    return sorted(path.name.split(".")[1] for path in root.glob("Pulumi.*.yaml"))


def written_settings(stack: str, root: Path = ROOT) -> dict[str, object]:
    """What `Pulumi.<stack>.yaml` says, secrets left out. Raises SettingsError for a file that is missing or no YAML."""
    path = root / f"Pulumi.{stack}.yaml"
    if not path.exists():
        raise SettingsError(f"there is no {path.name}; the stacks here are {', '.join(stack_names(root))}")
    return _written(path)


def settings_from(path: Path) -> StackSettings:
    """The settings in a file like `Pulumi.<stack>.yaml`, wherever it is. Raises SettingsError."""
    if not path.is_file():
        raise SettingsError(f"there is no file {path}")
    return parse_settings(_written(path), source=path.name)


def _written(path: Path) -> dict[str, object]:
    try:
        document: Any = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise SettingsError(f"{path.name} is not YAML: {error}") from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        raise SettingsError(f"{path.name} has no config; write at least:\nconfig:\n  {PROJECT}:kubeContext: my-cluster")
    return settings_in(config)


def read_settings(stack: str, root: Path = ROOT) -> StackSettings:
    """The settings in `Pulumi.<stack>.yaml`. Raises SettingsError, also for a file that is missing or no YAML."""
    return parse_settings(written_settings(stack, root), source=f"Pulumi.{stack}.yaml")


def compiled(stack: str, root: Path = ROOT) -> CompiledStack:
    """The stack's objects, from the compiler alone."""
    return compile_stack(FAMILIES, read_settings(stack, root))
