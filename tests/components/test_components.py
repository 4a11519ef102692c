"""Each component by itself, on Pulumi mocks."""

from collections.abc import Callable

import pulumi

from cli.stacks import read_settings
from components.access import Access, AccessArgs
from components.event_bus import EventBus, EventBusArgs
from components.event_source import GitHubEventSource, GitHubEventSourceArgs
from components.pod_guards import PodGuards, PodGuardsArgs
from components.scheduled import Cure, Redelivery, ScheduledArgs
from components.sensor_family import SensorFamily, SensorFamilyArgs
from components.webhook_secret import WebhookSecret, WebhookSecretArgs
from components.workflow_templates import WorkflowTemplates, WorkflowTemplatesArgs
from routes import FAMILIES
from routes.compiler import CompiledStack, compile_stack, monitor_of
from routes.contract import TEMPLATES
from routes.settings import parse_settings
from tests.components.conftest import run
from tests.routes.cure import SETTING as CURE
from tests.routes.redelivery import SETTING
from tests.routes.test_settings import EXOTIC, MINIMAL


def stack(**changes: object) -> CompiledStack:
    return compile_stack(FAMILIES, parse_settings(MINIMAL | changes, source="test"))


def event_bus_args(
    compiled: CompiledStack,
    key: str = "",
    value: pulumi.Output[str] | None = None,
    serving: Callable[[], None] = lambda: None,
) -> EventBusArgs:
    return EventBusArgs(
        event_bus=compiled.event_bus,
        access=compiled.event_bus_access,
        key=key,
        value=value,
        serving=serving,
        verdict_seconds=60,
        protect=True,
    )


def test_a_native_event_bus_needs_no_secret() -> None:
    args = event_bus_args(stack())
    recorder = run(lambda: EventBus("events", args))
    assert [r.kind for r in recorder.objects] == ["EventBus"]
    assert recorder.one("EventBus").inputs["spec"]["jetstream"]["version"] == "2.10.29"


def test_an_existing_nats_is_reached_after_its_secret_is_there() -> None:
    exotic = stack(eventBus=EXOTIC | {"access": {"kind": "config", "name": "nats-access", "key": "auth"}})
    args = event_bus_args(exotic, "auth", pulumi.Output.secret("username: u"))
    recorder = run(lambda: EventBus("events", args))
    secret = recorder.one("Secret")
    assert secret.inputs["stringData"] == {"auth": "username: u"}
    assert secret.is_secret("stringData")
    assert secret.urn in recorder.one("EventBus").dependencies


def test_the_webhook_secret_comes_from_external_secrets() -> None:
    external = stack(webhookSecret={"kind": "external", "store": "s", "remoteKey": "k"})
    args = WebhookSecretArgs(secret=external.webhook_secret, key="secret", value=None, verdict_seconds=60)
    recorder = run(lambda: WebhookSecret("webhook", args))
    assert recorder.one("ExternalSecret").type == "kubernetes:external-secrets.io/v1:ExternalSecret"


def test_a_webhook_secret_that_exists_is_not_touched() -> None:
    args = WebhookSecretArgs(secret=stack().webhook_secret, key="secret", value=None, verdict_seconds=60)
    assert not run(lambda: WebhookSecret("webhook", args)).objects


def test_the_access_bundle_is_accounts_rights_semaphores_and_the_policies() -> None:
    recorder = run(lambda: Access("access", AccessArgs(objects=stack().access)))
    assert sorted(r.kind for r in recorder.objects) == [
        "ConfigMap",
        *["Role"] * 2,
        *["RoleBinding"] * 2,
        *["ServiceAccount"] * 4,
        *["ValidatingAdmissionPolicy"] * 5,
        *["ValidatingAdmissionPolicyBinding"] * 5,
    ]
    tokens = {
        r.metadata["name"]: r.inputs.get("automountServiceAccountToken") for r in recorder.of_kind("ServiceAccount")
    }
    assert tokens == {
        "argo-events-workflow-submitter": None,
        "argo-workflow-runner": None,
        "github-es": False,
        "github-bus": False,
    }


def test_logical_names_of_the_bundle_do_not_hold_the_namespace() -> None:
    def names(namespace: str) -> set[str]:
        args = AccessArgs(objects=stack(namespace=namespace).access)
        return {r.name for r in run(lambda: Access("access", args)).objects}

    assert names("one") == names("two")


def test_the_guards_of_the_pods_have_the_same_logical_names_in_every_namespace() -> None:
    image = f"quay.io/argoproj/argo-events@sha256:{'a' * 64}"

    def names(namespace: str) -> list[str]:
        args = PodGuardsArgs(objects=stack(namespace=namespace, pods={"images": [image]}).guards)
        return sorted(r.name for r in run(lambda: PodGuards("guards", args)).objects)

    assert names("one") == names("two")
    assert names("one") == [
        "guards-networkpolicy-github-to-argo-event-bus",
        "guards-networkpolicy-github-to-argo-event-source",
        "guards-networkpolicy-github-to-argo-sensors",
        "guards-poddisruptionbudget-github-to-argo-event-bus",
        "guards-poddisruptionbudget-github-to-argo-event-source",
        "guards-poddisruptionbudget-github-to-argo-sensors",
        "guards-validatingadmissionpolicy",
        "guards-validatingadmissionpolicybinding",
    ]


def test_the_sensors_come_once_nats_serves() -> None:
    heard: list[str] = []
    compiled = stack()

    def program() -> None:
        bus = EventBus("events", event_bus_args(compiled, serving=lambda: heard.append("serving")))
        sensors = compiled.sensors["comments"]
        SensorFamily("comments", SensorFamilyArgs(sensors=sensors, verdict_seconds=60, after=bus.serving))

    recorder = run(program)
    assert heard == ["serving"]
    assert [r.dependencies for r in recorder.of_kind("Sensor")] == [{recorder.one("EventBus").urn}] * 2


def test_a_family_is_its_sensors() -> None:
    sensors = stack().sensors["comments"]
    recorder = run(lambda: SensorFamily("comments", SensorFamilyArgs(sensors=sensors, verdict_seconds=60)))
    assert {r.inputs["spec"]["triggers"][0]["template"]["name"] for r in recorder.objects} == {
        "coderun-rex-issue-comment",
        "coderun-rex-pr-comment",
    }


def test_managed_templates_are_made_and_external_ones_are_not() -> None:
    def made(kind: str) -> int:
        args = WorkflowTemplatesArgs(templates=stack(workflowTemplates=kind).templates)
        return len(run(lambda: WorkflowTemplates("templates", args)).objects)

    assert (made("managed"), made("external")) == (len(TEMPLATES), 0)


def test_the_event_source_says_where_it_listens() -> None:
    heard: list[str] = []

    def program() -> pulumi.Output[object]:
        component = GitHubEventSource(
            "webhook",
            GitHubEventSourceArgs(
                event_source=stack(webhook={"port": 9000, "endpoint": "/github"}).event_source,
                sensors=[],
                subscribed=lambda: heard.append("subscribed"),
                listening=lambda: heard.append("listening"),
                verdict_seconds=60,
            ),
        )
        return pulumi.Output.all(component.path, component.service).apply(heard.extend)

    run(program)
    assert heard == ["subscribed", "listening", "/github", "github-es-eventsource-svc.events.svc:9000"]


def test_the_redelivery_runs_once_all_that_it_stands_on_is_there() -> None:
    objects = stack(redelivery=SETTING).redelivery
    recorder = run(lambda: Redelivery("redelivery", ScheduledArgs(objects=objects)))
    cron = recorder.one("CronWorkflow")
    others = [r for r in recorder.objects if r is not cron]
    assert sorted(r.kind for r in others) == [
        "ConfigMap",
        "NetworkPolicy",
        "Role",
        "RoleBinding",
        "ServiceAccount",
        "WorkflowTemplate",
    ]
    assert {r.urn for r in others} <= cron.dependencies
    assert cron.inputs["spec"]["schedules"] == ["*/5 * * * *"]


def test_the_cure_runs_once_all_that_it_stands_on_is_there_in_the_other_namespace_too() -> None:
    monitor = {"namespace": "nats", "service": "nats"}
    objects = stack(cure=CURE, eventBus=EXOTIC | {"monitor": monitor}).cure
    recorder = run(lambda: Cure("cure", ScheduledArgs(objects=objects)))
    cron = recorder.one("CronWorkflow")
    others = [r for r in recorder.objects if r is not cron]
    assert [r.kind for r in others].count("Role") == 2
    assert {r.urn for r in others} <= cron.dependencies


def test_a_native_event_bus_is_asked_at_its_own_monitoring_port() -> None:
    monitor = monitor_of(read_settings("dev"))
    assert monitor is not None
    assert (monitor.namespace, monitor.service, monitor.port) == ("argo-events", "eventbus-github-js-svc", "monitor")
