"""Each alert on a real Prometheus: its fault is made on the running engine, it fires, and it clears.

Every time in the rules is a sixtieth of what it is. One session for all: several faults at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.monitoring.session import AWAY, Seen, watched_session
from tests.monitoring.stack import PULLS
from tests.routes.test_alerts import alerts

pytestmark = [pytest.mark.lab, pytest.mark.long]


@pytest.fixture(scope="module")
def seen() -> Iterator[Seen]:
    with watched_session() as session:
        yield session.run()


def test_nothing_is_told_while_all_is_well(seen: Seen) -> None:
    assert seen.before == []


def test_the_rules_of_the_cluster_are_those_of_the_stack(seen: Seen) -> None:
    assert seen.alerts == alerts()
    assert seen.unhealthy == []


@pytest.mark.parametrize("alert", alerts())
def test_its_fault_sets_off(seen: Seen, alert: str) -> None:
    assert alert in seen.firings
    assert all(firing.ended for firing in seen.firings[alert]), "it has not cleared"


def test_an_alert_says_what_it_is_about(seen: Seen) -> None:
    assert seen.subjects("GitHubToArgoSensorAway", "sensor_name") == {AWAY}
    assert seen.subjects("GitHubToArgoDeadLetters", "sensor_name") == {PULLS}
    assert seen.subjects("GitHubToArgoWorkflowsFail", "name") == {"orchestrator-resume-close"}
    assert seen.subjects("GitHubToArgoSemaphoreFull", "semaphore") == {"orchestrator"}
    assert seen.subjects("GitHubToArgoUnseen", "of") == {"the EventBus", "the workflow-controller"}


def test_what_was_answered_400_is_counted_though_the_engine_counts_none(seen: Seen) -> None:
    sent, counted = seen.refusals
    assert counted == pytest.approx(sent, rel=0.15), "Prometheus reckons with what it did not see"


def test_every_panel_of_the_dashboard_has_something_to_show(seen: Seen) -> None:
    assert len(seen.panels) == 14
    assert [panel.title for panel in seen.panels if not panel.lines] == []
    flat = [p.title for p in seen.panels if all(value == 0 for _, line in p.lines for _, value in line.values)]
    assert flat == []
