"""The pods that Argo Events makes: what the stack asks for them, how they are selected, and how a drain treats them.

All of it meets the Pod Security standard `restricted`. The engine writes to no disk but /tmp, an emptyDir that its
controller adds; its image has no user of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from routes import manifests as m
from routes.settings import Amount, Resources, StackSettings, mebibytes

USER = 65532
"""User and group of every pod: not root, and no user of any node."""

POD_SECURITY_VERSION = "v1.35"
"""The Pod Security standard as this version of Kubernetes has it; an older cluster takes its own newest."""

BESIDE_THE_BUS = Resources(
    requests=Amount(cpu="10m", memory="32Mi"),
    limits=Amount(cpu="200m", memory="128Mi"),
)
"""The two small containers beside each NATS server: one reloads its config, one serves its metrics."""


def pod_security_labels(settings: StackSettings) -> dict[str, str]:
    """Labels of a namespace: what is not of the enforced level is refused, what is not restricted is told."""
    levels = {"enforce": settings.pod_security, "audit": "restricted", "warn": "restricted"}
    prefix = "pod-security.kubernetes.io"
    return {f"{prefix}/{mode}": level for mode, level in levels.items()} | {
        f"{prefix}/{mode}-version": POD_SECURITY_VERSION for mode in levels
    }


def of_event_source(name: str) -> m.LabelSelector:
    """The pods of an EventSource, by what its controller labels them with."""
    return m.LabelSelector(match_labels={"eventsource-name": name})


def of_sensors(names: Sequence[str]) -> m.LabelSelector:
    """The pods of these Sensors, at least one, and of no others in the namespace."""
    return m.LabelSelector(match_expressions=[m.LabelSelectorRequirement(key="sensor-name", values=sorted(names))])


def of_event_bus(name: str) -> m.LabelSelector:
    """The servers of a native EventBus."""
    return m.LabelSelector(match_labels={"controller": "eventbus-controller", "eventbus-name": name})


def pod_template(
    account: str, resources: Resources, settings: StackSettings, *, apart: m.LabelSelector | None = None
) -> m.PodTemplate:
    """A pod of an EventSource or a Sensor. `apart`: pods that it is kept away from, where there are nodes enough."""
    return m.PodTemplate(
        service_account_name=account,
        container=container(resources).model_copy(update={"env": [memory_limit(resources)]}),
        security_context=security_context(),
        priority_class_name=settings.pods.priority_class_name,
        node_selector=settings.pods.node_selector,
        affinity=apart_from(apart, settings) if apart else None,
    )


def container(resources: Resources) -> m.ContainerTemplate:
    return m.ContainerTemplate(
        resources=m.ResourceRequirements(requests=_quantities(resources.requests), limits=_quantities(resources.limits))
    )


def memory_limit(resources: Resources) -> m.EnvVar:
    """Go's own limit, a quarter below the pod's: what large deliveries leave behind is collected, not killed for.

    It is a soft one, and a delivery of 24 MB went 80 MiB beyond it.
    """
    return m.EnvVar(name="GOMEMLIMIT", value=f"{mebibytes(resources.limits.memory) * 3 // 4}MiB")


def _quantities(amount: Amount) -> m.Quantities:
    return m.Quantities(cpu=amount.cpu, memory=amount.memory)


def security_context(*, volumes: bool = False) -> m.PodSecurityContext:
    """`volumes`: the pod writes to persistent ones, which must be its group's."""
    return m.PodSecurityContext(run_as_user=USER, run_as_group=USER, fs_group=USER if volumes else None)


def apart_from(pods: m.LabelSelector, settings: StackSettings) -> m.Affinity:
    """Kept away from `pods`. Not by topologySpreadConstraints, which Argo Events has none of."""
    spread = settings.pods.spread
    on_node = m.PodAffinityTerm(label_selector=pods, topology_key="kubernetes.io/hostname")
    in_zone = m.PodAffinityTerm(label_selector=pods, topology_key="topology.kubernetes.io/zone")
    terms = ((on_node, spread.nodes), (in_zone, spread.zones))
    preferred = [m.WeightedPodAffinityTerm(pod_affinity_term=term) for term, how in terms if how == "prefer"]
    required = [term for term, how in terms if how == "require"]
    return m.Affinity(
        pod_anti_affinity=m.PodAntiAffinity(
            preferred_during_scheduling_ignored_during_execution=preferred or None,
            required_during_scheduling_ignored_during_execution=required or None,
        )
    )


def disruption_budget(metadata: m.Metadata, pods: m.LabelSelector) -> m.PodDisruptionBudget:
    """One of `pods` at a time may be drained away, and one that does not run anyhow always.

    Of a single pod too: a budget that kept it would stop the drain of its node for good. What it costs is said in the
    setting `webhook.replicas`; a Sensor that is away loses nothing.
    """
    return m.PodDisruptionBudget(metadata=metadata, spec=m.PodDisruptionBudgetSpec(selector=pods))


def image_policy(
    metadata: m.Metadata, namespace: str, pods: Sequence[m.LabelSelector], images: Sequence[str]
) -> m.AdmissionPolicy:
    """Refuses what is one of `pods` and runs another image than these."""
    allowed = _texts(images)
    chosen = "object.spec.containers + object.spec.?initContainers.orValue([])"
    return m.AdmissionPolicy(
        metadata=metadata,
        spec=m.AdmissionPolicySpec(
            match_constraints=m.MatchConstraints(
                resource_rules=[
                    m.ResourceRule(
                        api_groups=[""], api_versions=["v1"], resources=["pods"], operations=["CREATE", "UPDATE"]
                    )
                ]
            ),
            match_conditions=[
                m.MatchCondition(name="in-the-namespace", expression=f"request.namespace == '{namespace}'"),
                m.MatchCondition(name="of-the-engine", expression=" || ".join(_selects(p) for p in pods)),
            ],
            validations=[
                m.Validation(
                    expression=f"({chosen}).all(c, c.image in {allowed})",
                    message="not an image of the setting pods.images",
                    message_expression=f"({chosen}).filter(c, !(c.image in {allowed})).map(c, c.image).join(', ')"
                    " + ' is not in the setting pods.images; the Argo Events controller chose it'",
                )
            ],
        ),
    )


def _selects(pods: m.LabelSelector) -> str:
    """A selector as an expression over `object`."""
    wanted = {key: [value] for key, value in (pods.match_labels or {}).items()}
    wanted |= {requirement.key: requirement.values for requirement in pods.match_expressions or []}
    tests = [f"object.metadata.?labels[?'{key}'].orValue('') in {_texts(values)}" for key, values in wanted.items()]
    return f"({' && '.join(tests)})"


def _texts(values: Sequence[str]) -> str:
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"
