"""Bad input at the running EventSource, the short form of `make fuzz`: what each kind of request gets, and no harm."""

from __future__ import annotations

import json

import pytest

from payloads import one_of_each
from tests.e2e.conftest import SECONDS, Cluster
from tests.fuzz.campaign import MEMORY, SPARE, Report, Target, run
from tests.fuzz.crowd import crowd
from tests.fuzz.kinds import KINDS
from tests.fuzz.page import PAGE, page

pytestmark = [pytest.mark.lab, pytest.mark.long]

REQUESTS, SEED, MINUTES = 600, 5, 5.0
CLIENTS, TRICKLE_SECONDS = 200, 10.0


@pytest.fixture(scope="module")
def target() -> Target:
    return Target.of_lab()


@pytest.fixture(scope="module")
def report(target: Target) -> Report:
    return run(target, REQUESTS, SEED, minutes=MINUTES)


def test_all_of_it_was_sent_and_of_every_kind(report: Report) -> None:
    assert report.sent == report.planned >= REQUESTS
    assert set(report.answers) == set(KINDS)


def test_none_is_answered_500_or_not_at_all_but_those_that_are_known(report: Report) -> None:
    assert list(report.faults()) == []


def test_each_kind_gets_what_the_page_says(report: Report) -> None:
    assert list(report.uneven()) == []
    assert page(report.of_each_kind()) == PAGE.read_text(), "if the engine's answers are right: make fuzz WRITE=1"


def test_each_delivery_that_counts_became_one_workflow_and_nothing_else_did(report: Report) -> None:
    assert len(report.expected) >= 60
    assert list(report.miscreated()) == []


def test_the_eventsource_lives_on_and_holds_no_more_than_before(report: Report) -> None:
    assert len(report.vitals) == 3
    assert list(report.ailments()) == []


def test_a_crowd_that_comes_to_no_end_holds_up_nobody(target: Target, cluster: Cluster) -> None:
    before = target.vitals()
    body = json.dumps({"": "x" * 1000}).encode()
    head = f"POST /events HTTP/1.1\r\nHost: {target.host}\r\nContent-Length: {len(body)}\r\n"
    wires = [head.encode() + b"X: y\r\n" * 50, head.encode() + b"\r\n" + body] * (CLIENTS // 2)
    kinds = one_of_each()
    payloads = [kinds[name] for name in ("pr", "ic", "prc", "ic", "prc", "pr")]
    with cluster.watch() as watcher:
        said = crowd(target.address, wires, TRICKLE_SECONDS, cluster.sender, payloads)
        assert (said.clients, said.connected) == (CLIENTS, CLIENTS)
        assert [posted.status for posted in said.posted] == [200] * len(payloads)
        assert said.slowest < 5
        assert len(watcher.of([p.delivery for p in said.posted], seconds=SECONDS, finished=False)) == len(payloads)
    after = target.calmed(before.memory + MEMORY)
    assert (after.pid, after.restarts) == (before.pid, before.restarts)
    assert after.files <= before.files + SPARE
    assert after.goroutines <= before.goroutines + SPARE
    assert after.memory <= before.memory + MEMORY
