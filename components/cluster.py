"""The cluster of a stack, for what is looked at before anything is made: one question, one answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kubernetes import client, config

from routes.manifests import Manifest

ANSWER_SECONDS = 10
"""Seconds that an answer may take."""
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""What `read` accepts where an object's own content, as a Secret's, is not to be read."""
METADATA_OF_EACH = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""The same for a list."""
AT_ONCE = 20
"""Objects of a list: hundreds of Sensors with their Deployments are a hundred megabytes to Python."""


def connect(context: str) -> client.ApiClient:
    """The API server of a kubeconfig's context. What it does not answer at once is not asked again."""
    configuration = client.Configuration()
    configuration.retries = False
    return config.new_client_from_config(context=context, client_configuration=configuration)


def read(api: client.ApiClient, path: str, *, accept: str = "application/json", **query: str) -> dict[str, Any]:
    """What the API server answers, as JSON. Raises ApiException where it refuses, HTTPError where it does not answer.

    In place of the client's classes for each group: a preview would spend a second on importing those of the core one.
    """
    body, _ = answer(api, path, accept=accept, **query)
    return body


def each(api: client.ApiClient, path: str, **query: str) -> Iterator[Manifest]:
    """Every object of a list. Raises as `read` does."""
    for objects, _ in pages(api, path, **query):
        yield from objects


def pages(api: client.ApiClient, path: str, **query: str) -> Iterator[tuple[Sequence[Manifest], Mapping[str, str]]]:
    """The objects of a list, AT_ONCE at a time, each time with the answer's headers. Raises as `read` does."""
    more: dict[str, str] = {}
    while True:
        listed, headers = answer(api, path, limit=str(AT_ONCE), **more, **query)
        yield listed["items"] or [], headers
        more = {"continue": listed.get("metadata", {}).get("continue", "")}
        if not more["continue"]:
            return


def answer(
    api: client.ApiClient, path: str, *, accept: str = "application/json", **query: str
) -> tuple[dict[str, Any], Mapping[str, str]]:
    """The same as `read`, with the answer's headers."""
    return _asked(api, "GET", path, accept, query)


def create(api: client.ApiClient, path: str, body: Manifest) -> dict[str, Any]:
    """An object, as the API server then has it: a review, with its answer. Raises as `read` does."""
    made, _ = _asked(api, "POST", path, "application/json", {}, body)
    return made


def delete(api: client.ApiClient, path: str) -> None:
    """An object. Raises as `read` does."""
    _asked(api, "DELETE", path, "application/json", {})


def _asked(
    api: client.ApiClient, method: str, path: str, accept: str, query: Mapping[str, str], body: Manifest | None = None
) -> tuple[dict[str, Any], Mapping[str, str]]:
    asked = api.param_serialize(
        method,
        path,
        query_params=[*query.items()],
        header_params={"Accept": accept} | ({"Content-Type": "application/json"} if body else {}),
        body=body,
        auth_settings=["BearerToken"],
    )
    response = api.call_api(*asked, _request_timeout=ANSWER_SECONDS)
    text = response.read()
    if response.status not in (200, 201):
        raise client.ApiException(status=response.status, reason=response.reason, body=text.decode(errors="replace"))
    return json.loads(text), response.getheaders()
