"""The contract: which event carries which parameter, and what a task id is. The engine itself runs it in tests/e2e."""

import re

import pytest

from routes import FAMILIES
from routes.contract import ANNOTATIONS, LABELS, NEUTRAL, PARAMETERS, TASK_ID, TEMPLATES, Json, Label, Prose, Text

EVENTS = sorted(
    {d.event for family in FAMILIES for route in family.routes for d in (*route.deliveries, *route.further)}
)


def carried(event: str) -> set[str]:
    return {name for name, parameter in PARAMETERS.items() if parameter.source(event)}


def test_every_event_carries_what_the_contract_says() -> None:
    always = {"event", "owner", "repo"}
    comment = {"includeComments", "commentBody", "taskId"}
    assert {event: carried(event) - always for event in EVENTS} == {
        "check_run": set(),
        "code_scanning_alert": set(),
        "dependabot_alert": set(),
        "issue_comment": {"pr", "issue"} | comment,
        "issues": {"issue", "taskId"},
        "pull_request": {"pr", "branch", "taskId"},
        "pull_request_review_comment": {"pr", "branch"} | comment,
        "push": {"branch"},
        "repository_advisory": set(),
        "secret_scanning_alert": set(),
        "security_advisory": set(),
        "workflow_run": set(),
    }
    assert all(always <= carried(event) for event in EVENTS)


def test_only_the_route_says_which_agent() -> None:
    assert not any(PARAMETERS["agent"].source(event) for event in EVENTS)


def test_templates_take_parameters_of_the_contract_the_event_first() -> None:
    for names in TEMPLATES.values():
        assert names[0] == "event"
        assert set(names) <= set(PARAMETERS)
        assert len(set(names)) == len(names)


def test_all_text_of_a_payload_is_made_neutral() -> None:
    for carrier in (PARAMETERS, LABELS, ANNOTATIONS):
        for value in carrier.values():
            for event in EVENTS:
                source = value.source(event)
                if isinstance(source, Text | Prose):
                    assert NEUTRAL in source.template()
                if isinstance(source, Label):
                    assert '"[^A-Za-z0-9._-]+"' in source.template()
    assert r"replace `{{` `{\u007b`" in Json().template()
    assert 'replace "{{" "{ {" | replace "{{" "{ {"' in NEUTRAL


@pytest.mark.parametrize(
    ("text", "task"),
    [
        ("task: T-7", "T-7"),
        ("Task #12", "12"),
        ("TASK ID: abc_9", "abc_9"),
        ("TaskID: T-7", "T-7"),
        ("task-id: 42", "42"),
        ("task_id:42", "42"),
        ("please do task 42 now", "42"),
        ("task-42", "42"),
        ("task id T-7", "T-7"),
        ("(task: fix-login)", "fix-login"),
        ("task: hard", "hard"),
        ("see task 7, then task 8", "7"),
        ("Task:\tT-7", "T-7"),
        ("this task is hard", None),
        ("multitasking: 5", None),
        ("subtask: 5", None),
        ("sub_task: 5", None),
        ("tasks: 5", None),
        ("task: --help", None),
        ("task", None),
        ("task:", None),
        ("task force", None),
        ("task\n42", None),
        ("Task:\nplease do it", None),
        ("", None),
    ],
)
def test_a_task_id(text: str, task: str | None) -> None:
    # Python and Go read this pattern alike: it has nothing but groups, classes and a word boundary.
    found = re.search(TASK_ID, text, re.ASCII)
    assert (found and (found[1] or found[2])) == task
