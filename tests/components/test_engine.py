"""What is asked of the cluster about the engine, and what is said when the answer is no."""

from __future__ import annotations

import base64
import copy
import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pulumi
import pytest
from kubernetes import config

import components.engine
import components.nats_servers
from cli.stacks import compiled
from components.engine import Deployed, Engine, holds
from components.jetstream import Unknown
from components.nats_servers import NatsServers
from routes.consumers import durable_names
from routes.manifests import Manifest
from routes.settings import Monitor
from tests.components.api_server import ApiServer

# Before the fixture of this floor puts them out of action.
SERVING, SUBSCRIBED = Engine.serving, Engine.subscribed
SENSORS = [sensor for family in compiled("lab").sensors.values() for sensor in family]
CONSUMERS = sorted(name for sensor in SENSORS for name in durable_names(sensor))


def jetstream(status: int, consumers: list[str], saved: int) -> ApiServer:
    """Answers as the monitoring port does, through the API server's proxy. Each Sensor wrote `saved` seconds ago."""
    now = datetime(2026, 11, 25, tzinfo=UTC)
    state = {"messages": 3, "last_ts": (now - timedelta(seconds=saved)).isoformat()}
    stores = [{"name": f"KV_{sensor['metadata']['name']}", "state": state} for sensor in SENSORS]
    detail = {"name": "default", "consumer_detail": [{"name": consumer} for consumer in consumers]}
    body = {"now": now.isoformat(), "account_details": [{"stream_detail": [detail, *stores]}]}
    return ApiServer(body, status=status)


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ApiServer]:
    """Waits for the lab's Sensors on a cluster that answers so."""

    def wait(
        *,
        status: int = 200,
        consumers: list[str] = CONSUMERS,
        running: bool = True,
        monitored: bool = True,
        why: str = "",
        started: int = 60,
        saved: int = 58,
    ) -> ApiServer:
        api = jetstream(status, consumers, saved)
        began = {sensor["metadata"]["name"]: time.monotonic() - started for sensor in SENSORS}
        monkeypatch.setattr(components.engine, "_started", lambda *_: began)
        monkeypatch.setattr(config, "new_client_from_config", lambda context: api)
        found = {sensor["metadata"]["name"]: [Deployed(running, why)] for sensor in SENSORS}
        monkeypatch.setattr(components.engine, "_deployed", lambda *_: found)
        monitor = Monitor.model_validate({"namespace": "nats", "service": "nats", "account": "agents"})
        SUBSCRIBED(Engine(kube_context="x", monitor=monitor if monitored else None, seconds=0), SENSORS)
        return api

    return wait


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text: said.append(text))
    return said


def test_all_consumers_there_is_enough(wait: Callable[..., ApiServer], warnings: list[str]) -> None:
    (_, path, asked, _) = wait().asked[0]
    assert path == "/api/v1/namespaces/nats/services/nats:monitor/proxy/jsz"
    assert asked["query_params"] == [("consumers", "true"), ("config", "true"), ("acc", "agents")]
    assert not warnings


def test_a_missing_consumer_is_named_with_the_log_to_read(wait: Callable[..., ApiServer]) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        wait(consumers=CONSUMERS[1:])
    text = str(raised.value)
    assert "(setting verdictSeconds) not every Sensor has subscribed, so the EventSource was left as it is" in text
    (line,) = text.splitlines()[1:]
    assert "its consumer is not there; see: kubectl -n github-to-argo-lab logs -l sensor-name=github-" in line


def test_a_consumer_of_an_earlier_sensor_is_not_believed_until_the_new_one_has_looked_at_it(
    wait: Callable[..., ApiServer],
) -> None:
    with pytest.raises(pulumi.RunError, match="its consumer may be one that it deletes when it starts"):
        wait(started=60, saved=3600)
    wait(started=3600, saved=3601)  # whole seconds, by two clocks


@pytest.mark.parametrize(
    ("started", "ago"), [([30, 90], 90), ([None, 30], 30), ([None], -math.inf), ([], -math.inf)], ids=str
)
def test_a_sensor_started_with_the_first_of_its_pods_that_run(started: list[int | None], ago: float) -> None:
    now = datetime(2026, 11, 25, tzinfo=UTC)

    def pod(seconds: int | None) -> Manifest:
        at = None if seconds is None else {"startedAt": f"{now - timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"}
        labels = {"sensor-name": "github-pr-to-pr-validation"}
        state = {"running": at} if at else {"waiting": {}}
        return {"metadata": {"labels": labels}, "status": {"containerStatuses": [{"state": state}]}}

    another = {**pod(1000), "metadata": {"labels": {"sensor-name": "of-another-stack"}}}
    api = ApiServer({"items": [*(pod(one) for one in started), another]}, date="Wed, 25 Nov 2026 00:00:00 GMT")
    (found,) = components.engine._started(api, SENSORS[:1]).values()
    ((_, path, asked, _),) = api.asked
    assert path == "/api/v1/namespaces/github-to-argo-lab/pods"
    assert ("labelSelector", "sensor-name") in asked["query_params"]
    assert time.monotonic() - found == pytest.approx(ago, abs=1)


def test_who_may_not_see_pods_is_told() -> None:
    with pytest.raises(pulumi.RunError, match="cannot see when github-pr-to-pr-validation started: list pods: as it"):
        components.engine._started(ApiServer({}, status=403), SENSORS[:1])


def test_a_pod_that_does_not_run_is_named(wait: Callable[..., ApiServer]) -> None:
    with pytest.raises(
        pulumi.RunError, match="github-pr-to-pr-validation: its pod does not run as applied; see: kubectl"
    ):
        wait(running=False)


def test_pods_that_were_refused_are_told_in_the_clusters_words(wait: Callable[..., ApiServer]) -> None:
    with pytest.raises(pulumi.RunError, match=r"does not run as applied \(pods are forbidden\); see: kubectl"):
        wait(running=False, why="pods are forbidden")


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (
            [("Available", "False", "no pod yet"), ("ReplicaFailure", "True", "pods are forbidden")],
            "pods are forbidden",
        ),
        ([("Available", "False", "no pod yet"), ("ReplicaFailure", "False", "were forbidden")], "no pod yet"),
        ([("Available", "True", "all is well")], ""),
        ([("ReplicaFailure", "True", None)], ""),
    ],
)
def test_what_the_cluster_says_of_a_deployment(conditions: list[tuple[str, str, str | None]], words: str) -> None:
    found = deployment(SENSORS[0]["spec"])
    found["status"]["conditions"] = [{"type": t, "status": s} | ({"message": m} if m else {}) for t, s, m in conditions]
    (deployed,) = seen([found])
    assert deployed.why == words


def test_a_jetstream_that_is_not_up_yet_has_no_consumers(wait: Callable[..., ApiServer]) -> None:
    with pytest.raises(pulumi.RunError, match="its consumer is not there"):
        wait(status=503)


def test_who_may_not_ask_is_told_what_is_not_known(wait: Callable[..., ApiServer], warnings: list[str]) -> None:
    wait(status=403)
    assert "no right to ask nats/nats (get services/proxy)" in warnings[0]


def test_a_nats_without_monitor_is_told_too(wait: Callable[..., ApiServer], warnings: list[str]) -> None:
    wait(monitored=False)
    assert "eventBus.monitor is not set" in warnings[0]


def test_pods_are_waited_for_also_where_nobody_can_be_asked(
    wait: Callable[..., ApiServer], warnings: list[str]
) -> None:
    with pytest.raises(pulumi.RunError, match="its pod does not run as applied"):
        wait(status=403, running=False)


def stateful_set(ready: int, wanted: int, observed: int = 2) -> Manifest:
    status = {"observedGeneration": observed} | ({"readyReplicas": ready} if ready else {})
    return {"metadata": {"generation": 2}, "spec": {"replicas": wanted}, "status": status}


STREAM = {"account_details": [{"stream_detail": [{"name": "default", "config": {}}]}]}


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ApiServer]:
    """Waits for NATS of a native EventBus, on a cluster that answers so."""

    def serve(*answers: object, status: int = 200, stack: str = "dev") -> ApiServer:
        api = ApiServer(*answers, status=status)
        monkeypatch.setattr(config, "new_client_from_config", lambda context: api)
        monitor = Monitor.model_validate({"namespace": "events", "service": "nats"})
        SERVING(Engine(kube_context="x", monitor=monitor, seconds=0), compiled(stack).event_bus)
        return api

    return serve


def cluster(*names: str, leads: bool = True) -> Manifest:
    """What a server says that knows these, the first of which leads."""
    servers = [f"eventbus-github-js-{name}" for name in names]
    others = {"replicas": [{"name": server} for server in servers[1:]]} if leads else {}
    return {"meta_cluster": {"leader": servers[0], **others}}


NO_STREAM: Manifest = {}


def test_a_server_that_is_ready_serves(serve: Callable[..., ApiServer]) -> None:
    (_, path, _, _) = serve(stateful_set(1, 1), NO_STREAM).asked[0]
    assert path == "/apis/apps/v1/namespaces/argo-events/statefulsets/eventbus-github-js"


def test_three_servers_that_are_ready_and_know_each_other_serve(serve: Callable[..., ApiServer]) -> None:
    serve(stateful_set(3, 3), NO_STREAM, cluster("1", "0", "2", leads=False), cluster("1", "0", "2"))


def test_without_a_right_to_ask_nats_that_its_servers_are_ready_must_do(
    serve: Callable[..., ApiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components.nats_servers, "look", lambda *_: Unknown("no right"))
    monkeypatch.setattr(components.nats_servers, "members", lambda *_: Unknown("no right"))
    serve(stateful_set(3, 3))


def test_a_server_that_the_others_leave_out_is_told_and_after_a_while_restarted_once(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    looked = [stateful_set(3, 3), NO_STREAM, cluster("1", "0")]
    api = ApiServer(*looked, *looked, *looked, {"kind": "Pod"}, *looked)
    monitor = Monitor.model_validate({"namespace": "events", "service": "nats"})
    servers = NatsServers(api=api, event_bus=compiled("dev").event_bus, monitor=monitor)
    for seconds, restarts in ((0, 0), (9, 0), (11, 1), (60, 1)):
        clock[0] = seconds
        assert list(servers.missing()) == [
            "github: the other servers of NATS leave eventbus-github-js-2 out;"
            " restart it: kubectl -n argo-events delete pod eventbus-github-js-2"
        ]
        told = "the other servers of NATS left eventbus-github-js-2 out, so it was restarted; no stream was there yet"
        assert warnings == [told] * restarts
    assert [asked[:2] for asked in api.asked if asked[0] != "GET"] == [
        ("DELETE", "/api/v1/namespaces/argo-events/pods/eventbus-github-js-2")
    ]


def test_nats_that_exists_is_not_looked_for(serve: Callable[..., ApiServer]) -> None:
    assert not serve(stack="lab").asked


def test_nats_that_has_its_stream_serves_with_most_of_its_servers(serve: Callable[..., ApiServer]) -> None:
    serve(stateful_set(2, 3), STREAM)
    serve(stateful_set(3, 3), STREAM)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([stateful_set(0, 1)], "0 of 1 servers of NATS are ready"),
        ([stateful_set(2, 3), {}], "2 of 3 servers of NATS are ready"),
        ([stateful_set(1, 3)], "1 of 3 servers of NATS are ready"),
        ([stateful_set(2, 4)], "2 of 4 servers of NATS are ready"),
        ([stateful_set(3, 3, observed=1)], "0 of 3 servers of NATS are ready"),
    ],
    ids=["none", "no stream yet", "fewer than half", "half", "not seen yet"],
)
def test_nats_that_does_not_serve_is_told_with_where_to_look(
    serve: Callable[..., ApiServer], answers: list[object], words: str
) -> None:
    told = rf"NATS does not run, so the Sensors were left as they are\.\n  github: {words};"
    with pytest.raises(pulumi.RunError, match=rf"{told} see: kubectl -n argo-events describe pod -l eventbus-"):
        serve(*answers)


def test_nats_that_nobody_has_made_yet_is_told(serve: Callable[..., ApiServer]) -> None:
    with pytest.raises(pulumi.RunError, match="github: it has no StatefulSet yet; see: kubectl -n argo-events"):
        serve(status=404)


def test_who_may_not_see_nats_is_told_and_goes_on(serve: Callable[..., ApiServer], warnings: list[str]) -> None:
    serve(status=403)
    assert warnings == ["cannot see whether NATS of EventBus github runs: get statefulset: as it says"]


def test_a_spec_is_held_by_one_that_says_more_but_not_by_another() -> None:
    wanted = {"triggers": [{"rateLimit": {"unit": "Minute", "requestsPerUnit": 20}}]}
    more: dict[str, Any] = {
        "triggers": [{"rateLimit": {"unit": "Minute", "requestsPerUnit": 20}, "policy": None}],
        "replicas": 1,
    }
    assert holds(more, wanted)
    assert not holds({"triggers": [{"rateLimit": {"unit": "Minute", "requestsPerUnit": 30}}]}, wanted)
    assert not holds({"triggers": more["triggers"] * 2}, wanted)
    assert not holds({"triggers": [{}]}, wanted)
    assert not holds({}, wanted)


def deployment(spec: Manifest, **status: int) -> Manifest:
    """A Sensor's Deployment as the controller writes it, in a status."""
    sensor = base64.b64encode(json.dumps({"spec": spec}).encode()).decode()
    environment = [{"name": "SENSOR_OBJECT", "value": sensor}, {"name": "POD_NAME", "valueFrom": {}}]
    return {
        "metadata": {"generation": 2, "labels": {"sensor-name": SENSORS[0]["metadata"]["name"]}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "main", "env": environment}]}}},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1} | status,
    }


BEFORE = copy.deepcopy(SENSORS[0]["spec"])
BEFORE["triggers"][0]["rateLimit"]["requestsPerUnit"] = 19


@pytest.mark.parametrize(
    ("found", "runs"),
    [
        ([deployment(SENSORS[0]["spec"] | {"replicas": 1})], True),
        ([], False),
        ([deployment(BEFORE)], False),
        ([deployment(SENSORS[0]["spec"], observedGeneration=1)], False),
        ([deployment(SENSORS[0]["spec"], replicas=2)], False),
        ([deployment(SENSORS[0]["spec"], updatedReplicas=0)], False),
        ([deployment(SENSORS[0]["spec"], availableReplicas=0)], False),
    ],
    ids=["as applied", "none", "spec of before", "not seen yet", "an old pod too", "only old pods", "not available"],
)
def test_a_sensor_runs_as_applied(found: list[Manifest], runs: bool) -> None:
    assert components.engine._runs(seen(found)) is runs


def seen(found: list[Manifest]) -> list[Deployed]:
    """What is kept of a Sensor's Deployments, listed among another stack's."""
    another = copy.deepcopy(deployment(SENSORS[1]["spec"], replicas=7))
    another["metadata"]["labels"]["sensor-name"] = "of-another-stack"
    api = ApiServer({"items": [*found, another]})
    (deployed,) = components.engine._deployed(api, SENSORS[:1]).values()
    ((_, path, asked, _),) = api.asked
    assert path == "/apis/apps/v1/namespaces/github-to-argo-lab/deployments"
    assert ("labelSelector", "sensor-name") in asked["query_params"]
    return deployed


def test_who_may_not_see_deployments_is_told() -> None:
    with pytest.raises(
        pulumi.RunError, match="cannot see whether github-pr-to-pr-validation runs: list deployments: as it says"
    ):
        components.engine._deployed(ApiServer({}, status=403), SENSORS[:1])
