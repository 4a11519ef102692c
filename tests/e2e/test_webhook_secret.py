"""The webhook's Secret on the running cluster: never too short, and exchanged for another one."""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import client
from pulumi import RunError
from urllib3.exceptions import HTTPError

from cli.delivery import Posted, Sender, Watcher
from cli.rotate import Rotated, Rotation, RotationError, told
from cli.stacks import compiled, read_settings
from cli.workflow import phase_of
from components.signatures import Signatures
from lab.stack import LabStack, StackFailed
from payloads import one_of_each
from routes.settings import ConfigWebhookSecret, ExistingWebhookSecret, ExternalWebhookSecret, WebhookSecret
from tests.e2e.conftest import SECONDS, Cluster
from tests.e2e.test_leaked_token import MERGE, Answer, ask, named
from tests.e2e.test_stacks import NAMESPACE, second

pytestmark = pytest.mark.lab

NAME, KEY = "github-webhook-secret", "secret"


def in_base64(text: bytes) -> str:
    return base64.b64encode(text).decode()


def namespaced(cluster: Cluster, name: str = "") -> str:
    return f"/api/v1/namespaces/{cluster.namespace}/secrets/{name}".rstrip("/")


REFUSED: dict[str, dict[str, Any]] = {
    "an empty text": {"data": {KEY: ""}},
    "fifteen characters": {"data": {KEY: in_base64(b"x" * 15)}},
    "fourteen characters": {"data": {KEY: in_base64(b"x" * 14)}},
    "one character, in plain text": {"stringData": {KEY: "x"}},
    "an empty text, in plain text": {"stringData": {KEY: ""}},
    "another key alone": {"data": {KEY: None, "other": in_base64(b"x" * 32)}},
    "no data": {"data": None},
}
ACCEPTED: dict[str, dict[str, Any]] = {
    "sixteen characters": {"data": {KEY: in_base64(b"x" * 16)}},
    "seventeen characters": {"data": {KEY: in_base64(b"x" * 17)}},
    "eighteen characters, in plain text": {"stringData": {KEY: "x" * 18}},
    "six letters of three bytes": {"stringData": {KEY: "€" * 6}},
    "another key beside it": {"data": {"other": ""}},
}


def says_what_to_write(answer: Answer) -> bool:
    return (
        f"the key {KEY} of the Secret {NAME} must hold at least 16 characters, since Argo Events lets every delivery in"
        " when it is empty; write a random text into it, for example of: openssl rand -hex 32" in answer.message
    )


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_the_webhooks_secret_cannot_become(cluster: Cluster, change: dict[str, Any]) -> None:
    answer = ask(cluster.api, "PATCH", f"{namespaced(cluster, NAME)}?dryRun=All", change, MERGE)
    assert answer.status == 422
    assert says_what_to_write(answer)


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_the_webhooks_secret_cannot_be_made_with(cluster: Cluster, change: dict[str, Any]) -> None:
    fields = {kind: {k: v for k, v in (texts or {}).items() if v is not None} for kind, texts in change.items()}
    secret = named("Secret") | {"metadata": {"name": NAME}} | fields
    answer = ask(cluster.api, "POST", f"{namespaced(cluster)}?dryRun=All", secret)
    assert answer.status == 422
    assert says_what_to_write(answer)


@pytest.mark.parametrize("change", ACCEPTED.values(), ids=ACCEPTED)
def test_the_webhooks_secret_can_become(cluster: Cluster, change: dict[str, Any]) -> None:
    assert ask(cluster.api, "PATCH", f"{namespaced(cluster, NAME)}?dryRun=All", change, MERGE).status == 200


def test_another_secret_may_be_empty(cluster: Cluster) -> None:
    for namespace, name in ((cluster.namespace, "other"), ("default", NAME)):
        secret = named("Secret") | {"metadata": {"name": name}}
        assert ask(cluster.api, "POST", f"/api/v1/namespaces/{namespace}/secrets?dryRun=All", secret).status == 201


# --- Rotation

KINDS: dict[str, WebhookSecret] = {
    "existing": ExistingWebhookSecret(kind="existing"),
    "external": ExternalWebhookSecret.model_validate({"kind": "external", "store": "s", "remoteKey": "k"}),
    "config": ConfigWebhookSecret(kind="config"),
}


def rotation(cluster: Cluster, *, secret: WebhookSecret = KINDS["config"], url: str = "") -> Rotation:
    settings = read_settings("lab").model_copy(update={"namespace": cluster.namespace, "webhook_secret": secret})
    return Rotation(settings=settings, api=cluster.api, url=url)


def write(cluster: Cluster, secret: bytes) -> None:
    change = {"data": {KEY: in_base64(secret)}}
    assert ask(cluster.api, "PATCH", namespaced(cluster, NAME), change, MERGE).status == 200


@pytest.fixture
def another(cluster: Cluster) -> Iterator[bytes]:
    """Another secret; afterwards the EventSource takes the first one again."""
    yield secrets.token_hex(32).encode()
    write(cluster, cluster.sender.secret)
    rotation(cluster).rotate()
    assert cluster.sender.listening(10), "a connection that was kept open to the old pod is noticed here"
    assert cluster.sender.post(one_of_each()["ic"]).status == 200


class Stream:
    """Deliveries that never stop, signed with each of two secrets in turn, as GitHub would while they are exchanged."""

    def __init__(self, url: str, *both: bytes) -> None:
        self._senders = [Sender(url=url, secret=secret) for secret in both]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answers: list[tuple[datetime, datetime, int, Posted]] = []
        """When each was sent and answered, with which of the two secrets, and the answer."""
        self.failed: list[tuple[datetime, datetime]] = []
        """When one was sent that got no answer, and when that was seen."""

    def _run(self) -> None:
        while not self._over.wait(0.1):
            for number, sender in enumerate(self._senders):
                sent = datetime.now(UTC)
                try:
                    posted = sender.post(one_of_each()["merged"].but(pull_request__merged=False))
                except HTTPError:
                    self.failed.append((sent, datetime.now(UTC)))
                else:
                    self.answers.append((sent, datetime.now(UTC), number, posted))

    def __enter__(self) -> Stream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(30)

    def go_on(self) -> None:
        """Waits for four answers to deliveries that are sent from now on."""
        wanted = len(self.answers) + 6
        for _ in range(300):
            if len(self.answers) >= wanted:
                return
            time.sleep(0.05)
        raise TimeoutError("the deliveries are not answered")

    def statuses(self, number: int, *, before: datetime | None = None, since: datetime | None = None) -> set[int]:
        return {
            posted.status
            for sent, answered, one, posted in self.answers
            if one == number and (before is None or answered < before) and (since is None or sent > since)
        }


@pytest.mark.parametrize(("kind", "through_the_api_server"), [*((kind, True) for kind in KINDS), ("existing", False)])
def test_a_new_secret_is_taken_after_rotation_and_the_time_between_is_told(
    cluster: Cluster, watcher: Watcher, another: bytes, kind: str, through_the_api_server: bool
) -> None:
    old, new = cluster.sender, Sender(url=cluster.sender.url, secret=another)
    rotating = rotation(cluster, secret=KINDS[kind], url="" if through_the_api_server else old.url)
    with Stream(old.url, old.secret, new.secret) as stream:
        stream.go_on()
        write(cluster, another)
        stream.go_on()
        assert (old.post(one_of_each()["pr"]).status, new.post(one_of_each()["pr"]).status) == (200, 400)
        rotated = rotating.rotate()
        assert rotated is not None
        stream.go_on()
        assert new.listening(10)
        signed_new, signed_old = new.post(one_of_each()["ic"]), old.post(one_of_each()["ic"])
    assert (signed_new.status, signed_old.status) == (200, 400)
    ((workflow, _),) = watcher.of([signed_new.delivery], seconds=SECONDS)
    assert phase_of(workflow) == "Succeeded"
    assert all(sent < rotated.ended and seen > rotated.began for sent, seen in stream.failed), (rotated, stream.failed)
    assert len(stream.failed) <= 6, "what was on its way when the pods changed over, and no more"
    assert stream.statuses(0, before=rotated.began) == {200}
    assert stream.statuses(1, before=rotated.began) == {400}
    assert stream.statuses(0) | stream.statuses(1) == {200, 400}
    assert stream.statuses(0, since=rotated.ended) == {400}
    assert stream.statuses(1, since=rotated.ended) == {200}
    assert rotating.rotate() is None


def test_a_secret_that_is_the_same_rolls_nothing(cluster: Cluster) -> None:
    def generations() -> list[int]:
        listed = client.AppsV1Api(cluster.api).list_namespaced_deployment(cluster.namespace)
        return [deployment.metadata.generation for deployment in listed.items]

    before = generations()
    assert rotation(cluster).rotate() is None
    assert generations() == before


def test_a_secret_that_is_not_there_or_too_short_is_told(cluster: Cluster) -> None:
    nowhere = ExistingWebhookSecret(kind="existing", name="nowhere")
    with pytest.raises(RotationError, match=f"there is no Secret nowhere in namespace {cluster.namespace}; write a"):
        rotation(cluster, secret=nowhere).rotate()
    short = named("Secret") | {"stringData": {KEY: "short", "empty": ""}}
    assert ask(cluster.api, "POST", namespaced(cluster), short).status == 201
    try:
        for key in (KEY, "empty", "other"):
            with pytest.raises(RotationError, match=f"fewer than 16 characters under the key {key}; write") as raised:
                rotation(cluster, secret=ExistingWebhookSecret(kind="existing", name="x", key=key)).rotate()
            assert "short" not in str(raised.value)
    finally:
        ask(cluster.api, "DELETE", namespaced(cluster, "x"))


def test_where_nothing_answers_that_is_told(cluster: Cluster) -> None:
    elsewhere = cluster.sender.url.rpartition("/")[0] + "/elsewhere"
    with pytest.raises(RotationError, match=r"should answer 200 or 400 and answers 404: .*; is it up"):
        rotation(cluster, url=elsewhere).rotate()
    with pytest.raises(RotationError, match="no answer: "):
        rotation(cluster, url="http://127.0.0.1:9/events").rotate()


def test_a_right_that_is_missing_is_told(cluster: Cluster) -> None:
    nobody = client.ApiClient(cluster.api.configuration, "Impersonate-User", "nobody")
    settings = rotation(cluster).settings
    with pytest.raises(RotationError, match=r'the cluster refuses it: .*User "nobody" cannot get resource "secrets"'):
        Rotation(settings=settings, api=nobody).rotate()


def test_no_secret_is_in_what_is_told(cluster: Cluster) -> None:
    moment = datetime.now(UTC)
    text = told(Rotated(moment, moment)) + repr(rotation(cluster))
    assert cluster.sender.secret.decode() not in text


# --- A stack that comes to a Secret that is empty


@pytest.fixture
def unguarded(cluster: Cluster) -> Iterator[LabStack]:
    """A stack with a Secret of someone else's and no policy to keep it: as it was before this program."""
    core = client.CoreV1Api(cluster.api)
    core.create_namespace({"metadata": {"name": NAMESPACE}})
    long_enough = named("Secret") | {"metadata": {"name": NAME}, "stringData": {KEY: "x" * 32}}
    assert ask(cluster.api, "POST", f"/api/v1/namespaces/{NAMESPACE}/secrets", long_enough).status == 201
    stack = second(createNamespace=False, admissionPolicy=False, webhookSecret={"kind": "existing"}, verdictSeconds=60)
    try:
        stack.up()
        yield stack
    finally:
        if stack.folder.exists():
            stack.destroy()
        cluster.delete_namespace(NAMESPACE)


def test_a_secret_that_is_empty_opens_the_engine_and_both_preview_and_up_say_so(
    cluster: Cluster, unguarded: LabStack
) -> None:
    event_source = next(o for o in compiled("lab").objects() if o["kind"] == "EventSource")
    event_source["metadata"]["namespace"] = NAMESPACE
    settings = read_settings("lab").model_copy(update={"namespace": NAMESPACE, "webhook_secret": KINDS["existing"]})
    Signatures(settings).are_checked(event_source)

    path = f"/api/v1/namespaces/{NAMESPACE}/secrets/{NAME}"
    assert ask(cluster.api, "PATCH", path, {"data": {KEY: ""}}, MERGE).status == 200
    with pytest.raises(StackFailed, match=f"the key {KEY} of the Secret {NAME} in namespace {NAMESPACE} holds 0"):
        unguarded.preview()

    Rotation(settings=settings, api=cluster.api)._start_anew(datetime.now(UTC))
    with pytest.raises(RunError, match="the EventSource github-es takes what nobody signed"):
        for _ in range(100):  # until the pod that has read the empty text is the one that answers
            Signatures(settings).are_checked(event_source)
            time.sleep(0.3)
