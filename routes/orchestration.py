"""What reaches the main branch, by push or by merge, resumes or closes the orchestrator's work.

Both take the right to write to the repository. So no trust is asked for: a merged pull request's author_association is
that of who wrote it, who may be a stranger, and merging it was a maintainer's act.
"""

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
