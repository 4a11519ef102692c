"""Settings: what a stack may change, and messages that name the key and what to write instead."""

from typing import Any

import pytest

from cli.stacks import read_settings, stack_names
from routes import FAMILIES
from routes.model import Rate
from routes.settings import SettingsError, parse_settings

MINIMAL: dict[str, Any] = {
    "kubeContext": "somewhere",
    "namespace": "events",
    "eventBus": {"kind": "native"},
    "webhookSecret": {"kind": "existing"},
}
EXOTIC = {"kind": "exotic", "url": "tls://nats.nats.svc:4222", "access": {"name": "nats-access"}}


def wrong(**changes: object) -> str:
    """The message for the minimal settings with these changes; None removes a key."""
    config = {key: value for key, value in (MINIMAL | changes).items() if value is not None}
    with pytest.raises(SettingsError) as raised:
        parse_settings(config, source="Pulumi.dev.yaml")
    return str(raised.value)


def test_the_defaults_are_the_requirements() -> None:
    settings = parse_settings(MINIMAL, source="test")
    assert settings.semaphores.model_dump(by_alias=True) == {
        "pr-validation": 5,
        "coderun": 10,
        "implementation": 5,
        "orchestrator": 2,
    }
    assert settings.webhook.endpoint == "/events"
    assert settings.webhook.port == 12000
    assert settings.workflow_templates == "external"
    for family in FAMILIES:
        for route in family.routes:
            assert settings.route(route).enabled
            assert settings.rate(route) == route.rate


def test_finished_workflows_outlive_githubs_three_days_of_redelivery() -> None:
    assert parse_settings(MINIMAL, source="test").workflow_ttl_seconds > 3 * 24 * 3600


def test_every_committed_stack_is_valid() -> None:
    assert stack_names() == ["dev", "lab"]
    assert [read_settings(stack).namespace for stack in stack_names()] == ["argo-events", "github-to-argo-lab"]


def test_values_may_be_text_as_pulumi_hands_them_over() -> None:
    settings = parse_settings(MINIMAL | {"retryMinutes": "20", "createNamespace": "true"}, source="test")
    assert settings.retry_minutes == 20
    assert settings.create_namespace is True


def test_a_route_can_be_slowed_and_turned_off() -> None:
    (route,) = FAMILIES[0].routes
    settings = parse_settings(
        MINIMAL | {"routes": {route.sensor: {"enabled": False, "rate": {"limit": 3, "unit": "Hour"}}}}, source="test"
    )
    assert not settings.route(route).enabled
    assert settings.rate(route) == Rate(limit=3, unit="Hour")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"namespce": "x"}, "github-to-argo:namespce: there is no such setting; did you mean namespace?"),
        ({"webhookSecretvalue": "x"}, "did you mean webhookSecretValue?"),
        ({"kubeContext": None}, "github-to-argo:kubeContext: missing; write the context of your kubeconfig"),
        ({"namespace": "My_Namespace"}, "github-to-argo:namespace: not of the right form; write the namespace"),
        ({"semaphores": {"coderun": 0}}, "github-to-argo:semaphores.coderun: should be greater than or equal to 1"),
        (
            {"semaphores": {"coderuns": 1}},
            "github-to-argo:semaphores.coderuns: there is no such setting; did you mean coderun?",
        ),
        (
            {"routes": {"github-pr-to-pr-validaton": {}}},
            "routes.github-pr-to-pr-validaton: there is no such setting; did you mean github-pr-to-pr-validation?",
        ),
        (
            {"routes": {"github-pr-to-pr-validation": {"rate": {"limit": 5, "unit": "minute"}}}},
            "github-to-argo:routes.github-pr-to-pr-validation.rate.unit: should be 'Second', 'Minute' or 'Hour'",
        ),
        (
            {"routes": {"github-pr-to-pr-validation": {"rate": {"limit": 0}}}},
            "github-to-argo:routes.github-pr-to-pr-validation.rate.limit: should be greater than or equal to 1",
        ),
        ({"eventBus": {"kind": "kafka"}}, "github-to-argo:eventBus.kind: should be one of native, exotic"),
        ({"eventBus": {}}, "github-to-argo:eventBus.kind: should be one of native, exotic"),
        ({"eventBus": "native"}, "github-to-argo:eventBus"),
        ({"eventBus": {"kind": "native", "replicas": 2}}, "github-to-argo:eventBus.replicas: an even number"),
        ({"eventBus": {"kind": "native", "storage": "10G"}}, "github-to-argo:eventBus.storage: not of the right form"),
        ({"eventBus": EXOTIC | {"url": "nats://n:4222"}}, "the engine speaks nothing else"),
        (
            {"eventBus": EXOTIC | {"monitr": {}}},
            "github-to-argo:eventBus.monitr: there is no such setting; did you mean monitor?",
        ),
        ({"webhookSecret": None}, "github-to-argo:webhookSecret: missing; write where the webhook's secret comes from"),
        ({"webhookSecret": {"kind": "none"}}, "should be one of external, existing, config"),
        ({"webhookSecret": {"kind": "external"}}, "github-to-argo:webhookSecret.store: missing"),
        ({"workflowTemplates": "mine"}, "github-to-argo:workflowTemplates: should be 'external' or 'managed'"),
        ({"securityWorkflows": "(scan"}, "github-to-argo:securityWorkflows: not a regular expression"),
        ({"securityWorkflows": "scan(?!ner)"}, "have no look-around"),
        ({"securityWorkflows": "(scan)?"}, "it matches every text"),
        ({"retryMinutes": "ten"}, "github-to-argo:retryMinutes: should be a valid integer"),
        ({"webhook": {"port": 80}}, "github-to-argo:webhook.port: should be greater than or equal to 1024"),
        ({"webhook": {"endpoint": "events"}}, "github-to-argo:webhook.endpoint: not of the right form"),
    ],
)
def test_a_wrong_setting_is_named_with_what_to_write_instead(changes: dict[str, object], message: str) -> None:
    assert message in wrong(**changes)


def test_all_wrong_settings_are_told_at_once() -> None:
    told = wrong(namespce="x", retryMinutes=0, semaphores={"coderun": -1})
    assert told.startswith("Pulumi.dev.yaml: 3 settings are wrong")
    assert "namespce" in told and "retryMinutes" in told and "semaphores.coderun" in told


def test_a_message_shows_the_command_that_mends_it() -> None:
    assert "      pulumi config set --path github-to-argo:retryMinutes 10" in wrong(retryMinutes=0)


def test_a_secret_written_into_the_wrong_place_is_not_repeated() -> None:
    assert "hunter2" not in wrong(
        webhookSecret="hunter2", eventBus={"kind": "exotic", "url": "hunter2", "access": "hunter2"}
    )
