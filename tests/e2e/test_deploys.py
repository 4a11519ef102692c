"""Changes while deliveries wait and flow: what survives, what is refused, what is said."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest
import urllib3
import yaml
from kubernetes import client

from cli.delivery import WORKFLOWS, Posted, Sender
from cli.stacks import ROOT, compiled
from components.engine import CLOCKS, Engine
from components.jetstream import JetStream, look
from lab.away import kill
from lab.host import read_status
from lab.layout import Layout
from lab.stack import LabStack, StackFailed
from payloads import Payload, acted, one_of_each
from routes.consumers import durable_names
from routes.manifests import Manifest
from routes.settings import Monitor
from routes.streams import STREAM
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.jetstream_api import request
from tests.e2e.test_stacks import everything
from tests.routes.test_consumers import of_before

pytestmark = [pytest.mark.lab, pytest.mark.long]

NAMESPACE = "github-to-argo-deploys"
ISSUES = "github-issues-to-implementation"
SECURITY = "github-security-to-agent"
ORCHESTRATOR = "github-push-merge-to-orchestrator"
SLOW = {"rate": {"limit": 1, "unit": "Hour"}}
FAST = {"rate": "unlimited"}
ALL_FAST = {sensor["metadata"]["name"]: FAST for sensor in compiled("lab").all_sensors()}
OFF = {"enabled": False}
BUS = yaml.safe_load((ROOT / "Pulumi.lab.yaml").read_text())["config"]["github-to-argo:eventBus"]
MONITOR = Monitor.model_validate(BUS["monitor"] | {"account": "second"})
BURST = 160


def settings(
    *, routes: Mapping[str, object] | None = None, bus: Mapping[str, object] | None = None, **more: Any
) -> LabStack:
    """The stack in a namespace of its own, on the NATS's second account; every rate is high but for `routes`."""
    event_bus = BUS | {"monitor": BUS["monitor"] | {"account": "second"}} | dict(bus or {})
    overrides = {"namespace": NAMESPACE, "eventBus": event_bus, "routes": ALL_FAST | dict(routes or {}), **more}
    return LabStack("deploys", account="second", overrides=overrides)


@dataclass
class Way:
    """The way in, posted to by whoever; `accepted` is what was answered 200, in its order."""

    cluster: Cluster
    accepted: list[Posted] = field(default_factory=list)
    refused: int = 0

    def post(self, payload: Payload) -> Posted | None:
        """None: nobody took it, as GitHub would see it too."""
        try:
            posted = self.cluster.sender.post(payload)
        except urllib3.exceptions.HTTPError:
            self.refused += 1
            return None
        if posted.status != 200:
            self.refused += 1
            return None
        self.accepted.append(posted)
        return posted

    def started(self, posted: Sequence[Posted], *, seconds: float = SECONDS) -> Counter[str]:
        """How many Workflows each of these deliveries has, once all have one or `seconds` are over."""
        wanted = [p.delivery for p in posted]
        deadline = time.monotonic() + seconds
        while True:
            found = self.cluster.workflows()
            if all(delivery in found for delivery in wanted) or time.monotonic() > deadline:
                return Counter({delivery: len(found.get(delivery, [])) for delivery in wanted})
            time.sleep(1)

    def waiting(self, sensor: str) -> int:
        found = look(self.cluster.api, MONITOR)
        assert isinstance(found, JetStream)
        (consumer,) = durable_names(self.live(sensor))
        return found.waiting[consumer] or 0

    def live(self, sensor: str) -> Manifest:
        found: Manifest = client.CustomObjectsApi(self.cluster.api).get_namespaced_custom_object(
            *WORKFLOWS, NAMESPACE, "sensors", sensor
        )
        return found


def processes() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (read_status() or {"processes": []})["processes"]
    return found


def each_once(counts: Counter[str]) -> bool:
    return set(counts.values()) == {1}


@pytest.fixture(scope="module")
def before(cluster: Cluster) -> set[tuple[str, str, str]]:
    return everything(cluster)


@dataclass
class First:
    """The first deliveries that were taken, and how many seconds before `up` ended."""

    posted: list[Posted]
    early: float


@pytest.fixture(scope="module")
def first(before: set[tuple[str, str, str]], cluster: Cluster) -> Iterator[First]:
    """A first `up`, while somebody posts one delivery of each kind from the moment on that one is answered 200."""
    way = Way(cluster)
    over = threading.Event()

    def post() -> None:
        core = client.CoreV1Api(cluster.api)
        while not over.is_set() and not way.accepted:
            try:
                service = core.read_namespaced_service("github-es-eventsource-svc", NAMESPACE)
            except client.ApiException:
                time.sleep(0.05)
                continue
            sender = Sender(url=f"http://{service.spec.cluster_ip}:12000/events", secret=cluster.sender.secret)
            way.cluster = Cluster(sender, NAMESPACE, cluster.api)
            while not over.is_set() and not way.post(one_of_each()["pr"]):
                time.sleep(0.02)
        for name, payload in one_of_each().items():
            if name != "pr":
                way.post(payload)

    poster = threading.Thread(target=post)
    poster.start()
    stack = settings()
    try:
        stack.up()
        ended = time.monotonic()
        poster.join(30)
        yield First(list(way.accepted), ended - way.accepted[0].at)
    finally:
        over.set()
        if stack.folder.exists():
            stack.destroy()


@pytest.fixture(scope="module")
def way(first: First, cluster: Cluster) -> Way:
    address = client.CoreV1Api(cluster.api).read_namespaced_service("github-es-eventsource-svc", NAMESPACE)
    sender = Sender(url=f"http://{address.spec.cluster_ip}:12000/events", secret=cluster.sender.secret)
    return Way(Cluster(sender, NAMESPACE, cluster.api))


def test_what_is_posted_as_soon_as_a_first_up_answers_is_all_started(
    first: First, way: Way, record_property: Callable[[str, object], None]
) -> None:
    record_property("seconds before up ended", round(first.early, 2))
    assert first.early > 0, "the first delivery was taken only after `up` had ended"
    assert len(first.posted) == 10
    assert each_once(way.started(first.posted))


def backlog(way: Way, kinds: Sequence[str], times: int) -> list[Posted]:
    """Deliveries of these kinds, once the way in is open: an EventSource that was rolled too is not at once."""
    assert way.cluster.sender.listening(30)
    posted = [way.post(one_of_each()[kind]) for _ in range(times) for kind in kinds]
    taken = [p for p in posted if p]
    assert len(taken) == len(posted)
    return taken


def test_what_waits_survives_changed_filters_and_a_security_event_more(way: Way) -> None:
    slow = {ISSUES: SLOW, SECURITY: SLOW}
    settings(routes=slow).up()
    posted = backlog(way, ["issues", "secadv", "secscan"], 8)
    time.sleep(2)
    assert min(way.waiting(ISSUES), way.waiting(SECURITY)) > 15

    changed: dict[str, Any] = {"securityEvents": ["code_scanning_alert"], "securityWorkflows": "(?i)scanning"}
    served = ["Codertocat/*", "octo-org/*"]
    settings(routes=slow, repositories=served, **changed).up()
    assert min(way.waiting(ISSUES), way.waiting(SECURITY)) > 15
    assert way.cluster.sender.listening(30)
    alerted = way.post(acted("code_scanning_alert", "created"))
    assert alerted

    settings(repositories=served, **changed).up()
    assert each_once(way.started([*posted, alerted]))


def test_what_waits_for_an_event_that_is_taken_out_starts_nothing_and_holds_nothing_up(way: Way) -> None:
    settings(routes={SECURITY: SLOW}, securityEvents=["code_scanning_alert"]).up()
    backlog(way, ["secadv"], 2)
    alerted = way.post(acted("code_scanning_alert", "created"))
    behind = backlog(way, ["secadv"], 3)
    assert alerted
    settings().up()
    assert each_once(way.started(behind))
    assert alerted.delivery not in way.cluster.workflows()


def test_a_sensor_that_is_rolled_while_deliveries_flow_misses_and_doubles_none(
    way: Way, record_property: Callable[[str, object], None]
) -> None:
    """Also a route that is new: what is accepted once its Sensor has subscribed starts, and nothing before."""
    settings(routes={ORCHESTRATOR: OFF}).up()
    leave_nothing_behind(way, ORCHESTRATOR)
    kinds = ["issues", "ic", "prc", "secadv", "push"]
    way.accepted, way.refused = [], 0
    over = threading.Event()

    def post() -> None:
        for kind in itertools.cycle(kinds):
            if over.is_set() and len(way.accepted) >= BURST:
                return
            way.post(one_of_each()[kind])
            time.sleep(0.05)

    poster = threading.Thread(target=post)
    poster.start()
    time.sleep(2)
    began = time.monotonic()
    settings(neverAnswered={"logins": ["my-agent"]}, securityWorkflows="(?i)scanning").up()
    ended = time.monotonic()
    time.sleep(2)
    over.set()
    poster.join()

    flowing = [p for p in way.accepted if p.event != "push"]
    pushes = [p for p in way.accepted if p.event == "push"]
    assert each_once(way.started(flowing, seconds=180))
    found = way.cluster.workflows()
    fired = [p.delivery in found for p in pushes]
    record_property("accepted", len(way.accepted))
    record_property("not taken", way.refused)
    record_property("accepted while up ran", sum(began < p.at < ended for p in way.accepted))
    record_property("pushes before the route", fired.index(True))
    record_property("up took", round(ended - began, 1))
    assert len(way.accepted) >= BURST
    assert not any(f for f, p in zip(fired, pushes, strict=True) if p.at < began)
    assert fired == sorted(fired), "a delivery in between is missing"
    assert all(f for f, p in zip(fired, pushes, strict=True) if p.at > ended)
    assert max(len(found[p.delivery]) for p in pushes if p.delivery in found) == 1


def start_again(sensor: str) -> None:
    """Kills a Sensor, so that it starts well after what was written before."""
    (old,) = (p for p in processes() if p["name"].startswith(f"{NAMESPACE}.{sensor}"))
    kill(Layout(), old["name"], seconds=CLOCKS + 1)
    deadline = time.monotonic() + 30
    while not any(p["name"] == old["name"] and p["pid"] not in (None, old["pid"]) for p in processes()):
        assert time.monotonic() < deadline, "the Sensor does not start again"
        time.sleep(0.1)


def test_a_consumer_from_before_is_not_believed_until_its_sensor_has_looked_at_it(way: Way) -> None:
    """The Sensor of before had another dependency: this one deletes the consumer when it starts, and makes it anew."""
    sensor = way.live(ISSUES)
    (consumer,) = durable_names(sensor)
    before = request(f"$JS.API.CONSUMER.INFO.default.{consumer}")["created"]
    try:
        request(f"$KV.{ISSUES}.Deps", "what no Sensor can read, so that it comes no further")
        start_again(ISSUES)
        with pytest.raises(pulumi.RunError, match=f"{ISSUES}: its consumer may be one that it deletes when it starts"):
            Engine(kube_context="lab", monitor=MONITOR, seconds=3).subscribed([sensor])
    finally:
        request(f"$KV.{ISSUES}.Deps", {"queue": 1})
    start_again(ISSUES)
    Engine(kube_context="lab", monitor=MONITOR, seconds=60).subscribed([sensor])
    assert request(f"$JS.API.CONSUMER.INFO.default.{consumer}")["created"] != before


# --- What is refused


def put(way: Way, sensor: Manifest) -> None:
    """A Sensor in place of the live one, in Pulumi's name, and waits until it has subscribed."""
    metadata = sensor["metadata"]
    managers = {field["manager"] for field in metadata["managedFields"]}
    (pulumi,) = (manager for manager in managers if manager.startswith("pulumi-kubernetes"))
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations")}
    applied = {key: sensor[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": kept}
    command = ["kubectl", "apply", "--server-side", f"--field-manager={pulumi}", "-f", "-"]
    subprocess.run(command, input=json.dumps(applied), text=True, check=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = look(way.cluster.api, MONITOR)
        if isinstance(found, JetStream) and durable_names(sensor) <= found.waiting.keys():
            return
        time.sleep(0.5)
    raise TimeoutError(f"{sensor['metadata']['name']} does not subscribe")


def test_a_change_that_would_lose_what_waits_is_refused_until_it_is_confirmed(
    way: Way, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(routes={ISSUES: SLOW}).up()
    before = of_before(way.live(ISSUES), "issues")
    put(way, before)
    backlog(way, ["issues"], 5)
    time.sleep(2)
    generation = way.live(ISSUES)["metadata"]["generation"]
    waiting = way.waiting(ISSUES)
    assert waiting >= 4

    for attempt in (settings().preview, settings().up):
        with pytest.raises(StackFailed) as raised:
            attempt()
        told = str(raised.value)
        assert "its conditions changed from issues to issues || queue, so the engine deletes the consumer" in told
        assert f"{waiting} deliveries wait there" in told
        assert f"github-to-argo:loses: [{ISSUES}]" in told
    assert way.live(ISSUES)["metadata"]["generation"] == generation
    assert way.waiting(ISSUES) == waiting

    asking, *_ = re.findall(r"(kubectl .*) \| jq", told)
    answer = subprocess.run(shlex.split(asking), capture_output=True, check=True, text=True).stdout
    (consumer,) = durable_names(before)
    assert f'"{consumer}"' in answer

    settings(loses=[ISSUES]).up()
    assert "deliveries wait there, and the setting loses says that they may be lost" in capsys.readouterr().out
    assert way.waiting(ISSUES) == 0
    assert set(settings(loses=[ISSUES]).preview()) == {"same"}
    assert f"loses names {ISSUES}, and this loses nothing of it" in capsys.readouterr().out


def test_a_stream_that_would_have_to_change_is_refused_with_what_changes_it(way: Way) -> None:
    shorter: dict[str, object] = {"maxAgeHours": 24, "backlog": "64Mi"}
    with pytest.raises(StackFailed, match=r"single server.*\n\nWrite github-to-argo:eventBus.streamReplicas: 1"):
        settings(bus={"streamReplicas": 3}).preview()
    with pytest.raises(StackFailed) as raised:
        settings(bus=shorter).preview()
    told = str(raised.value)
    assert "\n  maxAge is 168h, wanted 24h\n  maxBytes is 1073741824, wanted 67108864\n" in told
    assert "nats stream edit default --max-age=24h --max-bytes=67108864" in told

    config = request(f"$JS.API.STREAM.INFO.{STREAM}")["config"]
    changed = {"max_age": 24 * 3600 * 10**9, "max_bytes": 64 * 1024**2}
    request(f"$JS.API.STREAM.UPDATE.{STREAM}", config | changed)  # what `nats stream edit` sends
    try:
        assert settings(bus=shorter).preview()["update"] == 1
    finally:
        request(f"$JS.API.STREAM.UPDATE.{STREAM}", config)


# --- A route that goes and comes back


def leave_nothing_behind(way: Way, sensor: str) -> None:
    """Deletes the consumer of a Sensor that is gone, as `nats consumer rm` does."""
    (consumer,) = durable_names(compiled("lab").sensor(sensor))
    assert request(f"$JS.API.CONSUMER.DELETE.default.{consumer}")["success"]


def test_a_route_that_goes_is_told_with_what_waits_and_starts_it_when_it_is_back(
    way: Way, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(routes={ISSUES: SLOW}).up()
    posted = backlog(way, ["issues"], 4)
    time.sleep(2)
    (consumer,) = durable_names(way.live(ISSUES))
    waiting = way.waiting(ISSUES)
    assert waiting >= 3
    capsys.readouterr()
    settings(routes={ISSUES: OFF}).up()
    told = capsys.readouterr().out
    assert f"{ISSUES} goes; {waiting} deliveries wait on its consumer {consumer}" in told
    assert f"nats consumer rm default {consumer}" in told
    meanwhile = backlog(way, ["issues"], 2)

    settings().preview()
    assert f"{ISSUES} comes back; {waiting + 2} deliveries wait on its consumer {consumer}" in capsys.readouterr().out
    settings().up()
    assert each_once(way.started([*posted, *meanwhile]))


# --- Protection


def test_the_event_bus_cannot_be_destroyed_until_it_is_let_go(way: Way) -> None:
    stack = settings(routes={ISSUES: SLOW}, protect=True)
    stack.up()
    posted = backlog(way, ["issues"], 4)
    command = ["pulumi", "destroy", "--yes", "--non-interactive", "--stack", stack.name]
    refused = subprocess.run(command, cwd=stack.folder, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "Preview failed" in refused.stdout
    assert "cannot be deleted\n    because it is protected" in refused.stdout
    assert way.live(ISSUES)

    # Without the preview the rest is gone; what waits is not.
    with pytest.raises(StackFailed, match="because it is protected"):
        stack.destroy()
    with pytest.raises(client.ApiException):
        way.live(ISSUES)
    settings().up()
    assert each_once(way.started(posted))
