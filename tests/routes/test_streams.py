"""The engine's stream: what a stack says of it, and what is told of one that is otherwise."""

import pytest

from routes.manifests import Manifest
from routes.streams import Difference, differences, stream_config
from tests.routes.test_compiler import stack
from tests.routes.test_settings import EXOTIC

# As JetStream's /jsz tells it of a stream that the engine made with `replicas: 1` and nothing else.
MADE = {
    "name": "default",
    "subjects": ["default.*.*"],
    "retention": "limits",
    "max_consumers": -1,
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "max_msg_size": -1,
    "discard": "old",
    "storage": "file",
    "num_replicas": 1,
    "duplicate_window": 120000000000,
}


@pytest.mark.parametrize(
    ("changes", "replicas"),
    [({}, 3), ({"eventBus": {"kind": "native", "replicas": 5}}, 5), ({"eventBus": EXOTIC}, 1)],
)
def test_a_stack_says_on_how_many_servers_its_stream_is(changes: dict[str, object], replicas: int) -> None:
    assert stream_config(stack(**changes).event_bus)["replicas"] == replicas


@pytest.mark.parametrize("bus", [{"jetstream": {}}, {"jetstream": {"streamConfig": ""}}])
def test_an_event_bus_that_says_nothing_of_its_stream_wants_nothing(bus: Manifest) -> None:
    assert stream_config({"spec": bus}) == {}
    assert differences({}, MADE) == []


@pytest.mark.parametrize(
    ("wanted", "difference"),
    [
        ({"replicas": 3}, Difference("replicas", "1", "3", "--replicas=3")),
        ({"maxAge": "72h"}, Difference("maxAge", "0h", "72h", "--max-age=72h")),
        ({"maxAge": "1h30m"}, Difference("maxAge", "0h", "90m", "--max-age=90m")),
        ({"maxMsgs": 50}, Difference("maxMsgs", "-1", "50", "--max-msgs=50")),
        ({"maxBytes": 1024}, Difference("maxBytes", "-1", "1024", "--max-bytes=1024")),
        ({"duplicates": "300s"}, Difference("duplicates", "2m", "5m", "--dupe-window=5m")),
        ({"discard": 1}, Difference("discard", "old", "new", "--discard=new")),
        ({"retention": 2}, Difference("retention", "limits", "workqueue", "--retention=work")),
    ],
    ids=str,
)
def test_what_is_otherwise_is_told_with_what_makes_it_so(wanted: dict[str, object], difference: Difference) -> None:
    assert differences({"replicas": 1} | wanted, MADE) == [difference]


@pytest.mark.parametrize(
    "wanted",
    [
        {"replicas": 1},
        {"maxAge": "0s", "maxMsgs": -1, "maxBytes": 0},
        {"maxMsgs": 0, "maxBytes": -1, "duplicates": "120s", "discard": 0, "retention": 0},
        {"duplicates": 120000000000},
        {"somethingElse": 7},
    ],
    ids=str,
)
def test_what_the_engine_would_have_made_so_is_no_difference(wanted: dict[str, object]) -> None:
    assert differences(wanted, MADE) == []
