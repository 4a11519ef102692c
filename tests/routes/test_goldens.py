"""Goldens: whole documents of every stack. `make golden` writes them; a missing one fails."""

import json
from pathlib import Path

import pytest

from cli.stacks import compiled, stack_names

GOLDENS = Path(__file__).parent.parent / "goldens"


@pytest.mark.parametrize("stack", stack_names())
def test_the_stack_renders_as_committed(stack: str) -> None:
    golden = GOLDENS / f"{stack}.json"
    assert golden.exists(), f"{golden.name} is missing; `make golden` writes it"
    rendered = json.dumps(compiled(stack).objects(), indent=2, ensure_ascii=False) + "\n"
    assert rendered == golden.read_text(), "the stack renders otherwise; see `make golden` and `git diff`"


def test_every_golden_has_its_stack() -> None:
    assert sorted(path.stem for path in GOLDENS.glob("*.json")) == stack_names()
