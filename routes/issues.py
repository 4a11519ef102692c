"""A new issue is implemented, rex first."""

from routes.model import Agent, Delivery, Family, Rate, Route, Semaphore, Template

FAMILY = Family(
    name="issues",
    routes=(
        Route(
            sensor="github-issues-to-implementation",
            trigger="implementation-dag",
            deliveries=(Delivery(name="issues", event="issues", actions=("opened",)),),
            template=Template.IMPLEMENTATION,
            workflow="implementation",
            semaphore=Semaphore.IMPLEMENTATION,
            rate=Rate(limit=10),
            agent=Agent.REX,
        ),
    ),
)
