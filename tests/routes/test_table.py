"""The route table: the names, rates and semaphores of the requirements."""

from typing import get_args

from routes import FAMILIES
from routes.compiler import QUEUE
from routes.contract import TEMPLATES
from routes.model import Agent, Delivery, Route
from routes.settings import SecurityEvent

ROUTES = {route.sensor: route for family in FAMILIES for route in family.routes}


def test_the_table_is_the_requirements() -> None:
    assert {
        sensor: (r.trigger, r.template, r.workflow, r.semaphore, r.rate.limit, r.rate.unit, r.agent)
        for sensor, r in ROUTES.items()
    } == {
        "github-pr-to-pr-validation": (
            ("pr-validation", "pr-validation", "pr-validation", "pr-validation", 20, "Minute", None)
        ),
        "github-issue-comment-to-rex": (
            ("coderun-rex-issue-comment", "coderun-template", "coderun-rex", "coderun", 30, "Minute", Agent.REX)
        ),
        "github-pr-review-comment-to-rex": (
            ("coderun-rex-pr-comment", "coderun-template", "coderun-rex", "coderun", 30, "Minute", Agent.REX)
        ),
        "github-ci-failures-to-triage": (
            ("coderun-triage", "coderun-template", "coderun-triage", "coderun", 15, "Minute", Agent.TRIAGE)
        ),
        "github-issues-to-implementation": (
            ("implementation-dag", "implementation", "implementation", "implementation", 10, "Minute", Agent.REX)
        ),
        "github-security-to-agent": (
            ("coderun-security", "coderun-template", "coderun-security", "coderun", 10, "Minute", Agent.SECURITY)
        ),
        "github-push-merge-to-orchestrator": (
            (
                "orchestrator-resume-close",
                "orchestrator-resume-close",
                "orchestrator",
                "orchestrator",
                10,
                "Minute",
                None,
            )
        ),
    }


def test_the_ten_dependencies_are_the_requirements() -> None:
    def told(delivery: Delivery) -> tuple[str, str, tuple[str, ...]]:
        return delivery.name, delivery.event, delivery.actions

    assert {sensor: [told(d) for d in r.deliveries] for sensor, r in ROUTES.items()} == {
        "github-pr-to-pr-validation": [
            ("pr", "pull_request", ("opened", "reopened", "synchronize", "ready_for_review"))
        ],
        "github-issue-comment-to-rex": [("ic", "issue_comment", ("created",))],
        "github-pr-review-comment-to-rex": [("prc", "pull_request_review_comment", ("created",))],
        "github-ci-failures-to-triage": [
            ("wr", "workflow_run", ("completed",)),
            ("cr", "check_run", ("completed",)),
        ],
        "github-issues-to-implementation": [("issues", "issues", ("opened",))],
        "github-security-to-agent": [("secadv", "security_advisory", ()), ("secscan", "workflow_run", ("completed",))],
        "github-push-merge-to-orchestrator": [("push", "push", ()), ("merged", "pull_request", ("closed",))],
    }


def test_the_further_deliveries_are_those_that_a_setting_can_name() -> None:
    further = [delivery for route in ROUTES.values() for delivery in route.further]
    assert {delivery.event for delivery in further} == set(get_args(SecurityEvent))
    assert len({delivery.name for delivery in further}) == len(further)
    assert not {delivery.name for delivery in further} & {d.name for r in ROUTES.values() for d in r.deliveries}


def test_names_of_sensors_triggers_and_dependencies_are_unique() -> None:
    routes: list[Route] = list(ROUTES.values())
    assert len(routes) == sum(len(family.routes) for family in FAMILIES) == 7
    assert len({route.trigger for route in routes}) == 7
    assert len({delivery.name for route in routes for delivery in route.deliveries}) == 10
    assert QUEUE not in {d.name for route in routes for d in (*route.deliveries, *route.further)}


def test_a_route_that_can_have_one_workflow_for_each_pull_request_shares_its_semaphore_with_no_other() -> None:
    alone = [route for route in ROUTES.values() if route.pull_request]
    assert [route.sensor for route in alone] == ["github-pr-to-pr-validation"]
    for route in alone:
        assert [r.sensor for r in ROUTES.values() if r.semaphore == route.semaphore] == [route.sensor]


def test_every_template_is_started_by_a_route() -> None:
    assert {route.template for route in ROUTES.values()} == set(TEMPLATES)
