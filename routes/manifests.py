"""Closed models of what is emitted, and no more than that.

The CRDs of Argo Events keep unknown fields: a misspelt one is stored and silently ignored. These models are the gate.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Manifest = dict[str, Any]
"""A Kubernetes object as plain JSON."""


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True)

    def manifest(self) -> Manifest:
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class Metadata(Model):
    name: str
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class KeyRef(Model):
    """A key of a Secret or ConfigMap."""

    name: str
    key: str


class LocalRef(Model):
    name: str


# --- Argo Events


class DataFilter(Model):
    path: str
    type: Literal["string"] = "string"
    value: list[str]
    comparator: Literal["!="] | None = None


class ExprField(Model):
    name: str
    path: str


class ExprFilter(Model):
    expr: str
    fields_: list[ExprField] = Field(alias="fields")


class Filters(Model):
    exprs: list[ExprFilter] | None = None
    data: list[DataFilter]


class Dependency(Model):
    name: str
    event_source_name: str
    event_name: str
    filters: Filters


class ParameterSource(Model):
    dependency_name: str
    data_template: str | None = None
    data_key: str | None = None
    context_key: str | None = None


class TriggerParameter(Model):
    src: ParameterSource
    dest: str


class Argument(Model):
    name: str
    value: str | None = None


class Arguments(Model):
    parameters: list[Argument]


class ConfigMapKeySemaphore(Model):
    config_map_key_ref: KeyRef


class Mutex(Model):
    name: str


class Synchronization(Model):
    semaphores: list[ConfigMapKeySemaphore] | None = None
    mutexes: list[Mutex] | None = None


class TtlStrategy(Model):
    seconds_after_completion: int


class WorkflowSpec(Model):
    workflow_template_ref: LocalRef
    arguments: Arguments
    synchronization: Synchronization
    ttl_strategy: TtlStrategy
    service_account_name: str | None = None


class WorkflowMetadata(Model):
    name: str
    labels: dict[str, str]
    annotations: dict[str, str]


class Workflow(Model):
    api_version: Literal["argoproj.io/v1alpha1"] = "argoproj.io/v1alpha1"
    kind: Literal["Workflow"] = "Workflow"
    metadata: WorkflowMetadata
    spec: WorkflowSpec


class Source(Model):
    resource: Workflow


class K8sTrigger(Model):
    operation: Literal["update"] = "update"
    source: Source
    parameters: list[TriggerParameter]


class TriggerTemplate(Model):
    name: str
    conditions: str
    k8s: K8sTrigger = Field(alias="k8s")


class RateLimit(Model):
    unit: Literal["Second", "Minute", "Hour"]
    requests_per_unit: int = Field(ge=1)


class RetryStrategy(Model):
    steps: int = Field(ge=1)
    duration: str


class DeadLetterMetadata(Model):
    generate_name: str
    labels: dict[str, str]


class DeadLetter(Model):
    api_version: Literal["v1"] = "v1"
    kind: Literal["ConfigMap"] = "ConfigMap"
    metadata: DeadLetterMetadata
    data: dict[str, str]


class DeadLetterSource(Model):
    resource: DeadLetter


class DeadLetterK8sTrigger(Model):
    operation: Literal["create"] = "create"
    source: DeadLetterSource
    parameters: list[TriggerParameter]


class DeadLetterTemplate(Model):
    name: str
    k8s: DeadLetterK8sTrigger = Field(alias="k8s")


class DeadLetterTrigger(Model):
    template: DeadLetterTemplate
    retry_strategy: RetryStrategy
    at_least_once: Literal[True] = True


class Trigger(Model):
    template: TriggerTemplate
    rate_limit: RateLimit | None
    retry_strategy: RetryStrategy
    at_least_once: Literal[True] = True
    dlq_trigger: DeadLetterTrigger


class Quantities(Model):
    cpu: str
    memory: str


class ResourceRequirements(Model):
    requests: Quantities
    limits: Quantities


class SeccompProfile(Model):
    type: Literal["RuntimeDefault"] = "RuntimeDefault"


class PodSecurityContext(Model):
    run_as_non_root: Literal[True] = True
    run_as_user: int = Field(ge=1)
    run_as_group: int = Field(ge=1)
    fs_group: int | None = Field(None, ge=1)
    seccomp_profile: SeccompProfile = SeccompProfile()


class Capabilities(Model):
    drop: list[Literal["ALL"]] = ["ALL"]


class SecurityContext(Model):
    allow_privilege_escalation: Literal[False] = False
    read_only_root_filesystem: Literal[True] = True
    capabilities: Capabilities = Capabilities()


class EnvVar(Model):
    name: str
    value: str


class ContainerTemplate(Model):
    """What Argo Events lets one set of a container it writes."""

    env: list[EnvVar] | None = None
    resources: ResourceRequirements
    security_context: SecurityContext = SecurityContext()


class LabelSelectorRequirement(Model):
    key: str
    operator: Literal["In"] = "In"
    values: list[str]


class LabelSelector(Model):
    match_labels: dict[str, str] | None = None
    match_expressions: list[LabelSelectorRequirement] | None = None


class PodAffinityTerm(Model):
    label_selector: LabelSelector
    topology_key: Literal["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


class WeightedPodAffinityTerm(Model):
    weight: Literal[100] = 100
    pod_affinity_term: PodAffinityTerm


class PodAntiAffinity(Model):
    preferred_during_scheduling_ignored_during_execution: list[WeightedPodAffinityTerm] | None = None
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] | None = None


class Affinity(Model):
    pod_anti_affinity: PodAntiAffinity


class PodTemplate(Model):
    service_account_name: str
    container: ContainerTemplate
    security_context: PodSecurityContext
    priority_class_name: str | None = None
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None


class SensorSpec(Model):
    event_bus_name: str
    replicas: int
    template: PodTemplate
    dependencies: list[Dependency]
    triggers: list[Trigger]


class Sensor(Model):
    api_version: Literal["argoproj.io/v1alpha1"] = "argoproj.io/v1alpha1"
    kind: Literal["Sensor"] = "Sensor"
    metadata: Metadata
    spec: SensorSpec


class WebhookContext(Model):
    endpoint: str
    port: str
    method: Literal["POST"] = "POST"
    max_payload_size: int


class GitHubSource(Model):
    webhook: WebhookContext
    webhook_secret: KeyRef
    organizations: list[str]
    events: list[str]
    content_type: Literal["json"] = "json"


class ServicePort(Model):
    name: str
    port: int
    target_port: int


class EventSourceService(Model):
    ports: list[ServicePort]


class EventSourceSpec(Model):
    event_bus_name: str
    replicas: int
    template: PodTemplate
    service: EventSourceService
    github: dict[str, GitHubSource]


class EventSource(Model):
    api_version: Literal["argoproj.io/v1alpha1"] = "argoproj.io/v1alpha1"
    kind: Literal["EventSource"] = "EventSource"
    metadata: Metadata
    spec: EventSourceSpec


class Persistence(Model):
    access_mode: Literal["ReadWriteOnce"] = "ReadWriteOnce"
    storage_class_name: str | None = None
    volume_size: str


class JetStream(Model):
    version: str
    replicas: int
    stream_config: str
    settings: str
    max_payload: str
    persistence: Persistence | None = None
    service_account_name: str
    security_context: PodSecurityContext
    container_template: ContainerTemplate
    reloader_container_template: ContainerTemplate
    metrics_container_template: ContainerTemplate
    priority_class_name: str | None = None
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None


class Tls(Model):
    insecure_skip_verify: bool | None = None
    ca_cert_secret: KeyRef | None = Field(None, alias="caCertSecret")


class JetStreamExotic(Model):
    url: str
    access_secret: KeyRef
    stream_config: str
    tls: Tls


class EventBusSpec(Model):
    jetstream: JetStream | None = None
    jetstream_exotic: JetStreamExotic | None = None


class EventBus(Model):
    api_version: Literal["argoproj.io/v1alpha1"] = "argoproj.io/v1alpha1"
    kind: Literal["EventBus"] = "EventBus"
    metadata: Metadata
    spec: EventBusSpec


# --- Argo Workflows


class Suspend(Model):
    duration: str


class WorkflowTemplateStep(Model):
    name: str
    suspend: Suspend


class WorkflowTemplateSpec(Model):
    entrypoint: str
    arguments: Arguments
    templates: list[WorkflowTemplateStep]


class WorkflowTemplate(Model):
    api_version: Literal["argoproj.io/v1alpha1"] = "argoproj.io/v1alpha1"
    kind: Literal["WorkflowTemplate"] = "WorkflowTemplate"
    metadata: Metadata
    spec: WorkflowTemplateSpec


class VolumeMount(Model):
    name: str
    mount_path: str
    read_only: Literal[True] | None = None


class StepContainer(Model):
    image: str
    command: list[str]
    env: list[EnvVar]
    volume_mounts: list[VolumeMount]
    resources: ResourceRequirements
    security_context: SecurityContext = SecurityContext()


class ContainerStep(Model):
    name: str
    container: StepContainer


class KeyToPath(Model):
    key: str
    path: str


class SecretVolume(Model):
    secret_name: str
    items: list[KeyToPath]
    default_mode: Literal[0o440] = 0o440


class Nothing(Model):
    """`{}`."""


class Volume(Model):
    name: str
    secret: SecretVolume | None = None
    config_map: LocalRef | None = None
    empty_dir: Nothing | None = None


class Confinement(Model):
    """The least that Pod Security `restricted` wants of a container."""

    allow_privilege_escalation: Literal[False] = False
    capabilities: Capabilities = Capabilities()


class ContainerPatch(Model):
    name: str
    security_context: Confinement = Confinement()


class PodSpecPatch(Model):
    init_containers: list[ContainerPatch]
    containers: list[ContainerPatch]


class PodMetadata(Model):
    labels: dict[str, str]


class PodsTemplateSpec(Model):
    """Of a WorkflowTemplate whose step is a pod."""

    entrypoint: str
    service_account_name: str
    active_deadline_seconds: int
    pod_metadata: PodMetadata
    pod_spec_patch: str
    security_context: PodSecurityContext
    priority_class_name: str | None = Field(None, alias="podPriorityClassName")
    node_selector: dict[str, str] | None = None
    templates: list[ContainerStep]
    volumes: list[Volume]


class PodsTemplate(Model):
    api_version: Literal["argoproj.io/v1alpha1"] = "argoproj.io/v1alpha1"
    kind: Literal["WorkflowTemplate"] = "WorkflowTemplate"
    metadata: Metadata
    spec: PodsTemplateSpec


class ScheduledSpec(Model):
    workflow_template_ref: LocalRef


class CronWorkflowSpec(Model):
    schedules: list[str]
    concurrency_policy: Literal["Forbid"] = "Forbid"
    successful_jobs_history_limit: int
    failed_jobs_history_limit: int
    workflow_spec: ScheduledSpec


class CronWorkflow(Model):
    api_version: Literal["argoproj.io/v1alpha1"] = "argoproj.io/v1alpha1"
    kind: Literal["CronWorkflow"] = "CronWorkflow"
    metadata: Metadata
    spec: CronWorkflowSpec


# --- External Secrets


class StoreRef(Model):
    name: str
    kind: Literal["ClusterSecretStore", "SecretStore"]


class SecretTarget(Model):
    name: str
    creation_policy: Literal["Owner"] = "Owner"


class RemoteRef(Model):
    key: str
    property: str | None = None


class SecretData(Model):
    secret_key: str
    remote_ref: RemoteRef


class ExternalSecretSpec(Model):
    refresh_interval: str
    secret_store_ref: StoreRef
    target: SecretTarget
    data: list[SecretData]


class ExternalSecret(Model):
    api_version: Literal["external-secrets.io/v1"] = "external-secrets.io/v1"
    kind: Literal["ExternalSecret"] = "ExternalSecret"
    metadata: Metadata
    spec: ExternalSecretSpec


# --- Kubernetes


class Namespace(Model):
    api_version: Literal["v1"] = "v1"
    kind: Literal["Namespace"] = "Namespace"
    metadata: Metadata


class Secret(Model):
    """A Secret by name; its data comes from Pulumi's config and is in no manifest."""

    api_version: Literal["v1"] = "v1"
    kind: Literal["Secret"] = "Secret"
    metadata: Metadata


class ConfigMap(Model):
    api_version: Literal["v1"] = "v1"
    kind: Literal["ConfigMap"] = "ConfigMap"
    metadata: Metadata
    data: dict[str, str]


class ServiceAccount(Model):
    api_version: Literal["v1"] = "v1"
    kind: Literal["ServiceAccount"] = "ServiceAccount"
    metadata: Metadata
    automount_service_account_token: bool | None = None


class PolicyRule(Model):
    api_groups: list[str]
    resources: list[str]
    resource_names: list[str] | None = None
    verbs: list[str]


class Role(Model):
    api_version: Literal["rbac.authorization.k8s.io/v1"] = "rbac.authorization.k8s.io/v1"
    kind: Literal["Role"] = "Role"
    metadata: Metadata
    rules: list[PolicyRule]


class RoleRef(Model):
    api_group: Literal["rbac.authorization.k8s.io"] = "rbac.authorization.k8s.io"
    kind: Literal["Role"] = "Role"
    name: str


class Subject(Model):
    kind: Literal["ServiceAccount"] = "ServiceAccount"
    name: str
    namespace: str


class RoleBinding(Model):
    api_version: Literal["rbac.authorization.k8s.io/v1"] = "rbac.authorization.k8s.io/v1"
    kind: Literal["RoleBinding"] = "RoleBinding"
    metadata: Metadata
    role_ref: RoleRef
    subjects: list[Subject]


class ResourceRule(Model):
    api_groups: list[str]
    api_versions: list[str]
    resources: list[str]
    operations: list[str]


class MatchConstraints(Model):
    namespace_selector: LabelSelector | None = None
    resource_rules: list[ResourceRule]


class MatchCondition(Model):
    name: str
    expression: str


class Variable(Model):
    name: str
    expression: str


class Validation(Model):
    expression: str
    message: str
    message_expression: str | None = None


class AdmissionPolicySpec(Model):
    failure_policy: Literal["Fail"] = "Fail"
    match_constraints: MatchConstraints
    match_conditions: list[MatchCondition]
    variables: list[Variable] | None = None
    validations: list[Validation]


class AdmissionPolicy(Model):
    api_version: Literal["admissionregistration.k8s.io/v1"] = "admissionregistration.k8s.io/v1"
    kind: Literal["ValidatingAdmissionPolicy"] = "ValidatingAdmissionPolicy"
    metadata: Metadata
    spec: AdmissionPolicySpec


class AdmissionPolicyBindingSpec(Model):
    policy_name: str
    validation_actions: list[Literal["Deny"]] = ["Deny"]


class AdmissionPolicyBinding(Model):
    api_version: Literal["admissionregistration.k8s.io/v1"] = "admissionregistration.k8s.io/v1"
    kind: Literal["ValidatingAdmissionPolicyBinding"] = "ValidatingAdmissionPolicyBinding"
    metadata: Metadata
    spec: AdmissionPolicyBindingSpec


class PodDisruptionBudgetSpec(Model):
    max_unavailable: Literal[1] = 1
    selector: LabelSelector
    unhealthy_pod_eviction_policy: Literal["AlwaysAllow"] = "AlwaysAllow"


class PodDisruptionBudget(Model):
    api_version: Literal["policy/v1"] = "policy/v1"
    kind: Literal["PodDisruptionBudget"] = "PodDisruptionBudget"
    metadata: Metadata
    spec: PodDisruptionBudgetSpec


class BackendPort(Model):
    number: int


class IngressService(Model):
    name: str
    port: BackendPort


class IngressBackend(Model):
    service: IngressService


class IngressPath(Model):
    path: str
    path_type: Literal["Exact"] = "Exact"
    backend: IngressBackend


class IngressPaths(Model):
    paths: list[IngressPath]


class IngressHost(Model):
    host: str
    http: IngressPaths


class IngressTls(Model):
    hosts: list[str]
    secret_name: str


class IngressSpec(Model):
    ingress_class_name: str
    tls: list[IngressTls] | None = None
    rules: list[IngressHost]


class Ingress(Model):
    api_version: Literal["networking.k8s.io/v1"] = "networking.k8s.io/v1"
    kind: Literal["Ingress"] = "Ingress"
    metadata: Metadata
    spec: IngressSpec


class NetworkPort(Model):
    port: int
    protocol: Literal["TCP", "UDP"] = "TCP"


class IpBlock(Model):
    cidr: str


class NetworkPeer(Model):
    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IpBlock | None = None


class IngressRule(Model):
    """No `from`: anyone."""

    from_: list[NetworkPeer] | None = Field(None, alias="from")
    ports: list[NetworkPort]


class EgressRule(Model):
    """No `to`: any address."""

    to: list[NetworkPeer] | None = None
    ports: list[NetworkPort]


class NetworkPolicySpec(Model):
    """What no rule allows is denied, both ways."""

    pod_selector: LabelSelector
    policy_types: list[Literal["Ingress", "Egress"]] = ["Ingress", "Egress"]
    ingress: list[IngressRule]
    egress: list[EgressRule]


class NetworkPolicy(Model):
    api_version: Literal["networking.k8s.io/v1"] = "networking.k8s.io/v1"
    kind: Literal["NetworkPolicy"] = "NetworkPolicy"
    metadata: Metadata
    spec: NetworkPolicySpec


# --- Gateway API


class ParentRef(Model):
    name: str
    namespace: str
    section_name: str | None = None


class PathMatch(Model):
    type: Literal["Exact"] = "Exact"
    value: str


class RouteMatch(Model):
    path: PathMatch


class BackendRef(Model):
    name: str
    port: int


class HttpRouteRule(Model):
    matches: list[RouteMatch]
    backend_refs: list[BackendRef]


class HttpRouteSpec(Model):
    parent_refs: list[ParentRef]
    hostnames: list[str]
    rules: list[HttpRouteRule]


class HttpRoute(Model):
    api_version: Literal["gateway.networking.k8s.io/v1"] = "gateway.networking.k8s.io/v1"
    kind: Literal["HTTPRoute"] = "HTTPRoute"
    metadata: Metadata
    spec: HttpRouteSpec


# --- Prometheus Operator


class PodMetricsEndpoint(Model):
    port: str
    interval: str


class PodMonitorSpec(Model):
    selector: LabelSelector
    pod_metrics_endpoints: list[PodMetricsEndpoint]


class PodMonitor(Model):
    api_version: Literal["monitoring.coreos.com/v1"] = "monitoring.coreos.com/v1"
    kind: Literal["PodMonitor"] = "PodMonitor"
    metadata: Metadata
    spec: PodMonitorSpec


class RecordingRule(Model):
    record: str
    expr: str
    labels: dict[str, str]


class AlertingRule(Model):
    alert: str
    expr: str
    for_: str | None = Field(None, alias="for")
    labels: dict[str, str]
    annotations: dict[str, str]


class RuleGroup(Model):
    name: str
    rules: list[RecordingRule | AlertingRule]


class PrometheusRuleSpec(Model):
    groups: list[RuleGroup]


class PrometheusRule(Model):
    api_version: Literal["monitoring.coreos.com/v1"] = "monitoring.coreos.com/v1"
    kind: Literal["PrometheusRule"] = "PrometheusRule"
    metadata: Metadata
    spec: PrometheusRuleSpec
