"""What the generator makes, before anything is sent."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from cli.delivery import signature
from tests.fuzz.drafts import LIMIT, MARK, SIGNATURE
from tests.fuzz.kinds import BODIES, CONTENT_TYPES, DELIVERIES, KINDS, Kind, Request, mark_of, named, plan, request
from tests.fuzz.page import PAGE, page
from tests.fuzz.sending import Answer, in_words

SECRET = b"the webhook's secret"
SHORT, LONG = 600, 10_000


def made(kind: Kind, number: int = 0, *, seed: int = 1, run: str = "run") -> Request:
    return request(kind, number, seed=seed, run=run, host="10.96.0.1:12000", secret=SECRET)


def requests(number: int = 0, *, seed: int = 1, run: str = "run") -> list[bytes]:
    return [made(kind, number, seed=seed, run=run).wire for kind in KINDS]


def head_and_body(sent: Request) -> tuple[dict[str, str], bytes]:
    head, _, body = sent.wire.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")[1:]]
    return {name: value for name, _, value in lines}, body


@pytest.mark.parametrize("total", [SHORT, LONG])
def test_a_campaign_is_as_large_as_asked_and_has_every_kind(total: int) -> None:
    planned = plan(total, 1)
    counts = Counter(kind for kind, _ in planned)
    assert total <= len(planned) < total + len(KINDS)
    assert len(set(planned)) == len(planned)
    most = max(counts.values())
    assert all(counts[kind] == min(most, kind.most) >= 3 for kind in KINDS)


def test_valid_deliveries_are_spread_over_a_campaign() -> None:
    planned = plan(SHORT, 1)
    tenths = {index * 10 // len(planned) for index, (kind, _) in enumerate(planned) if kind.starts}
    assert tenths == set(range(10))


def test_a_seed_makes_the_same_requests_again() -> None:
    assert requests(3, seed=7) == requests(3, seed=7)
    assert plan(SHORT, 7) == plan(SHORT, 7)


def test_another_seed_and_another_number_make_others() -> None:
    here = requests(3, seed=7)
    for others in (requests(3, seed=8), requests(4, seed=7)):
        # Some kinds hold nothing that is drawn.
        assert sum(a == b for a, b in zip(here, others, strict=True)) < len(KINDS) / 5
    assert plan(SHORT, 7) != plan(SHORT, 8)


def test_each_run_has_delivery_ids_and_marks_of_its_own() -> None:
    planned = plan(SHORT, 1)
    marks = {mark_of(*of, run=run) for run in ("one", "another") for of in planned}
    assert len(marks) == 2 * len(planned)
    delivery = KINDS[0]
    ids = {head_and_body(made(delivery, 0, run=run))[0]["X-GitHub-Delivery"] for run in ("one", "another")}
    assert len(ids) == 2


def test_a_delivery_that_counts_has_a_mark_and_a_dependency() -> None:
    sent = [made(kind) for kind in KINDS]
    assert [of.kind for of in sent if of.dependency] == [kind for kind in KINDS if kind.starts] == [*DELIVERIES.kinds]
    assert all(of.mark.encode() in of.wire for of in sent if of.dependency)
    assert [of.mark for of in sent] == [mark_of(kind, 0, run="run") for kind in KINDS]


def test_the_secret_is_in_no_request() -> None:
    assert not [wire for wire in requests() if SECRET in wire]


def test_the_name_of_a_request_finds_it_again() -> None:
    assert [named(Request(kind, 12, "", b"", "").name) for kind in KINDS] == [(kind, 12) for kind in KINDS]


def test_a_name_of_no_request_finds_none() -> None:
    assert [named(name) for name in ("Bodies: null", "null #3", "Bodies: null #x", "")] == [None] * 4


@pytest.mark.parametrize("kind", [*BODIES.kinds, *CONTENT_TYPES.kinds], ids=lambda kind: kind.name)
def test_where_the_body_or_its_type_is_wrong_the_signature_is_right(kind: Kind) -> None:
    for number in range(3):
        headers, body = head_and_body(made(kind, number))
        assert headers[SIGNATURE] == signature(SECRET, body)
        assert headers["Content-Length"] == str(len(body))
        assert len(body) <= LIMIT


def test_the_largest_body_is_of_exactly_that_size() -> None:
    (kind,) = (kind for kind in DELIVERIES.kinds if kind.name == "the largest body that is taken")
    _, body = head_and_body(made(kind))
    assert len(body) == LIMIT
    assert json.loads(body)[MARK] == made(kind).mark


def test_the_page_tells_of_every_kind_and_of_no_other() -> None:
    rows = [line.split(" | ")[0].removeprefix("| ") for line in PAGE.read_text().splitlines() if line[:2] == "| "]
    assert [row for row in rows if row != "request"] == [kind.name for kind in KINDS]


def test_the_page_says_what_each_kind_got() -> None:
    answers = dict.fromkeys(KINDS, Answer(400, "one | other"))
    assert page(answers).count("400 `one \\| other`") == len(KINDS)
    assert page(answers | {KINDS[0]: Answer(0, "silence")}).count("| silence") == 1


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (404, "404 page not found\n", "page not found"),
        (400, 'unknown hash type prefix: "x\\"y\\n"', 'unknown hash type prefix: "…"'),
        (
            400,
            "invalid character '\\x1f' looking for beginning of value",
            "invalid character '…' looking for beginning of value",
        ),
        (400, "invalid character '\\'' after top-level value", "invalid character '…' after top-level value"),
        (400, 'invalid character \'"\' after "a"', "invalid character '…' after \"…\""),
        (400, "encoding/hex: invalid byte: U+006D 'm'", "encoding/hex: invalid byte: U+… '…'"),
        (400, "cannot unmarshal number 1e400 into", "cannot unmarshal number … into"),
        (
            400,
            "invalid character ' ' in literal true (expecting 'u')",
            "invalid character '…' in literal … (expecting '…')",
        ),
        (200, "", ""),
    ],
)
def test_an_answer_is_told_without_what_is_the_requests_own(status: int, text: str, words: str) -> None:
    assert in_words(text, status) == words
