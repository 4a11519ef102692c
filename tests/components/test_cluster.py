"""What the API server says, read as it is."""

from __future__ import annotations

import json

import pytest
from kubernetes import client

from components.cluster import ANSWER_SECONDS, AT_ONCE, each, read
from tests.components.api_server import ApiServer


def test_an_object_is_read_with_its_query_and_a_time_limit() -> None:
    api = ApiServer({"kind": "Secret"})
    assert read(api, "/api/v1/secrets", labelSelector="a=b") == {"kind": "Secret"}
    query = {
        "query_params": [("labelSelector", "a=b")],
        "header_params": {"Accept": "application/json"},
        "body": None,
        "auth_settings": ["BearerToken"],
    }
    assert api.asked == [("GET", "/api/v1/secrets", query, ANSWER_SECONDS)]


def test_a_long_list_is_asked_for_in_parts() -> None:
    first = {"metadata": {"continue": "here"}, "items": [{"kind": "a"}, {"kind": "b"}]}
    api = ApiServer(first, {"metadata": {}, "items": [{"kind": "c"}]})
    assert [found["kind"] for found in each(api, "/api/v1/pods", labelSelector="x")] == ["a", "b", "c"]
    limit = ("limit", str(AT_ONCE))
    assert [asked["query_params"] for _, _, asked, _ in api.asked] == [
        [limit, ("labelSelector", "x")],
        [limit, ("continue", "here"), ("labelSelector", "x")],
    ]


def test_a_list_of_nothing_is_no_list_to_the_api_server() -> None:
    assert list(each(ApiServer({"metadata": {}, "items": None}), "/api/v1/pods")) == []


def test_a_refusal_has_its_status_and_the_api_servers_words() -> None:
    with pytest.raises(client.ApiException) as raised:
        read(ApiServer({"message": "forbidden"}, status=403), "/api/v1/secrets")
    assert (raised.value.status, raised.value.reason) == (403, "as it says")
    assert json.loads(raised.value.body) == {"message": "forbidden"}
