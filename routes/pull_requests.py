"""A pull request that is ready for review starts its validation."""

from routes.model import Delivery, Family, Paths, Rate, Route, Semaphore, Template

FAMILY = Family(
    name="pull-requests",
    routes=(
        Route(
            sensor="github-pr-to-pr-validation",
            trigger="pr-validation",
            deliveries=(
                Delivery(
                    name="pr",
                    event="pull_request",
                    actions=("opened", "reopened", "synchronize", "ready_for_review"),
                    paths=Paths(
                        association="pull_request.author_association",
                        proposer="pull_request.user.login",
                        draft="pull_request.draft",
                    ),
                ),
            ),
            template=Template.PR_VALIDATION,
            workflow="pr-validation",
            semaphore=Semaphore.PR_VALIDATION,
            rate=Rate(limit=20),
            pull_request="number",
        ),
    ),
)
