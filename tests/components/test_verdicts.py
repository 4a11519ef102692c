"""What the engine says of an object, where it is not what Pulumi waits for."""

from typing import Any

from components.verdicts import PLURALS, Verdicts
from routes.compiler import WAIT_FOR
from tests.components.api_server import ApiServer
from tests.routes.test_compiler import stack
from tests.routes.test_exposure import GATEWAY

OBJECTS = stack(webhookSecret={"kind": "external", "store": "s", "remoteKey": "k"}, exposure=GATEWAY).objects()


def told(answer: dict[str, Any], kind: str = "EventBus", status: int = 200) -> list[tuple[str, str]]:
    """What is said when the API server answers this for every object."""
    objects = [manifest for manifest in OBJECTS if manifest["kind"] == kind]
    ((version, name),) = ((o["apiVersion"], o["metadata"]["name"]) for o in objects)

    there = [{"metadata": {"name": "another"}}, {"metadata": {"name": name}, **answer}]
    api = ApiServer({"items": there}, status=status)
    said = list(Verdicts(kube_context="x", objects=objects, seconds=60)._look(api))
    assert [path for _, path, _, _ in api.asked] == [f"/apis/{version}/namespaces/events/{PLURALS[kind]}"]
    return said


def conditions(**status: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": t, "status": s, "message": f"{t}!"} for t, s in status.items()]}}


def test_the_engines_message_is_passed_on() -> None:
    assert told(conditions(Deployed="False", Configured="True")) == [
        ("github", "EventBus github: Deployed is False: Deployed!")
    ]


def test_an_engine_that_says_nothing_is_told_too() -> None:
    assert told({}) == [("github", "EventBus github: Deployed is not said yet: ")]


def test_all_conditions_true_is_nothing_to_tell() -> None:
    assert not told(conditions(Deployed="True", Configured="True"))


def test_an_object_that_is_not_there_yet_is_nothing_to_tell() -> None:
    assert not told({}, status=404)


def test_a_gateways_message_is_passed_on() -> None:
    parents = {"status": {"parents": [conditions(Accepted="False", ResolvedRefs="True")["status"]]}}
    assert told(parents, "HTTPRoute") == [
        ("github-to-argo-webhook", "HTTPRoute github-to-argo-webhook: Accepted is False: Accepted!")
    ]


def test_everything_that_pulumi_waits_for_is_watched() -> None:
    waited = {m["kind"] for m in OBJECTS if "pulumi.com/waitFor" in m["metadata"].get("annotations", {})}
    assert waited == set(WAIT_FOR) == set(PLURALS)
