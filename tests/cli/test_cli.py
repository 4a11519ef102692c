"""The command line: what it prints, and its first error messages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.delivery import Sender, signature
from cli.stacks import ROOT, compiled, read_settings
from payloads import Payload, one_of_each
from routes.settings import SettingsError

NOWHERE = "http://127.0.0.1:9/events"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def deliver(tmp_path: Path, *arguments: str) -> Result:
    secret = tmp_path / "secret"
    if not secret.exists():
        secret.write_text("s3cret\n")
    return run("deliver", "--url", NOWHERE, "--secret-file", str(secret), "--namespace", "x", *arguments)


def test_render_prints_every_object_and_nothing_else() -> None:
    assert json.loads(run("render", "--stack", "dev").stdout) == compiled("dev").objects()


def test_what_asks_nobody_does_not_wait_for_clients_to_be_imported() -> None:
    """They take as long as all the rest of `render`."""
    imported = [sys.executable, "-c", "import sys, cli.__main__; print(*sys.modules)"]
    modules = subprocess.run(imported, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "cli.__main__" in modules
    assert not {"kubernetes", "urllib3", "jwt", "pulumi"} & set(modules)


def test_render_of_a_stack_that_is_not_there_names_those_that_are() -> None:
    result = run("render", "--stack", "staging")
    assert result.exit_code == 2
    assert result.stderr == "there is no Pulumi.staging.yaml; the stacks here are dev, lab, prod\n"


def test_the_list_of_settings_has_every_one() -> None:
    printed = run("settings").stdout
    for path in (
        "kubeContext",
        "eventBus(native).replicas",
        "webhookSecret(external).store",
        "semaphores.pr-validation",
    ):
        assert path in printed
    assert "routes.<Sensor>.rate.limit" in printed
    assert "webhookSecretValue" in printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kubeContext", "Pulumi.broken.yaml has no config"),
        ("config: [", "Pulumi.broken.yaml is not YAML"),
        ("config:\n  github-to-argo:namespce: x\n", "did you mean namespace?"),
    ],
)
def test_a_stack_file_that_is_broken_is_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "Pulumi.broken.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_settings("broken", tmp_path)


def test_a_payload_needs_its_event(tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text("{}")
    result = deliver(tmp_path, str(file))
    assert result.exit_code == 2
    assert "for example: --event issue_comment" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not JSON"), ("[]", "holds no JSON object"), ("null", "holds no JSON object")]
)
def test_a_payload_that_is_none_is_told(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "payload.json"
    file.write_text(text)
    result = deliver(tmp_path, str(file), "--event", "issues")
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_payload_file_that_is_missing_is_told(tmp_path: Path) -> None:
    result = deliver(tmp_path, str(tmp_path / "none.json"), "--event", "issues")
    assert result.exit_code == 2
    assert "No such file" in result.stderr


def test_an_empty_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    assert "is empty; write the webhook's secret into it" in deliver(tmp_path).stderr


def test_a_secret_is_not_in_what_a_sender_shows_of_itself() -> None:
    assert "s3cret" not in repr(Sender(url=NOWHERE, secret=b"s3cret"))


def test_the_signature_is_githubs() -> None:
    # The example of GitHub's own documentation.
    assert signature(b"It's a Secret to Everybody", b"Hello, World!") == (
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    )


def test_patches_do_not_reach_githubs_examples() -> None:
    payload, whole = one_of_each()["ic"], json.dumps(one_of_each()["ic"].body)
    changed = payload.but(comment__body="other", comment__user__login="other", added="new").but(comment__id=1)
    assert (changed.body["comment"]["body"], changed.body["comment"]["user"]["login"]) == ("other", "other")
    assert changed.body["comment"]["user"]["type"] == payload.body["comment"]["user"]["type"]
    assert json.dumps(payload.body) == json.dumps(one_of_each()["ic"].body) == whole


def test_a_patch_of_what_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError):
        one_of_each()["push"].but(comment__user__type="Bot")


def test_what_is_taken_out_of_a_payload_is_gone_from_it_alone() -> None:
    payload = one_of_each()["ic"]
    whole = json.dumps(payload.body)
    assert "type" not in payload.without("comment.user.type", "sender").body["comment"]["user"]
    assert "sender" not in payload.without("comment.user.type", "sender").body
    assert json.dumps(payload.body) == whole
    with pytest.raises(KeyError):
        payload.without("comment.user.kind")


def test_the_same_body_under_another_event() -> None:
    payload = one_of_each()["pr"]
    assert payload.sent_as("pull_request_review") == Payload("pull_request_review", payload.body)


def test_make_help_lists_each_target() -> None:
    makefile = (ROOT / "Makefile").read_text().splitlines()
    targets = {line.split()[1] for line in makefile if line.startswith(".PHONY:")}
    described = {
        line.split(":")[0] for line in makefile if ": " in line and "## " in line and not line.startswith("\t")
    }
    assert targets == described
