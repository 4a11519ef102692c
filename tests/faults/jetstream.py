"""What JetStream says of itself on its monitoring port: what waits for whom, and what the store holds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import urllib3

from lab.layout import LAB_ADDRESS, NATS_MONITOR_PORT

STREAM = "default"
"""The engine's stream of all events."""


@dataclass(frozen=True)
class Consumer:
    """`waiting`: messages that it has not acknowledged. `floor`: the last before which it acknowledged all."""

    waiting: int
    floor: int


@dataclass(frozen=True)
class Stream:
    """An account's stream of events, its consumers by name."""

    messages: int
    bytes: int
    config: dict[str, Any]
    consumers: dict[str, Consumer]

    @property
    def waiting(self) -> int:
        """What waits for the slowest of its consumers."""
        return max((consumer.waiting for consumer in self.consumers.values()), default=0)


def look(account: str) -> Stream | None:
    """The stream of an account; None while NATS is away, or before the stream is made."""
    url = f"http://{LAB_ADDRESS}:{NATS_MONITOR_PORT}/jsz?acc={account}&consumers=true&config=true"
    try:
        response = urllib3.request("GET", url, timeout=2.0, retries=False)
        answer = json.loads(response.data) if response.status == 200 else {}
    except (urllib3.exceptions.HTTPError, ValueError):
        return None
    for details in answer.get("account_details") or []:
        for stream in details.get("stream_detail") or []:
            if stream["name"] == STREAM:
                return Stream(
                    stream["state"]["messages"],
                    stream["state"]["bytes"],
                    stream["config"],
                    {c["name"]: _consumer(c) for c in stream.get("consumer_detail") or []},
                )
    return None


def _consumer(told: dict[str, Any]) -> Consumer:
    return Consumer(told["num_pending"] + told["num_ack_pending"], told["ack_floor"]["stream_seq"])
