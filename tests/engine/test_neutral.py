"""A stranger's text through the Sensors' own code: what comes out is data to Argo Workflows, and equal where it can be.

tests/e2e/test_text.py runs the same through the workflow-controller.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator

import pytest

from cli.engine import Delivery, Engine
from cli.stacks import compiled
from cli.workflow import parameters_of
from payloads import one_of_each
from tests.engine.asking import writing

REPLACED = "\N{REPLACEMENT CHARACTER}"
ANSWERS = compiled("lab").sensor("github-issue-comment-to-rex")
EVENT, COMMENT = "spec.arguments.parameters.0.value", "spec.arguments.parameters.8.value"
SENSOR = writing(ANSWERS, "metadata.name", EVENT, COMMENT)
# What UTF-8 can say: all of Unicode but the surrogates. Of planes whose characters are all alike (ideographs, nothing,
# private use) the first and the last thousand.
ALIKE = [
    (0x2_0000, 0x3_0000),
    (0x3_0000, 0x4_0000),
    (0x4_0000, 0xE_0000),
    (0xF_0000, 0x10_0000),
    (0x10_0000, 0x11_0000),
]
ENDS = [codes for first, end in ALIKE for codes in (range(first, first + 1000), range(end - 1000, end))]
CODES = sorted({*range(0xD800), *range(0xE000, 0x2_0000), *range(0xE_0000, 0xF_0000)}.union(*ENDS))
CHARACTERS = "".join(map(chr, CODES))


def arrived(engine: Engine, *texts: str) -> Iterator[tuple[str, str]]:
    """The comment as `commentBody`, and as `event` has it after parsing, of a comment for each text."""
    deliveries = [
        Delivery(
            name="comment",
            headers={
                "Content-Type": "application/json",
                "X-GitHub-Event": "issue_comment",
                "X-GitHub-Delivery": f"d-{number}",
            },
            body=json.dumps(one_of_each()["ic"].but(comment__body=text).body, ensure_ascii=False).encode(),
        )
        for number, text in enumerate(texts)
    ]
    for taken in engine.deliver(compiled("lab"), deliveries, sensors=[SENSOR]):
        ((outcome,),) = taken.sensors
        assert outcome.object, outcome.failure
        parameters = parameters_of(outcome.object)
        assert not any("{{" in value for value in parameters.values())
        yield parameters["commentBody"], json.loads(parameters["event"])["comment"]["body"]


@pytest.fixture(scope="module")
def characters(engine: Engine) -> list[tuple[str, str, str]]:
    """All of them, ten thousand at a time: as they were sent, as `commentBody`, and as the event has them."""
    texts = [CHARACTERS[start : start + 10_000] for start in range(0, len(CHARACTERS), 10_000)]
    return [(text, *came) for text, came in zip(texts, arrived(engine, *texts), strict=True)]


def test_every_character_arrives_equal_in_the_event(characters: list[tuple[str, str, str]]) -> None:
    assert [event for _, _, event in characters] == [text for text, _, _ in characters]


def test_a_text_loses_only_what_fails_a_workflow(characters: list[tuple[str, str, str]]) -> None:
    # Go's Unicode is newer than Python 3.11's: what only one of them knows may be lost or not.
    lost = {sent for text, comment, _ in characters for sent, came in zip(text, comment, strict=True) if sent != came}
    controls = {chr(code) for code in (*range(0x20), 0x7F)} - set("\b\t\n\f\r")
    assert {character for character in lost if character <= "\uffff"} == controls
    assert {unicodedata.category(character)[0] for character in lost} == {"C"}
    assert {"\U0001f419", "\U0001f3f4", "\U00020000"}.isdisjoint(lost)
    assert {"\U000e0067", "\U000f0000", "\U0010ffff"} <= lost


@pytest.mark.parametrize(
    ("text", "comment"),
    [
        ("{{workflow.name}}", "{ {workflow.name}}"),
        ("{{{{=1+1}}}}", "{ { { {=1+1}}}}"),
        ("{{{", "{ { { "),
        ("a branch's end {", "a branch's end { "),
        ("{", "{ "),
        ("{ {", "{ { "),
        ("{}", "{}"),
        ("{\x00{=1+1}}", f"{{{REPLACED}{{=1+1}}}}"),
        ("<no value>", " <no value>"),
        ("{\\u007b", "{\\u007b"),
        ("\ud83d\udc19".encode("utf-16", "surrogatepass").decode("utf-16"), "🐙"),
    ],
)
def test_braces_are_parted(engine: Engine, text: str, comment: str) -> None:
    assert list(arrived(engine, text)) == [(comment, text)]


def test_two_texts_side_by_side_make_no_mark(engine: Engine) -> None:
    for (before, _), (after, _) in zip(arrived(engine, "{", "x{"), arrived(engine, "{=1+1}}", "{{=1+1}}"), strict=True):
        assert "{{" not in before + after
