"""The compiler: what every stack must have, whatever its settings. The whole documents are the goldens."""

import json
import re
from typing import Any, get_args

import pytest
import yaml
from pydantic import ValidationError

from cli.stacks import compiled, read_settings, stack_names
from routes import FAMILIES, manifests
from routes.compiler import CompiledStack, _any_of, _like, compile_stack
from routes.consumers import dropped
from routes.contract import PARAMETERS, TEMPLATES
from routes.manifests import Manifest
from routes.settings import SettingsError, StackSettings, parse_settings
from tests.routes.test_settings import EXOTIC, MINIMAL

VALIDATION = "github-pr-to-pr-validation"


def stack(**changes: object) -> CompiledStack:
    return compile_stack(FAMILIES, parse_settings(MINIMAL | changes, source="test"))


def sensors(compiled_stack: CompiledStack) -> dict[str, Manifest]:
    return {s["metadata"]["name"]: s for family in compiled_stack.sensors.values() for s in family}


def kinds(compiled_stack: CompiledStack) -> set[str]:
    return {manifest["kind"] for manifest in compiled_stack.objects()}


SECURITY = "github-security-to-agent"


def parameters_of(sensor: Manifest) -> list[dict[str, Any]]:
    (trigger,) = sensor["spec"]["triggers"]
    found: list[dict[str, Any]] = trigger["template"]["k8s"]["parameters"]
    return found


def passing(sensor: Manifest) -> list[dict[str, Any]]:
    """The dependencies that some delivery passes."""
    return [d for d in sensor["spec"]["dependencies"] if d["filters"] != {"data": [NEVER]}]


NEVER = {"path": "body.X-GitHub-Event", "type": "string", "value": [".^"]}

ALL = [
    pytest.param(sensor, id=f"{name}-{guarded}")
    for guarded, compiled_stack in {"open": stack(), "guarded": compiled("prod")}.items()
    for name, sensor in sensors(compiled_stack).items()
]


@pytest.mark.parametrize("name", stack_names())
def test_compiling_twice_gives_the_same(name: str) -> None:
    assert json.dumps(compiled(name).objects()) == json.dumps(compiled(name).objects())


@pytest.mark.parametrize("sensor", ALL)
def test_every_string_is_anchored_and_the_event_comes_first(sensor: Manifest) -> None:
    for dependency in passing(sensor):
        first, *others = dependency["filters"]["data"]
        assert first["path"] == "body.X-GitHub-Event"
        for data in (first, *others):
            if dependency["name"] == "secscan" and "workflow.name" in data["path"]:
                continue  # the one pattern that looks for a part of a name
            assert all(value.startswith("^") and value.endswith("$") for value in data["value"])


@pytest.mark.parametrize("sensor", ALL)
def test_no_path_but_the_event_can_be_missing(sensor: Manifest) -> None:
    for dependency in sensor["spec"]["dependencies"]:
        filters = dependency["filters"]
        paths = [data["path"] for data in filters["data"][1:]]
        paths += [field["path"] for expr in filters.get("exprs", []) for field in expr["fields"]]
        assert all(path.startswith("[body.") for path in paths)


@pytest.mark.parametrize("sensor", ALL)
def test_nothing_is_lost_nothing_is_doubled(sensor: Manifest) -> None:
    (trigger,) = sensor["spec"]["triggers"]
    assert trigger["atLeastOnce"] is True
    assert trigger["retryStrategy"] == {"steps": 120, "duration": "5s"}
    assert trigger["template"]["k8s"]["operation"] == "update"
    names = [p for p in parameters_of(sensor) if p["dest"] == "metadata.name"]
    assert [p["src"]["dependencyName"] for p in names] == [d["name"] for d in passing(sensor)]
    assert all("X-GitHub-Delivery" in p["src"]["dataTemplate"] for p in names)


@pytest.mark.parametrize("sensor", ALL)
def test_the_last_dependency_is_the_same_everywhere_and_never_passes(sensor: Manifest) -> None:
    *others, last = sensor["spec"]["dependencies"]
    assert last == {
        "name": "queue",
        "eventSourceName": "github-es",
        "eventName": "main",
        "filters": {"data": [NEVER]},
    }
    conditions = sensor["spec"]["triggers"][0]["template"]["conditions"]
    assert conditions == " || ".join([*(d["name"] for d in others), "queue"])


def test_conditions_name_every_delivery_that_a_setting_could_turn_on() -> None:
    few, many = stack(), stack(securityEvents=["code_scanning_alert"])
    conditions = {
        s["spec"]["triggers"][0]["template"]["conditions"] for s in (sensors(few)[SECURITY], sensors(many)[SECURITY])
    }
    assert conditions == {"secadv || secscan || repoadv || codescan || secretscan || depalert || queue"}
    assert [d["name"] for d in passing(sensors(few)[SECURITY])] == ["secadv", "secscan"]
    assert [d["name"] for d in passing(sensors(many)[SECURITY])] == ["secadv", "secscan", "codescan"]


@pytest.mark.parametrize("sensor", ALL)
def test_no_parameter_has_a_default_that_another_dependency_would_write(sensor: Manifest) -> None:
    assert all("value" not in p["src"] for p in parameters_of(sensor))


@pytest.mark.parametrize("sensor", ALL)
def test_a_workflow_starts_with_every_parameter_of_its_template(sensor: Manifest) -> None:
    workflow = sensor["spec"]["triggers"][0]["template"]["k8s"]["source"]["resource"]
    template = workflow["spec"]["workflowTemplateRef"]["name"]
    declared = [p["name"] for p in workflow["spec"]["arguments"]["parameters"]]
    assert declared == list(next(names for t, names in TEMPLATES.items() if t == template))
    assert all(set(p) == {"name", "value"} for p in workflow["spec"]["arguments"]["parameters"])


@pytest.mark.parametrize("sensor", ALL)
def test_every_destination_is_there_before(sensor: Manifest) -> None:
    workflow = sensor["spec"]["triggers"][0]["template"]["k8s"]["source"]["resource"]
    for parameter in parameters_of(sensor):
        node: Any = workflow
        for key in parameter["dest"].split("."):
            node = node[int(key)] if isinstance(node, list) else node[key]
        assert isinstance(node, str)


def test_managed_templates_declare_what_their_routes_send() -> None:
    managed = {t["metadata"]["name"]: t for t in stack(workflowTemplates="managed").templates}
    assert {
        name: [p["name"] for p in template["spec"]["arguments"]["parameters"]] for name, template in managed.items()
    } == {
        "pr-validation": ["event", "owner", "repo", "pr", "branch", "taskId"],
        "coderun-template": list(PARAMETERS),
        "implementation": ["event", "owner", "repo", "issue", "agent", "taskId"],
        "orchestrator-resume-close": ["event", "owner", "repo", "pr", "branch", "taskId"],
    }


def test_external_templates_are_not_ours() -> None:
    assert "WorkflowTemplate" not in kinds(stack())


def test_a_route_that_is_off_has_no_sensor_and_its_events_are_not_asked_for() -> None:
    off = stack(routes={"github-issues-to-implementation": {"enabled": False}})
    assert "github-issues-to-implementation" not in sensors(off)
    assert "issues" not in off.sensors
    assert "issues" not in off.event_source["spec"]["github"]["main"]["events"]


def test_a_route_without_a_rate_has_no_limiter() -> None:
    unlimited = stack(routes={"github-issues-to-implementation": {"rate": "unlimited"}})
    (trigger,) = sensors(unlimited)["github-issues-to-implementation"]["spec"]["triggers"]
    assert "rateLimit" not in trigger


def test_one_workflow_for_each_pull_request_takes_one_of_as_many_mutexes_as_may_run_at_once() -> None:
    off, on = stack(), stack(routes={VALIDATION: {"onePerPullRequest": True}}, semaphores={"pr-validation": 3})
    (trigger,) = sensors(on)[VALIDATION]["spec"]["triggers"]
    resource = trigger["template"]["k8s"]["source"]["resource"]
    assert resource["spec"]["synchronization"] == {"mutexes": [{"name": "pr-validation-0"}]}
    mutex = [p for p in parameters_of(sensors(on)[VALIDATION]) if p["dest"] == "spec.synchronization.mutexes.0.name"]
    assert [p["src"]["dependencyName"] for p in mutex] == ["pr"]
    assert "mod (adler32sum $pr) 3" in mutex[0]["src"]["dataTemplate"]
    others = {name: made for name, made in sensors(on).items() if name != VALIDATION}
    assert others == {name: made for name, made in sensors(off).items() if name != VALIDATION}
    assert [d["name"] for d in sensors(on)[VALIDATION]["spec"]["dependencies"]] == ["pr", "queue"]
    assert not dropped(sensors(off)[VALIDATION], sensors(on)[VALIDATION]), "what waits is not lost"


def test_rates_and_semaphores_are_the_stacks() -> None:
    changed = stack(
        semaphores={"coderun": 3}, routes={"github-issues-to-implementation": {"rate": {"limit": 7, "unit": "Hour"}}}
    )
    (trigger,) = sensors(changed)["github-issues-to-implementation"]["spec"]["triggers"]
    assert trigger["rateLimit"] == {"unit": "Hour", "requestsPerUnit": 7}
    (semaphores,) = (m for m in changed.access if m["kind"] == "ConfigMap")
    assert semaphores["data"]["coderun"] == "3"


def test_the_event_source_checks_signatures_with_the_secret_that_is_named() -> None:
    for secret in ({"kind": "existing"}, {"kind": "config"}, {"kind": "external", "store": "s", "remoteKey": "k"}):
        github = stack(webhookSecret=secret | {"name": "hook", "key": "k"}).event_source["spec"]["github"]["main"]
        assert github["webhookSecret"] == {"name": "hook", "key": "k"}


def test_the_port_is_text_since_an_integer_breaks_the_controller() -> None:
    assert stack().event_source["spec"]["github"]["main"]["webhook"]["port"] == "12000"


def test_a_secret_is_only_named() -> None:
    secret = stack(webhookSecret={"kind": "config"}).webhook_secret
    assert secret is not None
    assert set(secret) == {"apiVersion", "kind", "metadata"}


def test_the_external_secret_is_todays_version() -> None:
    secret = stack(
        webhookSecret={"kind": "external", "store": "s", "remoteKey": "k", "refreshInterval": "5m"}
    ).webhook_secret
    assert secret is not None
    assert secret["apiVersion"] == "external-secrets.io/v1"
    assert secret["spec"]["refreshInterval"] == "5m"
    assert secret["spec"]["secretStoreRef"] == {"name": "s", "kind": "ClusterSecretStore"}


def test_a_native_event_bus_stores_each_event_on_every_server() -> None:
    for replicas in (1, 3):
        jetstream = stack(eventBus={"kind": "native", "replicas": replicas}).event_bus["spec"]["jetstream"]
        assert jetstream["replicas"] == replicas
        assert yaml.safe_load(jetstream["streamConfig"])["replicas"] == replicas


@pytest.mark.parametrize(
    ("bus", "kind"), [({"kind": "native"}, "jetstream"), (EXOTIC, "jetstreamExotic")], ids=["native", "exotic"]
)
def test_a_full_event_bus_refuses_and_never_drops(bus: dict[str, object], kind: str) -> None:
    def stream(**changes: object) -> dict[str, object]:
        spec = stack(eventBus=bus | changes).event_bus["spec"][kind]
        config: dict[str, object] = yaml.safe_load(spec["streamConfig"])
        return config

    interest, new = 1, 1
    assert (stream()["retention"], stream()["discard"], stream()["maxMsgs"]) == (interest, new, -1)
    assert (stream()["maxBytes"], stream()["maxAge"]) == (1024**3, "168h")
    changed = stream(backlog="64Mi", maxAgeHours=24)
    assert (changed["maxBytes"], changed["maxAge"]) == (64 * 1024**2, "24h")


def test_a_native_event_bus_is_told_what_its_volume_holds() -> None:
    def store(**changes: object) -> tuple[int, dict[str, object]]:
        jetstream = stack(eventBus={"kind": "native"} | changes).event_bus["spec"]["jetstream"]
        return yaml.safe_load(jetstream["streamConfig"])["maxBytes"], yaml.safe_load(jetstream["settings"])

    room, servers = store(storage="4Gi")
    assert room == 3 * 1024**3
    assert servers == {"max_memory_store": -1, "max_file_store": 4 * 1024**3, "sync_interval": "always"}
    room, servers = store(storage="4Gi", backlog="1Gi", sync="2m")
    assert room == 1024**3 < servers["max_file_store"]  # type: ignore[operator]
    assert servers["sync_interval"] == "2m"


def test_a_second_pod_stands_by_for_each_sensor() -> None:
    assert {sensor["spec"]["replicas"] for sensor in stack().all_sensors()} == {2}
    assert {sensor["spec"]["replicas"] for sensor in stack(sensorReplicas=1).all_sensors()} == {1}


def test_an_existing_nats_is_spoken_to_with_tls() -> None:
    unchecked = stack(eventBus=EXOTIC).event_bus["spec"]["jetstreamExotic"]
    assert unchecked["tls"] == {"insecureSkipVerify": True}
    checked = stack(eventBus=EXOTIC | {"ca": {"name": "nats-ca", "key": "ca.crt"}}).event_bus["spec"]["jetstreamExotic"]
    assert checked["tls"] == {"caCertSecret": {"name": "nats-ca", "key": "ca.crt"}}


def test_two_stacks_share_no_cluster_wide_name() -> None:
    def cluster_wide(namespace: str) -> set[tuple[str, str]]:
        compiled_stack = stack(namespace=namespace, createNamespace=True)
        return {
            (manifest["kind"], manifest["metadata"]["name"])
            for manifest in compiled_stack.objects()
            if "namespace" not in manifest["metadata"]
        }

    assert {kind for kind, _ in cluster_wide("a")} == {
        "Namespace",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    assert not cluster_wide("a") & cluster_wide("b")


def test_sensors_may_start_workflows_and_write_dead_letters_and_no_more() -> None:
    role, _ = (m for m in stack().access if m["kind"] == "Role")
    assert role["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create", "get", "update"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
    ]


def accounts(compiled_stack: CompiledStack) -> set[str | None]:
    """The service accounts that the stack's Workflows name."""
    return {
        s["spec"]["triggers"][0]["template"]["k8s"]["source"]["resource"]["spec"].get("serviceAccountName")
        for s in sensors(compiled_stack).values()
    }


def test_workflows_run_as_an_account_of_their_own_with_what_argo_needs() -> None:
    managed = stack(runner={"kind": "managed", "name": "agents"})
    assert accounts(managed) == {"agents"}
    runners = [m for m in managed.access if m["metadata"]["name"] == "agents"]
    account, role, binding = runners
    assert account["kind"] == "ServiceAccount"
    assert role["rules"] == [
        {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    ]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "agents", "namespace": "events"}]


def test_workflows_run_as_an_account_that_exists_and_the_stack_makes_none() -> None:
    existing = stack(runner={"kind": "existing", "name": "agents"})
    assert accounts(existing) == {"agents"}
    assert not [m for m in existing.access if m["metadata"]["name"] == "agents"]


def test_workflows_name_no_account_where_the_templates_do() -> None:
    assert accounts(stack(runner={"kind": "templates"})) == {None}


def test_no_setting_takes_the_signature_check_away() -> None:
    kinds_of_secret = [
        get_args(kind.model_fields["kind"].annotation)[0]
        for kind in get_args(StackSettings.model_fields["webhook_secret"].annotation)
    ]
    assert len(kinds_of_secret) == 3
    for kind in kinds_of_secret:
        given = {"kind": kind} | ({"store": "s", "remoteKey": "k"} if kind == "external" else {})
        for policy in (True, False):
            github = stack(webhookSecret=given, admissionPolicy=policy).event_source["spec"]["github"]["main"]
            assert github["webhookSecret"] == {"name": "github-webhook-secret", "key": "secret"}
        for nothing in ({"name": ""}, {"key": ""}, {"name": None}, {"key": None}, {"enabled": False}):
            with pytest.raises(SettingsError, match="github-to-argo:webhookSecret"):
                stack(webhookSecret=given | nothing)
    none_at_all: tuple[object, ...] = (None, "", {}, False, {"kind": "none"})
    for secret in none_at_all:
        with pytest.raises(SettingsError, match="github-to-argo:webhookSecret"):
            stack(webhookSecret=secret)


def test_a_misspelt_field_cannot_be_emitted() -> None:
    with pytest.raises(ValidationError, match="requestPerUnit"):
        manifests.RateLimit.model_validate({"unit": "Minute", "requestPerUnit": 20})
    with pytest.raises(ValidationError):
        manifests.RateLimit.model_validate({"unit": "minute", "requestsPerUnit": 20})


def test_the_stacks_file_alone_is_enough_to_render() -> None:
    for name in stack_names():
        assert compiled(name).objects() == compile_stack(FAMILIES, read_settings(name)).objects()


def test_texts_are_compared_letter_for_letter() -> None:
    pattern = _any_of(("dependabot[bot]", 'a "quoted" \\ one'))
    for text, same in (
        ("dependabot[bot]", True),
        ('a "quoted" \\ one', True),
        ("dependabotb", False),
        ("xdependabot[bot]", False),
    ):
        assert bool(re.search(pattern, json.dumps([text]))) is same


def test_a_pattern_is_for_the_whole_text_as_the_event_source_writes_it() -> None:
    pattern = _like(("agent/*", "a.b", "r&d"))
    for text, same in (
        ('["agent/x"]', True),
        ('["agent/x/y\\"z"]', True),
        ('["Agent/X"]', True),
        ('["A.B"]', True),
        ('["r\\u0026d"]', True),
        ('["my-agent/x"]', False),
        ('["agent"]', False),
        ('["a.bc"]', False),
        ('["axb"]', False),
        ("[null]", False),
        ("[]", False),
    ):
        assert bool(re.search(pattern, text)) is same, text
