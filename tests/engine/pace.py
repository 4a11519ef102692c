"""The pace of the requirements: so many Workflows a minute for each route, and ten minutes of trying."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cli.engine import Limits

EVERY: Mapping[str, int] = {
    "pr-validation": 3000,  # 20 a minute
    "coderun-rex-issue-comment": 2000,  # 30
    "coderun-rex-pr-comment": 2000,  # 30
    "coderun-triage": 4000,  # 15
    "implementation-dag": 6000,  # 10
    "coderun-security": 6000,  # 10
    "orchestrator-resume-close": 6000,  # 10
}
"""Milliseconds between two Workflows, by trigger."""

PATIENCE = 10 * 60_000 - 5_000
"""Milliseconds from the first attempt to the last: of an attempt every five seconds for ten minutes."""


def wrong_pace(limits: Iterable[Limits]) -> list[str]:
    """What is wrong with the pace of triggers, in one line each."""
    told = []
    for limit in limits:
        if limit.every != EVERY.get(limit.trigger):
            told.append(f"{limit.trigger}: a Workflow every {limit.every} ms; expected {EVERY.get(limit.trigger)}")
        if limit.patience != PATIENCE:
            told.append(f"{limit.trigger}: tries for {limit.patience} ms; expected {PATIENCE}")
    return told
