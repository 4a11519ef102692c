"""A new issue is implemented, rex first."""

from routes.model import Agent, Delivery, Family, Paths, Rate, Route, Semaphore, Template

FAMILY = Family(
    name="issues",
    routes=(
        Route(
            sensor="github-issues-to-implementation",
            trigger="implementation-dag",
            deliveries=(
                Delivery(
                    name="issues",
                    event="issues",
                    actions=("opened",),
                    paths=Paths(
                        association="issue.author_association",
                        writer="issue.user.login",
                        writer_app="issue.performed_via_github_app.slug",
                    ),
                ),
            ),
            template=Template.IMPLEMENTATION,
            workflow="implementation",
            semaphore=Semaphore.IMPLEMENTATION,
            rate=Rate(limit=10),
            agent=Agent.REX,
        ),
    ),
)
