"""The lab's own API server, as plain JSON: what the lab reads and writes is what kubectl shows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3
from kubernetes import client, config

Json = dict[str, Any]

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused (`status`), or could not be reached (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Cluster:
    """A connection with the rights of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self._api = config.new_client_from_config(str(kubeconfig))
        self._url = str(self._api.configuration.host)

    def _send(self, method: str, path: str, body: object = None, content: str = "application/json") -> Any:
        token = self._api.configuration.get_api_key_with_prefix("authorization") or (
            self._api.configuration.get_api_key_with_prefix("BearerToken")
        )
        headers = {"Authorization": str(token), "Accept": "application/json", "Content-Type": content}
        try:
            return self._api.call_api(method, self._url + path, header_params=headers, body=body)
        except client.ApiException as error:
            raise ApiError(error.status or 0, str(error.body or error.reason)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, f"the API server cannot be reached: {error}") from error

    def _ask(self, method: str, path: str, body: object = None, content: str = "application/json") -> Json:
        response = self._send(method, path, body, content)
        text = response.read()
        if not 200 <= response.status <= 299:
            raise ApiError(response.status, _message(text))
        answer: Json = json.loads(text)
        return answer

    def get(self, path: str) -> Json:
        return self._ask("GET", path)

    def list(self, path: str) -> list[Json]:
        items: list[Json] = self.get(path).get("items") or []
        return items

    def create(self, path: str, body: Json) -> Json:
        return self._ask("POST", path, body)

    def merge(self, path: str, body: Json) -> Json:
        return self._ask("PATCH", path, body, MERGE)

    def delete(self, path: str) -> None:
        """Delete now, without a grace period."""
        self._ask("DELETE", f"{path}?gracePeriodSeconds=0")

    def apply(self, path: str, body: Json) -> Json:
        """Server-side apply as field manager `lab`."""
        return self._ask("PATCH", f"{path}?fieldManager=lab&force=true", body, APPLY)

    def watch(self, path: str, seconds: int) -> Iterator[None]:
        """Yields once for each change below `path`, for at most `seconds`."""
        response = self._send("GET", f"{path}?watch=true&timeoutSeconds={seconds}")
        if response.status != 200:
            raise ApiError(response.status, _message(response.read()))
        try:
            rest = b""
            for chunk in response.response.stream(amt=None, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (None for _ in lines)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiError(0, f"a watch broke: {error}") from error
        finally:
            response.response.release_conn()


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:500].decode(errors="replace")


def namespaced(group: str, namespace: str, kind: str, name: str = "") -> str:
    """The API path of a kind, or of one object; `group` is `api/v1` or `apis/<group>/<version>`."""
    path = f"/{group}/namespaces/{quote(namespace)}/{kind}"
    return f"{path}/{quote(name)}" if name else path
