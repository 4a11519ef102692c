"""What a NATS that encrypts its store, as each of a native EventBus does, keeps when it is killed and then stopped."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.control_plane import NATS_IMAGES
from lab.layout import Layout
from routes.streams import STREAM
from tests.e2e.jetstream_api import request_at

pytestmark = pytest.mark.lab

PORT = 24322


@contextmanager
def running(version: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server of this version, ready; killed at the end if it still runs. The engine writes its key so too."""
    configuration, log = folder / "nats.conf", folder / "log"
    configuration.write_text(f'listen: "127.0.0.1:{PORT}"\njetstream {{ key: "$JS_KEY", store_dir: "{folder}/store" }}')
    with log.open("wb") as said:
        command = [str(Layout().bin / NATS_IMAGES[version]), "--config", str(configuration)]
        server = subprocess.Popen(command, stderr=said)
    try:
        deadline = time.monotonic() + 20
        while "Server is ready" not in log.read_text():
            assert time.monotonic() < deadline and server.poll() is None, log.read_text()
            time.sleep(0.05)
        yield server
    finally:
        server.kill()
        server.wait()


def has_stream() -> bool:
    try:
        return bool(request_at(PORT, f"$JS.API.STREAM.INFO.{STREAM}")["config"])
    except AssertionError as refused:
        assert "stream not found" in str(refused)
        return False


@pytest.mark.parametrize(("version", "kept"), [("2.10.29", False), ("2.15.1", True)])
def test_a_stream_is_kept_when_the_server_is_killed_early_and_later_stopped(
    tmp_path: Path, version: str, kept: bool
) -> None:
    """Early: before it first wrote an index of the stream, which takes two minutes. docs/reliability.md says so."""
    with running(version, tmp_path):
        config = {"name": STREAM, "subjects": ["default.*.*"], "num_replicas": 1, "storage": "file"}
        request_at(PORT, f"$JS.API.STREAM.CREATE.{STREAM}", config)
    with running(version, tmp_path) as server:
        assert has_stream()
        server.terminate()
        server.wait(20)
    with running(version, tmp_path):
        assert has_stream() is kept
    refusal = "Error decrypting our stream metafile: unable to recover keys"
    assert (refusal not in (tmp_path / "log").read_text()) is kept
