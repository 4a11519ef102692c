"""JetStream consumers: their names, and what a changed Sensor loses. The rules are argo-events 1.9.11's."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from cli.stacks import compiled
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.consumers import Loss, dropped, durable_names
from routes.manifests import Manifest
from routes.model import Delivery, Route, Template
from routes.settings import parse_settings
from tests.routes.test_compiler import sensors, stack
from tests.routes.test_settings import MINIMAL

CI = "github-ci-failures-to-triage"
SECURITY = "github-security-to-agent"

SENSORS = sensors(stack())


OF_THE_ENGINE = {
    "github-pr-to-pr-validation": {"group-2114701729"},
    "github-issue-comment-to-rex": {"group-2976433293"},
    "github-pr-review-comment-to-rex": {"group-3981057618"},
    "github-ci-failures-to-triage": {"group-4130365978"},
    "github-issues-to-implementation": {"group-3995407356"},
    "github-security-to-agent": {"group-643853403"},
    "github-push-merge-to-orchestrator": {"group-208069035"},
}
"""Read from JetStream on the running engine: one for each Sensor, also where two dependencies look at one event."""


def test_consumers_have_the_names_that_the_engine_gave_them() -> None:
    every = [sensor for family in compiled("lab").sensors.values() for sensor in family]
    assert {sensor["metadata"]["name"]: durable_names(sensor) for sensor in every} == OF_THE_ENGINE


def but(name: str, change: Callable[[Route], Route]) -> Manifest:
    """A Sensor as the compiler writes it when its route is changed so."""
    families = [
        replace(family, routes=tuple(change(r) if r.sensor == name else r for r in family.routes))
        for family in FAMILIES
    ]
    return sensors(compile_stack(families, parse_settings(MINIMAL, source="test")))[name]


def with_delivery(index: int, **changes: object) -> Callable[[Route], Route]:
    """Changes one dependency of a route."""

    def change(route: Route) -> Route:
        deliveries = list(route.deliveries)
        deliveries[index] = replace(deliveries[index], **changes)  # type: ignore[arg-type]
        return replace(route, deliveries=tuple(deliveries))

    return change


def why(name: str, new: Manifest | None) -> list[str]:
    return [loss.why for loss in dropped(SENSORS[name], new)]


GUARDED = {
    "trust": "members",
    "neverAnswered": {"logins": ["my-agent"], "apps": ["my-agent-app"]},
    "repositories": ["my-org/*"],
    "triage": {"checkRuns": "external", "forks": "skip", "branchesIgnore": ["agent/*"], "actorsIgnore": ["my-agent"]},
    "drafts": "run",
    "securityWorkflows": "codeql",
    "securityEvents": ["repository_advisory", "code_scanning_alert", "secret_scanning_alert", "dependabot_alert"],
}


@pytest.mark.parametrize("setting", GUARDED)
def test_no_setting_of_a_filter_drops_what_waits(setting: str) -> None:
    changed = sensors(stack(**{setting: GUARDED[setting]}))
    assert any(changed[name]["spec"]["dependencies"] != SENSORS[name]["spec"]["dependencies"] for name in SENSORS)
    for name in SENSORS:
        assert dropped(SENSORS[name], changed[name]) == dropped(changed[name], SENSORS[name]) == []


@pytest.mark.parametrize("changes", [{"actions": ()}, {"event": "check_suite"}, {"where": ()}])
@pytest.mark.parametrize("index", [0, -1])
def test_no_change_of_a_delivery_drops_what_waits(index: int, changes: dict[str, object]) -> None:
    changed = but(CI, with_delivery(index, **changes))
    assert changed["spec"]["dependencies"] != SENSORS[CI]["spec"]["dependencies"]
    assert why(CI, changed) == []


def test_a_delivery_more_in_the_table_drops_what_waits_since_the_conditions_are_others() -> None:
    def longer(route: Route) -> Route:
        return replace(route, deliveries=(*route.deliveries, Delivery(name="suite", event="check_suite")))

    assert why(CI, but(CI, longer)) == ["its conditions changed from wr || cr || queue to wr || cr || suite || queue"]


def test_a_delivery_less_in_the_table_drops_what_waits_also_for_the_other() -> None:
    assert why(CI, but(CI, lambda route: replace(route, deliveries=route.deliveries[1:]))) == [
        "its conditions changed from wr || cr || queue to cr || queue"
    ]


def test_a_renamed_delivery_drops_what_waits() -> None:
    assert why(CI, but(CI, with_delivery(0, name="runs"))) == [
        "its conditions changed from wr || cr || queue to runs || cr || queue"
    ]


def test_deliveries_in_another_order_drop_what_waits() -> None:
    assert why(CI, but(CI, lambda route: replace(route, deliveries=route.deliveries[::-1]))) == [
        "its conditions changed from wr || cr || queue to cr || wr || queue"
    ]


# --- Sensors without a last dependency that stays: those of before, and anybody's


def of_before(sensor: Manifest, conditions: str) -> Manifest:
    """A Sensor with the dependencies of its conditions alone."""
    old = copy.deepcopy(sensor)
    old["spec"]["triggers"][0]["template"]["conditions"] = conditions
    old["spec"]["dependencies"] = [d for d in old["spec"]["dependencies"] if d["name"] in conditions.split()]
    return old


OF_BEFORE = of_before(SENSORS[SECURITY], "secadv || secscan")


def test_the_last_dependency_has_the_consumer_and_its_filters_drop_what_waits() -> None:
    assert durable_names(OF_BEFORE) == {"group-3211226580"}  # read from JetStream
    changed = of_before(sensors(stack(securityWorkflows="codeql"))[SECURITY], "secadv || secscan")
    assert dropped(OF_BEFORE, changed) == [
        Loss(
            sensor=SECURITY,
            trigger="coderun-security",
            consumer="group-3211226580",
            why="dependency secscan: its filters changed",
        )
    ]


def test_an_earlier_dependency_has_none_to_lose() -> None:
    changed = copy.deepcopy(OF_BEFORE)
    changed["spec"]["dependencies"][0]["filters"]["data"].pop()
    assert dropped(OF_BEFORE, changed) == []


def test_a_sensor_of_before_loses_once_what_waits() -> None:
    (lost,) = dropped(OF_BEFORE, SENSORS[SECURITY])
    assert lost.consumer == "group-3211226580"
    assert lost.why.startswith("its conditions changed from secadv || secscan to secadv || secscan || repoadv")


def test_a_sensor_without_conditions_has_a_consumer_too() -> None:
    without = copy.deepcopy(OF_BEFORE)
    del without["spec"]["triggers"][0]["template"]["conditions"]
    assert durable_names(without) == durable_names(OF_BEFORE)
    assert [lost.why for lost in dropped(without, OF_BEFORE)] == [
        "its conditions changed from secadv && secscan to secadv || secscan"
    ]


# --- What else a change can be


def test_a_renamed_trigger_drops_what_waits() -> None:
    (lost,) = dropped(SENSORS[CI], but(CI, lambda route: replace(route, trigger="triage")))
    assert (lost.trigger, lost.why) == ("coderun-triage", "the trigger is gone")


def test_a_route_that_is_switched_off_leaves_what_waits() -> None:
    off = sensors(stack(routes={CI: {"enabled": False}}))
    assert [(name, lost.consumer, lost.why) for name in SENSORS for lost in dropped(SENSORS[name], off.get(name))] == [
        (CI, "group-4130365978", "the Sensor is gone")
    ]


def test_a_new_sensor_has_nothing_to_lose() -> None:
    assert dropped(None, SENSORS[CI]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"routes": {name: {"rate": {"limit": 1, "unit": "Hour"}} for name in SENSORS}},
        {"retryMinutes": 60},
        {"workflowTtlSeconds": 3600},
        {"semaphores": {"coderun": 1}},
        {"eventBus": {"kind": "native", "replicas": 5}},
    ],
    ids=lambda changes: next(iter(changes), "nothing"),
)
def test_what_is_no_dependency_loses_nothing(changes: dict[str, object]) -> None:
    changed = sensors(stack(**changes))
    assert [lost for name in SENSORS for lost in dropped(SENSORS[name], changed[name])] == []


def test_another_template_loses_nothing() -> None:
    other = but(CI, lambda route: replace(route, workflow="triage", template=Template.IMPLEMENTATION))
    assert other["spec"]["triggers"] != SENSORS[CI]["spec"]["triggers"]
    assert why(CI, other) == []
