"""A person's comment, on an issue or on a line of a pull request, wakes the agent rex."""

from routes.model import Agent, Delivery, Family, NotOneOf, Rate, Route, Semaphore, Template

NOT_A_BOT = NotOneOf("comment.user.type", ("Bot",))

FAMILY = Family(
    name="comments",
    routes=(
        Route(
            sensor="github-issue-comment-to-rex",
            trigger="coderun-rex-issue-comment",
            deliveries=(Delivery(name="ic", event="issue_comment", actions=("created",), where=(NOT_A_BOT,)),),
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
