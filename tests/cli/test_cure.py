"""Which Sensors hang, and which only seem to: by what is seen of them over time. On the engine: e2e/test_cure.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import chain, repeat

import pytest
from kubernetes import client
from kubernetes.client import rest
from typer.testing import CliRunner
from urllib3 import HTTPResponse
from urllib3.exceptions import HTTPError

from cli.__main__ import app
from cli.cluster import Cluster, ClusterError
from cli.cure import Judged, Look, restart, watch
from cli.cure import judged as of_stack
from cli.stacks import compiled, read_settings
from components.jetstream import Unknown
from routes.consumers import durable_names
from routes.curing import ATTEMPT_SECONDS, patience_of
from routes.model import Rate

PATIENCE = 60.0
STILL = Look(waiting=7, delivered=40, pod="pod-a", process="a 0", attempts=12)


def judged(*looks: Look | Unknown, patience: float = PATIENCE) -> tuple[Judged, float]:
    """What becomes of a Sensor of which this is seen, the last for ever; and how long that took."""
    seconds = 0.0
    seen = chain(looks, repeat(looks[-1]))

    def sleep(for_seconds: float) -> None:
        nonlocal seconds
        seconds += for_seconds

    (found,) = watch({"x": patience}, lambda _: {"x": next(seen)}, clock=lambda: seconds, sleep=sleep)
    return found, seconds


def test_it_hangs_where_something_waits_and_nothing_at_all_happens_for_as_long_as_an_attempt_may_take() -> None:
    found, seconds = judged(STILL)
    assert (found.hangs, found.pod, found.waiting, found.unknown) == (True, "pod-a", 7, "")
    assert found.seconds == seconds == PATIENCE


def test_it_hangs_though_more_comes_in() -> None:
    found, _ = judged(STILL, replace(STILL, waiting=9))
    assert (found.hangs, found.waiting) == (True, 9)


@pytest.mark.parametrize(
    "later",
    [
        replace(STILL, attempts=13),
        replace(STILL, attempts=0),
        replace(STILL, delivered=41),
        replace(STILL, waiting=0),
        replace(STILL, asks=True),
        replace(STILL, process="a 1"),
        replace(STILL, pod="pod-b", process="b 0"),
    ],
    ids=["retries", "counts anew", "takes one", "has done it", "asks", "is a new process", "another pod leads"],
)
@pytest.mark.parametrize("looks", [1, 12], ids=["soon", "at the last moment"])
def test_it_goes_on_where_anything_changes(later: Look, looks: int) -> None:
    found, seconds = judged(*[STILL] * looks, later)
    assert (found.hangs, found.unknown) == (False, "")
    assert seconds == looks * 5


@pytest.mark.parametrize("now", [replace(STILL, waiting=0), replace(STILL, asks=True)])
def test_one_look_is_enough_where_nothing_waits_or_it_asks_for_more(now: Look) -> None:
    found, seconds = judged(now)
    assert (found.hangs, found.unknown, seconds) == (False, "", 0)


@pytest.mark.parametrize("looks", [0, 1, 11])
def test_what_could_not_be_seen_once_is_no_hang(looks: int) -> None:
    found, _ = judged(*[STILL] * looks, Unknown("lab-nats/nats does not answer"), STILL)
    assert (found.hangs, found.unknown) == (False, "lab-nats/nats does not answer")


def test_each_sensor_is_judged_by_its_own_rate_and_as_soon_as_it_can_be() -> None:
    seconds = 0.0

    def sleep(for_seconds: float) -> None:
        nonlocal seconds
        seconds += for_seconds

    asked: list[list[str]] = []

    def see(sensors: list[str]) -> dict[str, Look | Unknown]:
        asked.append(list(sensors))
        return {sensor: STILL if sensor != "idle" else replace(STILL, waiting=0) for sensor in sensors}

    patience = {"idle": 10.0, "fast": 10.0, "slow": 20.0}
    found = [(one.sensor, one.seconds) for one in watch(patience, see, clock=lambda: seconds, sleep=sleep)]
    assert found == [("idle", 0), ("fast", 10), ("slow", 20)]
    assert asked == [[*patience], ["fast", "slow"], ["fast", "slow"], ["slow"], ["slow"]]


@pytest.mark.parametrize(
    ("rate", "between"), [(None, 5), (Rate(limit=20), 5), (Rate(limit=10), 6), (Rate(limit=1, unit="Hour"), 3600)]
)
def test_a_sensor_is_given_the_time_of_its_rate_or_of_a_retry_and_of_the_attempt(
    rate: Rate | None, between: float
) -> None:
    assert patience_of(rate) == between + ATTEMPT_SECONDS


# --- The command

HANGS = Judged(sensor="github-b", waiting=7, seconds=156, hangs=True, pod="github-b-sensor-x")
WELL = Judged(sensor="github-a", waiting=3, seconds=5)
IDLE = Judged(sensor="github-d", waiting=0)
UNKNOWN = Judged(sensor="github-c", waiting=0, unknown="nats/nats does not answer")

Run = Callable[..., tuple[int, str, list[str]]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, of what is judged so: its exit code, what it prints, and the pods that it deletes."""

    def ran(found: list[Judged], *options: str, error: str = "") -> tuple[int, str, list[str]]:
        def judge(*_: object) -> Iterator[Judged]:
            yield from found
            if error:
                raise ClusterError(error)

        deleted: list[str] = []
        monkeypatch.setattr("cli.cluster.connect", lambda _: None)
        monkeypatch.setattr("cli.cure.judged", judge)
        monkeypatch.setattr("cli.cure.restart", lambda _, pod: deleted.append(pod))
        result = CliRunner().invoke(app, ["cure", "--stack", "lab", *options])
        return result.exit_code, result.output, deleted

    return ran


def test_without_yes_it_only_tells_which_hang_and_why(run: Run) -> None:
    code, text, deleted = run([HANGS, WELL, IDLE])
    assert (code, deleted) == (1, [])
    a, b, d = text.splitlines()[1:]
    assert a.split() == ["github-a", "3", "goes", "on"]
    assert " ".join(b.split()) == (
        "github-b 7 hangs: for 2 min it has taken, asked for and tried nothing; to be restarted (--yes):"
        " pod github-b-sensor-x"
    )
    assert d.split() == ["github-d", "0", "has", "nothing", "to", "do"]


def test_with_yes_those_that_hang_are_restarted_and_no_others(run: Run) -> None:
    code, text, deleted = run([WELL, HANGS], "--yes")
    assert (code, deleted) == (0, ["github-b-sensor-x"])
    assert "; restarted: pod github-b-sensor-x" in text
    _, listed, _ = run([WELL, HANGS], "--yes", "--json")
    assert [(one["sensor"], one["restarted"]) for one in json.loads(listed)] == [
        ("github-a", False),
        ("github-b", True),
    ]


def test_where_none_hangs_that_is_well(run: Run) -> None:
    assert run([WELL, IDLE], "--yes")[::2] == (0, [])
    assert run([WELL, IDLE])[0] == 0


def test_what_could_not_be_looked_at_is_told_with_the_reason_and_the_others_are_restarted(run: Run) -> None:
    code, text, deleted = run([UNKNOWN, HANGS], "--yes")
    assert (code, deleted) == (2, ["github-b-sensor-x"])
    assert "not looked at: nats/nats does not answer" in text


def test_a_cluster_that_does_not_answer_is_told(run: Run) -> None:
    code, text, deleted = run([], "--yes", error="the cluster does not answer: x")
    assert (code, text, deleted) == (2, "the cluster does not answer: x\n", [])


# --- What is seen

SENSOR, CONSUMER = next(
    (sensor["metadata"]["name"], consumer)
    for sensor in compiled("dev").all_sensors()
    for consumer in durable_names(sensor)
)
NAMESPACE = read_settings("dev").namespace
LEADS = 'argo_events_action_triggered_total{sensor_name="x",trigger_name="y"} 3\n'
PODS, JETSTREAM = f"/namespaces/{NAMESPACE}/pods", "/jsz"
Answers = dict[str, tuple[int, object]]


class ApiServer(client.ApiClient):  # type: ignore[misc]  # the client has no types
    """Answers by the path's end; 404 to others. `deleted` are the paths deleted."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(client.Configuration(host="http://nowhere"))
        self.answers = answers
        self.deleted: list[str] = []

    def call_api(self, method: str, url: str, *_: object, **__: object) -> rest.RESTResponse:
        path = url.removeprefix("http://nowhere").split("?")[0]
        if method == "DELETE":
            self.deleted.append(path)
        found = [answer for end, answer in self.answers.items() if path.endswith(end)]
        status, body = found[0] if found else (404, {})
        if status == 0:
            raise HTTPError("it does not answer")
        text = body if isinstance(body, str) else json.dumps(body)
        headers = {"Content-Type": "application/json"}
        return rest.RESTResponse(HTTPResponse(BytesIO(text.encode()), headers, status, preload_content=False))


def jsz(waiting: int, **more: object) -> tuple[int, object]:
    consumer = {"name": CONSUMER, "num_pending": waiting, "delivered": {"consumer_seq": 40}, **more}
    return 200, {"account_details": [{"stream_detail": [{"name": "default", "consumer_detail": [consumer]}]}]}


def pods(*names: str, **status: object) -> tuple[int, object]:
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [], **status}
    return 200, {"items": [{"metadata": {"name": name, "uid": name}, "status": ready} for name in names]}


def metrics(pod: str, text: str, status: int = 200) -> Answers:
    return {f"/pods/{pod}:7777/proxy/metrics": (status, text)}


@pytest.mark.parametrize(
    ("answers", "hangs", "unknown"),
    [
        ({JETSTREAM: jsz(7), PODS: pods("a", "b"), **metrics("a", LEADS), **metrics("b", "")}, "a", ""),
        ({JETSTREAM: jsz(7, num_waiting=1)}, "", ""),
        ({JETSTREAM: jsz(0)}, "", ""),
        ({JETSTREAM: jsz(7), PODS: pods("a"), **metrics("a", "")}, "", "none of its pods leads"),
        (
            {JETSTREAM: jsz(7), PODS: pods("a", "b"), **metrics("a", LEADS), **metrics("b", LEADS)},
            "",
            "2 of its pods lead",
        ),
        ({JETSTREAM: jsz(7), PODS: pods("a", conditions=[])}, "", "none of its pods leads"),
        ({JETSTREAM: jsz(7), PODS: pods("a"), **metrics("a", "", 0)}, "", "a does not answer"),
        ({JETSTREAM: jsz(7), PODS: pods("a"), **metrics("a", "", 503)}, "", "a does not answer (503)"),
        (
            {JETSTREAM: jsz(7), PODS: pods("a"), **metrics("a", "", 403)},
            "",
            "no right to ask a for its metrics (get pods/proxy)",
        ),
        (
            {JETSTREAM: (503, {})},
            "",
            f"{NAMESPACE}/eventbus-github-js-svc does not answer (503)",
        ),
        (
            {JETSTREAM: jsz(7, cluster={"leader": ""})},
            "",
            "its consumer is not there, or its leader did not answer",
        ),
    ],
)
def test_only_what_is_seen_of_the_one_pod_that_leads_is_a_hang(
    answers: Answers, hangs: str, unknown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routes.curing.ATTEMPT_SECONDS", -1e9)
    cluster = Cluster(api=ApiServer(answers), namespace=NAMESPACE)
    found = {one.sensor: one for one in of_stack(read_settings("dev"), cluster)}[SENSOR]
    assert (found.pod, found.hangs, found.unknown) == (hangs, bool(hangs), unknown)


def test_a_restart_deletes_the_pod_and_one_that_is_gone_is_well() -> None:
    api = ApiServer({f"{PODS}/here": (200, {})})
    for pod in ("here", "gone"):
        restart(Cluster(api=api, namespace=NAMESPACE), pod)
    assert api.deleted == [f"/api/v1{PODS}/here", f"/api/v1{PODS}/gone"]
    refusing = ApiServer({f"{PODS}/here": (403, {"message": "pods is forbidden"})})
    with pytest.raises(ClusterError, match="the cluster refuses it: pods is forbidden"):
        restart(Cluster(api=refusing, namespace=NAMESPACE), "here")
