"""What JetStream says of its stream and consumers at its monitoring port, through the API server's proxy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from kubernetes import client
from urllib3.exceptions import HTTPError

from components.cluster import read
from routes.settings import Monitor
from routes.streams import STREAM

SERVERS_ASKED = 20
"""How often a cluster of NATS is asked: the Service leads to any server, and only a consumer's leader knows."""


_STORE = "KV_"


class Unknown(str):
    """Why JetStream cannot be asked."""


class Silent(Unknown):
    """It did not answer: it is not up yet, or not any more."""


@dataclass(frozen=True)
class JetStream:
    """The configuration of the engine's stream, None where there is no such stream, and what waits on each consumer.

    A delivery waits that a Sensor has not acknowledged. None: the server that knows did not answer. `accepted` is how
    many deliveries the stream has ever taken; `done`, when each consumer's last one was acknowledged.

    `oldest` is when the first delivery was taken that the stream still has. The consumers `at_oldest` wait for it; what
    waits for the others is younger, by how much JetStream does not tell.

    `saved` is how long ago each Sensor last wrote down what it is, which it does when it starts, after it has deleted
    the consumers that are no longer its own.

    `delivered` is how often each consumer has handed a delivery out, a second time too. The Sensors of those that are
    `asked` ask for one at this moment.
    """

    config: Mapping[str, Any] | None
    waiting: Mapping[str, int | None]
    accepted: int | None = None
    done: Mapping[str, datetime] = field(default_factory=dict)
    oldest: datetime | None = None
    at_oldest: frozenset[str] = frozenset()
    saved: Mapping[str, timedelta] = field(default_factory=dict)
    delivered: Mapping[str, int] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    clustered: bool = field(default=False, compare=False)


def path_of(monitor: Monitor) -> str:
    """Where the API server lets one ask it: its proxy."""
    return f"/api/v1/namespaces/{monitor.namespace}/services/{monitor.service}:{monitor.port}/proxy/jsz"


def query_of(monitor: Monitor) -> dict[str, str]:
    return {"consumers": "true", "config": "true"} | ({"acc": monitor.account} if monitor.account else {})


def look(api: client.ApiClient, monitor: Monitor | None) -> JetStream | Unknown:
    """What JetStream says now, or why it cannot be asked."""
    if monitor is None:
        return Unknown("eventBus.monitor is not set")
    config: Mapping[str, Any] | None = None
    waiting: dict[str, int | None] = {}
    accepted: int | None = None
    done: dict[str, datetime] = {}
    floors: dict[str, int] = {}
    first: tuple[int, datetime] | None = None
    saved: dict[str, timedelta] = {}
    delivered: dict[str, int] = {}
    asked: set[str] = set()
    clustered = False
    for _ in range(SERVERS_ASKED):
        answer = _ask(api, monitor)
        if isinstance(answer, Unknown):
            return answer
        saved |= _saved(answer)
        clustered = "meta_cluster" in answer
        streams = [stream for stream in _streams(answer) if stream["name"] == STREAM]
        for stream in streams:
            config, state = stream.get("config", config), stream.get("state", {})
            accepted = max(accepted or 0, last) if (last := state.get("last_seq")) else accepted
            if leads(stream.get("cluster")) and state.get("messages"):
                first = state["first_seq"], datetime.fromisoformat(state["first_ts"])
            for consumer in stream.get("consumer_detail") or []:
                count = consumer.get("num_pending", 0) + consumer.get("num_ack_pending", 0)
                known = leads(consumer.get("cluster"))
                waiting[consumer["name"]] = count if known else waiting.get(consumer["name"])
                if known and "delivered" in consumer:
                    delivered[consumer["name"]] = consumer["delivered"]["consumer_seq"]
                    asked |= {consumer["name"]} if consumer.get("num_waiting") else set()
                if known and (floor := consumer.get("ack_floor", {})):
                    floors[consumer["name"]] = floor.get("stream_seq", 0)
                    if moment := floor.get("last_active"):
                        done[consumer["name"]] = datetime.fromisoformat(moment)
        if not clustered or (streams and None not in waiting.values()):
            break
    number, oldest = first or (0, None)
    at_oldest = frozenset(name for name, floor in floors.items() if waiting[name] and floor < number)
    return JetStream(config, waiting, accepted, done, oldest, at_oldest, saved, delivered, frozenset(asked), clustered)


def members(api: client.ApiClient, monitor: Monitor) -> frozenset[str] | Unknown:
    """The names of the servers of a cluster of NATS, as the one that leads it says; Silent while none does."""
    for _ in range(SERVERS_ASKED):
        answer = _ask(api, monitor)
        if isinstance(answer, Unknown):
            return answer
        cluster = answer.get("meta_cluster") or {}
        if "replicas" in cluster:
            return frozenset([cluster["leader"], *(server["name"] for server in cluster["replicas"])])
    return Silent("no server of NATS says that it leads the others")


def _ask(api: client.ApiClient, monitor: Monitor) -> dict[str, Any] | Unknown:
    where = f"{monitor.namespace}/{monitor.service}"
    try:
        return read(api, path_of(monitor), **query_of(monitor))
    except HTTPError:
        return Silent(f"{where} does not answer")
    except client.ApiException as error:
        if error.status == 403:
            return Unknown(f"no right to ask {where} (get services/proxy)")
        return Silent(f"{where} does not answer ({error.status})")


def _streams(answer: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for account in answer.get("account_details", []):
        yield from account.get("stream_detail", [])


def _saved(answer: Mapping[str, Any]) -> Iterator[tuple[str, timedelta]]:
    """By Sensor, whose key-value store is a stream of this name, by the server's own clock."""
    for stream in _streams(answer):
        if stream["name"].startswith(_STORE) and stream["state"]["messages"]:
            age = datetime.fromisoformat(answer["now"]) - datetime.fromisoformat(stream["state"]["last_ts"])
            yield stream["name"].removeprefix(_STORE), age


def leads(cluster: Mapping[str, Any] | None) -> bool:
    """Whether the server that answers leads: it is not among its own peers. The others do not count what waits."""
    if cluster is None:
        return True
    leader = cluster.get("leader")
    return bool(leader) and leader not in [peer["name"] for peer in cluster.get("replicas") or []]
