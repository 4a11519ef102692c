"""Signatures cannot be off. To the engine a webhook secret that is empty means: check none, and say nothing.

The policy `webhook-secret` refuses such a Secret from the first `pulumi up` on. This is for the time before: a Secret
that is there already is looked at before anything is made, and an EventSource that is up is sent what nobody signed.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass

import pulumi
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from components.cluster import connect, read
from routes.admission import SECRET_LENGTH
from routes.compiler import EVENT_SOURCE_SERVICE
from routes.manifests import Manifest
from routes.settings import StackSettings

OPEN = "since Argo Events lets every delivery in when it is empty"
REFUSED = 400
"""What the EventSource answers to a delivery that is not signed as it should be."""


@dataclass(frozen=True)
class Signatures:
    """The webhook's Secret and the EventSource of a stack."""

    settings: StackSettings

    def check(self) -> None:
        """Looks at the Secret, at preview too. One that is not there, or may not be read, is not told.

        Raises RunError where it is too short.
        """
        secret, namespace = self.settings.webhook_secret, self.settings.namespace
        try:
            path = f"/api/v1/namespaces/{namespace}/secrets/{secret.name}"
            found = read(connect(self.settings.kube_context), path)
        except (client.ApiException, config.ConfigException, HTTPError):
            return
        size = len(base64.b64decode(found.get("data", {}).get(secret.key, "")))
        if secret.kind != "config" and size < SECRET_LENGTH:
            raise pulumi.RunError(
                f"the key {secret.key} of the Secret {secret.name} in namespace {namespace} holds {size} characters and"
                f" must hold at least {SECRET_LENGTH}, {OPEN}; {_advice(self.settings)}"
            )

    def are_checked(self, event_source: Manifest) -> None:
        """Returns when the running EventSource has refused what nobody signed; warns where it cannot be asked.

        Raises RunError where it has taken it.
        """
        deadline = time.monotonic() + self.settings.verdict_seconds
        while (status := self._unsigned(event_source)) != REFUSED:
            if 200 <= status < 300:
                secret = self.settings.webhook_secret
                raise pulumi.RunError(
                    f"the EventSource {event_source['metadata']['name']} takes what nobody signed: {secret.key} of the"
                    f" Secret {secret.name} was empty when it started, {OPEN}; {_advice(self.settings)}, then have it"
                    " read again: make rotate"
                )
            if status in (401, 403) or time.monotonic() > deadline:
                pulumi.log.warn(
                    f"the EventSource cannot be asked whether it checks signatures (create services/proxy: {status});"
                    f" post to it without a signature yourself: it must answer {REFUSED}"
                )
                return
            time.sleep(0.5)

    def _unsigned(self, event_source: Manifest) -> int:
        """What a `ping` without a signature gets, by way of the API server."""
        metadata = event_source["metadata"]
        (source,) = event_source["spec"]["github"].values()
        (port,) = event_source["spec"]["service"]["ports"]
        service = f"{EVENT_SOURCE_SERVICE}:{port['port']}"
        api = connect(self.settings.kube_context)
        asked = api.param_serialize(
            "POST",
            f"/api/v1/namespaces/{metadata['namespace']}/services/{service}/proxy{source['webhook']['endpoint']}",
            header_params={"Content-Type": "application/json", "X-GitHub-Event": "ping"},
            body={},
            auth_settings=["BearerToken"],
        )
        return int(api.call_api(*asked).status)


def _advice(settings: StackSettings) -> str:
    where = "its store" if settings.webhook_secret.kind == "external" else "it"
    return f"write a random text into {where}, for example of: openssl rand -hex 32"
