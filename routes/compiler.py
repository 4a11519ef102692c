"""(families, settings) -> CompiledStack: every Kubernetes object of a stack, as plain JSON, in the order of the table.

What the engine makes of each field is in the comments beside it; `routes/contract.py` says what a Workflow is given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from routes import manifests as m
from routes.accounts import REPORTS, account
from routes.admission import Admission, Started
from routes.consumers import durable_names
from routes.contract import (
    ANNOTATIONS,
    LABELS,
    PARAMETERS,
    TEMPLATES,
    Constant,
    Json,
    Lane,
    Source,
    WorkflowName,
)
from routes.curing import curing
from routes.dead_letters import EMPTY, dead_letter
from routes.exposure import exposure
from routes.guards import fires_on
from routes.limits import RETRY_SECONDS
from routes.manifests import Manifest
from routes.model import (
    EVENT,
    BranchIn,
    Condition,
    Delivery,
    Family,
    Is,
    Like,
    NamedLike,
    NotOneOf,
    OneOf,
    OneOfOrBy,
    Route,
    SameAs,
    Unlike,
)
from routes.monitoring import monitoring
from routes.network import network_policies
from routes.pods import (
    BESIDE_THE_BUS,
    apart_from,
    container,
    disruption_budget,
    image_policy,
    of_event_bus,
    of_event_source,
    of_sensors,
    pod_security_labels,
    pod_template,
    security_context,
)
from routes.queries import WatchedRoute
from routes.redelivery import redelivery
from routes.settings import (
    ConfigWebhookSecret,
    ExistingWebhookSecret,
    ExoticEventBus,
    ExternalWebhookSecret,
    ManagedRunner,
    Monitor,
    NativeEventBus,
    StackSettings,
)

EVENT_BUS = "github"
EVENT_SOURCE = "github-es"
EVENT_NAME = "main"
EVENT_SOURCE_SERVICE = f"{EVENT_SOURCE}-eventsource-svc"
"""The Service that the Argo Events controller makes for it."""
EVENT_BUS_ACCOUNT = "github-bus"
SUBMITTER = "argo-events-workflow-submitter"
SEMAPHORES = "workflow-semaphores"
PREFIX = "github-to-argo"
"""Prefix of the labels and annotations of each Workflow."""


# Conditions of who serves a kind. `pulumi up` waits until each is True.
WAIT_FOR = {
    "EventBus": ("Deployed", "Configured"),
    "EventSource": ("SourcesProvided", "Deployed"),
    "Sensor": ("DependenciesProvided", "TriggersProvided", "Deployed"),
    "ExternalSecret": ("Ready",),
    "HTTPRoute": ("Accepted", "ResolvedRefs"),
}

QUEUE = "queue"
"""The last dependency of each Sensor, the same in every stack. It never passes.

The engine names JetStream's consumer after the last dependency of the conditions, and deletes it, with all that waits,
when that dependency or the conditions change (`consumers.dropped`). So neither does: a delivery that is off in a stack
stays a dependency too, and never passes.
"""
NEVER = m.DataFilter(path=f"body.{EVENT}", value=[".^"])
"""Of no text does something stand before its beginning. Any event's name could be sent by who knows the secret."""


@dataclass(frozen=True, kw_only=True)
class CompiledStack:
    """A stack's objects by what makes them. `sensors` is by family; a Secret holds no data here.

    `external_templates` are WorkflowTemplates that are not the stack's, with the parameters that routes send them.
    """

    namespace: Manifest | None
    webhook_secret: Manifest | None
    event_bus_access: Manifest | None
    event_bus: Manifest
    access: list[Manifest]
    guards: list[Manifest]
    templates: list[Manifest]
    external_templates: Mapping[str, list[str]]
    sensors: Mapping[str, list[Manifest]]
    event_source: Manifest
    exposure: Manifest | None
    redelivery: list[Manifest]
    cure: list[Manifest]
    monitoring: list[Manifest]

    def all_sensors(self) -> list[Manifest]:
        """The Sensors of all families."""
        return [sensor for family in self.sensors.values() for sensor in family]

    def sensor(self, name: str) -> Manifest:
        """The Sensor of this name. Raises ValueError where there is none."""
        (found,) = (sensor for sensor in self.all_sensors() if sensor["metadata"]["name"] == name)
        return found

    def objects(self) -> list[Manifest]:
        """All objects, in an order in which they can be applied."""
        first = (self.namespace, self.webhook_secret, self.event_bus_access, self.event_bus)
        return [
            *(manifest for manifest in first if manifest),
            *self.access,
            *self.guards,
            *self.templates,
            *self.all_sensors(),
            self.event_source,
            *([self.exposure] if self.exposure else []),
            *self.redelivery,
            *self.cure,
            *self.monitoring,
        ]


def compile_stack(families: Iterable[Family], settings: StackSettings) -> CompiledStack:
    """Every object of the stack. Routes that are off have no Sensor."""
    enabled = [
        Family(name=family.name, routes=tuple(r for r in family.routes if settings.route(r).enabled))
        for family in families
    ]
    routes = [route for family in enabled for route in family.routes]
    sensors = {
        family.name: [_sensor(route, settings) for route in family.routes] for family in enabled if family.routes
    }
    return CompiledStack(
        namespace=_namespace(settings),
        webhook_secret=_webhook_secret(settings),
        event_bus_access=_event_bus_access(settings),
        event_bus=_event_bus(settings),
        access=list(_access(routes, settings)),
        guards=list(_guards(routes, settings)),
        templates=_templates(settings),
        external_templates=_external_templates(routes, settings),
        sensors=sensors,
        event_source=_event_source(routes, settings),
        exposure=exposure(
            settings, lambda kind: _metadata(f"{PREFIX}-webhook", settings, kind=kind), EVENT_SOURCE_SERVICE
        ),
        redelivery=list(redelivery(settings, lambda name: _metadata(f"{PREFIX}-{name}", settings))),
        cure=list(
            curing(
                settings,
                lambda name: _metadata(f"{PREFIX}-{name}", settings),
                monitor_of(settings),
                {route.sensor: settings.rate(route) for route in routes},
            )
        ),
        monitoring=list(_monitoring(routes, [one for of in sensors.values() for one in of], settings)),
    )


def monitor_of(settings: StackSettings) -> Monitor | None:
    """The Service of the JetStream's monitoring port: the native EventBus's own, or the one that the stack names."""
    if isinstance(settings.event_bus, NativeEventBus):
        return Monitor(namespace=settings.namespace, service=f"eventbus-{EVENT_BUS}-js-svc")
    return settings.event_bus.monitor


def _metadata(name: str, settings: StackSettings, *, kind: str = "") -> m.Metadata:
    wait = [_until(kind, condition) for condition in WAIT_FOR.get(kind, ())]
    return m.Metadata(
        name=name,
        namespace=settings.namespace,
        labels={"app.kubernetes.io/part-of": PREFIX},
        annotations={"pulumi.com/waitFor": json.dumps(wait)} if wait else None,
    )


def _until(kind: str, condition: str) -> str:
    """In Pulumi's words. An HTTPRoute has conditions of each Gateway it names; ours name one."""
    if kind == "HTTPRoute":
        return f'jsonpath={{.status.parents[0].conditions[?(@.type=="{condition}")].status}}=True'
    return f"condition={condition}"


# --- Sensors


def _sensor(route: Route, settings: StackSettings) -> Manifest:
    rate = settings.rate(route)
    deliveries = {delivery.name: delivery for delivery in fires_on(route, settings)}
    names = [*(delivery.name for delivery in (*route.deliveries, *route.further)), QUEUE]
    return m.Sensor(
        metadata=_metadata(route.sensor, settings, kind="Sensor"),
        spec=m.SensorSpec(
            event_bus_name=EVENT_BUS,
            replicas=settings.sensor_replicas,
            template=pod_template(
                SUBMITTER,
                settings.pods.sensor,
                settings,
                apart=of_sensors([route.sensor]) if settings.sensor_replicas > 1 else None,
            ),
            dependencies=[
                m.Dependency(
                    name=name,
                    event_source_name=EVENT_SOURCE,
                    event_name=EVENT_NAME,
                    filters=_filters(deliveries[name], settings) if name in deliveries else m.Filters(data=[NEVER]),
                )
                for name in names
            ],
            triggers=[
                m.Trigger(
                    template=m.TriggerTemplate(
                        name=route.trigger,
                        conditions=" || ".join(names),
                        k8s=m.K8sTrigger(
                            source=m.Source(resource=_workflow(route, settings)),
                            parameters=[
                                p for delivery in deliveries.values() for p in _parameters(route, delivery, settings)
                            ],
                        ),
                    ),
                    rate_limit=m.RateLimit(unit=rate.unit, requests_per_unit=rate.limit) if rate else None,
                    retry_strategy=m.RetryStrategy(
                        steps=settings.retry_minutes * 60 // RETRY_SECONDS, duration=f"{RETRY_SECONDS}s"
                    ),
                    dlq_trigger=dead_letter(route, tuple(deliveries.values())),
                )
            ],
        ),
    ).manifest()


def _filters(delivery: Delivery, settings: StackSettings) -> m.Filters:
    # The event stays first: it is always there, and what fails it is not looked at further.
    filters = [f for _, f in _compiled(delivery, settings)]
    return m.Filters(
        exprs=[f for f in filters if isinstance(f, m.ExprFilter)] or None,
        data=[f for f in filters if isinstance(f, m.DataFilter)],
    )


def conditions_of(delivery: Delivery, settings: StackSettings) -> tuple[list[Condition], list[Condition]]:
    """The condition that each of a dependency's `exprs`, and each of its `data` filters, comes from."""
    compiled = list(_compiled(delivery, settings))
    return (
        [condition for condition, f in compiled if isinstance(f, m.ExprFilter)],
        [condition for condition, f in compiled if isinstance(f, m.DataFilter)],
    )


def _compiled(delivery: Delivery, settings: StackSettings) -> Iterator[tuple[Condition, m.DataFilter | m.ExprFilter]]:
    for condition in delivery.conditions:
        for compiled in _compile(condition, settings):
            yield condition, compiled


def _compile(condition: Condition, settings: StackSettings) -> Iterator[m.DataFilter | m.ExprFilter]:
    """A condition as the engine's filters.

    A path that is missing is an error to the engine, which then logs the whole payload. `[path]` is always there: the
    JSON text of a list with the value, or of an empty list. So type and text are both compared: null is not "null".
    """
    match condition:
        case OneOf(path, (event,)) if path == EVENT:
            yield m.DataFilter(path=f"body.{EVENT}", value=[f"^{event}$"])
        case OneOf(path, values):
            yield m.DataFilter(path=f"[body.{path}]", value=[_any_of(values)])
        case NotOneOf(path, values):
            yield m.DataFilter(path=f"[body.{path}]", value=[r'^\[".+"\]$'])
            yield m.DataFilter(path=f"[body.{path}]", value=[_any_of(values)], comparator="!=")
        case Is(path, value):
            yield m.DataFilter(path=f"[body.{path}]", value=[rf"^\[{json.dumps(value)}\]$"])
        case NamedLike(paths, setting):
            found = ",".join(f"body.{path}" for path in paths)
            yield m.DataFilter(path=f"[{found},{EMPTY}].0", value=[getattr(settings, setting)])
        case BranchIn(path, names, or_named_at):
            # An expression, since only these compare two values of one delivery. The engine runs it on every event.
            refs = " || ".join(f"ref == 'refs/heads/{name}'" for name in names)
            yield m.ExprFilter(
                expr=f"{refs} || ref == 'refs/heads/' + branch",
                fields_=[
                    m.ExprField(name="ref", path=f"[body.{path},{EMPTY}].0"),
                    m.ExprField(name="branch", path=f"[body.{or_named_at},{EMPTY}].0"),
                ],
            )
        case Like(path, patterns):
            yield m.DataFilter(path=f"[body.{path}]", value=[_like(patterns)])
        case Unlike(path, patterns):
            yield m.DataFilter(path=f"[body.{path}]", value=[_like(patterns)], comparator="!=")
        case SameAs(path, other):
            yield m.ExprFilter(
                expr="value == other && value != ''",
                fields_=[
                    m.ExprField(name="value", path=f"[body.{path},{EMPTY}].0"),
                    m.ExprField(name="other", path=f"[body.{other},{EMPTY}].0"),
                ],
            )
        case OneOfOrBy(path, values, by, logins):
            # A list of two: where one path is missing it has one, which neither of these is.
            yield m.DataFilter(
                path=f"[body.{by},body.{path}]",
                value=[
                    rf'^\["[^"]*","({"|".join(map(_literal, values))})"\]$',
                    rf'^\["(?i:{"|".join(map(_literal, logins))})","[^"]*"\]$',
                ],
            )


def _any_of(values: Iterable[str]) -> str:
    """A regular expression, of Go's kind, for the JSON text of a list with one of these texts, letter for letter."""
    return rf'^\["({"|".join(map(_literal, values))})"\]$'


def _like(patterns: Iterable[str]) -> str:
    """The same for a text that is like one of these patterns, in any letter case; `*` stands for any text."""
    alike = (".*".join(map(_literal, pattern.split("*"))) for pattern in patterns)
    return rf'^\["(?i:{"|".join(alike)})"\]$'


def _literal(text: str) -> str:
    """A regular expression for this text within a JSON text, as the EventSource writes one."""
    escaped = json.dumps(text, ensure_ascii=False)[1:-1]
    for character in "<>&":
        escaped = escaped.replace(character, f"\\u{ord(character):04x}")
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", escaped)


def _workflow(route: Route, settings: StackSettings) -> m.Workflow:
    """The Workflow as it is before a delivery fills it in: what stays empty is absent from the delivery."""
    agent = route.agent or ""
    events = {delivery.event for delivery in fires_on(route, settings)}
    from_delivery = [name for name, label in LABELS.items() if any(label.source(event) for event in events)]
    return m.Workflow(
        metadata=m.WorkflowMetadata(
            name=route.workflow,
            labels={f"{PREFIX}/route": route.sensor, f"{PREFIX}/event": ""}
            | ({f"{PREFIX}/agent": agent} if agent else {})
            | {f"{PREFIX}/{name}": "" for name in from_delivery},
            annotations={f"{PREFIX}/{name}": "" for name in ANNOTATIONS},
        ),
        spec=m.WorkflowSpec(
            workflow_template_ref=m.LocalRef(name=route.template),
            arguments=m.Arguments(
                parameters=[
                    m.Argument(name=name, value=agent if name == "agent" else "") for name in TEMPLATES[route.template]
                ]
            ),
            synchronization=_waits_for(lane.names[0]) if (lane := lane_of(route, settings)) else _waits(route),
            ttl_strategy=m.TtlStrategy(seconds_after_completion=settings.workflow_ttl_seconds),
            service_account_name=settings.service_account or None,
        ),
    )


def _waits(route: Route) -> m.Synchronization:
    semaphore = m.ConfigMapKeySemaphore(config_map_key_ref=m.KeyRef(name=SEMAPHORES, key=route.semaphore))
    return m.Synchronization(semaphores=[semaphore])


def _waits_for(lane: str) -> m.Synchronization:
    return m.Synchronization(mutexes=[m.Mutex(name=lane)])


def lane_of(route: Route, settings: StackSettings) -> Lane | None:
    """Where a pull request has one Workflow at a time: as many mutexes as the semaphore of the route lets run at once.

    Not a mutex for each beside the semaphore: whoever waits for the mutex would stand first in the semaphore's queue,
    and no other pull request's Workflow would start (argo-workflows#13630).
    """
    if not settings.one_per_pull_request(route):
        return None
    return Lane(route.semaphore, route.pull_request, settings.at_once(route.semaphore))


def started(route: Route, settings: StackSettings) -> Started:
    """The Workflow of a route, and what its deliveries write where."""
    lane = lane_of(route, settings)
    return Started(
        workflow=_workflow(route, settings).manifest(),
        filled=[
            {dest: source.text if isinstance(source, Constant) else None for dest, source in of_one.items()}
            for of_one in (_sources(route, delivery, settings) for delivery in fires_on(route, settings))
        ],
        choices={"synchronization": [_waits_for(name).manifest() for name in lane.names]} if lane else {},
    )


def _sources(route: Route, delivery: Delivery, settings: StackSettings) -> dict[str, Source]:
    """What a delivery writes into the Workflow, by where. Where it has nothing the Workflow's own empty text stays."""
    event = delivery.event
    places: dict[str, Source | None] = {
        "metadata.name": WorkflowName(route.workflow),
        f"metadata.labels.{PREFIX}/event": Constant(event),
        **{f"metadata.labels.{PREFIX}/{name}": label.source(event) for name, label in LABELS.items()},
        **{f"metadata.annotations.{PREFIX}/{name}": note.source(event) for name, note in ANNOTATIONS.items()},
        **{
            f"spec.arguments.parameters.{index}.value": PARAMETERS[name].source(event)
            for index, name in enumerate(TEMPLATES[route.template])
        },
        "spec.synchronization.mutexes.0.name": lane_of(route, settings),
    }
    return {dest: source for dest, source in places.items() if source is not None}


def _parameters(route: Route, delivery: Delivery, settings: StackSettings) -> Iterator[m.TriggerParameter]:
    for dest, source in _sources(route, delivery, settings).items():
        always = isinstance(source, WorkflowName | Constant | Json | Lane)
        yield m.TriggerParameter(
            src=m.ParameterSource(
                dependency_name=delivery.name,
                data_template=source.template(),
                # To the engine an empty result is an error: it then takes the key. A `value` instead would also be
                # written when another dependency fired.
                data_key=None if always else EMPTY,
            ),
            dest=dest,
        )


# --- The way in


def _event_source(routes: Iterable[Route], settings: StackSettings) -> Manifest:
    events = sorted({delivery.event for route in routes for delivery in fires_on(route, settings)})
    port = settings.webhook.port
    secret = settings.webhook_secret
    return m.EventSource(
        metadata=_metadata(EVENT_SOURCE, settings, kind="EventSource"),
        spec=m.EventSourceSpec(
            event_bus_name=EVENT_BUS,
            replicas=settings.webhook.replicas,
            template=pod_template(
                EVENT_SOURCE,
                settings.pods.event_source,
                settings,
                apart=of_event_source(EVENT_SOURCE) if settings.webhook.replicas > 1 else None,
            ),
            service=m.EventSourceService(ports=[m.ServicePort(name="webhook", port=port, target_port=port)]),
            github={
                EVENT_NAME: m.GitHubSource(
                    # The port is a string: an integer breaks every EventSource that the controller looks after.
                    webhook=m.WebhookContext(
                        endpoint=settings.webhook.endpoint, port=str(port), max_payload_size=settings.max_body
                    ),
                    webhook_secret=m.KeyRef(name=secret.name, key=secret.key),
                    # One of organizations and repositories must be given. Without a token neither is used.
                    organizations=["*"],
                    events=events,
                )
            },
        ),
    ).manifest()


def _event_bus(settings: StackSettings) -> Manifest:
    bus = settings.event_bus
    if isinstance(bus, NativeEventBus):
        persistence = (
            m.Persistence(storage_class_name=bus.storage_class, volume_size=bus.storage) if bus.storage else None
        )
        spec = m.EventBusSpec(
            jetstream=m.JetStream(
                version=bus.version,
                replicas=bus.replicas,
                stream_config=_stream(bus.replicas, bus),
                settings=_store(bus),
                max_payload=str(bus.max_payload_bytes),
                persistence=persistence,
                service_account_name=EVENT_BUS_ACCOUNT,
                security_context=security_context(volumes=True),
                container_template=container(settings.pods.event_bus),
                reloader_container_template=container(BESIDE_THE_BUS),
                metrics_container_template=container(BESIDE_THE_BUS),
                priority_class_name=settings.pods.priority_class_name,
                node_selector=settings.pods.node_selector,
                affinity=apart_from(of_event_bus(EVENT_BUS), settings) if bus.replicas > 1 else None,
            )
        )
    else:
        spec = m.EventBusSpec(
            jetstream_exotic=m.JetStreamExotic(
                url=bus.url,
                access_secret=m.KeyRef(name=bus.access.name, key=bus.access.key),
                stream_config=_stream(bus.stream_replicas, bus),
                # Said aloud: with no `tls` at all the engine does not check the certificate either.
                tls=m.Tls(ca_cert_secret=m.KeyRef(name=bus.ca.name, key=bus.ca.key))
                if bus.ca
                else m.Tls(insecure_skip_verify=True),
            )
        )
    return m.EventBus(metadata=_metadata(EVENT_BUS, settings, kind="EventBus"), spec=spec).manifest()


def _stream(replicas: int, bus: NativeEventBus | ExoticEventBus) -> str:
    """The stream of all events. Of the engine's own defaults two lose what was accepted (`docs/adr/0005`).

    retention 1: what every Sensor has acknowledged makes room. discard 1: what is above is refused, and GitHub answered
    500; 0 would drop what waits longest.
    """
    keys = {
        "replicas": replicas,
        "retention": 1,
        "discard": 1,
        "maxMsgs": -1,
        "maxBytes": bus.backlog_bytes,
        "maxAge": f"{bus.max_age_hours}h",
    }
    return "".join(f"{key}: {value}\n" for key, value in keys.items())


def _store(bus: NativeEventBus) -> str:
    """The `jetstream` block of each server's config, beside where it stores: in place of the controller's own."""
    return f"max_memory_store: -1\nmax_file_store: {bus.backlog_bytes * 4 // 3}\nsync_interval: {bus.sync}\n"


def _webhook_secret(settings: StackSettings) -> Manifest | None:
    secret = settings.webhook_secret
    match secret:
        case ExternalWebhookSecret():
            return m.ExternalSecret(
                metadata=_metadata(secret.name, settings, kind="ExternalSecret"),
                spec=m.ExternalSecretSpec(
                    refresh_interval=secret.refresh_interval,
                    secret_store_ref=m.StoreRef(name=secret.store, kind=secret.store_kind),
                    target=m.SecretTarget(name=secret.name),
                    data=[
                        m.SecretData(
                            secret_key=secret.key,
                            remote_ref=m.RemoteRef(key=secret.remote_key, property=secret.remote_property),
                        )
                    ],
                ),
            ).manifest()
        case ConfigWebhookSecret():
            return m.Secret(metadata=_metadata(secret.name, settings)).manifest()
        case ExistingWebhookSecret():
            return None


def _event_bus_access(settings: StackSettings) -> Manifest | None:
    bus = settings.event_bus
    if isinstance(bus, NativeEventBus) or bus.access.kind == "existing":
        return None
    return m.Secret(metadata=_metadata(bus.access.name, settings)).manifest()


# --- What Workflows and Sensors stand on


def _namespace(settings: StackSettings) -> Manifest | None:
    labels = {"app.kubernetes.io/part-of": PREFIX} | pod_security_labels(settings)
    metadata = m.Metadata(name=settings.namespace, labels=labels)
    return m.Namespace(metadata=metadata).manifest() if settings.create_namespace else None


def _templates(settings: StackSettings) -> list[Manifest]:
    if settings.workflow_templates == "external":
        return []
    return [
        m.WorkflowTemplate(
            metadata=_metadata(template, settings),
            spec=m.WorkflowTemplateSpec(
                entrypoint="main",
                arguments=m.Arguments(parameters=[m.Argument(name=name) for name in parameters]),
                templates=[m.WorkflowTemplateStep(name="main", suspend=m.Suspend(duration="1s"))],
            ),
        ).manifest()
        for template, parameters in TEMPLATES.items()
    ]


def _external_templates(routes: Iterable[Route], settings: StackSettings) -> dict[str, list[str]]:
    if settings.workflow_templates == "managed":
        return {}
    started = {route.template for route in routes}
    return {str(template): list(names) for template, names in TEMPLATES.items() if template in started}


def _access(routes: Iterable[Route], settings: StackSettings) -> Iterator[Manifest]:
    """The service accounts of our pods and of the Workflows, what they may do, and the semaphores."""
    yield m.ServiceAccount(metadata=_metadata(SUBMITTER, settings)).manifest()
    without_token = [EVENT_SOURCE] + ([EVENT_BUS_ACCOUNT] if isinstance(settings.event_bus, NativeEventBus) else [])
    for name in without_token:
        yield m.ServiceAccount(metadata=_metadata(name, settings), automount_service_account_token=False).manifest()
    yield m.Role(
        metadata=_metadata("argo-events-workflow-submit-role", settings),
        rules=[
            m.PolicyRule(api_groups=["argoproj.io"], resources=["workflows"], verbs=["create", "get", "update"]),
            m.PolicyRule(api_groups=[""], resources=["configmaps"], verbs=["create"]),
        ],
    ).manifest()
    yield m.RoleBinding(
        metadata=_metadata("argo-events-workflow-submit-rb", settings),
        role_ref=m.RoleRef(name="argo-events-workflow-submit-role"),
        subjects=[m.Subject(name=SUBMITTER, namespace=settings.namespace)],
    ).manifest()
    yield from _runner(settings)
    yield m.ConfigMap(
        metadata=_metadata(SEMAPHORES, settings),
        data={key: str(limit) for key, limit in settings.semaphores.model_dump(by_alias=True).items()},
    ).manifest()
    if settings.admission_policy:
        yield from Admission(namespace=settings.namespace, submitter=SUBMITTER, prefix=PREFIX).policies(
            [started(route, settings) for route in routes],
            m.KeyRef(name=settings.webhook_secret.name, key=settings.webhook_secret.key),
        )


def _pods(routes: Iterable[Route], settings: StackSettings) -> dict[str, m.LabelSelector]:
    """The stack's pods, by what they are."""
    names = [route.sensor for route in routes]
    sensors = {"sensors": of_sensors(names)} if names else {}
    bus = {"event-bus": of_event_bus(EVENT_BUS)} if isinstance(settings.event_bus, NativeEventBus) else {}
    return {"event-source": of_event_source(EVENT_SOURCE)} | sensors | bus


def _monitoring(routes: Iterable[Route], sensors: Iterable[Manifest], settings: StackSettings) -> Iterator[Manifest]:
    return monitoring(
        settings,
        lambda name: _metadata(f"{PREFIX}-{name}", settings),
        _pods(routes, settings),
        event_source=EVENT_SOURCE,
        routes=[watched_route(route, sensor, settings) for route, sensor in zip(routes, sensors, strict=True)],
    )


def watched_route(route: Route, sensor: Manifest, settings: StackSettings) -> WatchedRoute:
    """The route as Prometheus knows it. `sensor` is its own, compiled."""
    (consumer,) = durable_names(sensor)
    return WatchedRoute(
        sensor=route.sensor,
        trigger=route.trigger,
        consumer=consumer,
        template=route.template,
        semaphore=route.semaphore,
        rate=settings.rate(route),
    )


def _guards(routes: Iterable[Route], settings: StackSettings) -> Iterator[Manifest]:
    """What stands around the pods: who may talk to them, how they are drained, which images they may run."""
    pods = _pods(routes, settings)

    def metadata(name: str) -> m.Metadata:
        return _metadata(f"{PREFIX}-{name}", settings)

    if settings.network_policy.enabled:
        policies = network_policies(
            settings,
            metadata,
            event_source=pods["event-source"],
            sensors=pods.get("sensors"),
            event_bus=of_event_bus(EVENT_BUS),
        )
        yield from (policy.manifest() for policy in policies)
    for name, selector in pods.items():
        yield disruption_budget(metadata(name), selector).manifest()
    if settings.pods.images:
        cluster_wide = m.Metadata(
            name=f"{PREFIX}-{settings.namespace}-images", labels={"app.kubernetes.io/part-of": PREFIX}
        )
        yield image_policy(cluster_wide, settings.namespace, [*pods.values()], settings.pods.images).manifest()
        yield m.AdmissionPolicyBinding(
            metadata=cluster_wide, spec=m.AdmissionPolicyBindingSpec(policy_name=cluster_wide.name)
        ).manifest()


def _runner(settings: StackSettings) -> Iterator[Manifest]:
    """The service account of the Workflows' pods, where the stack makes it."""
    if not isinstance(settings.runner, ManagedRunner):
        return
    # Anything else that a step does is its WorkflowTemplate's to say.
    yield from account(_metadata(settings.runner.name, settings), [REPORTS])
