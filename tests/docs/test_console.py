"""What README and docs show as printed, is what the commands print; those that need no cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from payloads import acted
from tests.docs.console import ANYTHING, PAGES, Shown, run, shown, words_of
from tests.docs.where import (
    IN_A_FOLDER,
    IN_THE_STACKS_FOLDER,
    NOT_RUN,
    ON_THE_LAB,
    PAGES_OF_THEIR_OWN,
    READS_FILES_ALONE,
)

ALL = [one for page in PAGES if page.name not in PAGES_OF_THEIR_OWN for one in shown(page)]
ELSEWHERE = [*ON_THE_LAB, *IN_A_FOLDER, *IN_THE_STACKS_FOLDER, *NOT_RUN]
HERE = [one for one in ALL if one.command not in ELSEWHERE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the pages' commands name."""
    folder = tmp_path_factory.mktemp("docs")
    draft = acted("pull_request", "opened").but(pull_request__draft=True)
    record = {
        "guid": "0b989ba4-242f-11e5-81e1-c7b6966d2516",
        "request": {
            "headers": {"X-GitHub-Event": draft.event, "X-GitHub-Delivery": "0b989ba4-242f-11e5-81e1-c7b6966d2516"},
            "payload": draft.body,
        },
    }
    (folder / "delivery.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize("one", HERE, ids=str)
def test_a_command_prints_what_its_page_shows(one: Shown, folder: Path) -> None:
    assert reads_files_alone(one.command), f"{one}: say in tests/docs/where.py where it runs: {one.command}"
    ran = run(one.command, folder)
    assert ran.code != 2, ran.printed
    assert not (differs := one.differs(ran.printed)), differs


def reads_files_alone(command: str) -> bool:
    return words_of(command)[:1] in [[name] for name in READS_FILES_ALONE]


def test_a_command_that_reaches_further_is_not_run_unasked() -> None:
    for command in (
        "kubectl delete namespace x",
        "make down",
        "make rotate",
        "python -m cli deliver",
        "true; make show",
    ):
        assert not reads_files_alone(command), command
    assert reads_files_alone("make show STACK=lab") and reads_files_alone("python -m cli diff --with lab")


def test_what_a_page_shows_could_be_wrong() -> None:
    """A block that shows nothing but `…` would be right whatever is printed."""
    assert [str(one) for one in ALL if one.printed and not one.printed.replace(ANYTHING, "").strip()] == []


def test_every_exception_is_of_a_command_that_is_there_and_says_why() -> None:
    commands = {one.command for page in PAGES for one in shown(page)}
    assert sorted({*ELSEWHERE} - commands) == []
    assert len({*ELSEWHERE}) == len(ELSEWHERE)
    assert all(NOT_RUN.values())


def test_a_page_that_shows_otherwise_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("1. Do\n\n   ```console\n   $ make x  # it\n   one 12 ms\n   … three\n   $ make y\n   ```\n")
    first, second = shown(page)
    assert (first.line, first.command, first.printed) == (4, "make x  # it", "one 12 ms\n… three")
    assert (second.command, second.printed) == ("make y", "")
    assert not first.differs("one   3 ms two\nthree\n")
    assert not first.differs("one 3 ms three")
    assert not second.differs("whatever")
    for other in ("one 12 ms", "one 12 ms three four", "12 ms two three"):
        assert "and the page shows\none 12 ms" in first.differs(other)
    page.write_text("```console\nmake x\n```\n")
    with pytest.raises(ValueError, match=r"page\.md:2: a console block begins with a command"):
        list(shown(page))
