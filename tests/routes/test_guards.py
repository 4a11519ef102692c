"""The guards as conditions, and what is said of those that are off. The engine judges them in tests/engine."""

from typing import Any

import pytest

from routes import FAMILIES
from routes.guards import fires_on, warning
from routes.model import Is
from routes.settings import StackSettings, parse_settings
from tests.routes.test_settings import MINIMAL

ROUTES = [route for family in FAMILIES for route in family.routes]
OFF: dict[str, Any] = {
    "trust": "anyone",
    "neverAnswered": {"logins": []},
    "repositories": ["*/*"],
    "triage": {"checkRuns": "all", "forks": "run", "branchesIgnore": []},
}


def settings(**changes: object) -> StackSettings:
    return parse_settings(MINIMAL | changes, source="test")


@pytest.mark.parametrize("changes", [{}, OFF], ids=["not said", "said"])
def test_with_every_guard_off_the_table_stands_as_it_is(changes: dict[str, Any]) -> None:
    for route in ROUTES:
        for kind, guarded in zip(route.deliveries, fires_on(route, settings(**changes)), strict=True):
            draft = (Is("pull_request.draft", False),) if kind.name == "pr" else ()
            assert (guarded.name, guarded.event, guarded.actions) == (kind.name, kind.event, kind.actions)
            assert guarded.where == (*kind.where, *draft)


def test_a_merge_a_push_and_what_has_no_author_need_no_trust() -> None:
    open_to_all, trusting = settings(), settings(trust="members")
    changed = {
        kind.name
        for route in ROUTES
        for kind, other in zip(fires_on(route, open_to_all), fires_on(route, trusting), strict=True)
        if kind != other
    }
    assert changed == {"pr", "ic", "prc", "issues"}


def told(**changes: object) -> list[str]:
    """The settings that the warning names."""
    return [line.split(":")[0].strip() for line in warning(settings(**changes)).splitlines()[1:]]


def test_every_guard_that_is_off_is_told_once_with_what_to_write() -> None:
    assert told() == [
        "trust",
        "neverAnswered",
        "repositories",
        "triage.checkRuns",
        "triage.forks",
        "triage.branchesIgnore, triage.actorsIgnore",
    ]
    text = warning(settings())
    assert text.startswith("6 guards are off (docs/who-is-answered.md); a guard that the stack sets, be it off, is not")
    assert (
        "\n  trust: any stranger starts github-pr-to-pr-validation, github-issue-comment-to-rex,"
        " github-pr-review-comment-to-rex, github-issues-to-implementation; write trust: members, or trust: anyone\n"
    ) in text


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"trust": "contributors"}, "trust"),
        ({"neverAnswered": {"apps": ["my-agent"]}}, "neverAnswered"),
        ({"repositories": ["acme/*"]}, "repositories"),
        ({"triage": {"checkRuns": "external"}}, "triage.checkRuns"),
        ({"triage": {"forks": "skip"}}, "triage.forks"),
        ({"triage": {"branchesIgnore": ["agent/*"]}}, "triage.branchesIgnore, triage.actorsIgnore"),
        ({"triage": {"actorsIgnore": ["my-agent"]}}, "triage.branchesIgnore, triage.actorsIgnore"),
    ],
)
def test_a_guard_that_is_on_is_not_told(changes: dict[str, object], name: str) -> None:
    assert set(told()) - set(told(**changes)) == {name}


def test_a_guard_that_is_meant_to_be_off_is_not_told() -> None:
    assert warning(settings(**OFF)) == ""
    assert warning(settings(**{key: value for key, value in OFF.items() if key != "trust"})).startswith(
        "a guard is off (docs/"
    )


def test_only_routes_that_are_on_and_open_are_told() -> None:
    text = warning(
        settings(
            routes={
                "github-issues-to-implementation": {"trust": "members"},
                "github-issue-comment-to-rex": {"trust": "anyone"},
                "github-pr-to-pr-validation": {"enabled": False},
            }
        )
    )
    assert "\n  trust: any stranger starts github-pr-review-comment-to-rex; write" in text
    only_ci = {route.sensor: {"enabled": route.sensor == "github-ci-failures-to-triage"} for route in ROUTES}
    assert told(routes=only_ci) == [
        "repositories",
        "triage.checkRuns",
        "triage.forks",
        "triage.branchesIgnore, triage.actorsIgnore",
    ]
    all_off = {route.sensor: {"enabled": False} for route in ROUTES}
    assert told(routes=all_off) == []
