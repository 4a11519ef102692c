"""A workflow run or a check that failed is triaged."""

from routes.model import Agent, Delivery, Family, OneOf, Paths, Rate, Route, Semaphore, Template

FAILED = ("failure", "timed_out")

# Who caused it: who pushed, and who ran it again. A check tells only whose act the delivery is.
RUN = Paths(
    actors=("workflow_run.actor.login", "workflow_run.triggering_actor.login"),
    branch="workflow_run.head_branch",
    head_repository="workflow_run.head_repository.full_name",
)
CHECK = Paths(actors=("sender.login",), branch="check_run.check_suite.head_branch", check_app="check_run.app.slug")

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
                    paths=RUN,
                ),
                Delivery(
                    name="cr",
                    event="check_run",
                    actions=("completed",),
                    where=(OneOf("check_run.conclusion", FAILED),),
                    paths=CHECK,
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
