"""What a person reads when a build fails, and how many builds run at once."""

from pathlib import Path

import pytest

from lab.build import GB, Caches, _go_binary_name, copy_definitions, explain, slots
from lab.tools import TOOLS, read_sources

CACHES = Caches(Path("/go/mod"), Path("/go/build"))


@pytest.mark.parametrize(
    "line",
    [
        'Get "https://proxy.example/k8s.io/@v/list": dial tcp 192.0.2.1:443: connect: connection refused',
        'Get "https://proxy.example/k8s.io/@v/list": dial tcp: lookup proxy.example: no such host',
        'Get "https://proxy.example/k8s.io/@v/list": net/http: TLS handshake timeout',
        "main.go:4:8: module lookup disabled by GOPROXY=off",
    ],
)
def test_a_registry_that_cannot_be_reached_is_told_with_goproxy_and_the_network(line: str) -> None:
    message = explain("pulumi", line, CACHES)
    assert "Building pulumi failed" in message
    assert line in message
    assert "GOPROXY" in message and "network" in message


def test_a_full_disk_is_told_with_what_is_needed_where_and_the_variables_that_move_it() -> None:
    message = explain("kubernetes", "link: mapping output file failed: no space left on device", CACHES)
    assert "20 GB" in message and "1 GB" in message
    assert "/go/mod" in message and "/go/build" in message
    assert all(name in message for name in ("GOMODCACHE", "GOCACHE", "GITHUB_TO_ARGO_CACHE"))


def test_a_compiler_that_was_killed_is_told_as_lack_of_memory() -> None:
    assert "memory" in explain("etcd", "go build k8s.io/api: compile: signal: killed", CACHES)


def test_the_last_lines_leave_out_the_names_of_what_was_compiled_and_downloaded() -> None:
    output = "go: downloading k8s.io/api v0.35.4\nk8s.io/api/core/v1\n./main.go:3:1: syntax error"
    message = explain("etcd", output, CACHES)
    assert "syntax error" in message
    assert "downloading" not in message and "k8s.io/api/core/v1" not in message


def test_an_unknown_failure_still_says_what_to_do() -> None:
    assert "Run the same command again" in explain("etcd", "./main.go:3:1: syntax error", CACHES)


@pytest.mark.parametrize(
    ("memory_gb", "processors", "expected"), [(23, 2, 2), (6, 2, 1), (1, 8, 1), (64, 8, 8), (9, 8, 2)]
)
def test_builds_run_at_once_where_memory_and_processors_allow(memory_gb: int, processors: int, expected: int) -> None:
    assert slots(memory_gb * GB, processors) == expected


def test_go_names_a_binary_after_the_last_element_that_is_no_version() -> None:
    names = {
        binary: _go_binary_name(package, read_sources(tool))
        for tool in TOOLS
        for package, binary in tool.packages.items()
    }
    assert names["etcd"] == "server"
    assert names["argo-events"] == "cmd"
    assert names["pulumi-resource-kubernetes"] == "pulumi-kubernetes"
    assert names["kubectl"] == "kubectl"


def test_definitions_are_taken_from_a_folder_or_are_one_file_and_nothing_else_is(tmp_path: Path) -> None:
    source, target = tmp_path / "crds", tmp_path / "kept"
    source.mkdir()
    for name in ("a.yaml", "b.yaml"):
        (source / name).write_text("kind: CustomResourceDefinition\n")
    (source / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    copy_definitions(source / "b.yaml", target)
    assert [path.name for path in target.iterdir()] == ["b.yaml"]
    copy_definitions(source, target)
    assert sorted(path.name for path in target.iterdir()) == ["a.yaml", "b.yaml"]
