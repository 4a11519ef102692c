"""What is said, before anything is made, of a change that loses or leaves deliveries that wait."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pulumi
import pytest
from kubernetes import client, config
from urllib3.exceptions import HTTPError

import components.queues
from components.jetstream import JetStream, Silent, Unknown
from components.queues import Queues
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.consumers import durable_names
from routes.manifests import Manifest
from routes.settings import parse_settings
from tests.components.conftest import refused
from tests.routes.test_compiler import sensors, stack
from tests.routes.test_consumers import OF_BEFORE, SECURITY
from tests.routes.test_settings import EXOTIC, MINIMAL

CHECK = Queues.check  # before the fixture of this floor puts it out of action
CI = "github-ci-failures-to-triage"
BUS = stack().event_bus
NOW = sensors(stack())
(QUEUE,) = durable_names(NOW[SECURITY])
(OF_BEFORES,) = durable_names(OF_BEFORE)
STREAM = {
    "num_replicas": 3,
    "retention": "interest",
    "discard": "new",
    "max_msgs": -1,
    "max_bytes": 1024**3,
    "max_age": 168 * 3600 * 10**9,
}
ANOTHER = STREAM | {"num_replicas": 1}
MONITORED = EXOTIC | {"monitor": {"namespace": "nats", "service": "nats", "account": "agents"}}

Check = Callable[..., list[str]]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Looks at a cluster with these Sensors and this EventBus, whose JetStream says so; returns the warnings."""

    def check(
        live: Mapping[str, Manifest] = NOW,
        found: JetStream | Unknown | None = None,
        *,
        bus: Manifest | None = BUS,
        raises: Exception | None = None,
        **settings: object,
    ) -> list[str]:
        warnings: list[str] = []

        def read(_: object, path: str, **query: str) -> Manifest:
            if path == "/apis/argoproj.io/v1alpha1/namespaces/events/sensors":
                assert query == {"labelSelector": "app.kubernetes.io/part-of=github-to-argo"}
                if raises:
                    raise raises
                return {"items": list(live.values())}
            assert path == "/apis/argoproj.io/v1alpha1/namespaces/events/eventbus/github"
            if bus is None:
                raise client.ApiException(status=404)
            return bus

        monkeypatch.setattr(config, "new_client_from_config", lambda **_: client.ApiClient())
        monkeypatch.setattr(components.queues, "read", read)
        monkeypatch.setattr(components.queues, "look", lambda *_: JetStream(STREAM, {}) if found is None else found)
        monkeypatch.setattr(pulumi.log, "warn", warnings.append)
        parsed = parse_settings(MINIMAL | settings, source="test")
        CHECK(Queues(parsed, compile_stack(FAMILIES, parsed)))
        return warnings

    return check


WITH_OLD = NOW | {SECURITY: OF_BEFORE}
TWELVE = JetStream(STREAM, {OF_BEFORES: 12})


def test_nothing_is_said_where_nothing_changes_and_at_a_first_up(check: Check) -> None:
    assert check() == []
    assert check({}, bus=None) == []
    assert check({}, Silent("there is no EventBus"), bus=None) == []
    assert check({}, Unknown("eventBus.monitor is not set"), bus=None) == []


def by_another_name(sensor: Manifest, name: str) -> Manifest:
    other = copy.deepcopy(sensor)
    other["metadata"]["name"] = name
    return other


def test_a_sensor_by_another_name_loses_what_waits_for_the_old_one(check: Check) -> None:
    old = by_another_name(NOW[CI], "github-failures")
    (consumer,) = durable_names(old)
    live = {name: sensor for name, sensor in NOW.items() if name != CI} | {"github-failures": old}
    told = f"{CI}: it was github-failures, so nobody reads the consumer of its trigger coderun-triage"
    waits = JetStream(STREAM, {consumer: 3})
    assert f"  {told}; 3 deliveries wait there" in refused(check, live, waits)
    assert f"      github-to-argo:loses: [{CI}]" in refused(check, live, waits)
    (warning,) = check(live)
    assert warning.startswith(f"{told}. Nothing waits there now.")
    (said,) = check(live, waits, loses=[CI])
    assert said.startswith(f"{told}; 3 deliveries wait there, and the setting loses says that they may be lost")


def test_a_changed_filter_is_no_loss_and_nothing_is_said(check: Check) -> None:
    assert check(found=JetStream(STREAM, {QUEUE: 12}), securityWorkflows="codeql", trust="members") == []
    assert check(found=JetStream(STREAM, {QUEUE: 12}), securityEvents=["dependabot_alert"]) == []


def test_a_change_that_loses_what_waits_is_refused_with_what_to_do(check: Check) -> None:
    assert refused(check, WITH_OLD, TWELVE, eventBus=MONITORED | {"streamReplicas": 3}) == (
        "deliveries that wait would be lost, so nothing was changed\n\n"
        "  github-security-to-agent: its conditions changed from secadv || secscan to secadv || secscan || repoadv ||"
        " codescan || secretscan || depalert || queue, so the engine deletes the consumer of its trigger"
        " coderun-security; 12 deliveries wait there\n\n"
        "Wait until they are through; this counts them:\n"
        "      kubectl --context somewhere get --raw"
        " '/api/v1/namespaces/nats/services/nats:monitor/proxy/jsz?consumers=true&config=true&acc=agents' |"
        " jq '.. | objects | select(.name? == \"group-3211226580\") | .num_pending + .num_ack_pending'\n"
        "Or say that they may be lost, and take it out again afterwards:\n"
        "      github-to-argo:loses: [github-security-to-agent]"
    )


def test_one_delivery_is_enough_to_refuse(check: Check) -> None:
    assert "; 1 delivery waits there\n" in refused(check, WITH_OLD, JetStream(STREAM, {OF_BEFORES: 1}))


def test_what_is_confirmed_is_let_through_and_told(check: Check) -> None:
    (warning,) = check(WITH_OLD, TWELVE, loses=[SECURITY])
    assert "12 deliveries wait there, and the setting loses says that they may be lost" in warning


def test_to_confirm_one_sensor_confirms_no_other(check: Check) -> None:
    assert "loses: [github-security-to-agent]" in refused(check, WITH_OLD, TWELVE, loses=[CI])


def test_a_confirmation_that_is_left_is_told(check: Check) -> None:
    (warning,) = check(loses=[CI, SECURITY])
    assert warning == (
        "github-to-argo:loses names github-ci-failures-to-triage, github-security-to-agent, and this loses nothing of"
        " it: take it out, or a later change loses what waits without a question:\n"
        "      pulumi config rm github-to-argo:loses"
    )


@pytest.mark.parametrize("counts", [{}, {OF_BEFORES: 0}])
def test_where_nothing_waits_what_comes_meanwhile_is_told(check: Check, counts: dict[str, int]) -> None:
    (warning,) = check(WITH_OLD, JetStream(STREAM, counts))
    assert "so the engine deletes the consumer of its trigger coderun-security. Nothing waits there now." in warning
    assert "docs/deploys.md" in warning


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (Unknown("eventBus.monitor is not set"), "eventBus.monitor is not set"),
        (Silent("events/eventbus-github-js-svc does not answer (503)"), "does not answer (503)"),
        (JetStream(STREAM, {OF_BEFORES: None}), "the NATS server that leads it did not answer"),
    ],
)
def test_what_could_not_be_counted_is_told(check: Check, found: JetStream | Unknown, why: str) -> None:
    (warning,) = check(WITH_OLD, found)
    assert "What waits there is lost, and could not be counted" in warning
    assert why in warning


def test_who_may_not_look_is_told_what_is_not_known(check: Check) -> None:
    (warning,) = check(raises=client.ApiException(status=403))
    assert "no right to read the Sensors and the EventBus of namespace events" in warning


@pytest.mark.parametrize(
    "error", [client.ApiException(status=404), client.ApiException(status=500), HTTPError("refused")]
)
def test_a_cluster_that_cannot_be_asked_is_pulumis_to_tell(check: Check, error: Exception) -> None:
    assert check(raises=error) == []


def test_a_route_that_goes_is_told_with_what_waits_and_what_becomes_of_it(check: Check) -> None:
    (warning,) = check(found=JetStream(STREAM, {QUEUE: 3}), routes={SECURITY: {"enabled": False}})
    assert warning == (
        f"github-security-to-agent goes; 3 deliveries wait on its consumer {QUEUE}, which the engine leaves in"
        " JetStream: it goes on collecting, and if the route comes back it starts all that, as far back as the stream"
        f" reaches. To have it gone, once the Sensor is (docs/deploys.md):\n      nats consumer rm default {QUEUE}"
    )


def test_a_route_that_goes_is_told_also_where_nobody_can_be_asked(check: Check) -> None:
    (warning,) = check(found=Unknown("no right to ask"), routes={SECURITY: {"enabled": False}})
    assert "goes; how many deliveries wait could not be counted (no right to ask) on its consumer" in warning


def test_a_route_that_comes_back_to_its_consumer_is_told_what_starts(check: Check) -> None:
    (warning,) = check({k: v for k, v in NOW.items() if k != SECURITY}, JetStream(STREAM, {QUEUE: 3}))
    assert warning.startswith(f"github-security-to-agent comes back; 3 deliveries wait on its consumer {QUEUE}, and")
    assert f"\n      nats consumer rm default {QUEUE}" in warning


def test_a_route_that_comes_back_to_nothing_that_waits_is_not_told(check: Check) -> None:
    assert check({k: v for k, v in NOW.items() if k != SECURITY}, JetStream(STREAM, {QUEUE: 0})) == []


def test_a_stream_that_is_otherwise_is_refused_with_what_changes_it(check: Check) -> None:
    assert refused(check, found=JetStream(ANOTHER, {})) == (
        "the stream is not as the stack says, and the engine never changes a stream that is there\n\n"
        "  replicas is 1, wanted 3\n\n"
        "Change it (docs/deploys.md), or write into the stack what it is:\n"
        "      nats stream edit default --replicas=3"
    )


def test_a_shorter_age_is_told_with_what_it_drops(check: Check) -> None:
    age = {"eventBus": {"kind": "native", "maxAgeHours": 24}}
    old = JetStream(STREAM, {}, oldest=datetime.now(UTC) - timedelta(hours=25))
    told = refused(check, found=old, **age)
    assert (
        "  maxAge is 168h, wanted 24h\n\nWhat is there for longer than 24 h is dropped then; the oldest came at "
        in told
    )
    assert told.endswith("nats stream edit default --max-age=24h")
    for young in (JetStream(STREAM, {}, oldest=datetime.now(UTC) - timedelta(hours=23)), JetStream(STREAM, {})):
        assert "dropped" not in refused(check, found=young, **age)
    other = JetStream(ANOTHER | {"max_age": 24 * 3600 * 10**9}, {}, oldest=datetime.now(UTC) - timedelta(hours=25))
    assert "dropped" not in refused(check, found=other, **age)


def test_a_stream_that_the_servers_have_no_room_for_yet_is_changed_after_this(check: Check) -> None:
    (warning,) = check(eventBus={"kind": "native", "backlog": "4Gi"})
    assert warning == (
        "the stream is not as the stack says, and the engine never changes a stream that is there\n\n"
        "  maxBytes is 1073741824, wanted 4294967296\n\n"
        "Its servers cannot do that yet. After this start them again, one after the other, and change the stream"
        " (docs/deploys.md):\n"
        "      kubectl --context somewhere -n events rollout restart statefulset eventbus-github-js\n"
        "      nats stream edit default --max-bytes=4294967296"
    )
    larger = stack(eventBus={"kind": "native", "backlog": "4Gi"}).event_bus
    assert "Change it" in refused(check, bus=larger, eventBus={"kind": "native", "backlog": "4Gi"})
    assert "Change it" in refused(check, eventBus={"kind": "native", "backlog": "1100Mi"})
    (more,) = check(eventBus={"kind": "native", "replicas": 5})
    assert "replicas is 3, wanted 5" in more and "cannot do that yet" in more


def test_a_single_nats_that_exists_keeps_one_copy(check: Check) -> None:
    asked = {"eventBus": MONITORED | {"streamReplicas": 3}}
    theirs = stack(**asked).event_bus
    assert refused(check, found=JetStream(ANOTHER, {}), bus=theirs, **asked).endswith(
        "Write github-to-argo:eventBus.streamReplicas: 1"
    )
    told = refused(check, found=JetStream(ANOTHER, {}, clustered=True), bus=theirs, **asked)
    assert told.endswith("nats stream edit default --replicas=3")


def test_a_single_server_does_not_become_a_cluster_nor_a_cluster_one(check: Check) -> None:
    alone = stack(eventBus={"kind": "native", "replicas": 1}).event_bus
    assert refused(check, found=JetStream(ANOTHER, {}), bus=alone) == (
        "a native EventBus of 1 does not become one of 3: a cluster of NATS does not take over the stream of a single"
        " server, nor that one a cluster's, and what waits in it would be gone\n\n"
        "Write github-to-argo:eventBus.replicas: 1. Or bring another stack up beside this one, in a namespace of its"
        " own, lead the webhook there, and destroy this one once nothing waits (docs/deploys.md)"
    )
    assert "of 3 does not become one of 1" in refused(check, eventBus={"kind": "native", "replicas": 1})
    assert "does not become" in refused(check, bus=alone), "a single server says that its stream has three copies"
    assert check(found=JetStream(None, {}), bus=alone) == []


def test_all_that_is_wrong_is_told_at_once(check: Check) -> None:
    told = refused(check, WITH_OLD, JetStream(ANOTHER, {OF_BEFORES: 2}))
    assert "deliveries that wait would be lost" in told
    assert "the stream is not as the stack says" in told


def test_a_changed_stream_config_is_told_where_the_stream_cannot_be_seen(check: Check) -> None:
    before = copy.deepcopy(BUS)
    before["spec"]["jetstream"]["streamConfig"] = "replicas: 1\n"
    (warning,) = check(found=Unknown("no right to ask"), bus=before)
    assert "the EventBus's streamConfig changes" in warning
    assert "no right to ask" in warning
