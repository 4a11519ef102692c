"""Another webhook secret: the EventSource reads it once, at its start, so its pod has to start anew.

The engine knows one secret at a time. What GitHub signs with the other one gets 400, and is not sent again by itself.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import urllib3
from kubernetes import client

from cli.delivery import Sender, signature
from payloads import Payload
from routes.admission import SECRET_LENGTH
from routes.compiler import EVENT_SOURCE, EVENT_SOURCE_SERVICE
from routes.settings import PROJECT, StackSettings

PING = Payload("ping", {"zen": "Keep it logically awesome."})
"""What GitHub sends to a new webhook. No route fires on it."""

SELECTOR = f"eventsource-name={EVENT_SOURCE}"
"""The label of what the Argo Events controller makes for the EventSource."""

HOW = {
    "existing": "write a new one into the key {key} of the Secret {name} in namespace {namespace}",
    "external": "write a new one into its store, and have it read: kubectl -n {namespace} annotate externalsecret"
    " {name} force-sync=$(date +%s) --overwrite",
    "config": "write a new one: openssl rand -hex 32 | pulumi config set --secret"
    f" {PROJECT}:webhookSecretValue && pulumi up",
}
"""How the Secret gets another value, by the kind of the webhook's secret."""


class RotationError(Exception):
    """The secret could not be rotated. The text says why and what to do."""


@dataclass(frozen=True)
class Rotated:
    """In UTC: until `began` only the old secret was taken, since `ended` only the new one is; in between, either."""

    began: datetime
    ended: datetime


@dataclass(frozen=True, kw_only=True)
class Rotation:
    """The EventSource of a stack on its cluster.

    `url` is where it listens; empty: it is asked through the API server, which takes the right to `create
    services/proxy`.
    """

    settings: StackSettings
    api: client.ApiClient
    url: str = ""

    def rotate(self) -> Rotated | None:
        """Has the EventSource check with what the Secret holds now; None where it does already.

        Raises RotationError, also when that takes longer than the setting verdictSeconds.
        """
        try:
            return self._rotate(self._secret())
        except client.ApiException as error:
            words = json.loads(error.body)["message"] if error.body else error.reason
            raise RotationError(f"the cluster refuses it: {words}") from None
        except urllib3.exceptions.HTTPError as error:
            raise RotationError(f"no answer: {error}") from None

    def how(self) -> str:
        """How the Secret gets another value."""
        secret = self.settings.webhook_secret
        return HOW[secret.kind].format(name=secret.name, key=secret.key, namespace=self.settings.namespace)

    def _rotate(self, secret: bytes) -> Rotated | None:
        status, answer = self._post(secret)
        if status == 200:
            return None
        if status != 400:
            raise RotationError(
                f"the EventSource {EVENT_SOURCE} should answer 200 or 400 and answers {status}: {answer}; is it up?"
                f" kubectl -n {self.settings.namespace} get pods -l {SELECTOR}"
            )
        old = self._pods()
        began = _now()
        self._start_anew(began)
        self._wait(self._rolled, "its new pod does not run")
        self._wait(lambda: not self._pods() & old, "its old pod is still there")
        self._wait(lambda: self._takes(secret), "it does not accept what is signed with the Secret's value")
        return Rotated(began, _now())

    def _secret(self) -> bytes:
        """The Secret's value as the engine reads it."""
        secret, namespace = self.settings.webhook_secret, self.settings.namespace
        where = f"the Secret {secret.name} in namespace {namespace}"
        try:
            data = client.CoreV1Api(self.api).read_namespaced_secret(secret.name, namespace).data or {}
        except client.ApiException as error:
            if error.status != 404:
                raise
            raise RotationError(f"there is no {where.removeprefix('the ')}; {self.how()}") from None
        value = base64.b64decode(data.get(secret.key, "")).removesuffix(b"\n")
        if len(value) < SECRET_LENGTH:
            raise RotationError(
                f"{where} has fewer than {SECRET_LENGTH} characters under the key {secret.key}; {self.how()}"
            )
        return value

    def _takes(self, secret: bytes) -> bool:
        """Whether it accepts what is signed so; not while the new pod is not reached yet."""
        try:
            return self._post(secret)[0] == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _post(self, secret: bytes) -> tuple[int, str]:
        """What a delivery that is signed so gets: the EventSource's answer, or 503 where none can be asked."""
        if self.url:
            posted = Sender(url=self.url, secret=secret).post(PING)
            return posted.status, posted.answer
        webhook = self.settings.webhook
        service = f"{EVENT_SOURCE_SERVICE}:{webhook.port}"
        response = self.api.call_api(
            *self.api.param_serialize(
                "POST",
                f"/api/v1/namespaces/{self.settings.namespace}/services/{service}/proxy{webhook.endpoint}",
                header_params={
                    "Content-Type": "application/json",
                    "X-GitHub-Event": PING.event,
                    "X-Hub-Signature-256": signature(secret, json.dumps(PING.body).encode()),
                },
                body=PING.body,
                auth_settings=["BearerToken"],
            )
        )
        answer = response.read().decode(errors="replace").strip()
        if response.status != 503 and answer.startswith('{"kind":"Status"'):  # the API server's own
            raise client.ApiException(status=response.status, reason=response.reason, body=answer)
        return response.status, answer

    def _start_anew(self, at: datetime) -> None:
        """As `kubectl rollout restart` does; the Argo Events controller lets that stand."""
        restarted = {"kubectl.kubernetes.io/restartedAt": at.isoformat()}
        patch = {"spec": {"template": {"metadata": {"annotations": restarted}}}}
        for deployment in self._deployments():
            client.AppsV1Api(self.api).patch_namespaced_deployment(
                deployment.metadata.name, self.settings.namespace, patch
            )

    def _rolled(self) -> bool:
        return all(
            d.status.observed_generation == d.metadata.generation
            and d.status.replicas == d.status.updated_replicas == d.status.available_replicas == d.spec.replicas
            for d in self._deployments()
        )

    def _pods(self) -> set[str]:
        """The uids of its pods, those that are ending too: as long as one is there, somebody may reach it."""
        found = client.CoreV1Api(self.api).list_namespaced_pod(self.settings.namespace, label_selector=SELECTOR)
        return {pod.metadata.uid for pod in found.items}

    def _deployments(self) -> list[client.V1Deployment]:
        found = client.AppsV1Api(self.api).list_namespaced_deployment(self.settings.namespace, label_selector=SELECTOR)
        if not found.items:
            raise RotationError(
                f"there is no EventSource {EVENT_SOURCE} in namespace {self.settings.namespace}: bring the stack up"
            )
        items: list[client.V1Deployment] = found.items
        return items

    def _wait(self, done: Callable[[], bool], failure: str) -> None:
        deadline = time.monotonic() + self.settings.verdict_seconds
        while not done():
            if time.monotonic() > deadline:
                raise RotationError(
                    f"after {self.settings.verdict_seconds} s (setting verdictSeconds) {failure}; see: kubectl -n"
                    f" {self.settings.namespace} describe pod -l {SELECTOR}"
                )
            time.sleep(0.3)


def _now() -> datetime:
    return datetime.now(UTC)


def told(rotated: Rotated) -> str:
    """What GitHub saw, and which deliveries are to be sent again."""
    began, ended = (f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (rotated.began, rotated.ended))
    return (
        f"The EventSource takes the new secret since {ended} UTC. Until {began} UTC it took the old one, and in between"
        " either, when what was just on its way may also have got no answer.\n"
        "Whatever GitHub signed with the other one got 400, and GitHub does not send it again by itself:\n"
        f"  - GitHub has the new secret already: what it sent since it has it, until {ended} UTC\n"
        f"  - it has not: give it the new secret now; then what it sent from {began} UTC until you did\n"
        "GitHub keeps it three days. To fetch it back (docs/redeliver.md):"
        f" .venv/bin/python -m cli redeliver --stack … --since '{began} UTC'"
    )
