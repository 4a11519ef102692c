"""The CronWorkflow's Workflow, judged by Argo Workflows' own validation."""

from __future__ import annotations

from tests.engine.workflows import Validation, Verdict
from tests.routes.redelivery import stack


def test_argo_workflows_takes_the_template_and_what_its_schedule_starts(validation: Validation) -> None:
    *_, template, cron = stack().redelivery
    workflow = {
        "apiVersion": cron["apiVersion"],
        "kind": "Workflow",
        "metadata": cron["metadata"],
        "spec": cron["spec"]["workflowSpec"],
    }
    assert validation.check([template], [workflow]) == Verdict([""], [""])
    (refused,) = validation.check([], [workflow]).workflows
    assert "github-to-argo-redelivery" in refused
