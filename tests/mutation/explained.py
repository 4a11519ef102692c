"""Mutants that no check without a cluster notices, and why that is right or who does notice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Explanation:
    """`of`: a regular expression for names of mutants. `test`: the one that fails for them; empty: nothing could."""

    of: str
    why: str
    test: str = ""


EXPLANATIONS: tuple[Explanation, ...] = ()


def sort_out(
    survivors: Iterable[str],
) -> tuple[dict[Explanation, list[str]], list[str], list[Explanation]]:
    """Survivors by what explains them, those that nothing explains, and explanations of nothing."""
    explained: dict[Explanation, list[str]] = {}
    unexplained = []
    for survivor in survivors:
        found = next((e for e in EXPLANATIONS if re.search(e.of, survivor)), None)
        if found:
            explained.setdefault(found, []).append(survivor)
        else:
            unexplained.append(survivor)
    return explained, unexplained, [e for e in EXPLANATIONS if e not in explained]


def missing_tests() -> list[str]:
    """Tests that an explanation names and that are not there."""
    return [e.test for e in EXPLANATIONS if e.test and not _there(e.test)]


def _there(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / path
    return file.exists() and f"\ndef {name}(" in file.read_text()
