"""Three NATS servers: what each says of what waits, and a stream that is changed in place."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.jetstream import JetStream, look
from lab.layout import Layout
from routes.settings import Monitor
from routes.streams import STREAM, differences
from tests.components.api_server import Answer, ApiServer
from tests.e2e.jetstream_api import request_at

pytestmark = pytest.mark.lab

CLIENTS, MONITORS, ROUTES = 24222, 28222, 26222
MONITOR = Monitor.model_validate({"namespace": "nats", "service": "nats"})


def configuration(number: int, store: Path) -> str:
    routes = ",".join(f"nats://127.0.0.1:{ROUTES + other}" for other in range(3))
    return f"""
        server_name: js-{number}
        listen: 127.0.0.1:{CLIENTS + number}
        http: 127.0.0.1:{MONITORS + number}
        jetstream {{ store_dir: "{store}" }}
        cluster {{ name: nats, listen: 127.0.0.1:{ROUTES + number}, routes: [{routes}] }}
    """


class Servers(ApiServer):
    """An API server behind whose proxy the servers answer in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = itertools.cycle(range(3))

    def call_api(self, *_: object, _request_timeout: int) -> Answer:
        url = f"http://127.0.0.1:{MONITORS + next(self.turn)}/jsz?consumers=true&config=true"
        with urllib.request.urlopen(url, timeout=_request_timeout) as response:
            return Answer(200, json.load(response))


def seen() -> JetStream:
    found = look(Servers(), MONITOR)
    assert isinstance(found, JetStream)
    return found


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The cluster with the engine's stream on one server, and seven deliveries that wait on each of three consumers."""
    folder = tmp_path_factory.mktemp("nats")
    servers = []
    try:
        for number in range(3):
            (folder / f"{number}.conf").write_text(configuration(number, folder / str(number)))
            command = [str(Layout().bin / "nats-server"), "--config", str(folder / f"{number}.conf")]
            servers.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        config = {"name": STREAM, "subjects": ["default.*.*"], "num_replicas": 1, "storage": "file"}
        made = _eventually(f"$JS.API.STREAM.CREATE.{STREAM}", config)
        for name in "abc":
            durable = {"durable_name": name, "deliver_policy": "new", "ack_policy": "explicit"}
            asked = {"stream_name": STREAM, "config": durable}
            _eventually(f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.{name}", asked)
        for number in range(7):
            _eventually("default.github-es.main", {"number": number})
        yield made["config"]
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


def _eventually(subject: str, body: Any) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        try:
            return request_at(CLIENTS, subject, body)
        except (OSError, AssertionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_what_waits_is_counted_whichever_server_has_the_stream(stream: dict[str, Any]) -> None:
    assert seen().waiting == dict.fromkeys("abc", 7)


def test_a_stream_is_changed_in_place_and_what_waits_stays(stream: dict[str, Any]) -> None:
    wanted = {"replicas": 3, "maxAge": "72h", "maxMsgs": 5000, "maxBytes": 1 << 20, "duplicates": "1h", "discard": 1}
    config = seen().config
    assert config is not None
    assert [one.name for one in differences(wanted, config)] == list(wanted)
    hour = 3600 * 10**9
    changed = {"num_replicas": 3, "max_age": 72 * hour, "max_msgs": 5000, "max_bytes": 1 << 20}
    _eventually(f"$JS.API.STREAM.UPDATE.{STREAM}", stream | changed | {"duplicate_window": hour, "discard": "new"})
    deadline = time.monotonic() + 30
    while (found := seen()).config is None or differences(wanted, found.config):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    assert differences(wanted, found.config) == []


def counted_by(number: int) -> list[int]:
    """What one server says of what waits on each consumer; nothing where it has no copy."""
    with urllib.request.urlopen(f"http://127.0.0.1:{MONITORS + number}/jsz?consumers=true", timeout=10) as response:
        accounts = json.load(response)["account_details"]
    streams = [stream for account in accounts for stream in account.get("stream_detail", [])]
    return [consumer["num_pending"] for stream in streams for consumer in stream.get("consumer_detail") or []]


def test_with_a_copy_on_each_server_only_the_leader_of_a_consumer_counts(stream: dict[str, Any]) -> None:
    deadline = time.monotonic() + 30
    while len(counts := [count for number in range(3) for count in counted_by(number)]) < 9:
        assert time.monotonic() < deadline, counts
        time.sleep(0.2)
    assert sorted(counts) == [0] * 6 + [7] * 3
    assert seen().waiting == dict.fromkeys("abc", 7)
