"""What is routed where: pure data and pure functions, no Pulumi and no I/O."""

from routes import ci_failures, comments, issues, orchestration, pull_requests, security

FAMILIES = (
    pull_requests.FAMILY,
    comments.FAMILY,
    ci_failures.FAMILY,
    issues.FAMILY,
    security.FAMILY,
    orchestration.FAMILY,
)
