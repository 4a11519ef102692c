"""Dead letters: what names a delivery that became no Workflow though its Sensor tried for `retryMinutes`.

Each is a ConfigMap of its own, without the payload. It is written by the Sensor's `dlqTrigger`, which tries until it is
done, and only then takes the next delivery: an outage of the API server, however long, costs a route no more than one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from routes import manifests as m
from routes.contract import LABELS, NEUTRAL, Constant, Source
from routes.model import Delivery, Route

NAME = "dead-letter-"
"""What the API server completes to a name: a delivery that is given up twice has two letters."""

LABEL = "github-to-argo/dead-letter"
"""The label of each dead letter; its value is the route's Sensor."""

RETRY = m.RetryStrategy(steps=2**31 - 1, duration="5s")
"""For centuries."""

OF_THE_ENGINE = ("events.argoproj.io/sensor", "events.argoproj.io/trigger", "events.argoproj.io/action-timestamp")
"""Labels that the engine adds to what it creates."""


@dataclass(frozen=True)
class Shortened:
    """GitHub's delivery id, neutral, its first 200 bytes: a letter that is refused would hold its route up for ever."""

    def template(self) -> str:
        shortened = '{{ with index .Input.body "X-GitHub-Delivery" }}{{ with toString . | trunc 200 }}'
        return f"{shortened}{NEUTRAL}{{{{ end }}}}{{{{ end }}}}"


SOURCES: Mapping[str, Shortened | Source | None] = {
    "delivery": Shortened(),
    "event": None,
    "repository": LABELS["repository"].always,
}
"""What a dead letter tells of its delivery. The event is that of the route's dependency."""

CONTEXT = {"eventId": "id", "accepted": "time"}
"""What it tells of the engine's own event: the id that the Sensor's log has beside each error, and when it came."""

FIELDS = (*SOURCES, *CONTEXT)

# A static value of gjson, the engine's path language: always there, always the empty text.
EMPTY = '!""'


def dead_letter(route: Route, deliveries: tuple[Delivery, ...]) -> m.DeadLetterTrigger:
    """The trigger of a route for what its own trigger gives up."""
    letter = m.DeadLetter(
        metadata=m.DeadLetterMetadata(generate_name=NAME, labels={LABEL: route.sensor}),
        data=dict.fromkeys(FIELDS, ""),
    )
    return m.DeadLetterTrigger(
        template=m.DeadLetterTemplate(
            name=f"{route.trigger}-dead-letter",
            k8s=m.DeadLetterK8sTrigger(
                source=m.DeadLetterSource(resource=letter),
                parameters=[parameter for delivery in deliveries for parameter in _parameters(delivery)],
            ),
        ),
        retry_strategy=RETRY,
    )


def _parameters(delivery: Delivery) -> Iterator[m.TriggerParameter]:
    for name, source in SOURCES.items():
        template = (source or Constant(delivery.event)).template()
        yield m.TriggerParameter(
            src=m.ParameterSource(dependency_name=delivery.name, data_template=template, data_key=EMPTY),
            dest=f"data.{name}",
        )
    for name, key in CONTEXT.items():
        yield m.TriggerParameter(
            src=m.ParameterSource(dependency_name=delivery.name, context_key=key), dest=f"data.{name}"
        )
