"""Templates that someone else wrote: each thing that is wrong is named with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from cli.stacks import read_settings
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.contract import TEMPLATES
from routes.external_templates import account_problems, problems
from routes.manifests import Manifest
from routes.settings import parse_settings
from tests.routes.test_settings import MINIMAL

WANTED = {"pr-validation": ["event", "taskId"]}


def template(*parameters: Manifest, name: str = "pr-validation") -> Manifest:
    return {"metadata": {"name": name}, "spec": {"arguments": {"parameters": list(parameters)}}}


def declared(*names: str) -> list[Manifest]:
    return [{"name": name} for name in names]


def test_a_template_that_declares_what_it_is_sent_is_right() -> None:
    assert not problems([template(*declared("taskId", "event"))], WANTED)


def test_a_template_that_is_not_there_is_asked_for_with_all_its_parameters() -> None:
    assert problems([template(name="another")], WANTED) == [
        "pr-validation: there is no such WorkflowTemplate; write one with these spec.arguments.parameters:\n"
        "      - name: event\n"
        "      - name: taskId"
    ]


@pytest.mark.parametrize(
    "spec",
    [{}, {"arguments": None}, {"arguments": {}}, {"arguments": {"parameters": None}}, {"arguments": {"artifacts": []}}],
)
def test_a_template_without_parameters_lacks_all(spec: Manifest) -> None:
    told = problems([{"metadata": {"name": "pr-validation"}, "spec": spec}], WANTED)
    assert [problem.splitlines()[-1] for problem in told] == ["      - name: event", "      - name: taskId"]


def test_a_parameter_that_is_not_declared_is_shown_as_the_line_to_add() -> None:
    assert problems([template(*declared("event"))], WANTED) == [
        "pr-validation: the routes send it taskId, which it does not declare; add to its spec.arguments.parameters:\n"
        "      - name: taskId"
    ]


def test_a_parameter_that_nobody_sends_needs_a_value() -> None:
    assert problems([template(*declared("event", "taskId", "model"))], WANTED) == [
        "pr-validation: no route sends it model, and that has no value of its own (a `default` is none here);"
        " remove it, or write:\n"
        "      - name: model\n"
        '        value: ""'
    ]


@pytest.mark.parametrize(("default", "value"), [("large", '"large"'), (0, "0"), ("{{x}}", '"{{x}}"'), (None, '""')])
def test_a_default_is_shown_as_the_value_that_it_should_be(default: Any, value: str) -> None:
    (told,) = problems([template(*declared("event", "taskId"), {"name": "model", "default": default})], WANTED)
    assert told.endswith(f"\n        value: {value}")


@pytest.mark.parametrize(
    "extra",
    [
        {"value": "large"},
        {"value": ""},
        {"value": 0},
        {"valueFrom": {"configMapKeyRef": {"name": "models", "key": "model"}}},
        {"valueFrom": {"configMapKeyRef": {"name": "models", "key": "model"}, "default": "large"}},
    ],
)
def test_a_parameter_with_a_value_of_its_own_is_right(extra: Manifest) -> None:
    assert not problems([template(*declared("event", "taskId"), {"name": "model"} | extra)], WANTED)


@pytest.mark.parametrize(
    "extra",
    [{"value": None}, {"default": "large"}, {"valueFrom": None}, {"valueFrom": {"supplied": {}, "default": "large"}}],
)
def test_what_the_controller_does_not_take_for_a_value_is_none(extra: Manifest) -> None:
    (told,) = problems([template(*declared("event", "taskId"), {"name": "model"} | extra)], WANTED)
    assert "no route sends it model" in told


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_contract() -> None:
    wanted = {"pr-validation": ["event"], "implementation": ["event", "taskId"], "orchestrator-resume-close": ["event"]}
    found = [template(*declared("model"), name="implementation"), template(*declared("event", "model"))]
    told = [(problem.split(":")[0], problem.split()[-1]) for problem in problems(found, wanted)]
    assert told == [
        ("pr-validation", '""'),
        ("implementation", "event"),
        ("implementation", "taskId"),
        ("implementation", '""'),
        ("orchestrator-resume-close", "event"),
    ]


def test_managed_templates_are_right() -> None:
    settings = read_settings("lab")
    written = compile_stack(FAMILIES, settings).templates
    theirs = compile_stack(FAMILIES, settings.model_copy(update={"workflow_templates": "external"}))
    assert len(theirs.external_templates) == len(TEMPLATES)
    assert not problems(written, theirs.external_templates)


def test_templates_are_external_where_the_stack_does_not_write_them() -> None:
    settings = parse_settings(MINIMAL, source="test")
    assert settings.check_templates
    assert compile_stack(FAMILIES, settings).external_templates == {k: list(v) for k, v in TEMPLATES.items()}
    managed = parse_settings(MINIMAL | {"workflowTemplates": "managed"}, source="test")
    assert not compile_stack(FAMILIES, managed).external_templates


def test_a_template_that_only_routes_start_which_are_off_is_none_of_ours() -> None:
    routes: dict[str, Any] = {"github-pr-to-pr-validation": {"enabled": False}}
    routes |= {"github-issue-comment-to-rex": {"enabled": False}}  # others start coderun-template
    settings = parse_settings(MINIMAL | {"routes": routes}, source="test")
    assert list(compile_stack(FAMILIES, settings).external_templates) == [t for t in TEMPLATES if t != "pr-validation"]


def with_account(account: str | None) -> Manifest:
    return {"metadata": {"name": "pr-validation"}, "spec": {"serviceAccountName": account} if account else {}}


def test_an_account_that_the_workflows_would_replace_is_told() -> None:
    assert account_problems([with_account("theirs")], WANTED, "argo-workflow-runner") == [
        "pr-validation: its pods would run as argo-workflow-runner, the stack's setting, and not as theirs, which it"
        " names; remove its spec.serviceAccountName, or let the templates name theirs:\n"
        "      github-to-argo:runner: {kind: templates}"
    ]


def test_an_account_that_nobody_names_is_told() -> None:
    assert account_problems([with_account(None)], WANTED, "") == [
        "pr-validation: its pods would run as `default`; add spec.serviceAccountName, or let the stack name one:\n"
        "      github-to-argo:runner: {kind: managed}"
    ]


@pytest.mark.parametrize(
    ("account", "runner"), [(None, "argo-workflow-runner"), ("argo-workflow-runner", "argo-workflow-runner"), ("a", "")]
)
def test_one_account_is_enough(account: str | None, runner: str) -> None:
    assert not account_problems([with_account(account)], WANTED, runner)


def test_accounts_of_templates_that_no_route_starts_are_none_of_ours() -> None:
    assert not account_problems([with_account("theirs")], {"implementation": []}, "argo-workflow-runner")
