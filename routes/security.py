"""A security advisory, a finished scan whatever its result, or an alert is looked into by the security agent.

Of the further events those actions count that bring something new to look at: not what was closed, fixed, dismissed,
assigned or found to be valid. A code scanning alert counts once it is in a branch: in a pull request it is for its
author to mend, who may be a stranger, and GitHub shows it there.
"""

from routes.ci_failures import RUN
from routes.model import Agent, Delivery, Family, NamedLike, Paths, Rate, Route, Semaphore, Template, Unlike

FAMILY = Family(
    name="security",
    routes=(
        Route(
            sensor="github-security-to-agent",
            trigger="coderun-security",
            deliveries=(
                # GitHub's own text about a package, for everyone: it has no repository.
                Delivery(name="secadv", event="security_advisory", paths=Paths(repository="")),
                Delivery(
                    name="secscan",
                    event="workflow_run",
                    actions=("completed",),
                    # A run's own title is text that a stranger may have chosen: it counts only without a workflow.
                    where=(NamedLike(("workflow.name", "workflow_run.name"), setting="security_workflows"),),
                    paths=RUN,
                ),
            ),
            template=Template.CODERUN,
            workflow="coderun-security",
            semaphore=Semaphore.CODERUN,
            rate=Rate(limit=10),
            agent=Agent.SECURITY,
            further=(
                Delivery(
                    name="repoadv",
                    event="repository_advisory",
                    actions=("published", "reported"),
                    paths=Paths(writer="repository_advisory.author.login"),
                ),
                Delivery(
                    name="codescan",
                    event="code_scanning_alert",
                    actions=("created", "appeared_in_branch", "reopened", "reopened_by_user"),
                    where=(Unlike("ref", ("refs/pull/*",)),),
                    paths=Paths(ref="ref"),
                ),
                Delivery(
                    name="secretscan",
                    event="secret_scanning_alert",
                    actions=("created", "reopened", "publicly_leaked"),
                ),
                Delivery(
                    name="depalert",
                    event="dependabot_alert",
                    actions=("created", "reintroduced", "reopened", "auto_reopened"),
                ),
            ),
        ),
    ),
)
