"""Storms on the running engine: many pushes to one pull request, many failed jobs of one run."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from kubernetes import client

from cli.delivery import Posted
from cli.stacks import compiled
from cli.workflow import Workflow, delivery_of, phase_of
from payloads import Payload, one_of_each
from routes import FAMILIES, limits
from routes.compiler import SUBMITTER, compile_stack
from routes.settings import parse_settings
from tests.e2e.conftest import Cluster
from tests.e2e.phases import Phases, kill, that_takes
from tests.e2e.test_access import with_token
from tests.e2e.test_leaked_token import LIMIT, POLICIES, Change, ask, both, changed, filled, put, take, workflows
from tests.e2e.text_stack import NAMESPACE, TextStack, text_stack
from tests.routes.test_settings import MINIMAL

pytestmark = [pytest.mark.lab, pytest.mark.long]

VALIDATION = "github-pr-to-pr-validation"
TRIAGE = "github-ci-failures-to-triage"
AT_ONCE = 3
PUSHES = 10
ROUTES = {VALIDATION: {"rate": "unlimited", "onePerPullRequest": True}, TRIAGE: {"rate": "unlimited"}}
SETTINGS = {"routes": ROUTES, "semaphores": {"pr-validation": AT_ONCE}}


@pytest.fixture(scope="module")
def stack(cluster: Cluster) -> Iterator[TextStack]:
    slow = [that_takes(t, 2) for t in compiled("lab").templates if t["metadata"]["name"] == "pr-validation"]
    off = {route.sensor: {"enabled": False} for family in FAMILIES for route in family.routes}
    triage = {"checkRuns": "external", "forks": "run", "branchesIgnore": []}
    with text_stack(cluster, *slow, **SETTINGS | {"routes": off | ROUTES, "triage": triage}) as stack:
        yield stack


def push(number: int, commit: int) -> Payload:
    """The push of a commit to a pull request."""
    return one_of_each()["pr"].but(
        action="synchronize",
        number=number,
        repository__full_name="acme/api",
        pull_request__number=number,
        pull_request__head__sha=f"{commit:040}",
    )


@dataclass(frozen=True)
class Storm:
    """Pushes to pull request 7 with one to each of others between them, and how their Workflows ran."""

    pushed: list[Posted]
    others: list[Posted]
    ran: dict[str, Workflow]
    phases: Phases
    calm: bool

    def mutex(self, delivery: str) -> str:
        (mutex,) = self.ran[delivery]["spec"]["synchronization"]["mutexes"]
        return str(mutex["name"])

    def began(self) -> list[str]:
        """The deliveries in the order in which their Workflows began to run."""
        by_name = {workflow["metadata"]["name"]: delivery for delivery, workflow in self.ran.items()}
        return [by_name[name] for name in self.phases.order("Running") if name in by_name]


@pytest.fixture(scope="module", params=[False, True], ids=["calm", "the controller is killed"])
def storm(stack: TextStack, request: pytest.FixtureRequest) -> Storm:
    with Phases(stack.cluster.api, NAMESPACE) as phases:
        pushed, others = [], []
        for commit in range(PUSHES):
            pushed.append(stack.cluster.sender.post(push(7, commit)))
            if commit < 6:
                others.append(stack.cluster.sender.post(push(100 + commit, commit)))
        deliveries = [p.delivery for p in (*pushed, *others)]
        if request.param:
            phases.of([pushed[1].delivery], seconds=60)
            kill("workflow-controller")
        found = phases.of(deliveries, seconds=120)
    ran = {delivery_of(workflow): workflow for workflow, _ in found}
    assert sorted(ran) == sorted(deliveries)
    assert len(found) == len(deliveries)
    return Storm(pushed, others, ran, phases, calm=not request.param)


def test_the_workflows_of_a_pull_request_run_one_at_a_time(storm: Storm) -> None:
    assert len({storm.mutex(p.delivery) for p in storm.pushed}) == 1
    names = {storm.ran[p.delivery]["metadata"]["name"] for p in storm.pushed}
    assert storm.phases.most_running(lambda name: name in names) == 1


def test_no_more_run_at_once_than_the_semaphore_of_the_route_says(storm: Storm) -> None:
    assert storm.phases.most_running() == AT_ONCE


def test_the_newest_commit_is_validated_and_the_others_in_the_order_of_their_seconds(storm: Storm) -> None:
    pushes = [p.delivery for p in storm.pushed]
    began = [delivery for delivery in storm.began() if delivery in pushes]
    made = {delivery: storm.ran[delivery]["metadata"]["creationTimestamp"] for delivery in began}
    overtook = {first for first, second in itertools.pairwise(began) if made[second] < made[first]}
    # The queue of a mutex knows whole seconds; the controller, when it starts, fills it in any order: the newest may be
    # the one that it takes first.
    assert len(overtook) <= (0 if storm.calm else 1)
    assert pushes[-1] in overtook or began.index(pushes[-1]) >= PUSHES - 3 - len(overtook)
    assert phase_of(storm.ran[pushes[-1]]) == "Succeeded"


def test_pull_requests_with_another_mutex_do_not_wait_for_the_storm(storm: Storm) -> None:
    free = {p.delivery for p in storm.others if storm.mutex(p.delivery) != storm.mutex(storm.pushed[0].delivery)}
    assert len(free) >= 2
    began = storm.began()
    last = max(began.index(delivery) for delivery in free)
    assert sum(began.index(p.delivery) > last for p in storm.pushed) >= PUSHES // 3


def test_n_failed_jobs_of_one_run_start_one_triage(stack: TextStack) -> None:
    check = one_of_each()["cr"].but(check_run__app__slug="github-actions")
    with stack.cluster.watch() as watcher:
        jobs = [stack.cluster.sender.post(check.but(check_run__name=f"job {n}")) for n in range(8)]
        run = stack.cluster.sender.post(one_of_each()["wr"])
        ((workflow, _),) = watcher.of([run.delivery], seconds=60)
    assert {p.status for p in (*jobs, run)} == {200}
    triages = [w for of_one in stack.cluster.workflows().values() for w in of_one if TRIAGE in str(w["metadata"])]
    assert [delivery_of(w) for w in triages] == [run.delivery]
    assert phase_of(workflow) == "Succeeded"


SYNCHRONIZATION = "spec/synchronization"
MUTEXES: dict[str, Change] = {
    "a mutex of its own": put(f"{SYNCHRONIZATION}/mutexes/0/name", f"x-{uuid.uuid4()}"),
    "a mutex that there is not": put(f"{SYNCHRONIZATION}/mutexes/0/name", f"pr-validation-{AT_ONCE}"),
    "the mutex before it is filled in": put(f"{SYNCHRONIZATION}/mutexes/0/name", ""),
    "another namespace's mutex": put(f"{SYNCHRONIZATION}/mutexes/0/namespace", "default"),
    "a mutex of a database": put(f"{SYNCHRONIZATION}/mutexes/0/database", True),
    "two mutexes": put(f"{SYNCHRONIZATION}/mutexes", [{"name": "pr-validation-0"}, {"name": "pr-validation-1"}]),
    "no mutex": put(f"{SYNCHRONIZATION}/mutexes", []),
    "no synchronization": take(SYNCHRONIZATION),
    "a semaphore beside it": put(
        f"{SYNCHRONIZATION}/semaphores",
        [{"configMapKeyRef": {"name": "workflow-semaphores", "key": "pr-validation"}}],
    ),
}


def validation(mutex: str) -> dict[str, object]:
    """The Workflow of the route as its Sensor makes it of a delivery, with this mutex."""
    routes = parse_settings(MINIMAL | SETTINGS, source="test").routes
    made = filled("pull-requests", VALIDATION, 0, routes=routes)
    return changed(made, both(put(f"{SYNCHRONIZATION}/mutexes/0/name", mutex)))


@pytest.fixture(scope="module")
def sensor(stack: TextStack) -> client.ApiClient:
    return with_token(stack.cluster, SUBMITTER)


@pytest.mark.parametrize("number", range(AT_ONCE))
def test_a_sensors_token_can_take_each_mutex_of_its_route(sensor: client.ApiClient, number: int) -> None:
    answer = ask(sensor, "POST", f"{workflows(NAMESPACE)}?dryRun=All", validation(f"pr-validation-{number}"))
    assert answer.status == 201, answer


def test_the_api_server_takes_policies_with_as_many_mutexes_as_a_route_may_have(stack: TextStack) -> None:
    most = {**SETTINGS, "semaphores": {"pr-validation": limits.MUTEXES}, "namespace": "most-mutexes"}
    compiled_stack = compile_stack(FAMILIES, parse_settings(MINIMAL | most, source="test"))
    policies = [m for m in compiled_stack.access if m["kind"] == "ValidatingAdmissionPolicy"]
    assert f"pr-validation-{limits.MUTEXES - 1}" in str(policies)
    answers = [ask(stack.cluster.api, "POST", f"{POLICIES}?dryRun=All", policy) for policy in policies]
    assert {answer.status for answer in answers} == {201}, answers


@pytest.mark.parametrize("change", MUTEXES.values(), ids=MUTEXES)
def test_a_sensors_token_can_take_no_other(sensor: client.ApiClient, change: Change) -> None:
    wrong = changed(validation("pr-validation-0"), change)
    answer = ask(sensor, "POST", f"{workflows(NAMESPACE)}?dryRun=All", wrong)
    assert answer.status == 422, answer
    assert LIMIT in answer.message
