"""What the API server says, read as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kubernetes import client

from components.cluster import read


class Api:
    """An API server that answers so."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status, self.reason, self.body = status, "as it says", body

    def param_serialize(self, *asked: str, **query: Any) -> tuple[object, ...]:
        return (*asked, query)

    def call_api(self, *asked: object, _request_timeout: float) -> Api:
        self.asked = (*asked, _request_timeout)
        return self

    def getheaders(self) -> dict[str, str]:
        return {"Date": "now"}

    def read(self) -> bytes:
        return json.dumps(self.body).encode()


def test_an_object_is_read_with_its_query_and_a_time_limit() -> None:
    api = Api(200, {"kind": "Secret"})
    assert read(api, "/api/v1/secrets", seconds=7, labelSelector="a=b") == {"kind": "Secret"}
    query = {"query_params": [("labelSelector", "a=b")], "auth_settings": ["BearerToken"]}
    assert api.asked == ("GET", "/api/v1/secrets", query, 7)


def test_a_refusal_has_its_status_and_the_api_servers_words() -> None:
    with pytest.raises(client.ApiException) as raised:
        read(Api(403, {"message": "forbidden"}), "/api/v1/secrets", seconds=7)
    assert (raised.value.status, raised.value.reason) == (403, "as it says")
    assert json.loads(raised.value.body) == {"message": "forbidden"}
