"""How fast and how long each route tries, by the engine's own limiter and backoff."""

import pytest

from cli.engine import Engine, Limits
from routes.compiler import CompiledStack
from tests.engine.pace import EVERY, wrong_pace


def test_each_route_keeps_the_pace_of_the_requirements(engine: Engine, stack: CompiledStack) -> None:
    limits = engine.limits(stack.all_sensors())
    assert [limit.trigger for limit in limits] == list(EVERY)
    assert wrong_pace(limits) == []


@pytest.mark.parametrize(
    "limit",
    [
        Limits("pr-validation", every=50, patience=595_000),
        Limits("pr-validation", every=3000, patience=590_000),
        Limits("pr-validation", every=3000, patience=600_000),
        Limits("another", every=3000, patience=595_000),
    ],
)
def test_another_pace_is_told(limit: Limits) -> None:
    assert len(wrong_pace([limit])) == 1
