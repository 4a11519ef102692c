"""The lab from the host: what is checked before, and who may start or stop it."""

import multiprocessing
import os
import re
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from lab import host
from lab.errors import LabError
from lab.layout import Layout


def test_missing_programs_are_one_message_with_their_packages_and_the_other_way() -> None:
    message = host.missing_programs(lambda program: None if program in ("ip", "unshare") else "/bin/x")
    assert message is not None
    assert "unshare" in message and "ip" in message and "nsenter" not in message
    assert "iproute2 util-linux" in message
    assert "KUBECONFIG=" in message and "WEBHOOK_URL=" in message and "WEBHOOK_SECRET_FILE=" in message


def test_with_all_programs_there_is_no_message() -> None:
    assert host.missing_programs(lambda program: "/bin/x") is None


def test_a_process_is_known_by_its_number_and_its_start() -> None:
    me = host.Holder.of(os.getpid())
    assert me is not None and me.alive
    assert not host.Holder(me.pid, "1").alive


def _hold(root: Path, held: Event, release: Event) -> None:
    with host.exclusive(Layout(root), "make up"):
        held.set()
        release.wait(20)


def test_a_second_command_in_the_same_clone_is_told_who_is_at_work(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, release))
    other.start()
    try:
        assert held.wait(20)
        said = re.escape(f"Another `make up` (pid {other.pid}) is at work")
        with pytest.raises(LabError, match=said), host.exclusive(Layout(tmp_path), "make down"):
            pass
    finally:
        release.set()
        other.join(20)
    with host.exclusive(Layout(tmp_path), "make down"):
        pass


def test_one_command_may_start_the_lab_within_its_own_turn(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with host.exclusive(layout, "make up"), host.exclusive(layout, "start"):
        pass
    with host.exclusive(layout, "make up"):
        pass


def test_without_a_lab_there_is_nothing_running_and_nothing_to_take_down(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert host.running(layout) is None
    assert host.down(layout) is False
    with pytest.raises(LabError, match="make up"):
        host.require(layout)
    assert not layout.state.exists()


def test_a_lab_whose_process_is_gone_is_not_running_and_is_cleared(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.state.mkdir()
    layout.owner.write_text('{"pid": 1, "started": "-1"}')
    layout.status.write_text('{"pid": 1, "ready": true, "error": ""}')
    assert host.running(layout) is None
    assert host.down(layout) is True
    assert not layout.state.exists()
