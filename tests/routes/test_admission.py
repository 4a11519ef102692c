"""The policies that are compiled. What the API server makes of them is tested on the lab."""

from __future__ import annotations

import json
import re

import pytest

from routes import FAMILIES, manifests
from routes.admission import Admission, Started
from routes.compiler import CompiledStack, compile_stack, started
from routes.manifests import Manifest
from routes.settings import parse_settings
from tests.routes.test_settings import MINIMAL


def stack(**changes: object) -> CompiledStack:
    return compile_stack(FAMILIES, parse_settings(MINIMAL | changes, source="test"))


def policies(compiled: CompiledStack) -> dict[str, Manifest]:
    """The policies by what they are about."""
    return {
        m["metadata"]["labels"]["app.kubernetes.io/component"]: m
        for m in compiled.access
        if m["kind"] == "ValidatingAdmissionPolicy"
    }


def test_each_policy_denies_and_is_bound() -> None:
    compiled = stack()
    bindings = [m for m in compiled.access if m["kind"] == "ValidatingAdmissionPolicyBinding"]
    names = {policy["metadata"]["name"] for policy in policies(compiled).values()}
    assert names == {
        f"github-to-argo-events-{name}"
        for name in ("sensor-writes", "sensor-starts", "sensor-changes", "sensor-letters", "webhook-secret")
    }
    assert {binding["spec"]["policyName"] for binding in bindings} == names
    assert all(binding["spec"]["validationActions"] == ["Deny"] for binding in bindings)
    assert all(policy["spec"]["failurePolicy"] == "Fail" for policy in policies(compiled).values())


def test_one_switch_leaves_all_of_them_out() -> None:
    assert not policies(stack(admissionPolicy=False))


def test_each_clause_says_something_else() -> None:
    for policy in policies(stack()).values():
        messages = [validation["message"] for validation in policy["spec"]["validations"]]
        assert len(set(messages)) == len(messages)


def test_what_a_further_security_event_starts_may_start_where_the_event_is_on() -> None:
    # It was refused: each alert failed for retryMinutes, and what waited behind it with it.
    (security,) = (route for family in FAMILIES for route in family.routes if route.further)
    on = parse_settings(MINIMAL | {"securityEvents": ["code_scanning_alert"]}, source="test")
    events = [filled["metadata.labels.github-to-argo/event"] for filled in started(security, on).filled]
    assert events == ["security_advisory", "workflow_run", "code_scanning_alert"]


def test_the_sensors_account_is_theirs_that_all_sensors_have() -> None:
    compiled = stack(namespace="here")
    (account,) = {sensor["spec"]["template"]["serviceAccountName"] for sensor in compiled.all_sensors()}
    for name, policy in policies(compiled).items():
        (condition,) = policy["spec"]["matchConditions"]
        if name != "webhook-secret":
            assert condition["expression"] == f'request.userInfo.username == "system:serviceaccount:here:{account}"'


def test_what_is_allowed_is_what_the_enabled_routes_write() -> None:
    def text(compiled: CompiledStack) -> str:
        return json.dumps(policies(compiled)["sensor-starts"])

    off = stack(routes={"github-issues-to-implementation": {"enabled": False}})
    assert "implementation" in text(stack())
    assert "implementation" not in text(off)
    assert "serviceAccountName" not in text(stack(runner={"kind": "templates"}))
    assert "7200" in text(stack(workflowTtlSeconds=7200))


def test_a_value_that_no_delivery_chooses_is_known() -> None:
    settings = parse_settings(MINIMAL, source="test")
    by_sensor = {route.sensor: started(route, settings) for family in FAMILIES for route in family.routes}
    triage = by_sensor["github-ci-failures-to-triage"]
    assert [filled["metadata.labels.github-to-argo/event"] for filled in triage.filled] == ["workflow_run", "check_run"]
    assert all(filled["metadata.name"] is None for filled in triage.filled)
    known = policies(stack())["sensor-starts"]["spec"]["variables"]
    (parameters,) = (v["expression"] for v in known if v["name"] == "knownParameters")
    table = json.loads(re.sub(r"\[\?variables.*", "", parameters))
    assert table["github-security-to-agent"]["agent"] == ["security"]
    assert table["github-issue-comment-to-rex"] == {"branch": [""], "agent": ["rex"], "includeComments": ["true"]}


def test_a_mutex_is_one_of_its_routes() -> None:
    def clause(compiled: CompiledStack) -> str:
        validations = policies(compiled)["sensor-starts"]["spec"]["validations"]
        (found,) = (v["expression"] for v in validations if "spec.synchronization" in v["message"])
        return str(found)

    routes = {"github-pr-to-pr-validation": {"onePerPullRequest": True}}
    one = clause(stack(routes=routes, semaphores={"pr-validation": 2}))
    plain = re.sub(r"dyn\((.*?)\)", r"\1", one)
    table = json.loads(re.sub(r"^.* in (\{.*\})\[\?variables\.route\].*$", r"\1", plain))
    assert table["github-pr-to-pr-validation"] == [
        {"mutexes": [{"name": "pr-validation-0"}]},
        {"mutexes": [{"name": "pr-validation-1"}]},
    ]
    (semaphore,) = table["github-issues-to-implementation"]
    assert list(semaphore) == ["semaphores"]
    assert "mutexes" not in clause(stack())


def test_a_place_that_no_clause_looks_at_cannot_be_filled_in() -> None:
    (route, *_) = (started(r, parse_settings(MINIMAL, source="test")) for family in FAMILIES for r in family.routes)
    elsewhere = Started(workflow=route.workflow, filled=[{"spec.synchronization.mutexes.0.name": None}])
    admission = Admission(namespace="events", submitter="sensors", prefix="github-to-argo")
    with pytest.raises(ValueError, match=r"deliveries fill in spec\.synchronization\.mutexes\.0\.name; let a clause"):
        list(admission.policies([elsewhere], manifests.KeyRef(name="hook", key="secret")))


def test_the_webhooks_secret_is_looked_at_by_the_name_and_key_of_the_stack() -> None:
    policy = policies(stack(webhookSecret={"kind": "existing", "name": "hook", "key": "k"}))["webhook-secret"]
    assert policy["spec"]["matchConditions"][0]["expression"] == 'object.metadata.name == "hook"'
    assert policy["spec"]["variables"] == [{"name": "text", "expression": "object.?data[?\"k\"].orValue('')"}]
    assert policy["spec"]["matchConstraints"]["namespaceSelector"] == {
        "matchLabels": {"kubernetes.io/metadata.name": "events"}
    }
