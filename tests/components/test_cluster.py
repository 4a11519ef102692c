"""What the API server says, read as it is."""

from __future__ import annotations

import json

import pytest
from kubernetes import client

from components.cluster import ANSWER_SECONDS, read
from tests.components.api_server import ApiServer


def test_an_object_is_read_with_its_query_and_a_time_limit() -> None:
    api = ApiServer({"kind": "Secret"})
    assert read(api, "/api/v1/secrets", labelSelector="a=b") == {"kind": "Secret"}
    query = {
        "query_params": [("labelSelector", "a=b")],
        "header_params": {"Accept": "application/json"},
        "auth_settings": ["BearerToken"],
    }
    assert api.asked == [("GET", "/api/v1/secrets", query, ANSWER_SECONDS)]


def test_a_refusal_has_its_status_and_the_api_servers_words() -> None:
    with pytest.raises(client.ApiException) as raised:
        read(ApiServer({"message": "forbidden"}, status=403), "/api/v1/secrets")
    assert (raised.value.status, raised.value.reason) == (403, "as it says")
    assert json.loads(raised.value.body) == {"message": "forbidden"}
