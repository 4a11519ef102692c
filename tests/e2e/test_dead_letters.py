"""What becomes of a delivery that the API server refuses for longer than its Sensor tries: named, and brought back.

One wait for all of it: two routes give up at the same time, each for a reason of its own.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import urllib3
from kubernetes import client

from cli import cluster as clusters
from cli.dead_letters import DeadLetter, dead_letters, forget, reasons
from cli.delivery import Posted
from lab.layout import Layout
from payloads import one_of_each
from routes.dead_letters import FIELDS
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.text_stack import NAMESPACE, TextStack, text_stack

pytestmark = [pytest.mark.lab, pytest.mark.long]

ISSUES, PULLS = "github-issues-to-implementation", "github-pr-to-pr-validation"
TRIGGERS = {ISSUES: "implementation-dag", PULLS: "pr-validation"}
REFUSED = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
WHY = {"refused": "no Workflow of this kind on Fridays", "outage": "nothing of this route is written now"}
GIVES_UP = 240.0
"""More seconds than a Sensor tries for with retryMinutes 1: twelve times, five to ten seconds apart."""
SECRET = "a stranger's text that no dead letter may hold"


def wait_for(true: Callable[[], object], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(1)


@dataclass(frozen=True, kw_only=True)
class Story:
    """A delivery that was `refused` for good, one of an `outage`, and what was `behind` each of them.

    `early` are the Sensors with a letter before the outage ended, `letters` those after it, by Sensor.
    """

    stack: TextStack
    refused: Posted
    outage: Posted
    behind: tuple[Posted, Posted]
    early: list[str]
    letters: dict[str, DeadLetter]
    given_up: dict[str, float]
    named: dict[str, float]


def metric(stack: TextStack, sensor: str, name: str, trigger: str) -> float:
    """A counter of a Sensor's pod."""
    (pod,) = (
        client.CoreV1Api(stack.cluster.api).list_namespaced_pod(NAMESPACE, label_selector=f"sensor-name={sensor}").items
    )
    text = urllib3.request("GET", f"http://{pod.status.pod_ip}:7777/metrics", timeout=10.0).data.decode()
    found = re.findall(rf'^argo_events_{name}{{.*trigger_name="{trigger}".*}} (\S+)$', text, re.M)
    return sum(map(float, found))


@contextmanager
def refused(stack: TextStack, name: str, unless: str) -> Iterator[None]:
    """A policy of the cluster's own refuses new Workflows and ConfigMaps, `unless` an expression says otherwise."""
    api = client.AdmissionregistrationV1Api(stack.cluster.api)
    metadata = {"name": f"{NAMESPACE}-{name}"}
    rules = [
        {"apiGroups": [group], "apiVersions": ["*"], "resources": [resource], "operations": ["CREATE"]}
        for group, resource in (("argoproj.io", "workflows"), ("", "configmaps"))
    ]
    refusal = {"expression": unless, "message": WHY[name]}
    spec = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "validations": [refusal]}
    bound = {"policyName": metadata["name"], "validationActions": ["Deny"]}
    api.create_validating_admission_policy({"metadata": metadata, "spec": spec})
    api.create_validating_admission_policy_binding({"metadata": metadata, "spec": bound})
    time.sleep(3)  # the API server takes a policy up when it comes to it
    try:
        yield
    finally:
        api.delete_validating_admission_policy_binding(metadata["name"])
        api.delete_validating_admission_policy(metadata["name"])


def workflows_of(stack: TextStack, *posted: Posted) -> list[int]:
    """How many Workflows each of these has."""
    found = stack.cluster.workflows()
    return [len(found.get(one.delivery, [])) for one in posted]


def letters_of(stack: TextStack) -> list[DeadLetter]:
    cluster = asked(stack)
    return dead_letters(cluster, cluster.metadata_of_workflows())


def asked(stack: TextStack) -> clusters.Cluster:
    """The stack's namespace as the commands see it."""
    return clusters.Cluster(api=stack.cluster.api, namespace=NAMESPACE)


@pytest.fixture(scope="module")
def stack(cluster: Cluster) -> Iterator[TextStack]:
    with text_stack(cluster, retryMinutes=1) as stack:
        yield stack


@pytest.fixture(scope="module")
def story(stack: TextStack) -> Story:
    send, pull, issue = stack.cluster.sender, one_of_each()["pr"], one_of_each()["issues"]

    def counted(name: str, ending: str = "") -> dict[str, float]:
        return {sensor: metric(stack, sensor, name, f"{trigger}{ending}") for sensor, trigger in TRIGGERS.items()}

    not_the_one = f"!object.metadata.name.endsWith('{REFUSED}')"
    not_of_the_route = (
        "!object.metadata.name.startsWith('implementation-') && object.?data.?event.orValue('') != 'issues'"
    )
    with refused(stack, "refused", not_the_one):
        with refused(stack, "outage", not_of_the_route):
            for_good, behind_it = send.post(pull.but(pull_request__body=SECRET), delivery=REFUSED), send.post(pull)
            outage, behind_outage = send.post(issue.but(issue__body=SECRET)), send.post(issue)
            wait_for(lambda: counted("action_failed_total", "-dead-letter")[ISSUES], "not given up", GIVES_UP)
            wait_for(lambda: letters_of(stack), "not given up", GIVES_UP)
            early = [letter.route for letter in letters_of(stack)]
        wait_for(lambda: len(letters_of(stack)) == 2, "no letters", 60)
        behind = (behind_it, behind_outage)
        wait_for(lambda: workflows_of(stack, *behind) == [1, 1], "what is behind was not started", SECONDS)
        return Story(
            stack=stack,
            refused=for_good,
            outage=outage,
            behind=behind,
            early=early,
            letters={letter.route: letter for letter in letters_of(stack)},
            given_up=counted("action_retries_failed_total"),
            named=counted("action_triggered_total", "-dead-letter"),
        )


def test_what_is_given_up_is_named_by_delivery_and_route(story: Story) -> None:
    told = {route: (letter.delivery, letter.event, letter.repository) for route, letter in story.letters.items()}
    assert told == {
        PULLS: (story.refused.delivery, "pull_request", "Codertocat.Hello-World"),
        ISSUES: (story.outage.delivery, "issues", "Codertocat.Hello-World"),
    }
    assert all(letter.accepted < letter.given_up and not letter.workflow for letter in story.letters.values())


def test_while_no_letter_can_be_written_the_route_waits_and_loses_nothing(story: Story) -> None:
    assert story.early == [PULLS]
    assert workflows_of(story.stack, story.outage, *story.behind) == [0, 1, 1]


def test_a_letter_holds_no_payload(story: Story) -> None:
    core = client.CoreV1Api(story.stack.cluster.api)
    for letter in story.letters.values():
        found = core.read_namespaced_config_map(letter.name, NAMESPACE)
        assert set(found.data) == set(FIELDS)
        assert SECRET not in str(found)
        assert len(json.dumps(found.data)) < 500


def test_the_metrics_count_what_is_given_up(story: Story) -> None:
    assert story.given_up == story.named == {PULLS: 1.0, ISSUES: 1.0}


@pytest.mark.parametrize(("route", "why"), [(PULLS, WHY["refused"]), (ISSUES, WHY["outage"])])
def test_the_sensors_log_has_the_reason(story: Story, route: str, why: str) -> None:
    # The lab serves no logs of pods through its API server.
    logs = Layout().logs.glob(f"pod-{NAMESPACE}.{route}-*.log")
    told = reasons(line for log in logs for line in log.read_text().splitlines())
    assert why in told[story.letters[route].event_id]


def test_a_redelivery_brings_it_back_and_its_letter_can_be_forgotten(story: Story) -> None:
    given_up = (story.refused, story.outage)
    for posted, kind in zip(given_up, ("pr", "issues"), strict=True):
        assert story.stack.cluster.sender.post(one_of_each()[kind], delivery=posted.delivery).status == 200
    wait_for(lambda: workflows_of(story.stack, *given_up) == [1, 1], "it was not brought back", SECONDS)
    letters = letters_of(story.stack)
    assert {letter.delivery for letter in letters if letter.workflow} == {posted.delivery for posted in given_up}
    forget(asked(story.stack), letters)
    assert not letters_of(story.stack)
