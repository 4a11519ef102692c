"""GitHub's API as `redeliver` uses it, against a server on loopback that behaves like it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cli.github import API, Attempt, Credentials, GitHub, GitHubError, RefusedError, api_url, from_environment
from payloads import one_of_each
from routes.settings import AppHook, GitHubHook, OrganizationHook, RepositoryHook
from tests.cli.github_server import (
    APP,
    ORGANIZATION,
    REPOSITORY,
    TOKEN,
    Answer,
    GitHubServer,
    Webhook,
    ago,
    says,
    serving,
)

ISSUE = one_of_each()["issues"]
OF_REPOSITORY = RepositoryHook(kind="repository", name="acme/api", id=11)
HOOKS: dict[str, GitHubHook] = {
    REPOSITORY: OF_REPOSITORY,
    ORGANIZATION: OrganizationHook(kind="organization", name="acme", id=12),
    APP: AppHook(kind="app", id="4711"),
}
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = _KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Waits:
    """Time that passes at once, and what was told meanwhile."""

    def __init__(self, server: GitHubServer) -> None:
        self.seconds: list[float] = []
        self.told: list[str] = []
        self._server = server

    def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._server.reset -= seconds


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    hooks = {path: Webhook() for path in HOOKS}
    with serving(GitHubServer(webhooks=hooks, app_key=PUBLIC)) as running:
        yield running


@pytest.fixture
def waits(server: GitHubServer) -> Waits:
    return Waits(server)


def github(server: GitHubServer, waits: Waits, hook: GitHubHook = OF_REPOSITORY, secret: str = "") -> GitHub:
    secret = secret or (PRIVATE if isinstance(hook, AppHook) else TOKEN)
    return GitHub(
        hook=hook,
        credentials=Credentials(secret=secret, source="GITHUB_TOKEN"),
        url=server.url,
        endpoint="/events",
        told=waits.told.append,
        sleep=waits.sleep,
    )


@pytest.mark.parametrize("path", HOOKS)
def test_deliveries_are_listed_page_by_page_and_no_further_than_they_are_asked_for(
    server: GitHubServer, waits: Waits, path: str
) -> None:
    hook = server.webhooks[path]
    guids = [hook.deliver(ISSUE, code=200, at=ago(minutes=minutes)) for minutes in range(70, 0, -5)]
    listed = list(github(server, waits, HOOKS[path]).attempts(ago(minutes=42)))
    assert [attempt.guid for attempt in listed] == guids[-8:][::-1]
    assert server.asked == [("GET", f"{path}/deliveries")] * 3, "three on a page: eight, and the first that is older"
    first = listed[0]
    assert (first.event, first.action, first.code, first.handed_over) == ("issues", "opened", 200, True)
    assert first.id == hook.attempts[-1]["id"] > 2**53


@pytest.mark.parametrize("path", HOOKS)
def test_a_redelivery_is_a_further_attempt_of_the_same_delivery(server: GitHubServer, waits: Waits, path: str) -> None:
    guid = server.webhooks[path].deliver(ISSUE, code=503)
    asked = github(server, waits, HOOKS[path])
    (failed,) = asked.attempts(ago(minutes=1))
    asked.redeliver(failed)
    again, first = asked.attempts(ago(minutes=1))
    assert (again.guid, again.redelivery, again.handed_over) == (guid, True, True)
    assert (first.guid, first.redelivery, first.handed_over) == (guid, False, False)
    assert asked.record(again)["request"]["payload"] == ISSUE.body


def test_the_webhook_is_found_by_the_path_that_it_posts_to(server: GitHubServer, waits: Waits) -> None:
    server.webhooks["/repos/acme/api/hooks/13"] = Webhook(shown_url="https://ci.example/hook")
    server.webhooks[REPOSITORY].deliver(ISSUE, code=200)
    unnumbered = RepositoryHook(kind="repository", name="acme/api")
    assert len(list(github(server, waits, unnumbered).attempts(ago(minutes=1)))) == 1
    server.webhooks["/repos/acme/api/hooks/14"] = Webhook()
    with pytest.raises(GitHubError) as raised:
        list(github(server, waits, unnumbered).attempts(ago(minutes=1)))
    assert str(raised.value) == (
        "which webhook is it? Several post to the path /events; name one with --hook ID: 11 posts to"
        " hooks.example/events; 13 posts to ci.example/hook; 14 posts to hooks.example/events"
    )


# --- Limits


def test_a_used_up_limit_is_waited_for_until_it_is_reset(server: GitHubServer, waits: Waits) -> None:
    server.webhooks[REPOSITORY].deliver(ISSUE, code=200)
    server.remaining, server.reset = 0, time.time() + 90
    assert len(list(github(server, waits).attempts(ago(minutes=1)))) == 1
    assert sum(waits.seconds) == pytest.approx(90, abs=3)
    assert len(server.asked) == 2
    assert waits.told[0].startswith("GitHub's rate limit: goes on at ")


def test_the_last_request_of_a_limit_is_not_followed_by_one_too_many(server: GitHubServer, waits: Waits) -> None:
    for _ in range(7):
        server.webhooks[REPOSITORY].deliver(ISSUE, code=200)
    server.remaining, server.reset = 1, time.time() + 30
    assert len(list(github(server, waits).attempts(ago(minutes=1)))) == 7
    assert len(server.asked) == 3, "three pages, and no request that GitHub refused"
    assert sum(waits.seconds) == pytest.approx(30, abs=3)


@pytest.mark.parametrize(
    ("refusals", "seconds"),
    [
        ([says(403, "You have exceeded a secondary rate limit.", retry_after="17")], [17]),
        ([says(429, "Too many requests", retry_after="5")], [5]),
        ([says(403, "You have exceeded a secondary rate limit.")] * 2, [60, 120]),
        ([says(429, "Slow down")], [60]),
    ],
)
def test_a_limit_that_no_header_announced_is_waited_for(
    server: GitHubServer, waits: Waits, refusals: list[Answer], seconds: list[float]
) -> None:
    server.webhooks[REPOSITORY].deliver(ISSUE, code=503)
    asked = github(server, waits)
    (failed,) = asked.attempts(ago(minutes=1))
    server.refuses = list(refusals)
    asked.redeliver(failed)
    assert waits.seconds == pytest.approx(seconds, abs=1)
    assert len(server.posts()) == len(refusals) + 1
    assert len(server.webhooks[REPOSITORY].attempts) == 2


def test_a_limit_of_more_than_an_hour_is_not_waited_for(server: GitHubServer, waits: Waits) -> None:
    server.remaining, server.reset = 0, time.time() + 2 * 3600
    with pytest.raises(
        GitHubError, match="used up for 120 minutes; run it again then: what was asked for is not asked"
    ):
        list(github(server, waits).attempts(ago(minutes=1)))
    assert waits.seconds == []


def test_a_limit_without_end_ends(server: GitHubServer, waits: Waits) -> None:
    server.refuses = [says(403, "Rate limit exceeded", retry_after="1")] * 50
    with pytest.raises(GitHubError, match="still met after 10 waits: Rate limit exceeded"):
        list(github(server, waits).attempts(ago(minutes=1)))
    assert len(server.asked) == 11


def test_two_requests_that_change_something_are_a_second_apart(server: GitHubServer, waits: Waits) -> None:
    for _ in range(3):
        server.webhooks[REPOSITORY].deliver(ISSUE, code=503)
    asked = github(server, waits)
    for failed in list(asked.attempts(ago(minutes=1))):
        asked.redeliver(failed)
    assert waits.seconds == pytest.approx([1, 1], abs=0.3)
    assert waits.told == []


# --- Errors


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        (
            REPOSITORY,
            says(401, "Bad credentials"),
            "GitHub does not know the token or key in GITHUB_TOKEN (401 Bad credentials): it is mistyped, revoked or"
            " has expired",
        ),
        (
            REPOSITORY,
            says(403, "Resource not accessible by personal access token", x_accepted_github_permissions="hooks=read"),
            "GITHUB_TOKEN may not do this with the webhook of the repository acme/api (/repos/acme/api/hooks/11) (403"
            " Resource not accessible by personal access token): a fine-grained token needs the repository permission"
            " Webhooks (read and write), a classic one the scope admin:repo_hook; GitHub asks for hooks=read",
        ),
        (
            ORGANIZATION,
            says(403, "Must have admin rights", x_accepted_oauth_scopes="admin:org_hook"),
            "GITHUB_TOKEN may not do this with the webhook of the organization acme (/orgs/acme/hooks/12) (403 Must"
            " have admin rights): a fine-grained token needs the organization permission Webhooks (read and write), a"
            " classic one the scope admin:org_hook; GitHub asks for admin:org_hook",
        ),
        (
            ORGANIZATION,
            says(404, "Not Found"),
            "GitHub shows no such webhook: the webhook of the organization acme (/orgs/acme/hooks/12) (404 Not Found)."
            " Its name or --hook is wrong, or GITHUB_TOKEN may not see it: a fine-grained token needs the organization",
        ),
        (
            APP,
            says(403, "Forbidden"),
            "GITHUB_TOKEN may not do this with the webhook of the GitHub App 4711 (/app/hook) (403 Forbidden): the key"
            " must be one of this very App",
        ),
        (REPOSITORY, Answer(301, {"message": "Moved"}), "has another name now (301): give the new one"),
        (REPOSITORY, Answer(200), "what answers at GITHUB_API_URL is not GitHub's API: no JSON"),
        (REPOSITORY, says(422, "Validation failed"), "GitHub answers 422 Validation failed for the webhook of the"),
    ],
)
def test_what_github_refuses_is_told_with_what_to_do(
    server: GitHubServer, waits: Waits, path: str, answer: Answer, said: str
) -> None:
    server.refuses = [answer]
    with pytest.raises(GitHubError) as raised:
        list(github(server, waits, HOOKS[path]).attempts(ago(minutes=1)))
    assert said in str(raised.value)
    assert not isinstance(raised.value, RefusedError)


def test_a_server_error_is_tried_again_and_told_in_the_end(server: GitHubServer, waits: Waits) -> None:
    server.webhooks[REPOSITORY].deliver(ISSUE, code=200)
    server.refuses = [says(502, "Bad Gateway"), says(500, "Server Error")]
    assert len(list(github(server, waits).attempts(ago(minutes=1)))) == 1
    assert waits.seconds == [2, 4]
    server.refuses = [says(503, "Unavailable")] * 9
    with pytest.raises(GitHubError, match=r"GitHub answers 503 Unavailable .*; see https://www.githubstatus.com"):
        list(github(server, waits).attempts(ago(minutes=1)))
    assert len(server.refuses) == 5


def test_where_nothing_answers_that_is_told(server: GitHubServer, waits: Waits) -> None:
    asked = github(server, waits)
    asked.url = "http://127.0.0.1:9"
    with pytest.raises(GitHubError, match=r"^http://127.0.0.1:9 does not answer: "):
        list(asked.attempts(ago(minutes=1)))
    assert waits.seconds == [2, 4, 8]


def test_a_single_delivery_that_cannot_be_redelivered_is_told_apart(server: GitHubServer, waits: Waits) -> None:
    hook = server.webhooks[REPOSITORY]
    hook.too_old.add(hook.deliver(ISSUE, code=503))
    asked = github(server, waits)
    (failed,) = asked.attempts(ago(minutes=1))
    with pytest.raises(RefusedError, match="422 Delivery cannot be redelivered"):
        asked.redeliver(failed)
    gone = Attempt(1, "guid", ago(days=4), "issues", "opened", 503, "", False)
    with pytest.raises(RefusedError, match="404 Not Found"):
        asked.redeliver(gone)


def test_a_next_page_elsewhere_is_not_followed(server: GitHubServer, waits: Waits) -> None:
    server.refuses = [Answer(200, [], {"Link": '<https://elsewhere.example/deliveries?cursor=1>; rel="next"'})]
    with pytest.raises(GitHubError, match="names a next page elsewhere, to which the token is not sent"):
        list(github(server, waits).attempts(ago(minutes=1)))


# --- What GitHub is asked with


def test_a_token_of_another_app_is_refused(server: GitHubServer, waits: Waits) -> None:
    with pytest.raises(GitHubError, match="GitHub does not know the token or key"):
        list(github(server, waits, AppHook(kind="app", id="1")).attempts(ago(minutes=1)))


def test_a_key_in_one_line_is_taken_too(server: GitHubServer, waits: Waits) -> None:
    server.webhooks[APP].deliver(ISSUE, code=200)
    in_one_line = PRIVATE.replace("\n", "\\n")
    assert len(list(github(server, waits, HOOKS[APP], secret=in_one_line).attempts(ago(minutes=1)))) == 1


def test_a_key_that_is_none_is_told_and_not_shown(server: GitHubServer, waits: Waits) -> None:
    with pytest.raises(GitHubError) as raised:
        list(github(server, waits, HOOKS[APP], secret="no key at all").attempts(ago(minutes=1)))
    assert str(raised.value) == "GITHUB_TOKEN holds no private key of a GitHub App (PEM, RSA)"


def test_token_and_key_come_from_the_environment_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_text(f"{PRIVATE}\n")
    app = HOOKS[APP]
    assert from_environment(OF_REPOSITORY, {}) is None
    assert from_environment(OF_REPOSITORY, {"GITHUB_APP_PRIVATE_KEY": "x", "GITHUB_TOKEN": " "}) is None
    given = from_environment(OF_REPOSITORY, {"GITHUB_TOKEN": f"{TOKEN}\n"})
    assert given == Credentials(secret=TOKEN, source="GITHUB_TOKEN")
    assert TOKEN not in repr(given)
    assert from_environment(app, {"GITHUB_APP_PRIVATE_KEY": PRIVATE}) is not None
    read = from_environment(app, {"GITHUB_APP_PRIVATE_KEY_FILE": str(file)})
    assert read == Credentials(secret=PRIVATE.strip(), source=str(file))
    with pytest.raises(GitHubError, match=f"GITHUB_TOKEN_FILE names {tmp_path}/none: No such file"):
        from_environment(OF_REPOSITORY, {"GITHUB_TOKEN_FILE": f"{tmp_path}/none"})
    file.write_text("\n")
    with pytest.raises(GitHubError, match=r"key.pem, which is empty"):
        from_environment(OF_REPOSITORY, {"GITHUB_TOKEN_FILE": str(file)})


def test_a_token_is_sent_over_tls_alone_but_on_this_machine() -> None:
    assert api_url(environment={}) == API
    assert api_url(environment={"GITHUB_API_URL": "https://github.acme.example/api/v3/"}).endswith("/api/v3")
    assert api_url("https://github.acme.example/api/v3", {}) == "https://github.acme.example/api/v3"
    assert api_url(environment={"GITHUB_API_URL": "http://127.0.0.1:8080"}) == "http://127.0.0.1:8080"
    with pytest.raises(
        GitHubError, match=r"GITHUB_API_URL is http://github.acme.example, to which a token is not sent"
    ):
        api_url(environment={"GITHUB_API_URL": "http://github.acme.example"})
