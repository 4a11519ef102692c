"""The parameter contract before Argo Workflows itself: what its controller refuses would never run."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cli.show import ROUTES
from cli.stacks import stack_names
from lab.errors import LabError
from routes.compiler import CompiledStack
from routes.contract import TEMPLATES
from routes.external_templates import problems
from routes.manifests import Manifest
from tests.engine.workflows import Validation, Verdict, managed

LONGEST_ID = "0" * 40
"""As long as the end of a Workflow's name gets."""


def workflows(stack: CompiledStack) -> list[Manifest]:
    """The Workflow of each Sensor, as it is where the delivery has nothing for it."""
    found = [
        copy.deepcopy(trigger["template"]["k8s"]["source"]["resource"])
        for family in stack.sensors.values()
        for sensor in family
        for trigger in sensor["spec"]["triggers"]
    ]
    for workflow in found:
        workflow["metadata"]["name"] += f"-{LONGEST_ID}"
    return found


def template(*parameters: Manifest, text: str = "") -> Manifest:
    """A WorkflowTemplate `t` with these parameters, whose one step says `text`."""
    say = {"name": "say", "inputs": {"parameters": [{"name": "text"}]}, "suspend": {}}
    step = {"name": "say", "template": "say", "arguments": {"parameters": [{"name": "text", "value": text}]}}
    spec = {
        "entrypoint": "main",
        "arguments": {"parameters": list(parameters)},
        "templates": [{"name": "main", "steps": [[step]]}, say],
    }
    return {"metadata": {"name": "t"}, "spec": spec}


def workflow(*arguments: Manifest) -> Manifest:
    """A Workflow of `t`."""
    spec = {"workflowTemplateRef": {"name": "t"}, "arguments": {"parameters": list(arguments)}}
    return {"metadata": {"name": "w"}, "spec": spec}


@pytest.mark.parametrize("stack", stack_names())
def test_managed_templates_and_the_workflows_of_every_sensor_are_valid(validation: Validation, stack: str) -> None:
    compiled = managed(stack)
    assert validation.check(compiled.templates, workflows(compiled)) == Verdict(
        [""] * len(TEMPLATES), [""] * len(ROUTES)
    )


@pytest.mark.parametrize("stack", stack_names())
def test_each_argument_is_needed(validation: Validation, stack: str) -> None:
    compiled = managed(stack)
    for whole in workflows(compiled):
        arguments = whole["spec"]["arguments"]["parameters"]
        lacking = [copy.deepcopy(whole) for _ in arguments]
        missing = [w["spec"]["arguments"]["parameters"].pop(i)["name"] for i, w in enumerate(lacking)]
        assert validation.check(compiled.templates, lacking).workflows == [
            f"spec.arguments.{name}.value or spec.arguments.{name}.valueFrom is required" for name in missing
        ]


def test_a_name_that_is_too_long_is_refused(validation: Validation) -> None:
    compiled = managed("lab")
    longer = [w | {"metadata": {"name": w["metadata"]["name"].ljust(64, "0")}} for w in workflows(compiled)]
    for told in validation.check(compiled.templates, longer).workflows:
        assert "must not be more than 63 characters long" in told


def test_a_step_that_uses_an_input_which_its_template_does_not_declare_is_refused(validation: Validation) -> None:
    (told,) = validation.check([template(text="{{inputs.parameters.taskId}}")], []).templates
    assert "failed to resolve {{inputs.parameters.taskId}}" in told


def test_a_workflow_whose_template_uses_what_nobody_sends_is_refused(validation: Validation) -> None:
    using = template(text="{{workflow.parameters.taskId}}")
    alone, sent = workflow(), workflow({"name": "taskId", "value": ""})
    verdict = validation.check([using], [alone, sent])
    assert verdict.templates == [""]  # a Workflow may send it
    assert "failed to resolve {{workflow.parameters.taskId}}" in verdict.workflows[0]
    assert verdict.workflows[1] == ""


def test_a_template_that_is_not_there_is_named(validation: Validation) -> None:
    assert validation.check([], [workflow()]).workflows == ['workflowtemplates.argoproj.io "t" not found']


def test_an_argument_that_the_template_does_not_declare_is_no_error_to_the_controller(validation: Validation) -> None:
    assert validation.check([template()], [workflow({"name": "taskId", "value": ""})]) == Verdict([""], [""])


@pytest.mark.parametrize(
    ("declaration", "runs"),
    [
        ({}, False),
        ({"value": "large"}, True),
        ({"value": ""}, True),
        ({"value": 0}, True),
        ({"value": None}, False),
        ({"default": "large"}, False),
        ({"valueFrom": {"default": "large"}}, False),
        ({"valueFrom": {"configMapKeyRef": {"name": "models", "key": "model"}}}, True),
        ({"valueFrom": {"configMapKeyRef": {"name": "models", "key": "model"}, "default": "large"}}, True),
    ],
)
def test_a_parameter_that_nobody_sends_is_wrong_where_the_controller_would_not_run_it(
    validation: Validation, declaration: dict[str, Any], runs: bool
) -> None:
    # Not here: `supplied` and `event`, which pass validation and fail right after it, in setGlobalParameters.
    declaring = template({"name": "model"} | declaration)
    (told,) = validation.check([declaring], [workflow()]).workflows
    assert (not told) is runs
    assert (not problems([declaring], {"t": []})) is runs


@pytest.mark.parametrize("line", ["{", "[]", "nothing", '{"workflow": []}', '{"templates": []} {}'])
def test_what_is_no_request_is_refused_and_the_next_is_answered(validation: Validation, line: str) -> None:
    assert list(validation.ask(line)) == ["error"]
    assert validation.check([template()], [workflow()]) == Verdict([""], [""])


def test_an_object_that_is_none_is_told_apart(validation: Validation) -> None:
    broken = {"metadata": {"name": "t"}, "spec": {"templates": "none"}}
    verdict = validation.check([broken, template()], [workflow(), broken])
    assert ["cannot unmarshal string" in told for told in verdict.templates] == [True, False]
    assert ["cannot unmarshal string" in told for told in verdict.workflows] == [False, True]


def test_a_program_that_is_not_built_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TO_ARGO_CACHE", "/nowhere")
    with pytest.raises(LabError, match=r"argo-workflows-validate is not built\. Run `make engine`"):
        Validation()
