"""One session in which each alert fires for its fault, and clears when that is mended: several faults at once."""

from __future__ import annotations

import json
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kubernetes import client

from lab.away import kill
from lab.layout import Layout
from payloads import Payload, one_of_each
from tests.monitoring.exporter import Exporter
from tests.monitoring.prometheus import EXPORTER_PORT, Prometheus, Series, shorter
from tests.monitoring.stack import NAMESPACE, PULLS, SLOW, WatchedStack, watched_stack

AWAY = "github-issues-to-implementation"
"""The Sensor that is taken away."""

CONTROLLER_AWAY = 15.0
"""Seconds without the workflow-controller."""

SOON, LATE = 30.0, 120.0
"""Seconds that an alert may take; one for what a Sensor gives up, or for Workflows that stand still, takes long."""


@dataclass
class Firing:
    """An alert that fired, by its labels: from when to when, as Unix times; it fires still where `ended` is None."""

    labels: Mapping[str, str]
    began: float
    ended: float | None = None


@dataclass(frozen=True)
class Drawn:
    """A panel of the dashboard: its lines, by how each is called."""

    title: str
    unit: str
    lines: Sequence[tuple[str, Series]]


@dataclass
class Seen:
    """What Prometheus said. `alerts`: all that there are. `before`: those that fired when nothing was wrong.

    `refusals`: how many requests were answered 400, and how many of them the rules count.
    """

    alerts: list[str]
    began: float
    before: list[str] = field(default_factory=list)
    firings: dict[str, list[Firing]] = field(default_factory=dict)
    faults: dict[str, float] = field(default_factory=dict)
    refusals: tuple[int, float] = (0, 0)
    panels: list[Drawn] = field(default_factory=list)
    unhealthy: list[str] = field(default_factory=list)

    def subjects(self, alert: str, label: str) -> set[str]:
        """What an alert has fired for."""
        return {one.labels.get(label, "") for one in self.firings.get(alert, [])}

    def still(self) -> list[str]:
        """Alerts that fire at the end."""
        return [name for name, found in self.firings.items() if any(one.ended is None for one in found)]


class Session:
    """The faults, and what is seen of them."""

    def __init__(self, stack: WatchedStack, prometheus: Prometheus) -> None:
        self.stack, self.prometheus = stack, prometheus
        self.seen = Seen(prometheus.alerts, time.time())
        self._payloads = one_of_each()
        self._exporter = Exporter(EXPORTER_PORT)
        self._over = threading.Event()

    def run(self) -> Seen:
        """All of it, two minutes. Raises TimeoutError for an alert that does not fire, or does not clear."""
        watching = threading.Thread(target=self._watch, daemon=True)
        with self._exporter:
            self._healthy()
            watching.start()
            try:
                self._faults()
            finally:
                self._over.set()
                watching.join(10)
            self.seen.unhealthy = self.prometheus.unhealthy()
            self.seen.panels = list(self._drawn(time.time()))
        return self.seen

    def _faults(self) -> None:
        self._nats_comes_back()
        refused = str(uuid.uuid4())
        with self.stack.refused(refused):
            self._fault("a Workflow is refused")
            self._post_until_taken(self._payloads["pr"], refused)
            self._way_in()
            self._bus()
            self._hangs()
            self._workflows()
            self._fires("GitHubToArgoSensorFails", sensor_name=PULLS)
            self._fires("GitHubToArgoDeadLetters", LATE, sensor_name=PULLS)
        self.prometheus.until(self._cured, "alerts have not cleared", seconds=LATE)
        time.sleep(2)

    def _cured(self) -> bool:
        """Whether no alert fires. Sensors that hang now, since NATS came back more than once, are cured."""
        firing = self.prometheus.firing()
        if hung := {labels["sensor_name"] for labels in firing.get("GitHubToArgoSensorHangs", [])}:
            kill(Layout(), *self.stack.pods(*hung))
            time.sleep(5)
        return not firing

    def _healthy(self) -> None:
        self._post(*self._payloads)
        query = f'sum(argo_workflows_workflowtemplate_triggered_total{{exported_namespace="{NAMESPACE}",phase="%s"}})'
        count = len(self._payloads)
        self.prometheus.until(
            lambda: self.prometheus.value(query % "Succeeded") == count, "not all Workflows ended", seconds=SOON
        )
        time.sleep(3)
        self.seen.before = sorted(self.prometheus.firing())

    def _nats_comes_back(self) -> None:
        """When Sensors have just begun to wait for their rate, each with one more delivery fetched. Such a Sensor hangs
        every other time: the engine looks every five seconds whether it is connected, and then chooses by chance."""
        for _ in range(6):
            self._post(*SLOW.values())
        chosen = "|".join(SLOW)
        started = f'sum(argo_events_action_triggered_total{{namespace="{NAMESPACE}",sensor_name=~"{chosen}"}})'
        before = self.prometheus.value(started)
        self.prometheus.until(
            lambda: self.prometheus.value(started) > before + len(SLOW) / 2, "nothing is started", seconds=SOON
        )
        self._fault("NATS is killed; no workflow-controller")
        kill(Layout(), "nats-server")
        kill(Layout(), "workflow-controller", seconds=CONTROLLER_AWAY)
        time.sleep(4)
        kill(Layout(), *self.stack.pods(PULLS))  # so that this one does not hang

    def _way_in(self) -> None:
        self._wrong_signatures()
        self._fault("no EventSource")
        with self.stack.away("eventsource-name"):
            self._fires("GitHubToArgoEventSourceAway")
        assert self.stack.sender.listening(30)

    def _bus(self) -> None:
        self._fault("no Sensor for issues, and the bus is filled")
        with self.stack.away(f"sensor-name={AWAY}"):
            self._fill()
            self._fires("GitHubToArgoSensorAway", sensor_name=AWAY)
            self._fires("GitHubToArgoBusFills")
            self._fires("GitHubToArgoDeliveriesNotStored")
            self._fires("GitHubToArgoBacklog", sensor_name=AWAY)

    def _workflows(self) -> None:
        self._fires("GitHubToArgoUnseen", of="the workflow-controller")
        self._fault("Workflows fail")
        self.stack.change_template("orchestrator-resume-close", {"entrypoint": "nowhere"})
        self._post_until_taken(self._payloads["push"])
        self._post(*["push"] * 5)
        self._fires("GitHubToArgoWorkflowsFail", name="orchestrator-resume-close")
        self._fault("Workflows hold a semaphore")
        forever = [{"name": "main", "suspend": {}}]
        self.stack.change_template("orchestrator-resume-close", {"entrypoint": "main", "templates": forever})
        self._post(*["push"] * 4)
        self._fault("nobody reads NATS's metrics")
        with self._exporter.silent():
            self._fires("GitHubToArgoUnseen", of="the EventBus")
        self._fires("GitHubToArgoSemaphoreFull", semaphore="orchestrator")
        self.stack.terminate("orchestrator")

    def _post(self, *dependencies: str) -> None:
        for name in dependencies:
            assert self.stack.sender.post(self._payloads[name]).status == 200

    def _post_until_taken(self, payload: Payload, delivery: str | None = None) -> None:
        def taken() -> bool:
            return self.stack.sender.listening(10) and self.stack.sender.post(payload, delivery=delivery).status == 200

        self.prometheus.until(taken, "the EventSource does not take it", seconds=SOON)

    def _wrong_signatures(self) -> None:
        self._fault("wrong signatures")
        bad = [self.stack.sender.post(self._payloads["issues"], signed=f"sha256={'0' * 64}") for _ in range(12)]
        assert {posted.status for posted in bad} == {400}
        self._fires("GitHubToArgoDeliveriesRefused")
        time.sleep(2)
        counted = self.prometheus.value(f'github_to_argo:refused:increase10m{{namespace="{NAMESPACE}"}}')
        self.seen.refusals = (len(bad), counted)

    def _hangs(self) -> None:
        """A Sensor need not hang when NATS comes back; of five, one nearly always does."""
        for seconds in (8, 25, 25, 25):
            try:
                self._fires("GitHubToArgoSensorHangs", seconds)
                break
            except TimeoutError:
                kill(Layout(), "nats-server")
        time.sleep(2)
        self._cured()

    def _fill(self) -> None:
        """Until the bus takes no more. A bot's comment starts nothing, however long it is."""
        comment = self._payloads["ic"].but(comment__user__type="Bot")
        for _ in range(12):
            self.stack.sender.post(comment)
        comment = comment.but(comment__body="x" * 2_500_000)
        for _ in range(12):
            if self.stack.sender.post(comment).status == 500:
                return
        raise AssertionError("the bus takes more than it holds")

    def _fault(self, what: str) -> None:
        self.seen.faults[what] = time.time()

    def _fires(self, alert: str, seconds: float = SOON, **labels: str) -> None:
        """Waits until it has fired. Raises TimeoutError."""

        def fired() -> bool:
            return any(labels.items() <= one.labels.items() for one in self.seen.firings.get(alert, []))

        took = self.prometheus.until(fired, f"{alert} has not fired", seconds=seconds)
        print(f"{time.time() - self.seen.began:6.1f} {alert} {labels} {took:.1f}", flush=True)

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            now, firing = time.time(), self.prometheus.firing()
            for name in firing.keys() | self.seen.firings.keys():
                known = self.seen.firings.setdefault(name, [])
                present = firing.get(name, [])
                for one in known:
                    if one.ended is None and one.labels not in present:
                        one.ended = now
                open_ = [one.labels for one in known if one.ended is None]
                known += [Firing(labels, now) for labels in present if labels not in open_]

    def _drawn(self, ended: float) -> Iterator[Drawn]:
        """Every panel of the dashboard in the stack's ConfigMap."""
        maps = client.CoreV1Api(self.stack.api).list_namespaced_config_map(
            NAMESPACE, label_selector="grafana_dashboard=1"
        )
        ((text,),) = (found.data.values() for found in maps.items)
        for panel in json.loads(text)["panels"]:
            if panel["type"] == "row":
                continue
            lines = [
                (called(target["legendFormat"], series.labels), series)
                for target in panel["targets"]
                for series in self.prometheus.drawn(shorter(target["expr"]), self.seen.began, ended)
            ]
            yield Drawn(panel["title"], panel["fieldConfig"]["defaults"]["unit"], lines)


def called(legend: str, labels: Mapping[str, str]) -> str:
    """A legend with the values of labels in it, as Grafana writes it."""
    for name, value in labels.items():
        legend = legend.replace(f"{{{{{name}}}}}", value)
    return legend


@contextmanager
def watched_session() -> Iterator[Session]:
    """The stack up, and Prometheus reading it. The workflow-controller counts from the beginning."""
    with watched_stack() as stack, tempfile.TemporaryDirectory() as folder:
        kill(Layout(), "workflow-controller")
        with Prometheus(stack.api, NAMESPACE, Path(folder)) as prometheus:
            yield Session(stack, prometheus)
