"""The table in plain words: in a terminal, in the docs, and where a delivery met no condition."""

import pytest

from routes import pull_requests
from routes.contract import ANNOTATIONS, LABELS, PARAMETERS, Lane, Number, Source, TaskId, WorkflowName
from routes.model import BranchIn, Condition, Is, Like, NamedLike, NotOneOf, OneOf, OneOfOrBy, Rate, SameAs, Unlike
from routes.settings import parse_settings
from routes.words import in_words, path_of, queue_in_words, rate_in_words, source_in_words, wanted
from tests.routes.test_settings import MINIMAL

SETTINGS = parse_settings(MINIMAL, source="test")

DRAFT = Is("pull_request.draft", False)
FAILED = OneOf("workflow_run.conclusion", ("failure", "timed_out"))
PERSON = NotOneOf("comment.user.type", ("Bot",))
SCAN = NamedLike(("workflow.name", "workflow_run.name"), setting="security_workflows")
SERVED = Like("repository.full_name", ("acme/*", "octo/api"))
AGENTS = Unlike("comment.user.login", ("my-agent", "my-agent[bot]"))
MEMBER = OneOfOrBy(
    "pull_request.author_association", ("OWNER", "MEMBER"), by="pull_request.user.login", logins=("my-agent",)
)
NO_FORK = SameAs("workflow_run.head_repository.full_name", "repository.full_name")
BRANCH = BranchIn("ref", ("main", "master"), or_named_at="repository.default_branch")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        (DRAFT, "pull_request.draft is false"),
        (FAILED, "workflow_run.conclusion is failure or timed_out"),
        (OneOf("action", ("opened",)), "action is opened"),
        (OneOf("action", ("opened", "reopened", "synchronize")), "action is opened, reopened, or synchronize"),
        (PERSON, "comment.user.type is there and not Bot"),
        (SCAN, "workflow.name, else workflow_run.name, matches (?i)security|scan"),
        (NamedLike(("workflow.name",), setting="security_workflows"), "workflow.name matches (?i)security|scan"),
        (BRANCH, "ref is the branch main, master, or the one at repository.default_branch"),
        (SERVED, "repository.full_name is like acme/* or octo/api"),
        (AGENTS, "comment.user.login is not like my-agent or my-agent[bot]"),
        (MEMBER, "pull_request.author_association is OWNER or MEMBER; or pull_request.user.login is my-agent"),
        (NO_FORK, "workflow_run.head_repository.full_name is the one at repository.full_name"),
    ],
)
def test_a_condition_in_words(condition: Condition, words: str) -> None:
    assert in_words(condition, SETTINGS) == words


@pytest.mark.parametrize(
    ("condition", "path", "what"),
    [
        (DRAFT, "pull_request.draft", "false"),
        (FAILED, "workflow_run.conclusion", "failure or timed_out"),
        (PERSON, "comment.user.type", "any but Bot"),
        (SCAN, "workflow.name, else workflow_run.name", "a match of (?i)security|scan"),
        (BRANCH, "ref", "the branch main, master, or the one at repository.default_branch"),
        (SERVED, "repository.full_name", "one like acme/* or octo/api"),
        (AGENTS, "comment.user.login", "none like my-agent or my-agent[bot]"),
        (MEMBER, "pull_request.author_association", "OWNER or MEMBER; or pull_request.user.login my-agent"),
        (NO_FORK, "workflow_run.head_repository.full_name", "the one at repository.full_name"),
    ],
)
def test_where_a_condition_looks_and_what_it_wants(condition: Condition, path: str, what: str) -> None:
    assert (path_of(condition), wanted(condition, SETTINGS)) == (path, what)


def test_a_pattern_is_the_stacks() -> None:
    changed = parse_settings(MINIMAL | {"securityWorkflows": "^CodeQL$"}, source="test")
    assert in_words(SCAN, changed).endswith(" matches ^CodeQL$")
    assert wanted(SCAN, changed) == "a match of ^CodeQL$"


def test_paths_and_values_can_be_marked() -> None:
    assert in_words(BRANCH, SETTINGS, code=lambda text: f"`{text}`") == (
        "`ref` is the branch `main`, `master`, or the one at `repository.default_branch`"
    )


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (Rate(limit=20), "20 a minute"),
        (Rate(limit=1, unit="Hour"), "1 an hour"),
        (Rate(limit=3, unit="Second"), "3 a second"),
        (None, "no limit"),
    ],
)
def test_a_rate_in_words(rate: Rate | None, words: str) -> None:
    assert rate_in_words(rate) == words


def test_how_many_run_at_once_in_words() -> None:
    (route,) = pull_requests.FAMILY.routes
    one = parse_settings(MINIMAL | {"routes": {route.sensor: {"onePerPullRequest": True}}}, source="test")
    assert queue_in_words(route, SETTINGS) == "pr-validation: 5 at once"
    assert queue_in_words(route, one) == "pr-validation: 5 at once, one of each pull request"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (PARAMETERS["event"].always, "the whole body"),
        (PARAMETERS["owner"].always, "repository.owner.login"),
        (PARAMETERS["commentBody"].source("issue_comment"), "comment.body"),
        (PARAMETERS["includeComments"].source("issue_comment"), '"true"'),
        (LABELS["repository"].always, "repository.full_name"),
        (ANNOTATIONS["delivery"].always, "the header X-GitHub-Delivery"),
        (Number("number"), "number"),
        (Number("issue.number", given="issue.pull_request"), "issue.number, where issue.pull_request is there"),
        (TaskId(("comment.body", "issue.title")), "the task id in comment.body, else issue.title"),
        (WorkflowName("coderun-rex"), "coderun-rex- and the delivery id"),
        (Lane("pr-validation", "number", 5), "pr-validation- and a number below 5, by the pull request"),
    ],
)
def test_where_a_value_comes_from(source: Source, words: str) -> None:
    assert source_in_words(source) == words
