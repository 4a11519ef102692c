"""What reaches the main branch, by push or by merge, resumes or closes the orchestrator's work."""

from routes.model import BranchIn, Delivery, Family, Is, Rate, Route, Semaphore, Template

FAMILY = Family(
    name="orchestration",
    routes=(
        Route(
            sensor="github-push-merge-to-orchestrator",
            trigger="orchestrator-resume-close",
            deliveries=(
                Delivery(
                    name="push",
                    event="push",
                    where=(
                        BranchIn("ref", ("main", "master"), or_named_at="repository.default_branch"),
                        Is("deleted", False),
                    ),
                ),
                Delivery(
                    name="merged",
                    event="pull_request",
                    actions=("closed",),
                    where=(Is("pull_request.merged", True),),
                ),
            ),
            template=Template.ORCHESTRATOR,
            workflow="orchestrator",
            semaphore=Semaphore.ORCHESTRATOR,
            rate=Rate(limit=10),
        ),
    ),
)
