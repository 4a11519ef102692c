"""What Prometheus can say of a stack, in its own language, from what the engine, NATS and Argo Workflows count.

Argo Events 1.9.11 (`pkg/metrics`), Argo Workflows 3.7.6 (`util/telemetry/metrics_list.go`), and NATS's exporter, 0.8.0
and later, with the prefix `nats`. docs/monitoring.md says what none of them counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from routes.model import Rate
from routes.streams import STREAM

RECORDED = "github_to_argo"
"""Begins the name of each series that the stack's own rules write."""


@dataclass(frozen=True, kw_only=True)
class WatchedRoute:
    """A route, by what Prometheus knows it by: its Sensor, trigger, JetStream consumer and WorkflowTemplate."""

    sensor: str
    trigger: str
    consumer: str
    template: str
    semaphore: str
    rate: Rate | None


@dataclass(frozen=True, kw_only=True)
class Watched:
    """A stack as Prometheus knows it. `bus`: labels of what NATS's exporter says of it; `semaphores`: their limits."""

    namespace: str
    event_source: str
    bus: dict[str, str]
    backlog_bytes: int
    semaphores: Mapping[str, int]
    routes: Sequence[WatchedRoute]

    # --- The way in

    def requests(self, window: str) -> str:
        """Requests at the webhook's path, whatever became of them: each is timed when it has been answered."""
        return f"sum(increase(argo_events_event_processing_duration_milliseconds_count{self._in()}[{window}]))"

    def accepted(self, window: str) -> str:
        return f"sum(increase(argo_events_events_sent_total{self._in()}[{window}]))"

    def not_stored(self, window: str) -> str:
        """Answered 500."""
        return f"sum(increase(argo_events_events_processing_failed_total{self._in()}[{window}]))"

    def refused(self, window: str) -> str:
        """Answered 400, which the engine has no metric for: what was neither accepted nor answered 500."""
        rest = f"{self.requests(window)} - {self.accepted(window)} - {self.not_stored(window)}"
        return f"clamp_min({rest}, 0)"

    def answer_milliseconds(self, window: str) -> str:
        name = "argo_events_event_processing_duration_milliseconds"
        return f"sum(rate({name}_sum{self._in()}[{window}])) / sum(rate({name}_count{self._in()}[{window}]))"

    def event_sources(self) -> str:
        """Pods that take deliveries."""
        return f"sum(argo_events_event_service_running_total{self._in()})"

    # --- Routes

    def started(self, window: str) -> str:
        """Workflows started, by Sensor. A delivery that came again counts again, though its Workflow is the same."""
        return self._by_sensor("action_triggered_total", window)

    def started_per_minute(self, window: str) -> str:
        return f"sum by (sensor_name) (rate(argo_events_action_triggered_total{self._triggers()}[{window}])) * 60"

    def attempts_failed(self, window: str) -> str:
        return self._by_sensor("action_failed_total", window)

    def given_up(self, window: str) -> str:
        """Deliveries that became a dead letter, by Sensor."""
        return self._by_sensor("action_retries_failed_total", window)

    def attempts(self, window: str, sensors: Sequence[str]) -> str:
        """All that Sensors tried, also for a dead letter, whether it succeeded or not."""
        chosen = self.labels(sensor_name=sensors)
        tried = (f"increase(argo_events_action_{what}_total{chosen}[{window}])" for what in ("triggered", "failed"))
        return " + ".join(f"sum by (sensor_name) ({one})" for one in tried)

    def create_milliseconds(self, window: str) -> str:
        """How long an attempt takes, by Sensor."""
        name, chosen = "argo_events_action_duration_milliseconds", self._triggers()
        total, count = (f"sum by (sensor_name) (rate({name}_{part}{chosen}[{window}]))" for part in ("sum", "count"))
        return f"{total} / {count}"

    def leading(self, sensors: Sequence[str] = ()) -> str:
        """Pods that work, by Sensor: of several only the one that leads counts anything."""
        chosen = self.labels(
            sensor_name=sensors or [route.sensor for route in self.routes],
            trigger_name=[route.trigger for route in self.routes],
        )
        return f"count by (sensor_name) (argo_events_action_triggered_total{chosen})"

    def waiting_of(self, route: WatchedRoute) -> str:
        """Deliveries that a route's Sensor has not acknowledged, those of other routes among them."""
        chosen = matchers(
            self.bus | {"stream_name": STREAM, "is_consumer_leader": "true", "consumer_name": route.consumer}
        )
        return f"max(nats_consumer_num_pending{chosen} + nats_consumer_num_ack_pending{chosen})"

    def recorded(self, name: str, **labels: str | Sequence[str]) -> str:
        """A series that the stack's own rules write."""
        return f"{RECORDED}:{name}{self.labels(**labels)}"

    # --- Workflows

    def finished(self, window: str, phases: str) -> str:
        """Workflows that came to one of these phases, by WorkflowTemplate."""
        return f"sum by (name) ({self._grown('triggered_total', window, phases)})"

    def entered(self, semaphore: str, phases: str) -> str:
        """How many Workflows of a semaphore have come to one of these phases since the workflow-controller started."""
        templates = sorted({route.template for route in self.routes if route.semaphore == semaphore})
        return f"sum({' or '.join(self._of_controller('triggered_total', templates, phases))})"

    def run_seconds(self, window: str) -> str:
        """How long half of the Workflows ran at most, by WorkflowTemplate.

        No average: of one that fails before it runs the workflow-controller counts the seconds since the year 1.
        """
        return f"histogram_quantile(0.5, sum by (name, le) ({self._grown('runtime_bucket', window)}))"

    # --- The bus

    def bus_bytes(self) -> str:
        chosen = matchers(self.bus | {"stream_name": STREAM})
        return f"max(nats_stream_total_bytes{chosen})"

    def bus_absent(self) -> str:
        return f"absent(nats_stream_total_bytes{matchers(self.bus | {'stream_name': STREAM})})"

    def labels(self, **labels: str | Sequence[str]) -> str:
        return matchers({"namespace": self.namespace, **labels})

    def _in(self) -> str:
        return self.labels(eventsource_name=self.event_source)

    def _triggers(self) -> str:
        # Not the triggers of dead letters.
        return self.labels(trigger_name=[route.trigger for route in self.routes])

    def _by_sensor(self, name: str, window: str) -> str:
        return f"sum by (sensor_name) (increase(argo_events_{name}{self._triggers()}[{window}]))"

    def _grown(self, name: str, window: str, phases: str = "") -> str:
        """By how much each has grown. A series begins with its first Workflow, not with 0: until it is as old as the
        window, all of it counts."""
        found = self._of_controller(name, sorted({route.template for route in self.routes}), phases)
        return " or ".join(f"({one} unless {one} offset {window}) or increase({one}[{window}])" for one in found)

    def _of_controller(self, name: str, templates: Sequence[str], phases: str) -> list[str]:
        """What the workflow-controller says of this namespace, in two places. Its pod is in another, and Prometheus,
        unless told to honor labels, calls the metric's own namespace `exported_namespace`."""
        theirs: dict[str, str | Sequence[str]] = {"name": templates} | ({"phase": phases.split("|")} if phases else {})
        mine: Sequence[dict[str, str | Sequence[str]]] = (
            {"namespace": self.namespace, "exported_namespace": ["", self.namespace]},
            {"exported_namespace": self.namespace},
        )
        return [f"argo_workflows_workflowtemplate_{name}{matchers(theirs | where)}" for where in mine]


def matchers(labels: Mapping[str, str | Sequence[str]]) -> str:
    """Label matchers: a text is equal, of several one is."""
    return (
        "{"
        + ",".join(
            f'{name}="{value}"' if isinstance(value, str) else f'{name}=~"{"|".join(value)}"'
            for name, value in labels.items()
        )
        + "}"
    )
