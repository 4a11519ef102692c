"""Where GitHub's webhooks come from, by a server on loopback, and what an allow list lacks of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from cli.hook_addresses import Compared, compared
from routes.settings import SettingsError, StackSettings, parse_settings
from tests.cli.github_server import Answer, GitHubServer, serving
from tests.routes.test_exposure import INGRESS
from tests.routes.test_settings import MINIMAL

BLOCKS = ["192.30.252.0/22", "2a0a:a440::/29"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    with serving(GitHubServer()) as running:
        monkeypatch.setenv("GITHUB_API_URL", running.url)
        running.refuses = [Answer(200, {"hooks": BLOCKS, "web": ["1.2.3.4/32"]})]
        yield running


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["hook-addresses", *arguments])


def pinned(monkeypatch: pytest.MonkeyPatch, *blocks: str) -> None:
    def read(stack: str) -> StackSettings:
        if stack != "mine":
            raise SettingsError(f"there is no Pulumi.{stack}.yaml")
        return parse_settings(MINIMAL | {"exposure": INGRESS | {"allowFrom": blocks}}, source="test")

    monkeypatch.setattr("cli.hook_addresses.read_settings", read)


def test_the_addresses_are_printed_as_the_setting_takes_them(server: GitHubServer) -> None:
    result = run()
    assert (result.exit_code, result.output) == (0, "allowFrom: [192.30.252.0/22, 2a0a:a440::/29]\n")
    assert server.asked == [("GET", "/meta")]


def test_a_list_that_holds_all_of_them_is_fine(server: GitHubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned(monkeypatch, *BLOCKS)
    result = run("--stack", "mine")
    assert (result.exit_code, result.output) == (0, "exposure.allowFrom of stack mine is what GitHub posts from\n")


def test_what_a_list_lacks_and_what_it_has_too_much_is_told(
    server: GitHubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned(monkeypatch, "192.30.252.0/23", "10.0.0.0/8")
    result = run("--stack", "mine")
    assert result.exit_code == 1
    assert "192.30.252.0/22: GitHub posts from there, and stack mine refuses it" in result.output
    assert "2a0a:a440::/29: GitHub posts from there, and stack mine refuses it" in result.output
    assert "10.0.0.0/8: stack mine lets it in, and it is not GitHub's" in result.output


def test_a_wider_block_holds_a_narrower_one_and_is_told_as_more_than_githubs() -> None:
    assert compared(["192.30.0.0/16"], ["192.30.252.0/22"]) == Compared(missing=[], further=["192.30.0.0/16"])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(200, {"installed_version": "3.17.0"}), "a GitHub Enterprise Server posts from its own address"),
        (Answer(200, {"hooks": []}), "names no addresses of webhooks"),
        (Answer(200, {"hooks": ["everywhere"]}), "names no addresses of webhooks"),
        (Answer(502), "names no addresses of webhooks (502)"),
    ],
)
def test_an_api_that_does_not_say_is_told(server: GitHubServer, answer: Answer, message: str) -> None:
    server.refuses = [answer]
    result = run()
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize(
    ("stack", "message"), [("mine", "stack mine has no exposure.allowFrom"), ("x", "Pulumi.x.yaml")]
)
def test_a_stack_without_a_list_cannot_be_compared(
    server: GitHubServer, monkeypatch: pytest.MonkeyPatch, stack: str, message: str
) -> None:
    pinned(monkeypatch)
    result = run("--stack", stack)
    assert result.exit_code == 2
    assert message in result.output


def test_an_api_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:1")
    result = run()
    assert result.exit_code == 2
    assert "http://127.0.0.1:1 does not answer" in result.output
