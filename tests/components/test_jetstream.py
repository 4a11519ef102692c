"""What is read of JetStream's monitoring port, a single server's and a cluster's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from urllib3.exceptions import HTTPError

from components.jetstream import SERVERS_ASKED, JetStream, Silent, Unknown, look
from routes.settings import Monitor
from tests.components.api_server import ApiServer

MONITOR = Monitor.model_validate({"namespace": "nats", "service": "nats"})
Json = dict[str, Any]


def stream(*consumers: Json, name: str = "default", **more: object) -> Json:
    detail = {"name": name, "config": {"num_replicas": 1}, "consumer_detail": list(consumers)}
    return {"account_details": [{"name": "x", "stream_detail": [detail]}], **more}


def consumer(name: str, pending: int, unacknowledged: int = 0, **more: object) -> Json:
    return {"name": name, "num_pending": pending, "num_ack_pending": unacknowledged, **more}


def led_by(leader: str, *, of: str) -> Json:
    """The consumer's cluster as the server `of` tells it: without itself."""
    return {"cluster": {"leader": leader, "replicas": [{"name": n} for n in ("js-0", "js-1", "js-2") if n != of]}}


def seen(*answers: Json, status: int = 200) -> JetStream | Unknown:
    return look(ApiServer(*answers, status=status), MONITOR)


def test_what_was_not_acknowledged_waits() -> None:
    assert seen(stream(consumer("a", 5, 1), consumer("b", 0))) == JetStream({"num_replicas": 1}, {"a": 6, "b": 0})


def test_how_many_were_accepted_and_when_the_last_was_acknowledged_is_told() -> None:
    answer = stream(
        consumer("a", 5, ack_floor={"last_active": "2026-11-25T00:07:17.123456789Z"}), consumer("b", 0, ack_floor={})
    )
    answer["account_details"][0]["stream_detail"][0]["state"] = {"last_seq": 12}
    found = seen(answer)
    assert isinstance(found, JetStream)
    assert (found.accepted, found.done) == (12, {"a": datetime(2026, 11, 25, 0, 7, 17, 123456, tzinfo=UTC)})


def test_what_was_delivered_and_who_asks_for_more_is_told_by_the_consumers_leader_alone() -> None:
    found = seen(
        stream(
            consumer("a", 5, delivered={"consumer_seq": 7, "stream_seq": 9}, num_waiting=1),
            consumer("b", 5, delivered={"consumer_seq": 3, "stream_seq": 9}),
            consumer("c", 0, delivered={"consumer_seq": 0}, num_waiting=1, **led_by("js-0", of="js-1")),
        )
    )
    assert isinstance(found, JetStream)
    assert (found.delivered, found.asked) == ({"a": 7, "b": 3}, frozenset({"a"}))


def test_other_streams_are_none_of_the_engines() -> None:
    assert seen(stream(consumer("a", 5), name="orders")) == JetStream(None, {})


def test_a_sensors_store_tells_how_long_ago_it_was_written() -> None:
    answer = stream(name="KV_github-x", now="2026-11-25T00:01:00Z")
    answer["account_details"][0]["stream_detail"][0]["state"] = {"messages": 3, "last_ts": "2026-11-25T00:00:30.5Z"}
    found = seen(answer)
    assert isinstance(found, JetStream)
    assert found.saved == {"github-x": timedelta(seconds=29.5)}
    answer["account_details"][0]["stream_detail"][0]["state"] = {"messages": 0, "last_ts": "0001-01-01T00:00:00Z"}
    assert seen(answer) == JetStream(None, {})


def test_the_first_message_is_the_oldest_of_those_who_have_acknowledged_nothing_from_there_on() -> None:
    answer = stream(
        consumer("at it", 5, ack_floor={"stream_seq": 9}),
        consumer("past it", 2, ack_floor={"stream_seq": 10}),
        consumer("done", 0, ack_floor={"stream_seq": 9}),
    )
    state = {"messages": 5, "first_seq": 10, "first_ts": "2026-11-25T00:07:17.5Z"}
    answer["account_details"][0]["stream_detail"][0]["state"] = state
    found = seen(answer)
    assert isinstance(found, JetStream)
    assert found.oldest == datetime(2026, 11, 25, 0, 7, 17, 500000, tzinfo=UTC)
    assert found.at_oldest == {"at it"}
    state["messages"] = 0
    empty = seen(answer)
    assert isinstance(empty, JetStream)
    assert (empty.oldest, empty.at_oldest) == (None, frozenset())


def test_a_stream_without_consumers_has_nothing_that_waits() -> None:
    answer = stream()
    answer["account_details"][0]["stream_detail"][0]["consumer_detail"] = None
    assert seen(answer) == JetStream({"num_replicas": 1}, {})


def test_of_a_cluster_the_consumers_leader_is_believed() -> None:
    # As nats-server 2.15 tells it: who does not lead says that nothing waits.
    follower = stream(consumer("a", 0, **led_by("js-1", of="js-0")), meta_cluster={})
    leader = stream(consumer("a", 7, **led_by("js-1", of="js-1")), meta_cluster={})
    for answers in ((follower, follower, leader), (leader, follower)):
        assert seen(*answers) == JetStream({"num_replicas": 1}, {"a": 7})


def test_a_server_of_a_cluster_that_has_no_copy_is_not_believed() -> None:
    assert seen({"meta_cluster": {}}, stream(consumer("a", 7), meta_cluster={})) == JetStream(
        {"num_replicas": 1}, {"a": 7}
    )


@pytest.mark.parametrize("leader", ["js-1", ""])
def test_a_leader_that_never_answers_leaves_it_open(leader: str) -> None:
    api = ApiServer(stream(consumer("a", 0, **led_by(leader, of="js-0")), meta_cluster={}))
    assert look(api, MONITOR) == JetStream({"num_replicas": 1}, {"a": None})
    assert len(api.asked) == SERVERS_ASKED


def test_a_single_server_is_asked_once() -> None:
    api = ApiServer({})
    assert look(api, MONITOR) == JetStream(None, {})
    assert len(api.asked) == 1


def test_why_it_cannot_be_asked_is_told() -> None:
    assert look(ApiServer(), None) == "eventBus.monitor is not set"
    assert seen(status=403) == "no right to ask nats/nats (get services/proxy)"
    silent = seen(status=503)
    assert isinstance(silent, Silent)
    assert silent == "nats/nats does not answer (503)"


def test_one_that_takes_too_long_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, **__: object) -> None:
        raise HTTPError("late")

    monkeypatch.setattr(ApiServer, "call_api", late)
    assert isinstance(seen(), Silent)
