"""The cache's key: it changes with whatever decides the binary, and with nothing else."""

import dataclasses

import pytest

from lab.errors import LabError
from lab.tools import TOOLS, built_folder, fingerprint, missing_tools, read_sources

TOOL = TOOLS[0]
SOURCES = {"go.mod": b"module x\n", "go.sum": b"a h1:b\n"}


def test_the_same_sources_have_the_same_key() -> None:
    assert fingerprint(TOOL, SOURCES) == fingerprint(TOOL, dict(reversed(SOURCES.items())))


@pytest.mark.parametrize(
    "changed",
    [
        SOURCES | {"go.mod": b"module y\n"},
        SOURCES | {"go.sum": b""},
        SOURCES | {"main.go": b"package main\n"},
        {"go.mod": b"module x\na h1:b\n", "go.sum": b""},
    ],
)
def test_any_change_of_a_source_changes_the_key(changed: dict[str, bytes]) -> None:
    assert fingerprint(TOOL, changed) != fingerprint(TOOL, SOURCES)


def test_other_flags_or_names_change_the_key() -> None:
    keys = {
        fingerprint(tool, SOURCES)
        for tool in (
            TOOL,
            dataclasses.replace(TOOL, ldflags="-s"),
            dataclasses.replace(TOOL, packages={"x": "y"}),
            dataclasses.replace(TOOL, crds=("crds",)),
        )
    }
    assert len(keys) == 4


def test_how_long_a_build_usually_takes_does_not_change_the_key() -> None:
    assert fingerprint(dataclasses.replace(TOOL, minutes=99), SOURCES) == fingerprint(TOOL, SOURCES)


def test_every_tool_has_its_module_committed_with_checksums() -> None:
    for tool in TOOLS:
        assert {"go.mod", "go.sum"} <= read_sources(tool).keys()


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TO_ARGO_CACHE", "/elsewhere")
    assert str(built_folder(TOOL)).startswith("/elsewhere/engine/etcd-")


def test_a_cache_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.is_dir", refuse)
    with pytest.raises(LabError, match="GITHUB_TO_ARGO_CACHE"):
        missing_tools()
