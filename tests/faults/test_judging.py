"""How a burst is made, and how it is judged."""

from __future__ import annotations

from collections import Counter

import pytest

from routes import FAMILIES
from tests.faults.burst import Answer, plan
from tests.faults.judging import judge, should_start

SHOULD = {"pr": frozenset({"pull-requests"}), "both": frozenset({"triage", "security"})}


@pytest.mark.parametrize("size", [210, 1000])
def test_a_burst_holds_every_kind_and_a_tenth_of_it_is_sent_again(size: int) -> None:
    planned = plan(size)
    assert {one.dependency for one in planned} == {d.name for f in FAMILIES for r in f.routes for d in r.deliveries}
    assert len(planned) == size
    assert len({one.delivery for one in planned}) == size - size // 10
    assert len(set(planned)) == len({one.delivery for one in planned}), "what is sent again is the same"


def test_every_sensor_has_as_much_to_do() -> None:
    first = {one.delivery: one.dependency for one in plan(1000)}
    of = {
        delivery.name: route.sensor for family in FAMILIES for route in family.routes for delivery in route.deliveries
    }
    work = Counter(of[dependency] for dependency in first.values())
    assert max(work.values()) - min(work.values()) <= 2


def test_the_engine_says_that_each_kind_starts_one_workflow() -> None:
    of = {
        delivery.name: {route.sensor} for family in FAMILIES for route in family.routes for delivery in route.deliveries
    }
    assert should_start() == of


def test_one_workflow_for_each_route_is_neither_lost_nor_doubled() -> None:
    answers = [Answer("a", "pr", 200), Answer("b", "both", 200), Answer("a", "pr", 200)]
    verdict = judge(answers, [("a", "pull-requests"), ("b", "triage"), ("b", "security")], SHOULD, posted=3)
    assert (verdict.lost, verdict.doubled, verdict.strange, verdict.unaccepted) == ([], [], [], 0)
    assert (verdict.accepted, verdict.redelivered, verdict.created) == (2, 1, 3)


def test_what_was_accepted_and_has_no_workflow_on_one_of_its_routes_is_lost() -> None:
    verdict = judge([Answer("b", "both", 200)], [("b", "triage")], SHOULD, posted=1)
    assert verdict.lost == [("b", "security")]


def test_a_second_workflow_is_doubled_and_one_of_another_route_is_strange() -> None:
    started = [("a", "pull-requests"), ("a", "pull-requests"), ("a", "triage")]
    verdict = judge([Answer("a", "pr", 200)], started, SHOULD, posted=1)
    assert verdict.doubled == [("a", "pull-requests")]
    assert verdict.strange == [("a", "triage")]


def test_what_was_never_accepted_is_not_lost_but_its_workflow_is_counted() -> None:
    answers = [Answer("a", "pr", 500), Answer("c", "pr", 0), Answer("d", "pr", 0)]
    verdict = judge(answers, [("d", "pull-requests")], SHOULD, posted=3)
    assert (verdict.accepted, verdict.refused, verdict.unanswered) == (0, 1, 2)
    assert (verdict.lost, verdict.unaccepted) == ([], 1)


def test_a_repeated_delivery_is_accepted_but_was_refused_at_first() -> None:
    answers = [Answer("a", "pr", 500), Answer("a", "pr", 200)]
    verdict = judge(answers, [("a", "pull-requests")], SHOULD, posted=1)
    assert (verdict.accepted, verdict.refused, verdict.lost) == (1, 1, [])
