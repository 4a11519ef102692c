"""Sensors that hang since NATS came back are found and restarted by the CronWorkflow's account, and no others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from kubernetes import client
from typer.testing import Result

from cli import cluster as clusters
from cli import cure
from cli.stacks import settings_from
from lab.away import kill
from lab.layout import Layout
from routes.compiler import PREFIX
from routes.curing import OF_SENSOR
from routes.streams import STREAM
from tests.e2e.test_redeliver import as_account
from tests.faults.burst import Burst, plan
from tests.faults.hangs import SETTLED, SLOW, waiting
from tests.faults.judging import Verdict, judge, should_start
from tests.faults.stack import FaultStack, exotic, fault_stack, refused, wait_until
from tests.routes.cure import SETTING

pytestmark = [pytest.mark.lab, pytest.mark.long]

RETRIES = "github-issues-to-implementation"
"""The Sensor whose Workflows are refused."""

NEVER = SETTING | {"schedule": "0 0 1 1 *"}
"""The test is the run."""


@dataclass(frozen=True)
class Story:
    """What was seen. `told` is the command's answer; `before` and `after` what waited when it began, and when it first
    restarted a Sensor. `replaced`: the Sensors whose pod is another one. `may`: what the account was let do beyond it.
    """

    told: Result
    before: dict[str, int]
    after: dict[str, int]
    replaced: set[str]
    may: list[str]
    verdict: Verdict

    @property
    def restarted(self) -> set[str]:
        return {one["sensor"] for one in json.loads(self.told.stdout) if one["restarted"]}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with (
        fault_stack("slow", exotic("slow"), rate=SLOW, replicas=1, cure=NEVER) as stack,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr("routes.curing.ATTEMPT_SECONDS", 30.0)
        as_account(stack.api, stack.namespace, f"{PREFIX}-cure", patched, tmp_path_factory.mktemp("pod"))
        yield _story(stack, _noted(stack, patched))


def _story(stack: FaultStack, restarts: list[dict[str, int]]) -> Story:
    """`restarts` fills with what waits whenever a Sensor is restarted."""

    stack.request(f"$JS.API.STREAM.PURGE.{STREAM}")  # what an earlier stack on this account has left
    planned = plan(70)
    with refused(stack.api, f"{stack.namespace}-refused", f"object.metadata.labels['{PREFIX}/route'] == '{RETRIES}'"):
        answers = Burst(stack.sender, 100).send(planned)
        kill(Layout(), "nats-server")
        time.sleep(SETTLED)
        before, ran = waiting(stack), _pods(stack)
        told = stack.cure()
        at_restart = list(restarts)
        may = _may(stack)
        hung = [one["sensor"] for one in json.loads(told.stdout) if one["hangs"]]
        wait_until(
            lambda: all(waiting(stack)[sensor] < before[sensor] for sensor in hung),
            f"{', '.join(hung)}: hangs still, after its pod was deleted",
            seconds=60,
        )
        runs = _pods(stack)
    # The one that retried learns only now that NATS was away, and may hang then: it is run again, as by its schedule.
    wait_until(lambda: bool(stack.cure()) and not any(waiting(stack).values()), "something waits still", seconds=180)
    ours = {answer.delivery for answer in answers}
    started = [one for one in stack.started() if one[0] in ours]
    verdict = judge(answers, started, should_start(), posted=len(planned))
    replaced = {sensor for sensor, pod in ran.items() if runs[sensor] != pod}
    return Story(told, before, at_restart[0] if at_restart else {}, replaced, may, verdict)


def _noted(stack: FaultStack, patched: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """What waits, by Sensor, whenever one is restarted."""
    found: list[dict[str, int]] = []
    restart = cure.restart

    def noted(cluster: clusters.Cluster, pod: str) -> None:
        found.append(waiting(stack))
        restart(cluster, pod)

    patched.setattr("cli.cure.restart", noted)
    return found


def _pods(stack: FaultStack) -> dict[str, str]:
    """The one pod of each Sensor, by what no other pod ever has."""
    found = client.CoreV1Api(stack.api).list_namespaced_pod(stack.namespace, label_selector=OF_SENSOR).items
    return {pod.metadata.labels[OF_SENSOR]: pod.metadata.uid for pod in found if not pod.metadata.deletion_timestamp}


def _may(stack: FaultStack) -> list[str]:
    """What the account may do, of what would serve somebody who has its token."""
    ours = clusters.connect(settings_from(stack.stack.file)).api
    core, apps, others = client.CoreV1Api(ours), client.AppsV1Api(ours), client.CustomObjectsApi(ours)
    tries: dict[str, Callable[[], object]] = {
        "secrets": lambda: core.list_namespaced_secret(stack.namespace),
        "deployments": lambda: apps.list_namespaced_deployment(stack.namespace),
        "pods/log": lambda: core.read_namespaced_pod_log("x", stack.namespace),
        "pods": lambda: core.create_namespaced_pod(stack.namespace, {"metadata": {"name": "x"}}),
        "pods elsewhere": lambda: core.list_namespaced_pod("lab-nats"),
        "the EventSource's pod": lambda: core.delete_namespaced_pod(_pod(stack, "eventsource-name"), stack.namespace),
        "the EventSource's metrics": lambda: core.connect_get_namespaced_pod_proxy_with_path(
            f"{_pod(stack, 'eventsource-name')}:7777", stack.namespace, "metrics"
        ),
        "another port of a Sensor": lambda: core.connect_get_namespaced_pod_proxy_with_path(
            f"{_pod(stack, 'sensor-name')}:8080", stack.namespace, "metrics"
        ),
        "services/proxy": lambda: core.connect_get_namespaced_service_proxy("x", stack.namespace),
        "workflows": lambda: others.list_namespaced_custom_object(
            "argoproj.io", "v1alpha1", stack.namespace, "workflows"
        ),
    }
    found = []
    for what, attempt in tries.items():
        try:
            attempt()
        except client.ApiException as error:
            found += [what] * (error.status in (403, 422))  # RBAC, the policy
    return sorted(tries.keys() - set(found))


def _pod(stack: FaultStack, label: str) -> str:
    pods = client.CoreV1Api(stack.api).list_namespaced_pod(stack.namespace, label_selector=label).items
    name: str = pods[0].metadata.name
    return name


def test_those_that_hang_are_restarted_and_no_others(story: Story) -> None:
    assert story.told.exit_code == 0, story.told.output
    assert story.restarted, "none has hung: nothing was shown"
    still = {sensor for sensor, count in story.before.items() if story.after[sensor] == count}
    assert still - {RETRIES} == story.restarted
    assert story.replaced == story.restarted


def test_a_sensor_that_retries_a_refused_trigger_is_left_alone(story: Story) -> None:
    assert story.after[RETRIES] == story.before[RETRIES] > 0, "it retried nothing"
    assert RETRIES not in story.restarted


def test_nothing_is_lost_and_nothing_doubled(story: Story) -> None:
    assert (story.verdict.lost, story.verdict.doubled, story.verdict.strange) == ([], [], [])
    assert story.verdict.created > 40


def test_its_account_may_do_nothing_more(story: Story) -> None:
    assert story.may == []
