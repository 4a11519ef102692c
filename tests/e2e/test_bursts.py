"""Bursts on the running engine: rates and semaphores hold, a backlog drains in its order, and nothing of it is lost."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from cli.delivery import Posted
from cli.stacks import compiled
from cli.workflow import delivery_of
from payloads import Payload, one_of_each
from routes import FAMILIES, limits
from tests.e2e.conftest import Cluster
from tests.e2e.phases import Phases, kill, that_takes
from tests.e2e.text_stack import NAMESPACE, TextStack, text_stack

pytestmark = [pytest.mark.lab, pytest.mark.long]

SLACK = 11
"""How many Workflows the engine lets through at once after a quiet time, whatever the rate."""
AT_ONCE = 2
RATES: Mapping[str, tuple[str, object, float]] = {
    "ic": ("github-issue-comment-to-rex", {"limit": 60, "unit": "Minute"}, 1.0),
    "prc": ("github-pr-review-comment-to-rex", {"limit": 2, "unit": "Second"}, 2.0),
    "pr": ("github-pr-to-pr-validation", "unlimited", limits.most_workflows(60) / 60),
}
"""By dependency: its route, the rate that is set, and Workflows a second."""
BURST = 40


@pytest.fixture(scope="module")
def stack(cluster: Cluster) -> Iterator[TextStack]:
    slow = [that_takes(t, 4) for t in compiled("lab").templates if t["metadata"]["name"] == "implementation"]
    rates = {sensor: rate for sensor, rate, _ in RATES.values()} | {"github-issues-to-implementation": "unlimited"}
    sensors = [route.sensor for family in FAMILIES for route in family.routes]
    routes = {sensor: {"rate": rates[sensor]} if sensor in rates else {"enabled": False} for sensor in sensors}
    semaphores = {"implementation": AT_ONCE, "pr-validation": 1000, "coderun": 1000}
    with text_stack(cluster, *slow, routes=routes, semaphores=semaphores) as stack:
        yield stack


@pytest.fixture
def phases(stack: TextStack) -> Iterator[Phases]:
    with Phases(stack.cluster.api, NAMESPACE) as watching:
        yield watching


def posted(stack: TextStack, payload: Payload, count: int) -> list[Posted]:
    """Deliveries one after the other, each answered before the next, all taken."""
    found = [stack.cluster.sender.post(payload) for _ in range(count)]
    assert {one.status for one in found} == {200}
    return found


@dataclass(frozen=True)
class Burst:
    """Of one route: the deliveries in their order, and when each one's Workflow appeared, in the order of that."""

    deliveries: list[str]
    appeared: list[tuple[str, float]]

    @property
    def times(self) -> list[float]:
        return [at for _, at in self.appeared]


@pytest.fixture(scope="module")
def bursts(stack: TextStack) -> dict[str, Burst]:
    """A burst for each route that has a rate here, all at once."""
    kinds = one_of_each()
    with Phases(stack.cluster.api, NAMESPACE) as watching, ThreadPoolExecutor(len(RATES)) as pool:
        sent = dict(zip(RATES, pool.map(lambda name: posted(stack, kinds[name], BURST), RATES), strict=True))
        found = watching.of([p.delivery for one in sent.values() for p in one], seconds=90, finished=False)
    at = {delivery_of(workflow): seen for workflow, seen in found}
    return {
        name: Burst([p.delivery for p in one], sorted(((p.delivery, at[p.delivery]) for p in one), key=lambda x: x[1]))
        for name, one in sent.items()
    }


def beyond(times: Sequence[float], rate: float, slack: float) -> list[tuple[int, float]]:
    """Every window in which more started than the rate and the slack allow: how many, in how many seconds."""
    windows = [(j - i + 1, times[j] - times[i]) for i in range(len(times)) for j in range(i, len(times))]
    return [(count, seconds) for count, seconds in windows if count > rate * seconds + slack]


@pytest.mark.parametrize("name", RATES)
def test_in_no_window_does_a_route_start_more_than_its_rate_and_the_slack(bursts: dict[str, Burst], name: str) -> None:
    _, _, rate = RATES[name]
    # A Workflow is seen a moment after it was made.
    assert not beyond(bursts[name].times, rate, SLACK + 0.2 * rate)


@pytest.mark.parametrize("name", RATES)
def test_a_backlog_drains_at_the_rate_that_is_set(bursts: dict[str, Burst], name: str) -> None:
    _, _, rate = RATES[name]
    times = bursts[name].times
    assert (BURST - SLACK) / rate <= times[-1] - times[0] + 0.5 <= BURST / rate + 5


@pytest.mark.parametrize("name", RATES)
def test_a_backlog_drains_in_the_order_of_its_deliveries(bursts: dict[str, Burst], name: str) -> None:
    assert [delivery for delivery, _ in bursts[name].appeared] == bursts[name].deliveries


def test_without_a_rate_a_sensor_starts_five_at_once_and_then_what_its_client_lets_it(bursts: dict[str, Burst]) -> None:
    times, rate = bursts["pr"].times, limits.most_workflows(60) / 60
    assert not beyond(times, rate, 5 + 1.0 * rate)  # seen up to a second late on a busy machine
    assert times[-1] - times[0] > (BURST - 5) / rate - 1


def test_a_backlog_survives_its_sensor_in_order_but_for_the_one_that_was_at_work(
    stack: TextStack, phases: Phases
) -> None:
    sent = [p.delivery for p in posted(stack, one_of_each()["prc"], 30)]
    assert len(phases.of(sent, seconds=0, finished=False)) < 25, "nothing was waiting"
    kill(f"{NAMESPACE}.github-pr-review-comment-to-rex-sensor")
    found = phases.of(sent, seconds=90, finished=False)
    order = [sent.index(delivery_of(workflow)) for workflow, _ in sorted(found, key=lambda one: one[1])]
    assert sorted(order) == list(range(30))
    # What the Sensor had taken and not acknowledged comes again after the EventBus has waited for it.
    late = [number for before, number in itertools.pairwise(order) if number < before]
    assert len(late) <= 1


def test_no_more_than_the_semaphore_run_at_once(stack: TextStack, phases: Phases) -> None:
    sent = [p.delivery for p in posted(stack, one_of_each()["issues"], 8)]
    assert len(phases.of(sent, seconds=90)) == 8
    assert phases.most_running(lambda name: name.startswith("implementation-")) == AT_ONCE


def test_after_a_restart_of_the_controller_at_most_one_more_than_the_semaphore_runs(
    stack: TextStack, phases: Phases
) -> None:
    """Before 3.7.11 and 4.0.2 the controller forgets one holder of each semaphore (argo-workflows#11098)."""
    sent = [p.delivery for p in posted(stack, one_of_each()["issues"], 8)]
    deadline = time.monotonic() + 20
    while phases.most_running() < AT_ONCE and time.monotonic() < deadline:
        time.sleep(0.1)
    kill("workflow-controller")
    assert len(phases.of(sent, seconds=90)) == 8
    assert AT_ONCE <= phases.most_running(lambda name: name.startswith("implementation-")) <= AT_ONCE + 1
