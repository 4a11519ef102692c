"""Pages written from templates of Jinja, which lie beside the code that knows what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def rendered(template: Path, filters: Mapping[str, Callable[[str], str]] | None = None, **values: Any) -> str:
    """The page of a template, with these values; one that is lacking is an error."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters or {}
    return environment.get_template(template.name).render(**values)
