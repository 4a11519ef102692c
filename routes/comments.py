"""A person's comment, on an issue or on a line of a pull request, wakes the agent rex."""

from routes.model import Agent, Delivery, Family, NotOneOf, Paths, Rate, Route, Semaphore, Template

NOT_A_BOT = NotOneOf("comment.user.type", ("Bot",))

ISSUE_COMMENT = Paths(
    association="comment.author_association",
    writer="comment.user.login",
    writer_app="comment.performed_via_github_app.slug",
)
REVIEW_COMMENT = Paths(
    association="comment.author_association",
    writer="comment.user.login",
    # GitHub does not tell the App that one was written through.
)

FAMILY = Family(
    name="comments",
    routes=(
        Route(
            sensor="github-issue-comment-to-rex",
            trigger="coderun-rex-issue-comment",
            deliveries=(
                Delivery(
                    name="ic",
                    event="issue_comment",
                    actions=("created",),
                    where=(NOT_A_BOT,),
                    paths=ISSUE_COMMENT,
                ),
            ),
            template=Template.CODERUN,
            workflow="coderun-rex",
            semaphore=Semaphore.CODERUN,
            rate=Rate(limit=30),
            agent=Agent.REX,
        ),
        Route(
            sensor="github-pr-review-comment-to-rex",
            trigger="coderun-rex-pr-comment",
            deliveries=(
                Delivery(
                    name="prc",
                    event="pull_request_review_comment",
                    actions=("created",),
                    where=(NOT_A_BOT,),
                    paths=REVIEW_COMMENT,
                ),
            ),
            template=Template.CODERUN,
            workflow="coderun-rex",
            semaphore=Semaphore.CODERUN,
            rate=Rate(limit=30),
            agent=Agent.REX,
        ),
    ),
)
