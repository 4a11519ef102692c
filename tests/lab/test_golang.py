"""Which Go builds the engine."""

import pytest

from lab import golang
from lab.errors import LabError


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27rc1 linux/amd64", (1, 27, 0)),
        ("go 1.26", (1, 26, 0)),
        ("1.26.3", (1, 26, 3)),
        ("command not found", None),
    ],
)
def test_versions_are_read_as_go_writes_them(text: str, version: tuple[int, ...] | None) -> None:
    assert golang.parse_version(text) == version


def test_the_newest_go_line_of_all_modules_is_what_is_needed() -> None:
    mods = ["module a\n\ngo 1.26\n", "module b\n\ngo 1.26.2\n\nrequire go.etcd.io/x v9.9.9\n"]
    assert golang.required_version(mods) == (1, 26, 2)


def test_the_first_go_that_is_new_enough_is_taken() -> None:
    candidates = [
        ("/usr/bin/go", (1, 19, 8)),
        ("/broken", None),
        ("/wheel/go", (1, 27, 3)),
        ("/x", (1, 28, 0)),
    ]
    assert golang.choose(candidates, (1, 26, 0)) == "/wheel/go"
    assert golang.choose(candidates, (1, 99, 0)) is None


def test_no_go_at_all_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golang, "_on_path", lambda: None)
    monkeypatch.setattr(golang, "_wheel", lambda: None)
    with pytest.raises(LabError, match="requirements-toolchain"):
        golang.find((1, 26, 0))
