"""`status` of the running stack: what its cluster and its JetStream say."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from cli.delivery import Watcher
from payloads import one_of_each
from tests.e2e.conftest import SECONDS, Cluster

pytestmark = pytest.mark.lab

SENSOR = "github-issues-to-implementation"


def status() -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["status", "--stack", "lab", "--json"])
    found: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, found


def route(found: dict[str, Any]) -> dict[str, Any]:
    (one,) = (one for one in found["routes"] if one["sensor"] == SENSOR)
    return dict(one)


def test_a_delivery_is_counted_from_the_post_to_its_workflow(cluster: Cluster, watcher: Watcher) -> None:
    _, before = status()
    posted = cluster.sender.post(one_of_each()["issues"])
    assert watcher.of([posted.delivery], seconds=SECONDS)
    code, after = status()
    assert after["accepted"] == before["accepted"] + 1
    assert route(after)["started"] == route(before)["started"] + 1
    assert (route(after)["waiting"], route(after)["standsStill"]) == (0, False)
    assert route(after)["pods"] == {"ready": 1, "wanted": 1}
    assert code == int(after["wrong"])


def test_what_waits_while_a_sensor_is_away_is_counted_and_its_missing_pod_is_told(
    cluster: Cluster, watcher: Watcher
) -> None:
    with cluster.away(f"sensor-name={SENSOR}"):
        posted = [cluster.sender.post(one_of_each()["issues"]) for _ in range(3)]
        code, found = status()
        assert code == 1
        assert (route(found)["waiting"], route(found)["pods"]) == (3, {"ready": 0, "wanted": 0})
        since = time.monotonic() - posted[0].at
        assert route(found)["oldestExact"]
        assert since - 1 < route(found)["oldestSeconds"] < since + 1
    assert len(watcher.of([p.delivery for p in posted], seconds=SECONDS)) == 3
