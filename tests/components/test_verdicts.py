"""What the engine says of an object, where it is not what Pulumi waits for."""

from typing import Any

import pytest
from kubernetes import client

from cli.stacks import compiled
from components.verdicts import Verdicts
from routes.compiler import WAIT_FOR


def told(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | Exception) -> list[tuple[str, str]]:
    """What is said when the API server answers this for every object."""

    def get(*_: object) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(client.CustomObjectsApi, "get_namespaced_custom_object", get)
    objects = [manifest for manifest in compiled("dev").objects() if manifest["kind"] == "EventBus"]
    return list(Verdicts(kube_context="x", objects=objects, seconds=60)._look(client.ApiClient()))


def conditions(**status: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": t, "status": s, "message": f"{t}!"} for t, s in status.items()]}}


def test_the_engines_message_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, conditions(Deployed="False", Configured="True")) == [
        ("github", "EventBus github: Deployed is False: Deployed!")
    ]


def test_an_engine_that_says_nothing_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, {}) == [("github", "EventBus github: Deployed is not said yet: ")]


def test_all_conditions_true_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not told(monkeypatch, conditions(Deployed="True", Configured="True"))


def test_an_object_that_is_not_there_yet_is_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not told(monkeypatch, client.ApiException(status=404))


def test_everything_that_pulumi_waits_for_is_watched() -> None:
    objects = compiled("dev").objects()
    waited = {m["kind"] for m in objects if "pulumi.com/waitFor" in m["metadata"].get("annotations", {})}
    assert waited == set(WAIT_FOR)
