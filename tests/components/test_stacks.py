"""Each committed stack's whole program, on Pulumi mocks."""

import dataclasses
import json

import pulumi
import pytest

from cli.show import ROUTES
from cli.stacks import compiled, read_settings, stack_names
from components.engine import Engine
from components.external_templates import ExternalTemplates
from routes import guards
from routes.manifests import Manifest
from tests.components.conftest import SECRET, Waits, committed, named, run_stack
from tests.routes.cure import SETTING as CURE
from tests.routes.redelivery import SETTING
from tests.routes.test_exposure import GATEWAY, INGRESS

TOKENS = {
    "github-to-argo:index:Access",
    "github-to-argo:index:EventBus",
    "github-to-argo:index:GitHubEventSource",
    "github-to-argo:index:PodGuards",
    "github-to-argo:index:SensorFamily",
    "github-to-argo:index:WebhookSecret",
    "github-to-argo:index:WorkflowTemplates",
}


@pytest.mark.parametrize("stack", stack_names())
def test_the_stack_makes_just_what_render_prints(stack: str) -> None:
    made = committed(stack).objects
    objects = {named(manifest): manifest for manifest in compiled(stack).objects()}
    assert {(r.kind, r.metadata["name"], r.metadata.get("namespace")) for r in made} == set(objects)
    for r in made:
        manifest = objects[r.kind, r.metadata["name"], r.metadata.get("namespace")]
        assert r.metadata == manifest["metadata"]
        assert r.inputs["apiVersion"] == manifest["apiVersion"]


@pytest.mark.parametrize("stack", stack_names())
def test_urns_are_unique(stack: str) -> None:
    urns = [r.urn for r in committed(stack).registered]
    assert len(urns) == len(set(urns)) > 20


@pytest.mark.parametrize("stack", stack_names())
def test_everything_goes_to_the_named_context_and_no_other(stack: str) -> None:
    recorder = committed(stack)
    (provider,) = (r for r in recorder.registered if r.type == "pulumi:providers:kubernetes")
    assert provider.inputs["context"] == {"dev": "dev", "lab": "lab", "prod": "prod"}[stack]
    assert {r.provider for r in recorder.objects} == {f"{provider.urn}::cluster-id"}


def test_what_holds_deliveries_that_wait_is_protected_but_in_the_lab() -> None:
    assert {name: {r.kind for r in committed(name).objects if r.protect} for name in stack_names()} == {
        "dev": {"EventBus"},
        "lab": set(),
        "prod": {"EventBus"},
    }
    protected = run_stack("lab", protect=True)
    assert {r.kind for r in protected.registered if r.protect} == {"EventBus", "Namespace"}


def test_type_tokens_stay_since_they_are_in_every_urn() -> None:
    assert {r.type for r in committed("lab").registered if r.type.startswith("github-to-argo:")} == TOKENS


def test_the_redelivery_is_made_only_where_it_is_set_and_after_the_event_source() -> None:
    recorder = run_stack("lab", redelivery=SETTING)
    cron = recorder.one("CronWorkflow")
    assert recorder.one("EventSource").urn in cron.dependencies
    assert "github-to-argo:index:Redelivery" in {r.type for r in recorder.registered}
    assert not committed("lab").of_kind("CronWorkflow")


def test_the_cure_is_made_only_where_it_is_set_and_after_the_event_source() -> None:
    recorder = run_stack("lab", cure=CURE)
    assert recorder.one("EventSource").urn in recorder.one("CronWorkflow").dependencies
    assert "github-to-argo:index:Cure" in {r.type for r in recorder.registered}


def test_where_nats_does_not_run_no_sensor_is_touched(monkeypatch: pytest.MonkeyPatch, waits: Waits) -> None:
    def in_vain(_: Engine, event_bus: Manifest) -> None:
        raise pulumi.RunError("NATS does not run")

    monkeypatch.setattr(Engine, "serving", in_vain)
    with pytest.raises(pulumi.RunError, match="NATS does not run"):
        run_stack("lab")
    assert not waits.sensors


@pytest.mark.parametrize("stack", stack_names())
def test_the_event_source_comes_after_every_sensor_has_subscribed(stack: str, waits: Waits) -> None:
    recorder = run_stack(stack)
    (engine,) = waits.engines
    assert len(waits.sensors) == len(ROUTES)
    assert engine.monitor is not None
    source = recorder.one("EventSource")
    assert {r.urn for r in recorder.of_kind("Sensor")} <= source.dependencies
    assert {r.kind for r in recorder.objects[recorder.objects.index(source) + 1 :]} <= {"Ingress"}


def test_where_a_sensor_does_not_subscribe_the_event_source_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_vain(_: Engine, sensors: list[Manifest]) -> None:
        raise pulumi.RunError("not every Sensor has subscribed")

    monkeypatch.setattr(Engine, "subscribed", in_vain)
    with pytest.raises(pulumi.RunError, match="not every Sensor has subscribed"):
        run_stack("lab")


def test_up_ends_when_the_event_source_listens(waits: Waits) -> None:
    run_stack("lab")
    assert waits.event_buses == [compiled("lab").event_bus]
    assert waits.event_sources == waits.checking == [compiled("lab").event_source]


def test_preview_waits_for_nothing(waits: Waits) -> None:
    assert run_stack("lab", preview=True).of_kind("EventSource")
    assert (
        dataclasses.replace(waits, fits=[], surroundings=[], exposed=[], operators=[], signatures=[], queues=[])
        == Waits()
    )


@pytest.mark.parametrize("stack", stack_names())
def test_sensors_come_after_what_they_stand_on(stack: str) -> None:
    recorder = committed(stack)
    below = {
        r.urn
        for kind in (
            "EventBus",
            "Role",
            "RoleBinding",
            "ServiceAccount",
            "ConfigMap",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "WorkflowTemplate",
        )
        for r in recorder.of_kind(kind)
        if "index:Monitoring$" not in r.urn  # which looks at them
    }
    for sensor in recorder.of_kind("Sensor"):
        assert below <= recorder.before(sensor)


def test_the_namespace_comes_first() -> None:
    recorder = committed("lab")
    namespace = recorder.one("Namespace").urn
    for r in recorder.objects:
        if r.kind in ("EventBus", "Secret", "ServiceAccount", "WorkflowTemplate"):
            assert namespace in recorder.before(r)


@pytest.mark.parametrize("kind", ["EventBus", "EventSource", "Sensor"])
def test_pulumi_waits_for_the_engines_verdict_for_as_long_as_the_stack_says(kind: str) -> None:
    for r in run_stack("lab", verdictSeconds=42).of_kind(kind):
        assert "condition=Deployed" in r.metadata["annotations"]["pulumi.com/waitFor"]
        assert r.timeouts == "42s"


def test_the_secrets_values_are_secret_all_the_way() -> None:
    secrets = committed("lab").of_kind("Secret")
    assert {secret.metadata["name"] for secret in secrets} == {"github-webhook-secret", "nats-access"}
    for secret in secrets:
        assert secret.is_secret("stringData")
        assert list(secret.inputs["stringData"].values()) == [SECRET]
    assert not any("hunter2" in str(r.raw) for r in committed("lab").registered if r.kind != "Secret")


def test_a_secret_that_is_missing_is_asked_for() -> None:
    with pytest.raises(pulumi.RunError, match="pulumi config set --secret github-to-argo:webhookSecretValue"):
        run_stack("lab", secrets=False)


def test_a_secret_in_the_clear_is_refused() -> None:
    with pytest.raises(pulumi.RunError, match="webhookSecretValue: stands there in the clear"):
        run_stack("lab", secrets=False, webhookSecretValue="hunter2")


@pytest.mark.parametrize("secret", ["", "fifteen-letters", "fifteen-letters\n"])
@pytest.mark.parametrize("preview", [True, False])
def test_a_webhook_secret_that_is_too_short_is_refused_and_not_repeated(secret: str, preview: bool) -> None:
    with pytest.raises(pulumi.RunError, match="webhookSecretValue: has fewer than 16 characters; write") as raised:
        run_stack("lab", preview=preview, webhook_secret=secret)
    assert "openssl rand -hex 32 | pulumi config set --secret github-to-argo:webhookSecretValue" in str(raised.value)
    assert "fifteen" not in str(raised.value)


def test_a_webhook_secret_of_sixteen_characters_is_long_enough() -> None:
    made = run_stack("lab", webhook_secret="sixteen-letters!").of_kind("Secret")
    assert {"secret": "sixteen-letters!"} in [secret.inputs["stringData"] for secret in made]


def test_the_policy_is_there_before_the_webhooks_secret() -> None:
    recorder = committed("lab")
    (secret,) = (r for r in recorder.of_kind("Secret") if r.metadata["name"] == "github-webhook-secret")
    assert {r.urn for r in recorder.of_kind("ValidatingAdmissionPolicyBinding")} <= secret.dependencies


def test_wrong_config_is_refused_before_anything_is_made() -> None:
    with pytest.raises(pulumi.RunError, match=r"(?s)Pulumi\.lab\.yaml: 2 settings are wrong.*retryMinutes.*namespce"):
        run_stack("lab", namespce="x", retryMinutes=0)


@pytest.mark.parametrize("preview", [True, False])
def test_templates_that_are_not_the_stacks_are_looked_at(waits: Waits, preview: bool) -> None:
    run_stack("dev", preview=preview)
    (looked,) = waits.templates
    assert (looked.kube_context, looked.namespace, looked.makes_namespace) == ("dev", "argo-events", False)
    assert looked.wanted == compiled("dev").external_templates
    assert looked.runner == "argo-workflow-runner"


def test_templates_of_a_stack_that_writes_them_or_does_not_want_to_know_are_not_looked_at(waits: Waits) -> None:
    run_stack("lab")
    run_stack("dev", checkTemplates=False)
    assert not waits.templates


def test_wrong_templates_are_told_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_: ExternalTemplates) -> None:
        raise pulumi.RunError("1 thing is wrong")

    made: list[str] = []
    monkeypatch.setattr(ExternalTemplates, "check", wrong)
    monkeypatch.setattr(pulumi.ProviderResource, "__init__", lambda *args, **_: made.append(args[2]))
    with pytest.raises(pulumi.RunError, match="1 thing is wrong"):
        run_stack("dev")
    assert not made


@pytest.mark.parametrize("preview", [True, False])
def test_what_the_pods_find_in_the_cluster_and_the_webhooks_secret_are_looked_at(waits: Waits, preview: bool) -> None:
    run_stack("lab", preview=preview)
    settings = [looked.settings for looked in waits.surroundings] + [looked.settings for looked in waits.signatures]
    assert settings + [fit.settings for fit in waits.fits] == [read_settings("lab")] * 3


def test_guards_that_are_off_are_told_at_preview_and_up(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    run_stack("prod")
    run_stack("lab")
    assert not said
    run_stack("dev", preview=True)
    run_stack("dev")
    assert said == [guards.warning(read_settings("dev"))] * 2
    assert said[0].startswith("6 guards are off (docs/who-is-answered.md)")


def test_outputs_say_where_github_posts_to_and_what_it_starts() -> None:
    outputs = committed("lab").outputs
    assert outputs["webhook"] == {
        "path": "/events",
        "service": "github-es-eventsource-svc.github-to-argo-lab.svc:12000",
    }
    assert len(outputs["sensors"]) == len(ROUTES)
    assert outputs["templates"]["pr-validation"] == ["event", "owner", "repo", "pr", "branch", "taskId"]


@pytest.mark.parametrize(("exposure", "kind"), [(INGRESS, "Ingress"), (GATEWAY, "HTTPRoute")])
def test_the_way_in_is_opened_last_and_github_is_told_its_url(
    exposure: dict[str, object], kind: str, waits: Waits
) -> None:
    recorder = run_stack("lab", exposure=exposure, verdictSeconds=42)
    route = recorder.one(kind)
    assert recorder.one("EventSource").urn in route.dependencies
    assert route.timeouts == "42s"
    assert recorder.outputs["webhook"]["url"] == "https://webhooks.example.com/events"
    assert "github-to-argo:index:Exposure" in {r.type for r in recorder.registered}
    assert [exposed.settings.exposure.kind for exposed in waits.exposed] == [exposure["kind"]]


def test_pulumi_waits_until_the_gateway_has_taken_the_route() -> None:
    wait = run_stack("lab", exposure=GATEWAY).one("HTTPRoute").metadata["annotations"]["pulumi.com/waitFor"]
    assert json.loads(wait) == [
        'jsonpath={.status.parents[0].conditions[?(@.type=="Accepted")].status}=True',
        'jsonpath={.status.parents[0].conditions[?(@.type=="ResolvedRefs")].status}=True',
    ]


def test_a_route_that_is_off_makes_no_sensor(waits: Waits) -> None:
    recorder = run_stack("lab", routes={"github-issues-to-implementation": {"enabled": False}})
    assert len(recorder.of_kind("Sensor")) == len(waits.sensors) == len(ROUTES) - 1
