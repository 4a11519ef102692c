"""What `rotate` says. That it does what it says is tested on the lab."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from kubernetes import client
from typer.testing import CliRunner

from cli.__main__ import app
from cli.rotate import Rotated, Rotation, RotationError, told
from cli.stacks import read_settings
from routes.settings import ExistingWebhookSecret, ExternalWebhookSecret, WebhookSecret


def rotation(secret: WebhookSecret | None = None) -> Rotation:
    settings = read_settings("lab")
    changes = {"verdict_seconds": 0, "webhook_secret": secret or settings.webhook_secret}
    return Rotation(settings=settings.model_copy(update=changes), api=client.ApiClient())


def test_the_time_is_told_in_which_github_may_have_seen_400() -> None:
    began = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    text = told(Rotated(began, began + timedelta(seconds=5)))
    assert (
        "takes the new secret since 2026-05-04 03:02:06 UTC. Until 2026-05-04 03:02:01 UTC it took the old one" in text
    )
    assert "has the new secret already: what it sent since it has it, until 2026-05-04 03:02:06 UTC" in text
    assert "give it the new secret now; then what it sent from 2026-05-04 03:02:01 UTC until you did" in text


@pytest.mark.parametrize(
    ("secret", "how"),
    [
        (None, "openssl rand -hex 32 | pulumi config set --secret github-to-argo:webhookSecretValue && pulumi up"),
        (
            ExistingWebhookSecret(kind="existing", name="hook", key="k"),
            "write a new one into the key k of the Secret hook in namespace github-to-argo-lab",
        ),
        (
            ExternalWebhookSecret.model_validate({"kind": "external", "store": "s", "remoteKey": "k", "name": "hook"}),
            "kubectl -n github-to-argo-lab annotate externalsecret hook force-sync=$(date +%s) --overwrite",
        ),
    ],
    ids=["config", "existing", "external"],
)
def test_how_a_secret_gets_another_value_is_told_for_each_kind(secret: WebhookSecret | None, how: str) -> None:
    assert how in rotation(secret).how()


@pytest.mark.parametrize(
    ("rolled", "pods", "said"),
    [
        (False, [{"old"}, {"old", "new"}], "its new pod does not run"),
        (True, [{"old"}, {"old", "new"}], "its old pod is still there"),
        (True, [{"old"}, {"new"}], "it does not accept what is signed with the Secret's value"),
    ],
)
def test_what_takes_too_long_is_told(
    monkeypatch: pytest.MonkeyPatch, rolled: bool, pods: list[set[str]], said: str
) -> None:
    restarted: list[datetime] = []
    monkeypatch.setattr(Rotation, "_secret", lambda _: b"hunter2hunter2hunter2")
    monkeypatch.setattr(Rotation, "_post", lambda _, secret: (400, "no"))
    monkeypatch.setattr(Rotation, "_start_anew", lambda _, at: restarted.append(at))
    monkeypatch.setattr(Rotation, "_rolled", lambda _: rolled)
    seen = iter(pods)
    monkeypatch.setattr(Rotation, "_pods", lambda _: next(seen, pods[-1]))
    with pytest.raises(RotationError) as raised:
        rotation().rotate()
    assert str(raised.value) == (
        f"after 0 s (setting verdictSeconds) {said}; see: kubectl -n github-to-argo-lab describe pod -l"
        " eventsource-name=github-es"
    )
    assert len(restarted) == 1


def test_a_stack_that_there_is_not_is_told() -> None:
    result = CliRunner().invoke(app, ["rotate", "--stack", "nowhere"])
    assert result.exit_code == 2
    assert "there is no Pulumi.nowhere.yaml" in result.output


def test_a_cluster_that_there_is_not_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none")
    result = CliRunner().invoke(app, ["rotate", "--stack", "lab"])
    assert result.exit_code == 2
    assert "kube-config" in result.output
