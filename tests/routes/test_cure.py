"""The CronWorkflow that restarts Sensors that hang. What it has in common with the other one: test_redelivery.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.stacks import compiled, stack_names
from routes.compiler import CompiledStack
from routes.manifests import Manifest
from tests.routes.cure import stack
from tests.routes.test_redelivery import container, one
from tests.routes.test_settings import EXOTIC, wrong

GOLDEN = Path(__file__).parent / "cure.json"
IN_POLICIES = {"apiServer": ["10.0.0.1/32"], "apiServerPorts": [6443]}


def test_it_renders_as_committed() -> None:
    rendered = json.dumps(stack().cure, indent=2) + "\n"
    assert rendered == GOLDEN.read_text(), "it renders otherwise; see `make golden` and `git diff`"


@pytest.mark.parametrize("name", stack_names())
def test_no_committed_stack_has_it(name: str) -> None:
    assert compiled(name).cure == []


def test_it_is_rendered_with_the_stacks_other_objects() -> None:
    made = stack()
    assert made.objects()[-len(made.cure) :] == made.cure
    assert [manifest["kind"] for manifest in made.cure] == [
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "ConfigMap",
        "NetworkPolicy",
        "WorkflowTemplate",
        "CronWorkflow",
    ]


def test_what_runs_is_the_command_line_of_anyone_with_no_secret() -> None:
    found = container(stack().cure)
    assert " ".join(found["command"]) == "python -m cli cure --yes --settings /etc/github-to-argo/settings.yaml"
    assert found["env"] == []
    volumes = one("WorkflowTemplate", stack().cure)["spec"]["volumes"]
    assert [volume["name"] for volume in volumes] == ["settings", "temporary"]


def may(objects: list[Manifest]) -> list[tuple[object, ...]]:
    return [
        (role["metadata"]["namespace"], *rule["resources"], *rule.get("resourceNames", ["any"]), *rule["verbs"])
        for role in objects
        if role["kind"] == "Role"
        for rule in role["rules"]
    ]


def test_its_account_may_ask_the_one_jetstream_and_the_pods_and_delete_pods_and_no_more() -> None:
    assert may(stack().cure) == [
        ("events", "pods", "any", "list", "delete"),
        ("events", "pods/proxy", "any", "get"),
        ("events", "services/proxy", "eventbus-github-js-svc:monitor", "get"),
        ("events", "workflowtaskresults", "any", "create", "patch"),
    ]


def elsewhere() -> CompiledStack:
    """The NATS is one that exists, in a namespace of its own."""
    return stack(eventBus=EXOTIC | {"monitor": {"namespace": "nats", "service": "my-nats", "port": "8222"}})


def test_of_a_nats_that_exists_it_may_ask_in_that_ones_namespace() -> None:
    objects = elsewhere().cure
    assert may(objects) == [
        ("nats", "services/proxy", "my-nats:8222", "get"),
        ("events", "pods", "any", "list", "delete"),
        ("events", "pods/proxy", "any", "get"),
        ("events", "workflowtaskresults", "any", "create", "patch"),
    ]
    (binding,) = (o for o in objects if o["kind"] == "RoleBinding" and o["metadata"]["namespace"] == "nats")
    assert binding["metadata"]["name"] == binding["roleRef"]["name"] == "github-to-argo-cure-events"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "github-to-argo-cure", "namespace": "events"}]


def test_without_a_way_to_ask_jetstream_it_is_refused_with_what_to_write() -> None:
    text = wrong(eventBus=EXOTIC, cure={"image": f"x@sha256:{'0' * 64}"})
    assert "github-to-argo:cure: it asks JetStream what waits, and eventBus.monitor does not say where" in text
    assert "github-to-argo:eventBus.monitor: {namespace: nats, service: nats}" in text


def test_it_may_talk_to_the_api_server_and_dns_alone_and_the_api_server_to_the_sensors_metrics() -> None:
    made = stack(networkPolicy=IN_POLICIES)
    to_api, to_dns = one("NetworkPolicy", made.cure)["spec"]["egress"]
    assert to_api == {"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [{"port": 6443, "protocol": "TCP"}]}
    assert {port["port"] for port in to_dns["ports"]} == {53}
    rule = {"from": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [{"port": 7777, "protocol": "TCP"}]}
    assert _into_sensors(made) == [rule]
    assert _into_sensors(stack(networkPolicy=IN_POLICIES, cure=None)) == []


def _into_sensors(made: CompiledStack) -> list[object]:
    (policy,) = (g for g in made.guards if g["kind"] == "NetworkPolicy" and g["metadata"]["name"].endswith("-sensors"))
    found: list[object] = policy["spec"]["ingress"]
    return found


def test_a_run_is_given_the_time_that_the_slowest_route_needs() -> None:
    slow = {"github-issues-to-implementation": {"rate": {"limit": 1, "unit": "Hour"}}}
    ends = [
        one("WorkflowTemplate", made.cure)["spec"]["activeDeadlineSeconds"] for made in (stack(), stack(routes=slow))
    ]
    assert ends == [6 + 150 + 300, 3600 + 150 + 300]
