"""JetStream consumers: their names, and what a changed Sensor loses. The rules are argo-events 1.9.11's."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from cli.stacks import compiled
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.consumers import Loss, dropped, durable_names
from routes.manifests import Manifest
from routes.model import Delivery, OneOf, Route, Template
from routes.settings import parse_settings
from tests.routes.test_compiler import sensors, stack
from tests.routes.test_settings import MINIMAL

CI = "github-ci-failures-to-triage"
SECURITY = "github-security-to-agent"

SENSORS = sensors(stack())


def test_consumers_have_the_names_that_the_engine_gave_them() -> None:
    # Read from JetStream on the running engine: one for each Sensor, also where two dependencies look at one event.
    assert {
        sensor["metadata"]["name"]: durable_names(sensor)
        for family in compiled("lab").sensors.values()
        for sensor in family
    } == {
        "github-pr-to-pr-validation": {"group-2320324752"},
        "github-issue-comment-to-rex": {"group-2637006654"},
        "github-pr-review-comment-to-rex": {"group-2790235958"},
        "github-ci-failures-to-triage": {"group-3246160862"},
        "github-issues-to-implementation": {"group-1218358629"},
        "github-security-to-agent": {"group-3211226580"},
        "github-push-merge-to-orchestrator": {"group-3378074820"},
    }


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


def test_a_changed_filter_drops_what_waits() -> None:
    assert dropped(SENSORS[SECURITY], sensors(stack(securityWorkflows="codeql"))[SECURITY]) == [
        Loss(
            sensor=SECURITY,
            trigger="coderun-security",
            consumer="group-3211226580",
            why="dependency secscan: its filters changed",
        )
    ]


@pytest.mark.parametrize("changes", [{"actions": ()}, {"event": "check_suite"}, {"where": ()}])
def test_the_last_dependency_has_the_consumer(changes: dict[str, object]) -> None:
    assert why(CI, but(CI, with_delivery(-1, **changes))) == ["dependency cr: its filters changed"]


def test_an_earlier_dependency_has_none_to_lose() -> None:
    changed = but(CI, with_delivery(0, where=(OneOf("workflow_run.conclusion", ("failure",)),)))
    assert changed["spec"]["dependencies"] != SENSORS[CI]["spec"]["dependencies"]
    assert why(CI, changed) == []


def test_a_further_dependency_drops_what_waits_since_the_conditions_are_others() -> None:
    def longer(route: Route) -> Route:
        return replace(route, deliveries=(*route.deliveries, Delivery(name="alert", event="dependabot_alert")))

    (lost,) = dropped(SENSORS[SECURITY], but(SECURITY, longer))
    assert lost.why == "its conditions changed from secadv || secscan to secadv || secscan || alert"
    assert {lost.consumer} == durable_names(SENSORS[SECURITY]) != durable_names(but(SECURITY, longer))


def test_one_dependency_less_drops_what_waits_also_for_the_other() -> None:
    assert why(CI, but(CI, lambda route: replace(route, deliveries=route.deliveries[1:]))) == [
        "its conditions changed from wr || cr to cr"
    ]


def test_a_renamed_dependency_drops_what_waits() -> None:
    assert why(CI, but(CI, with_delivery(0, name="runs"))) == ["its conditions changed from wr || cr to runs || cr"]


def test_dependencies_in_another_order_drop_what_waits() -> None:
    assert why(CI, but(CI, lambda route: replace(route, deliveries=route.deliveries[::-1]))) == [
        "its conditions changed from wr || cr to cr || wr"
    ]


def test_a_renamed_trigger_drops_what_waits() -> None:
    (lost,) = dropped(SENSORS[CI], but(CI, lambda route: replace(route, trigger="triage")))
    assert (lost.trigger, lost.why) == ("coderun-triage", "the trigger is gone")


def test_a_route_that_is_switched_off_leaves_what_waits() -> None:
    off = sensors(stack(routes={CI: {"enabled": False}}))
    assert [(name, lost.consumer, lost.why) for name in SENSORS for lost in dropped(SENSORS[name], off.get(name))] == [
        (CI, "group-3246160862", "the Sensor is gone")
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
