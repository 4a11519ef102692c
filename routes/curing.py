"""The CronWorkflow that restarts Sensors that hang: the command `cure --yes`, every so often."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from routes import manifests as m
from routes.accounts import may
from routes.limits import RETRY_SECONDS
from routes.manifests import Manifest
from routes.model import Rate
from routes.scheduled import Scheduled, scheduled
from routes.settings import Monitor, StackSettings

NAME = "cure"

ATTEMPT_SECONDS = 150.0
"""More than an attempt takes: two requests, each of which the API server ends after 60 s. And JetStream hands what a
Sensor had taken before its restart out after 30."""

BESIDE_SECONDS = 300
"""What a run needs beside its patience: its image, its start, the pods that it deletes."""

COMMAND = ("cure", "--yes")


def patience_of(rate: Rate | None) -> float:
    """Seconds between two attempts of a Sensor at the very most: each takes its place in the rate, a retry too."""
    return max(rate.seconds / rate.limit if rate else 0, RETRY_SECONDS) + ATTEMPT_SECONDS


def curing(
    settings: StackSettings, metadata: Callable[[str], m.Metadata], monitor: Monitor | None, rates: list[Rate | None]
) -> Iterator[Manifest]:
    """Its objects; none where the setting is not there. `metadata` of a name; `monitor` of its JetStream."""
    chosen = settings.cure
    if not chosen:
        return
    assert monitor  # the setting is refused without one
    asks = m.PolicyRule(
        api_groups=[""],
        resources=["services/proxy"],
        resource_names=[f"{monitor.service}:{monitor.port}"],
        verbs=["get"],
    )
    rules = [
        m.PolicyRule(api_groups=[""], resources=["pods"], verbs=["list", "delete"]),
        m.PolicyRule(api_groups=[""], resources=["pods/proxy"], verbs=["get"]),
    ]
    ours, own = metadata(NAME), monitor.namespace == settings.namespace
    if not own:
        there = ours.model_copy(update={"name": f"{ours.name}-{settings.namespace}", "namespace": monitor.namespace})
        yield from may(there, ours, [asks])
    what = Scheduled(
        name=NAME,
        step="cure",
        command=COMMAND,
        image=chosen.image,
        schedule=chosen.schedule,
        resources=chosen.resources,
        rules=[*rules, asks] if own else rules,
        ends_after_seconds=int(max(map(patience_of, rates), default=0)) + BESIDE_SECONDS,
    )
    yield from scheduled(what, settings, metadata)
