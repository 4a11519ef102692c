"""A security advisory, or a finished scan whatever its result, is looked into by the security agent."""

from routes.model import Agent, Delivery, Family, NamedLike, Rate, Route, Semaphore, Template

FAMILY = Family(
    name="security",
    routes=(
        Route(
            sensor="github-security-to-agent",
            trigger="coderun-security",
            deliveries=(
                Delivery(name="secadv", event="security_advisory"),
                Delivery(
                    name="secscan",
                    event="workflow_run",
                    actions=("completed",),
                    # A run's own title is text that a stranger may have chosen: it counts only without a workflow.
                    where=(NamedLike(("workflow.name", "workflow_run.name"), setting="security_workflows"),),
                ),
            ),
            template=Template.CODERUN,
            workflow="coderun-security",
            semaphore=Semaphore.CODERUN,
            rate=Rate(limit=10),
            agent=Agent.SECURITY,
        ),
    ),
)
