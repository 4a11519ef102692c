"""When a pod is ready."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lab.podspec import Probe
from lab.probes import Readiness
from lab.process import Command, Process


class Container:
    """What answers the probes, by path."""

    def __init__(self) -> None:
        self.statuses = {"/started": 503, "/ready": 503}
        container = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(container.statuses[self.path])
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()

    def probe(self, path: str, delay: float = 0) -> Probe:
        return Probe(path, self.server.server_port, delay, period=0.02, timeout=1, failures=2)


@pytest.fixture
def container() -> Iterator[Container]:
    found = Container()
    yield found
    found.server.shutdown()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    found = Process("nats", lambda: Command(["/bin/sleep", "60"], {}), tmp_path / "log", lambda: None)
    found.start()
    eventually(lambda: found.running)
    yield found
    found.stop()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_probes_a_pod_is_ready_when_it_runs(process: Process) -> None:
    assert Readiness(process, "127.0.0.1", None, None, lambda: None).ready
    process.stop()
    assert not Readiness(process, "127.0.0.1", None, None, lambda: None).ready


def test_a_pod_is_ready_once_it_has_started_and_as_long_as_it_says_so(container: Container, process: Process) -> None:
    changes: list[bool] = []
    found = Readiness(
        process,
        "127.0.0.1",
        container.probe("/started"),
        container.probe("/ready"),
        lambda: changes.append(found.ready),
    )
    container.statuses["/ready"] = 200
    found.watch()
    time.sleep(0.7)
    assert not found.ready, "its startup probe fails"
    container.statuses["/started"] = 200
    eventually(lambda: found.ready)
    container.statuses["/started"] = 503
    container.statuses["/ready"] = 503
    eventually(lambda: not found.ready)
    found.stop()
    assert changes == [True, False]
