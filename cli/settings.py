"""Every setting of a stack as a person reads it: in a terminal, and as the Markdown of docs/settings.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from rich.table import Table
from rich.text import Text

from cli.diff import flat
from cli.pages import rendered
from cli.show import literal
from cli.stacks import stack_names, written_settings
from routes.settings import SECRETS, Setting, all_settings

AMOUNTS = re.compile(r"\.(requests|limits)(\.|$)")
"""What every container has. The page tells it in one line with the container."""


def table() -> Table:
    """Every setting, its default and what it is."""
    listed = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("setting", "default", "what it is"):
        listed.add_column(column, overflow="fold")
    for setting in _once(all_settings()):
        listed.add_row(*map(Text, (setting.path, setting.default, setting.meaning)))
    return listed


def markdown() -> str:
    """Every setting and what the stacks here have set, from `settings.md.j2`."""
    listed = [setting for setting in _once(all_settings()) if not AMOUNTS.search(setting.path)]
    groups = {name: list(group) for name, group in groupby(listed, lambda setting: re.split(r"[.(]", setting.path)[0])}
    stacks = {name: flat(written_settings(name)) for name in stack_names()}
    return rendered(
        Path(__file__).with_name("settings.md.j2"),
        {"code": lambda text: literal(text) if text else "", "cell": _cell},
        single=[group[0] for group in groups.values()],
        nested={name: group[1:] for name, group in groups.items() if len(group) > 1},
        stacks=stacks,
        written=_in_order({path for written in stacks.values() for path in written}, listed),
        value=lambda value: json.dumps(value, ensure_ascii=False),
        secrets=SECRETS,
    )


def _once(settings: Iterable[Setting]) -> Iterable[Setting]:
    """Without what is alike for each route but once."""
    told: set[str] = set()
    for setting in settings:
        path = re.sub(r"^routes\.[^.]+", "routes.<Sensor>", setting.path)
        if path not in told:
            told.add(path)
            yield Setting(**vars(setting) | {"path": path})


def _in_order(paths: Iterable[str], settings: Iterable[Setting]) -> list[str]:
    """Paths as a stack's file has them, in the order of the settings."""
    order: dict[str, int] = {}
    for place, setting in enumerate(settings):
        order.setdefault(re.sub(r"\(.*?\)", "", setting.path), place)
    return sorted(paths, key=lambda path: (order.get(path) or order[path.partition(".")[0]], path))


def _cell(text: str) -> str:
    """Text within a cell of a table."""
    return re.sub(r"([|<>*])", r"\\\1", text)
