"""What JetStream says of itself on its servers' monitoring ports: what waits for whom, and what the store holds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import urllib3

from components.jetstream import leads
from routes.streams import STREAM


@dataclass(frozen=True)
class Consumer:
    """`waiting`: messages that it has not acknowledged. `floor`: the last before which it acknowledged all."""

    waiting: int
    floor: int


@dataclass(frozen=True)
class Stream:
    """An account's stream of events, its consumers by name. `leader`: the server that leads it, of several."""

    messages: int
    bytes: int
    config: dict[str, Any]
    consumers: dict[str, Consumer]
    leader: str

    @property
    def waiting(self) -> int:
        """What waits for the slowest of its consumers."""
        return max((consumer.waiting for consumer in self.consumers.values()), default=0)


def look(monitors: Sequence[str], account: str) -> Stream | None:
    """The stream of an account; None before it is made, and while a server is away that leads it or a consumer."""
    found = [stream for monitor in monitors for stream in _streams(monitor, account)]
    told = [consumer for stream in found for consumer in stream.get("consumer_detail") or []]
    leading = {consumer["name"]: _consumer(consumer) for consumer in told if leads(consumer.get("cluster"))}
    stream = next((stream for stream in found if leads(stream.get("cluster"))), None)
    if stream is None or {consumer["name"] for consumer in told} != leading.keys():
        return None
    state, cluster = stream["state"], stream.get("cluster") or {}
    return Stream(state["messages"], state["bytes"], stream["config"], leading, cluster.get("leader", ""))


def _streams(monitor: str, account: str) -> Iterator[dict[str, Any]]:
    url = f"{monitor}/jsz?acc={account}&consumers=true&config=true"
    try:
        response = urllib3.request("GET", url, timeout=2.0, retries=False)
        answer = json.loads(response.data) if response.status == 200 else {}
    except (urllib3.exceptions.HTTPError, ValueError):
        return
    for details in answer.get("account_details") or []:
        yield from (stream for stream in details.get("stream_detail") or [] if stream["name"] == STREAM)


def _consumer(told: dict[str, Any]) -> Consumer:
    return Consumer(told["num_pending"] + told["num_ack_pending"], told["ack_floor"]["stream_seq"])
