"""One stack: settings -> compile -> components -> stack outputs. What is routed where stands in `routes/`."""

import pulumi
import pulumi_kubernetes as k8s

from components.access import Access, AccessArgs
from components.cluster_fit import ClusterFit
from components.engine import Engine
from components.event_bus import EventBus, EventBusArgs
from components.event_source import GitHubEventSource, GitHubEventSourceArgs
from components.exposed import Exposed
from components.exposure import Exposure, ExposureArgs
from components.external_templates import ExternalTemplates
from components.monitoring import Monitoring, MonitoringArgs, PrometheusOperator
from components.objects import declare
from components.pod_guards import PodGuards, PodGuardsArgs
from components.pod_surroundings import PodSurroundings
from components.queues import Queues
from components.scheduled import Cure, Redelivery, ScheduledArgs
from components.sensor_family import SensorFamily, SensorFamilyArgs
from components.signatures import Signatures
from components.stack_config import read_secret, read_settings
from components.verdicts import Verdicts
from components.webhook_secret import WebhookSecret, WebhookSecretArgs
from components.workflow_templates import WorkflowTemplates, WorkflowTemplatesArgs
from routes import FAMILIES
from routes.admission import SECRET_LENGTH
from routes.compiler import WAIT_FOR, compile_stack, monitor_of
from routes.contract import TEMPLATES
from routes.guards import warning
from routes.settings import NativeEventBus

settings = read_settings()
if off := warning(settings):
    pulumi.log.warn(off)
stack = compile_stack(FAMILIES, settings)

ClusterFit(settings, stack).check()
if settings.check_templates and stack.external_templates:
    ExternalTemplates(
        kube_context=settings.kube_context,
        namespace=settings.namespace,
        makes_namespace=settings.create_namespace,
        wanted=stack.external_templates,
        runner=settings.service_account,
    ).check()

PodSurroundings(settings).check()
Exposed(settings).check()
PrometheusOperator(settings).check()
signatures = Signatures(settings)
signatures.check()
Queues(settings, stack).check()

cluster = k8s.Provider("cluster", context=settings.kube_context, enable_server_side_apply=True)
on_cluster = pulumi.ResourceOptions(provider=cluster)
seconds = settings.verdict_seconds

watching = Verdicts(
    kube_context=settings.kube_context, objects=[o for o in stack.objects() if o["kind"] in WAIT_FOR], seconds=seconds
).watch()

protected = pulumi.ResourceOptions(provider=cluster, protect=settings.protect)
namespace = [declare("namespace", stack.namespace, protected)] if stack.namespace else []
access = Access("access", AccessArgs(objects=stack.access, after=namespace), on_cluster)
secret = WebhookSecret(
    "webhook",
    WebhookSecretArgs(
        secret=stack.webhook_secret,
        key=settings.webhook_secret.key,
        value=read_secret("webhookSecretValue", at_least=SECRET_LENGTH)
        if settings.webhook_secret.kind == "config"
        else None,
        verdict_seconds=seconds,
        after=[*namespace, access],
    ),
    on_cluster,
)
guards = PodGuards("guards", PodGuardsArgs(objects=stack.guards, after=namespace), on_cluster)
templates = WorkflowTemplates(
    "templates", WorkflowTemplatesArgs(templates=stack.templates, after=namespace), on_cluster
)
engine = Engine(kube_context=settings.kube_context, monitor=monitor_of(settings), seconds=seconds)
bus = settings.event_bus
event_bus = EventBus(
    "events",
    EventBusArgs(
        event_bus=stack.event_bus,
        access=stack.event_bus_access,
        key="" if isinstance(bus, NativeEventBus) else bus.access.key,
        value=read_secret("eventBusAccessValue") if stack.event_bus_access else None,
        serving=lambda: engine.serving(stack.event_bus),
        verdict_seconds=seconds,
        protect=settings.protect,
        after=[access, guards, templates],
    ),
    on_cluster,
)
families = [
    SensorFamily(
        name,
        SensorFamilyArgs(sensors=sensors, verdict_seconds=seconds, after=event_bus.serving),
        on_cluster,
    )
    for name, sensors in stack.sensors.items()
]
sensors = stack.all_sensors()


def listening() -> None:
    engine.listening(stack.event_source)
    signatures.are_checked(stack.event_source)


event_source = GitHubEventSource(
    "webhook",
    GitHubEventSourceArgs(
        event_source=stack.event_source,
        sensors=[sensor for family in families for sensor in family.sensors],
        subscribed=lambda: engine.subscribed(sensors),
        listening=listening,
        verdict_seconds=seconds,
        after=[secret, event_bus.event_bus],
    ),
    on_cluster,
)

webhook = {"path": event_source.path, "service": event_source.service}
if stack.exposure and settings.public_url:
    exposure = Exposure(
        "exposure",
        ExposureArgs(
            route=stack.exposure, url=settings.public_url, verdict_seconds=seconds, after=[*namespace, event_source]
        ),
        on_cluster,
    )
    webhook |= {"url": exposure.url}

if stack.redelivery:
    Redelivery("redelivery", ScheduledArgs(objects=stack.redelivery, after=[*namespace, event_source]), on_cluster)

if stack.cure:
    Cure("cure", ScheduledArgs(objects=stack.cure, after=[*namespace, event_source]), on_cluster)

if stack.monitoring:
    Monitoring("monitoring", MonitoringArgs(objects=stack.monitoring, after=namespace), on_cluster)

pulumi.export("webhook", webhook)
pulumi.export("sensors", [sensor["metadata"]["name"] for sensor in sensors])
pulumi.export("templates", {str(template): list(parameters) for template, parameters in TEMPLATES.items()})
