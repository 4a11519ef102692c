"""What NATS's Prometheus exporter says, for a NATS without one: the lab cannot have the exporter itself.

The numbers are NATS's own, from its monitoring port. The names and labels are those of prometheus-nats-exporter 0.20.1
(`collector/jsz.go`) with `-prefix=nats -jsz=all`, as far as the rules and the dashboard look at them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import urllib3

from lab.layout import LAB_ADDRESS, NATS_MONITOR_PORT

JSZ = f"http://{LAB_ADDRESS}:{NATS_MONITOR_PORT}/jsz?consumers=true&config=true"


class Exporter:
    """Serves them on `port` of the loopback interface, from the `with` on. While NATS is away there are none."""

    def __init__(self, port: int) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Meanwhile it says nothing."""
        _Handler.silent = True
        try:
            yield
        finally:
            _Handler.silent = False


class _Handler(BaseHTTPRequestHandler):
    silent = False

    def do_GET(self) -> None:
        if self.silent:
            self.send_error(503)
            return
        try:
            answer = json.loads(urllib3.request("GET", JSZ, timeout=2.0, retries=False).data)
        except (urllib3.exceptions.HTTPError, ValueError):
            answer = {}
        text = "".join(f"{line}\n" for line in metrics(answer)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def metrics(answer: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the exposition format, of one server that leads all it has."""
    for account in answer.get("account_details") or []:
        for stream in account.get("stream_detail") or []:
            of_stream = {"account": account["name"], "stream_name": stream["name"], "is_stream_leader": "true"}
            yield _line("stream_total_bytes", of_stream, stream["state"]["bytes"])
            for consumer in stream.get("consumer_detail") or []:
                of_consumer = of_stream | {"consumer_name": consumer["name"], "is_consumer_leader": "true"}
                yield _line("consumer_num_pending", of_consumer, consumer["num_pending"])
                yield _line("consumer_num_ack_pending", of_consumer, consumer["num_ack_pending"])


def _line(name: str, labels: Mapping[str, str], value: int) -> str:
    told = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"nats_{name}{{{told}}} {value}"
