"""The CronWorkflow that restarts Sensors that hang: the command `cure --yes`, every so often."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from routes import manifests as m
from routes.accounts import may
from routes.limits import RETRY_SECONDS
from routes.manifests import Manifest
from routes.model import Rate
from routes.network import METRICS
from routes.scheduled import Scheduled, scheduled
from routes.settings import Monitor, StackSettings

NAME = "cure"

OF_SENSOR = "sensor-name"
"""The label of a Sensor's pods, whose value is the Sensor."""

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
    settings: StackSettings,
    metadata: Callable[[str], m.Metadata],
    monitor: Monitor | None,
    rates: Mapping[str, Rate | None],
) -> Iterator[Manifest]:
    """Its objects; none where the setting is not there. `metadata` of a name; `monitor` of its JetStream; the rates are
    by Sensor."""
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
    if settings.admission_policy:
        yield from _policy(ours, list(rates))
    what = Scheduled(
        name=NAME,
        step="cure",
        command=COMMAND,
        image=chosen.image,
        schedule=chosen.schedule,
        resources=chosen.resources,
        rules=[*rules, asks] if own else rules,
        ends_after_seconds=int(max(map(patience_of, rates.values()), default=0)) + BESIDE_SECONDS,
    )
    yield from scheduled(what, settings, metadata)


def _policy(ours: m.Metadata, sensors: Sequence[str]) -> Iterator[Manifest]:
    """RBAC knows no labels: what the account may do to pods, it may do to those of the Sensors alone."""
    # Cluster-wide, hence named after the namespace.
    metadata = ours.model_copy(update={"name": f"{ours.name}-{ours.namespace}", "namespace": None})
    account = f"system:serviceaccount:{ours.namespace}:{ours.name}"
    names = "[" + ", ".join(f"'{sensor}'" for sensor in sensors) + "]"
    pods = m.ResourceRule(
        api_groups=[""], api_versions=["v1"], resources=["pods", "pods/*"], operations=["DELETE", "CONNECT"]
    )
    of_a_sensor = f"oldObject.metadata.?labels[?'{OF_SENSOR}'].orValue('') in {names}"
    metrics = f"{names}.exists(s, request.name.startsWith(s + '-sensor-')) && request.name.endsWith(':{METRICS}')"
    yield m.AdmissionPolicy(
        metadata=metadata,
        spec=m.AdmissionPolicySpec(
            match_constraints=m.MatchConstraints(resource_rules=[pods]),
            match_conditions=[
                m.MatchCondition(name="by-the-cure", expression=f"request.userInfo.username == '{account}'")
            ],
            validations=[
                m.Validation(
                    expression=f"request.operation != 'DELETE' || {of_a_sensor}",
                    message="the cure deletes only pods of the stack's Sensors",
                ),
                m.Validation(
                    expression=f"request.operation != 'CONNECT' || {metrics}",
                    message="the cure asks only the stack's Sensors, for their metrics",
                ),
            ],
        ),
    ).manifest()
    yield m.AdmissionPolicyBinding(
        metadata=metadata, spec=m.AdmissionPolicyBindingSpec(policy_name=metadata.name)
    ).manifest()
