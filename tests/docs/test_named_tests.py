"""What the docs say is shown by a test, is: each test that they name is there."""

import re
from pathlib import Path

import pytest

from cli.stacks import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
NAMED = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")


def named(page: Path) -> list[tuple[str, str]]:
    return NAMED.findall(page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    missing = [
        f"{file}::{test}"
        for file, test in named(page)
        if not (ROOT / file).exists() or (test and f"\ndef {test}(" not in (ROOT / file).read_text())
    ]
    assert missing == []


def test_the_page_on_security_names_tests() -> None:
    assert len(named(ROOT / "docs/security.md")) > 30
