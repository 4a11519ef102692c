"""A webhook secret that checks nothing: told before anything is made, and where the EventSource takes anything."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import pulumi
import pytest
from kubernetes import client, config

import components.signatures
from components.signatures import Signatures
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.settings import StackSettings, parse_settings
from tests.routes.test_settings import MINIMAL

CHECK, ARE_CHECKED = (
    Signatures.check,
    Signatures.are_checked,
)  # before the fixture of this floor puts them out of action
EXISTING = {"webhookSecret": {"kind": "existing", "name": "hook", "key": "token"}}
EXTERNAL = {
    "webhookSecret": {"kind": "external", "store": "vault", "remoteKey": "hook", "name": "hook", "key": "token"}
}


def settings(**changes: object) -> StackSettings:
    return parse_settings(MINIMAL | {"verdictSeconds": 10} | changes, source="test")


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    return said


Check = Callable[[Mapping[str, str] | Exception | None, Mapping[str, Any]], None]


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Looks at a Secret that holds these texts."""

    def check(texts: Mapping[str, str] | Exception | None, changes: Mapping[str, Any]) -> None:
        def read(_: object, path: str) -> dict[str, Any]:
            assert path == "/api/v1/namespaces/events/secrets/hook"
            if isinstance(texts, Exception):
                raise texts
            data = {key: base64.b64encode(text.encode()).decode() for key, text in (texts or {}).items()}
            return {"data": data} if data else {}

        monkeypatch.setattr(config, "new_client_from_config", lambda **_: client.ApiClient())
        monkeypatch.setattr(components.signatures, "read", read)
        CHECK(Signatures(settings(**changes)))

    return check


@pytest.mark.parametrize("texts", [None, {"token": ""}, {"token": "x" * 15}, {"secret": "x" * 40}])
@pytest.mark.parametrize(("changes", "where"), [(EXISTING, "it"), (EXTERNAL, "its store")])
def test_a_secret_that_is_too_short_is_refused_before_anything_is_made(
    check: Check, texts: Mapping[str, str] | None, changes: Mapping[str, Any], where: str
) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        check(texts, changes)
    assert str(raised.value) == (
        f"the key token of the Secret hook in namespace events holds {len((texts or {}).get('token', ''))} characters"
        " and must hold at least 16, since Argo Events lets every delivery in when it is empty; write a random text"
        f" into {where}, for example of: openssl rand -hex 32"
    )


@pytest.mark.parametrize("changes", [EXISTING, EXTERNAL])
def test_a_secret_that_is_long_enough_is_fine(check: Check, changes: Mapping[str, Any]) -> None:
    check({"token": "x" * 16}, changes)


def test_the_stacks_own_secret_is_about_to_be_written_anew(check: Check) -> None:
    check({"token": ""}, {"webhookSecret": {"kind": "config", "name": "hook", "key": "token"}})


@pytest.mark.parametrize("status", [403, 404])
def test_a_secret_that_is_not_there_or_may_not_be_read_is_not_told(check: Check, status: int) -> None:
    check(client.ApiException(status=status), EXISTING)


class Proxy:
    """An API server whose proxy answers so, one after the other."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def param_serialize(
        self, method: str, path: str, header_params: dict[str, str], body: object, auth_settings: list[str]
    ) -> tuple[()]:
        self.asked.append((method, path, header_params))
        return ()

    def call_api(self) -> Proxy:
        self.status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return self


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Proxy]:
    """Asks an EventSource that answers so; time passes at each question."""

    def ask(*statuses: int) -> Proxy:
        api = Proxy(*statuses)
        seconds = iter(range(1000))
        monkeypatch.setattr(config, "new_client_from_config", lambda **_: api)
        monkeypatch.setattr("time.monotonic", lambda: next(seconds))
        monkeypatch.setattr("time.sleep", lambda _: None)
        found = settings(**EXISTING)
        ARE_CHECKED(Signatures(found), compile_stack(FAMILIES, found).event_source)
        return api

    return ask


def test_an_event_source_that_refuses_what_nobody_signed_is_fine(
    ask: Callable[..., Proxy], warnings: list[str]
) -> None:
    ((method, path, headers),) = ask(400).asked
    assert (method, path) == ("POST", "/api/v1/namespaces/events/services/github-es-eventsource-svc:12000/proxy/events")
    assert not {name for name in headers if "signature" in name.lower()}
    assert len(ask(503, 503, 400).asked) == 3
    assert not warnings


def test_an_event_source_that_takes_what_nobody_signed_ends_up_with_what_to_do(ask: Callable[..., Proxy]) -> None:
    with pytest.raises(pulumi.RunError) as raised:
        ask(503, 200)
    assert str(raised.value) == (
        "the EventSource github-es takes what nobody signed: token of the Secret hook was empty when it started, since"
        " Argo Events lets every delivery in when it is empty; write a random text into it, for example of: openssl"
        " rand -hex 32, then have it read again: make rotate"
    )


@pytest.mark.parametrize("status", [403, 503])
def test_an_event_source_that_cannot_be_asked_is_told(
    ask: Callable[..., Proxy], warnings: list[str], status: int
) -> None:
    ask(status)
    (warning,) = warnings
    assert f"whether it checks signatures (create services/proxy: {status}); post to it without a signature" in warning
