"""What is read of the user's own WorkflowTemplates, and what is said when they or the cluster are not as needed."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from kubernetes import client, config

import components.external_templates
from components.external_templates import ExternalTemplates
from routes.manifests import Manifest

CHECK = ExternalTemplates.check  # before the fixture of this floor puts it out of action
TEMPLATE = {"metadata": {"name": "pr-validation"}, "spec": {"arguments": {"parameters": [{"name": "event"}]}}}
NO_NAMESPACE = client.ApiException(status=404, reason="Not Found")
TURN_OFF = "To go on without looking at them:\n      pulumi config set github-to-argo:checkTemplates false"

Answer = list[Manifest] | Exception


def refusal(status: int, message: str) -> client.ApiException:
    """As the API server refuses."""
    return client.ApiException(status=status, reason="refused", body=json.dumps({"kind": "Status", "message": message}))


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Looks at a cluster that answers so, and returns the warnings; checks that each question has a time limit."""

    def check(templates: Answer, namespace: Exception | None = None, *, makes_namespace: bool = False) -> list[str]:
        warnings: list[str] = []

        def read(_: object, path: str) -> Manifest:
            if path == "/api/v1/namespaces/events":
                if namespace is not None:
                    raise namespace
                return {}
            assert path == "/apis/argoproj.io/v1alpha1/namespaces/events/workflowtemplates"
            if isinstance(templates, Exception):
                raise templates
            return {"items": templates}

        monkeypatch.setattr(config, "new_client_from_config", lambda **_: client.ApiClient())
        monkeypatch.setattr(components.external_templates, "read", read)
        monkeypatch.setattr(pulumi.log, "warn", warnings.append)
        CHECK(external(makes_namespace=makes_namespace))
        return warnings

    return check


def external(**changes: Any) -> ExternalTemplates:
    args: dict[str, Any] = {
        "kube_context": "theirs",
        "namespace": "events",
        "makes_namespace": False,
        "wanted": {"pr-validation": ["event"]},
        "runner": "argo-workflow-runner",
    }
    return ExternalTemplates(**args | changes)


def told(check: Callable[[], object]) -> str:
    with pytest.raises(pulumi.RunError) as raised:
        check()
    return str(raised.value)


def test_templates_that_are_right_are_nothing_to_tell(check: Callable[..., list[str]]) -> None:
    assert not check([TEMPLATE], NO_NAMESPACE)


def test_all_that_is_wrong_is_one_error(check: Callable[..., list[str]]) -> None:
    wrong = TEMPLATE | {"spec": {"arguments": {"parameters": [{"name": "model"}]}}}
    text = told(lambda: check([wrong]))
    assert text.startswith(
        "2 things are wrong with the WorkflowTemplates of namespace events in context theirs\n\n  pr-validation: the"
    )
    assert "\n  pr-validation: no route sends it model" in text


def test_an_account_that_would_not_count_is_told_with_the_rest(check: Callable[..., list[str]]) -> None:
    wrong = TEMPLATE | {"spec": {"serviceAccountName": "theirs"}}
    text = told(lambda: check([wrong]))
    assert text.startswith("2 things are wrong")
    assert "\n  pr-validation: its pods would run as argo-workflow-runner" in text


def test_a_namespace_without_templates_lacks_each(check: Callable[..., list[str]]) -> None:
    text = told(lambda: check([]))
    assert text.startswith("1 thing is wrong")
    assert "pr-validation: there is no such WorkflowTemplate" in text


def test_who_may_not_ask_for_the_namespace_is_told_of_the_templates(check: Callable[..., list[str]]) -> None:
    assert "there is no such WorkflowTemplate" in told(lambda: check([], refusal(403, "namespaces is forbidden")))


def test_a_namespace_that_the_stack_makes_may_be_missing(check: Callable[..., list[str]]) -> None:
    (warning,) = check([], NO_NAMESPACE, makes_namespace=True)
    assert warning.startswith("namespace events is not there yet: whether its WorkflowTemplates take what")


def test_templates_are_missed_once_the_stack_has_made_the_namespace(check: Callable[..., list[str]]) -> None:
    assert "there is no such WorkflowTemplate" in told(lambda: check([], makes_namespace=True))


def test_a_namespace_that_nobody_makes_is_asked_for(check: Callable[..., list[str]]) -> None:
    assert told(lambda: check([], NO_NAMESPACE)) == (
        "there is no namespace events in context theirs; make it, or let the stack:\n"
        "      pulumi config set github-to-argo:createNamespace true"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refusal(403, 'User "eve" cannot list workflowtemplates'), 'User "eve" cannot list workflowtemplates'),
        (refusal(401, "Unauthorized"), "Unauthorized"),
        (client.ApiException(status=404, reason="Not Found", body="404 page not found\n"), "is Argo Workflows inst"),
        (client.ApiException(status=0, reason="SSLError\ncertificate has expired"), "SSLError certificate has expired"),
        (client.ApiException(status=503, reason="Unavailable", body="[]"), "Unavailable"),
    ],
)
def test_a_cluster_that_does_not_tell_is_told_with_its_words_and_the_way_round(
    check: Callable[..., list[str]], error: Exception, words: str
) -> None:
    text = told(lambda: check(error))
    assert text.startswith("the WorkflowTemplates of namespace events cannot be read in context theirs: ")
    assert words in text.splitlines()[0]
    assert text.endswith(TURN_OFF)


def test_a_namespace_that_cannot_be_asked_for_is_told_too(check: Callable[..., list[str]]) -> None:
    assert "theirs: etcdserver: timeout. To go on" in told(lambda: check([], refusal(500, "etcdserver: timeout")))


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """A kubeconfig whose context `theirs` is at a port of this machine."""

    def context(port: int) -> None:
        path = tmp_path / "kubeconfig"
        document = {
            "current-context": "theirs",
            "contexts": [{"name": "theirs", "context": {"cluster": "theirs", "user": "me"}}],
            "clusters": [{"name": "theirs", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
            "users": [{"name": "me", "user": {"token": "none"}}],
        }
        path.write_text(yaml.safe_dump(document))
        monkeypatch.setattr(config.kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))

    return context


def test_a_cluster_that_is_not_up_is_told_at_once(context: Callable[[int], None]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and nobody listens
        context(closed.getsockname()[1])
        began = time.monotonic()
        text = told(lambda: CHECK(external()))
    assert time.monotonic() - began < 2
    assert "cannot be read in context theirs" in text and "Connection refused" in text
    assert text.endswith(TURN_OFF)


def test_a_cluster_that_does_not_answer_is_not_waited_for_long(
    context: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.cluster.ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        context(mute.getsockname()[1])
        began = time.monotonic()
        text = told(lambda: CHECK(external()))
    assert time.monotonic() - began < 2
    assert "timed out" in text


def test_a_context_that_is_not_there_is_named(context: Callable[[int], None]) -> None:
    context(1)
    text = told(lambda: CHECK(external(kube_context="another")))
    assert "cannot be read in context another: Invalid kube-config file" in text
