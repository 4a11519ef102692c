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
SMALL = {"cpu": "100m", "memory": "128Mi"}


def wrong(**changes: object) -> str:
    """The message for the minimal settings with these changes; None removes a key."""
    config = {key: value for key, value in (MINIMAL | changes).items() if value is not None}
    with pytest.raises(SettingsError) as raised:
        parse_settings(config, source="Pulumi.dev.yaml")
    return str(raised.value)


@pytest.mark.parametrize("given", [{"backlog": "17Mi"}, {"storage": "22Mi"}])
def test_an_event_bus_that_holds_one_message_is_taken(given: dict[str, str]) -> None:
    assert parse_settings(MINIMAL | {"eventBus": {"kind": "native", **given}}, source="test")


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


def test_a_secret_that_somebody_else_made_may_hold_both_webhooks_and_nats_secret() -> None:
    shared = {"eventBus": EXOTIC | {"access": {"name": "ours"}}, "webhookSecret": {"kind": "existing", "name": "ours"}}
    assert parse_settings(MINIMAL | shared, source="test").webhook_secret.name == "ours"


def test_finished_workflows_outlive_githubs_three_days_of_redelivery() -> None:
    assert parse_settings(MINIMAL, source="test").workflow_ttl_seconds > 3 * 24 * 3600


def test_every_committed_stack_is_valid() -> None:
    assert {stack: read_settings(stack).namespace for stack in stack_names()} == {
        "dev": "argo-events",
        "lab": "github-to-argo-lab",
        "prod": "argo-events",
    }


def test_values_may_be_text_as_pulumi_hands_them_over() -> None:
    settings = parse_settings(MINIMAL | {"retryMinutes": "20", "createNamespace": "true"}, source="test")
    assert settings.retry_minutes == 20
    assert settings.create_namespace is True


def test_a_token_that_is_written_down_in_place_of_its_secret_is_not_shown() -> None:
    assert "ghp_" not in wrong(redelivery={"token": "ghp_0123456789"})


def test_a_route_can_be_slowed_and_turned_off() -> None:
    (route,) = FAMILIES[0].routes
    settings = parse_settings(
        MINIMAL | {"routes": {route.sensor: {"enabled": False, "rate": {"limit": 3, "unit": "Hour"}}}}, source="test"
    )
    assert not settings.route(route).enabled
    assert settings.rate(route) == Rate(limit=3, unit="Hour")


@pytest.mark.parametrize(("unit", "most"), [("Second", 2), ("Minute", 150), ("Hour", 9000)])
def test_a_route_can_be_as_fast_as_a_sensor(unit: str, most: int) -> None:
    (route,) = FAMILIES[0].routes
    rate = {"limit": most, "unit": unit}
    settings = parse_settings(MINIMAL | {"routes": {route.sensor: {"rate": rate}}}, source="test")
    found = settings.rate(route)
    assert found and (found.limit, found.unit) == (most, unit)


def test_a_route_can_be_as_fast_as_the_engine() -> None:
    (route,) = FAMILIES[0].routes
    settings = parse_settings(MINIMAL | {"routes": {route.sensor: {"rate": "unlimited"}}}, source="test")
    assert settings.rate(route) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"namespce": "x"}, "github-to-argo:namespce: there is no such setting; did you mean namespace?"),
        ({"webhookSecretvalue": "x"}, "did you mean webhookSecretValue?"),
        ({"kubeContext": None}, "github-to-argo:kubeContext: missing; write the context of your kubeconfig"),
        ({"namespace": "My_Namespace"}, "github-to-argo:namespace: not of the right form; write the namespace"),
        ({"semaphores": {"coderun": 0}}, "github-to-argo:semaphores.coderun: should be greater than or equal to 1"),
        ({"semaphores": {"coderun": 10**20}}, "semaphores.coderun: should be less than or equal to 2147483647"),
        ({"workflowTtlSeconds": 2**31}, "workflowTtlSeconds: should be less than or equal to 2147483647"),
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
        (
            {"routes": {"github-pr-to-pr-validation": {"rate": {"limit": 151}}}},
            "github-to-argo:routes.github-pr-to-pr-validation.rate: 151 per Minute is more than a Sensor starts, which"
            " is 150: its Kubernetes client makes 5 requests a second, and a new Workflow takes 2 (get and create);"
            " write {limit: 150, unit: Minute} or less, or rate: unlimited for as fast as the engine can",
        ),
        ({"routes": {"github-pr-to-pr-validation": {"rate": {"limit": 3, "unit": "Second"}}}}, "which is 2: its"),
        ({"routes": {"github-pr-to-pr-validation": {"rate": {"limit": 9001, "unit": "Hour"}}}}, "which is 9000: its"),
        (
            {"routes": {"github-pr-to-pr-validation": {"rate": "fast"}}},
            "github-to-argo:routes.github-pr-to-pr-validation.rate: should be 'unlimited'",
        ),
        (
            {"routes": {"github-issues-to-implementation": {"onePerPullRequest": True}}},
            "github-to-argo:routes.github-issues-to-implementation.onePerPullRequest: only a route that is about pull"
            " requests and shares its semaphore with no other can have one Workflow at a time for each pull request;"
            " write false here",
        ),
        ({"routes": {"github-ci-failures-to-triage": {"onePerPullRequest": True}}}, "write false here"),
        (
            {
                "semaphores": {"pr-validation": 51},
                "routes": {"github-pr-to-pr-validation": {"onePerPullRequest": True}},
            },
            "github-to-argo:routes.github-pr-to-pr-validation.onePerPullRequest: semaphores.pr-validation is 51, and"
            " this makes as many mutexes, 50 at most; set that to at most 50, or this to false",
        ),
        ({"eventBus": {"kind": "kafka"}}, "github-to-argo:eventBus.kind: should be one of native, exotic"),
        ({"eventBus": {}}, "github-to-argo:eventBus.kind: should be one of native, exotic"),
        ({"eventBus": "native"}, "github-to-argo:eventBus"),
        (
            {"eventBus": {"kind": "native", "storage": "1Gi", "backlog": "1Gi"}},
            "github-to-argo:eventBus: a backlog of 1Gi does not fit: it may be three quarters of storage, that is 1Gi",
        ),
        (
            {"eventBus": {"kind": "native", "backlog": "16Mi"}},
            "github-to-argo:eventBus: backlog 16Mi leaves room for 16777216 bytes, and one message may have 16777216"
            " (maxPayloadBytes): it would be refused for good; write backlog: 17Mi or more, or a smaller",
        ),
        ({"eventBus": {"kind": "native", "storage": "21Mi"}}, "write storage: 22Mi or more"),
        ({"eventBus": EXOTIC | {"backlog": "1Mi"}}, "write backlog: 2Mi or more"),
        ({"eventBus": {"kind": "native", "backlog": "1GB"}}, "github-to-argo:eventBus.backlog: not of the right form"),
        ({"eventBus": {"kind": "native", "replicas": 2}}, "github-to-argo:eventBus.replicas: an even number"),
        ({"eventBus": {"kind": "native", "storage": "10G"}}, "github-to-argo:eventBus.storage: not of the right form"),
        ({"eventBus": EXOTIC | {"url": "nats://n:4222"}}, "the engine speaks nothing else"),
        ({"eventBus": EXOTIC | {"url": "tls://n:0"}}, "github-to-argo:eventBus.url: not of the right form"),
        ({"eventBus": EXOTIC | {"url": "tls://n:65536"}}, "github-to-argo:eventBus.url: not of the right form"),
        (
            {"eventBus": EXOTIC | {"monitr": {}}},
            "github-to-argo:eventBus.monitr: there is no such setting; did you mean monitor?",
        ),
        ({"webhookSecret": None}, "github-to-argo:webhookSecret: missing; write where the webhook's secret comes from"),
        ({"webhookSecret": {"kind": "none"}}, "should be one of external, existing, config"),
        ({"webhookSecret": {"kind": "external"}}, "github-to-argo:webhookSecret.store: missing"),
        ({"runner": {"kind": "default"}}, "github-to-argo:runner.kind: should be one of managed, existing, templates"),
        ({"runner": {"kind": "existing"}}, "github-to-argo:runner.name: missing; write name of the service account"),
        ({"runner": {"kind": "templates", "name": "x"}}, "github-to-argo:runner.name: there is no such setting"),
        ({"workflowTemplates": "mine"}, "github-to-argo:workflowTemplates: should be 'external' or 'managed'"),
        ({"redelivery": {}}, "github-to-argo:redelivery.hook: missing; write the webhook whose deliveries these are"),
        (
            {"redelivery": {"hook": {"kind": "repo"}}},
            "redelivery.hook.kind: should be one of repository, organization, a",
        ),
        (
            {"redelivery": {"hook": {"kind": "repository", "name": "acme"}}},
            "redelivery.hook.name: not of the right form",
        ),
        ({"redelivery": {"hook": {"kind": "app", "name": "x"}}}, "redelivery.hook.id: missing; write the App's id"),
        ({"redelivery": {"image": "x:latest"}}, "redelivery.image: it has no digest: it must end with @sha256: and 64"),
        ({"redelivery": {"since": "4d"}}, "redelivery.since: GitHub keeps deliveries for three days"),
        ({"redelivery": {"schedule": "every hour"}}, "redelivery.schedule: not of the right form; write when it runs"),
        ({"redelivery": {"token": "ghp_x"}}, "github-to-argo:redelivery.token"),
        ({"redelivery": {"apiUrl": "http://github.acme.example"}}, "redelivery.apiUrl: not of the right form"),
        ({"securityWorkflows": "(scan"}, "github-to-argo:securityWorkflows: not a regular expression of the engine"),
        ({"securityWorkflows": "scan(?!ner)"}, "have no look-around"),
        ({"securityWorkflows": r"(s)can\1"}, r"invalid escape sequence: \1; these have no look-around and no back-"),
        ({"securityWorkflows": r"scan\Z"}, r"invalid escape sequence: \Z"),
        ({"securityWorkflows": "scan{1001}"}, "invalid repetition size: {1001}"),
        ({"securityWorkflows": r"(?i)scan\C"}, r"have no \C"),
        ({"securityWorkflows": "(?P<prüfung>scan)"}, "have group names of A-Z, a-z, 0-9 and _ only"),
        ({"securityWorkflows": "(" * 1001 + "scan" + ")" * 1001}, "should have at most 500 characters"),
        ({"securityWorkflows": "(scan)?"}, "it matches every text"),
        (
            {"loses": ["github-issues"]},
            "github-to-argo:loses[0]: there is no such Sensor; there are github-pr-to-pr-validation,",
        ),
        (
            {"trust": "everyone"},
            "github-to-argo:trust: should be 'anyone', 'contributors' or 'members'; write whose pull",
        ),
        (
            {"routes": {"github-push-merge-to-orchestrator": {"trust": "members"}}},
            "github-to-argo:routes.github-push-merge-to-orchestrator.trust: none of the route's deliveries says how its"
            " author stands to the repository: GitHub tells it of pull requests, comments and issues, not of runs,"
            " checks and alerts, and a push or a merge takes the right to write; write no trust here",
        ),
        ({"routes": {"github-ci-failures-to-triage": {"trust": "anyone"}}}, "write no trust here"),
        ({"routes": {"github-security-to-agent": {"trust": "members"}}}, "write no trust here"),
        (
            {"neverAnswered": {"logins": ["ok", "@my-agent"]}},
            "github-to-argo:neverAnswered.logins[1]: not of the right form; write logins of accounts, an App's with"
            " [bot], for example:\n      pulumi config set --path 'github-to-argo:neverAnswered.logins[1]' my-agent",
        ),
        (
            {"neverAnswered": {"logins": "my-agent"}},
            "github-to-argo:neverAnswered.logins: should be a list; write logins of accounts, an App's with [bot], for"
            " example:\n      pulumi config set --path 'github-to-argo:neverAnswered.logins[0]' my-agent",
        ),
        (
            {"neverAnswered": {"apps": ["my-agent[bot]"]}},
            "github-to-argo:neverAnswered.apps[0]: not of the right form; write slugs of GitHub Apps",
        ),
        ({"neverAnswered": {"users": []}}, "neverAnswered.users: there is no such setting; there are logins, apps"),
        ({"repositories": []}, "github-to-argo:repositories: should not be empty; write the repositories served"),
        (
            {"repositories": ["acme"]},
            "'github-to-argo:repositories[0]' 'my-org/*'",
        ),
        (
            {"repositories": ["acme/a*"]},
            "github-to-argo:repositories[0]: not of the right form; write the repositories",
        ),
        ({"triage": {"checkRuns": "none"}}, "github-to-argo:triage.checkRuns: should be 'all' or 'external'"),
        ({"triage": {"forks": "all"}}, "github-to-argo:triage.forks: should be 'run' or 'skip'"),
        (
            {"triage": {"branchesIgnore": ["refs/heads/agent/*"]}},
            "github-to-argo:triage.branchesIgnore[0]: a run's branch has no refs/heads/ before it; write branches",
        ),
        ({"triage": {"branchesIgnore": ["*"]}}, "triage.branchesIgnore[0]: it is like every branch"),
        ({"triage": {"branchesIgnore": ["a b"]}}, "triage.branchesIgnore[0]: not of the right form"),
        ({"triage": {"actorsIgnore": ["a*"]}}, "triage.actorsIgnore[0]: not of the right form"),
        ({"drafts": "validate"}, "github-to-argo:drafts: should be 'skip' or 'run'; write skip: a draft"),
        (
            {"securityEvents": ["push"]},
            "github-to-argo:securityEvents[0]: should be 'repository_advisory', 'code_scanning_alert',"
            " 'secret_scanning_alert' or 'dependabot_alert'; write further events",
        ),
        (
            {"webhookSecret": {"kind": "existing", "name": "github.webhook"}},
            "webhookSecret.name: the EventSource's pod has a volume called so, and that takes letters, digits and -,"
            " 56 at most; write name of the Secret",
        ),
        ({"webhookSecret": {"kind": "existing", "name": "a" * 57}}, "webhookSecret.name: the EventSource's pod has"),
        (
            {"webhookSecret": {"kind": "config", "name": "nats"}, "eventBus": EXOTIC | {"access": {"name": "nats"}}},
            "github-to-argo:webhookSecret.name: eventBus.access has the Secret nats too, and what the stack makes holds"
            " nothing but its own; choose another name for one of them",
        ),
        (
            {
                "webhookSecret": {"kind": "existing", "name": "nats"},
                "eventBus": EXOTIC | {"access": {"kind": "config", "name": "nats"}},
            },
            "github-to-argo:webhookSecret.name: eventBus.access has the Secret nats too",
        ),
        ({"retryMinutes": "ten"}, "github-to-argo:retryMinutes: should be a valid integer"),
        ({"webhook": {"port": 80}}, "github-to-argo:webhook.port: should be greater than or equal to 1024"),
        ({"webhook": {"endpoint": "events"}}, "github-to-argo:webhook.endpoint: not of the right form"),
        ({"webhook": {"replicas": 0}}, "github-to-argo:webhook.replicas: should be greater than or equal to 1"),
        ({"podSecurity": "privileged"}, "github-to-argo:podSecurity: should be 'restricted' or 'baseline'"),
        (
            {"pods": {"sensor": {"requests": {"cpu": "1", "memory": "1Gi"}}}},
            "github-to-argo:pods.sensor.limits: missing; write what it may not exceed",
        ),
        (
            {"pods": {"sensor": {"requests": SMALL, "limits": {"cpu": "0.5", "memory": "1Gi"}}}},
            "github-to-argo:pods.sensor.limits.cpu: not of the right form; write CPUs, or thousandths of one",
        ),
        (
            {"pods": {"sensor": {"requests": SMALL, "limits": {"cpu": "1", "memory": "64Mi"}}}},
            "github-to-argo:pods.sensor: the requested memory is more than its limit; write CPU and memory of each",
        ),
        (
            {"pods": {"eventSource": {"requests": SMALL, "limits": {"cpu": "50m", "memory": "1Gi"}}}},
            "github-to-argo:pods.eventSource: the requested cpu is more than its limit",
        ),
        ({"pods": {"nodeSelector": {}}}, "github-to-argo:pods.nodeSelector: no label at all would select everything"),
        ({"pods": {"nodeSelector": {"a b": "c"}}}, "github-to-argo:pods.nodeSelector: number 1 is no label"),
        ({"pods": {"priorityClassName": "High!"}}, "github-to-argo:pods.priorityClassName: not of the right form"),
        (
            {"pods": {"images": ["quay.io/argoproj/argo-events:v1.9.11"]}},
            "github-to-argo:pods.images: number 1 has no digest: it must end with @sha256: and 64 hexadecimal digits;"
            " write the images, by digest",
        ),
        (
            {"networkPolicy": {"apiServer": ["10.0.0.1/33"]}},
            "github-to-argo:networkPolicy.apiServer: number 1 is no block of addresses (for one address: /32); write",
        ),
        (
            {"networkPolicy": {"apiServerPorts": []}},
            "networkPolicy.apiServerPorts: without a port nothing gets through",
        ),
        ({"networkPolicy": {"dnsPorts": [0]}}, "github-to-argo:networkPolicy.dnsPorts: 0 is no port"),
        ({"networkPolicy": {"webhookFrom": {}}}, "github-to-argo:networkPolicy.webhookFrom: no label at all"),
        (
            {"networkPolicy": {"webhooksFrom": {"a": "b"}}},
            "github-to-argo:networkPolicy.webhooksFrom: there is no such setting; did you mean webhookFrom?",
        ),
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


def test_a_message_shows_a_list_or_a_mapping_as_the_file_has_it() -> None:
    assert "      github-to-argo:networkPolicy.apiServer: [10.0.0.1/32]" in wrong(networkPolicy={"apiServer": ["x"]})
    assert "      github-to-argo:pods.nodeSelector: {kubernetes.io/arch: amd64}" in wrong(pods={"nodeSelector": {}})


def test_a_secret_written_into_the_wrong_place_is_not_repeated() -> None:
    assert "hunter2" not in wrong(
        webhookSecret="hunter2",
        eventBus={"kind": "exotic", "url": "hunter2", "access": "hunter2"},
        pods={"images": ["hunter2"], "nodeSelector": {"hunter2!": "hunter2!"}},
        networkPolicy={"apiServer": ["hunter2"]},
    )


def test_the_largest_delivery_follows_the_event_bus() -> None:
    def largest(**changes: object) -> int:
        return parse_settings(MINIMAL | changes, source="test").max_body

    assert largest() == 6_291_456
    assert largest(eventBus=EXOTIC) == 702_171
    assert largest(eventBus=EXOTIC | {"maxPayloadBytes": 4_194_304}) == 2_949_120
    assert largest(webhook={"maxPayloadBytes": 409_600}) == 409_600


def test_a_delivery_that_the_event_bus_does_not_take_is_refused_with_both_ways_out() -> None:
    message = wrong(eventBus=EXOTIC, webhook={"maxPayloadBytes": 6_291_456})
    assert message == (
        "Pulumi.dev.yaml: 1 setting is wrong\n\n"
        "  github-to-argo:webhook.maxPayloadBytes: 6291456 bytes become a message of up to 8873575, and"
        " eventBus.maxPayloadBytes is 1048576; set that to 8873575, and so that NATS's max_payload, or this to at most"
        " 702171"
    )
    assert parse_settings(
        MINIMAL | {"eventBus": EXOTIC | {"maxPayloadBytes": 8_873_575}, "webhook": {"maxPayloadBytes": 6_291_456}},
        source="test",
    )
    native = {"kind": "native", "maxPayloadBytes": 1_048_576}
    assert "set that to 8873575, or this" in wrong(eventBus=native, webhook={"maxPayloadBytes": 6_291_456})


def test_the_largest_delivery_of_all_is_what_the_largest_event_bus_takes() -> None:
    bus = EXOTIC | {"maxPayloadBytes": 33_554_432}
    large = {"eventBus": bus, "webhook": {"maxPayloadBytes": 23_920_640}, "pods": {"sensor": of_memory("512Mi")}}
    assert parse_settings(MINIMAL | large, source="test").max_body == 23_920_640
    assert "less than or equal to 33554432" in wrong(eventBus=EXOTIC | {"maxPayloadBytes": 33_554_433})


def of_memory(limit: str) -> dict[str, object]:
    return {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": limit}}


def test_pods_that_the_largest_delivery_does_not_fit_into_are_refused_each_with_what_it_needs() -> None:
    bus = {"kind": "native", "maxPayloadBytes": 33_554_432}
    message = wrong(eventBus=bus, webhook={"maxPayloadBytes": 23_920_640}, pods={"eventSource": of_memory("256Mi")})
    assert message == (
        "Pulumi.dev.yaml: 2 settings are wrong\n\n"
        "  github-to-argo:pods.eventSource.limits.memory: 256Mi is too little for a delivery of 23920640 bytes; set it"
        " to at least 429Mi, or webhook.maxPayloadBytes to less\n"
        "  github-to-argo:pods.sensor.limits.memory: 256Mi is too little for a delivery of 23920640 bytes; set it"
        " to at least 429Mi, or webhook.maxPayloadBytes to less"
    )
    assert "at least 160Mi" in wrong(pods={"sensor": of_memory("128Mi")})
    less = {"webhook": {"maxPayloadBytes": 1_048_576}, "pods": {"sensor": of_memory("128Mi")}}
    assert parse_settings(MINIMAL | less, source="test")


@pytest.mark.parametrize("size", [65_535, 23_920_641, "1Mi"])
def test_a_delivery_that_is_no_size_or_that_no_event_bus_takes_is_refused(size: object) -> None:
    message = wrong(webhook={"maxPayloadBytes": size})
    assert "github-to-argo:webhook.maxPayloadBytes: should be" in message
    assert "at most 23920640: no JetStream keeps a larger message" in message
    assert "pulumi config set --path github-to-argo:webhook.maxPayloadBytes 6291456" in message
