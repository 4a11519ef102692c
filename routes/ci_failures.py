"""A workflow run or a check that failed is triaged."""

from routes.model import Agent, Delivery, Family, OneOf, Rate, Route, Semaphore, Template

FAILED = ("failure", "timed_out")

FAMILY = Family(
    name="ci-failures",
    routes=(
        Route(
            sensor="github-ci-failures-to-triage",
            trigger="coderun-triage",
            deliveries=(
                Delivery(
                    name="wr",
                    event="workflow_run",
                    actions=("completed",),
                    where=(OneOf("workflow_run.conclusion", FAILED),),
                ),
                Delivery(
                    name="cr",
                    event="check_run",
                    actions=("completed",),
                    where=(OneOf("check_run.conclusion", FAILED),),
                ),
            ),
            template=Template.CODERUN,
            workflow="coderun-triage",
            semaphore=Semaphore.CODERUN,
            rate=Rate(limit=15),
            agent=Agent.TRIAGE,
        ),
    ),
)
