"""A small process supervisor: start, restart what dies, tell how it is."""

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab.errors import LabError

FIRST_DELAY = 0.5
LONGEST_DELAY = 5.0
STEADY_AFTER = 10.0
"""Seconds: the pauses between restarts, and the life after which the next pause is the first again."""

State = Literal["starting", "running", "waiting", "stopped"]


@dataclass(frozen=True)
class Command:
    argv: list[str]
    env: Mapping[str, str]


def next_delay(previous: float | None, lived: float) -> float:
    """Seconds to wait before a restart, after a process that lived `lived` seconds."""
    if previous is None or lived >= STEADY_AFTER:
        return FIRST_DELAY
    return min(previous * 2, LONGEST_DELAY)


class Process:
    """One command that is kept running until `stop`.

    `command` is asked anew before each start; a LabError from it means "not yet" and is shown as the reason.
    `away` says how many seconds it is to stay away once it has ended.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Command],
        log: Path,
        changed: Callable[[], None],
        away: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.since: float | None = None
        self.state: State = "starting"
        self.reason = ""
        self._command = command
        self._log = log
        self._changed = changed
        self._away = away
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_running, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.pid if child is not None and self.state == "running" else None

    @property
    def running(self) -> bool:
        return self.state == "running"

    def stop(self, grace: float = 5.0) -> None:
        """Ask it to end, kill it after `grace` seconds, and return when it is gone."""
        with self._lock:
            self._stopping.set()
            child = self._child
            if child is not None and child.poll() is None:
                child.terminate()
        self._thread.join(grace)
        if child is not None and child.poll() is None:
            child.kill()
        self._thread.join()

    def _set(self, state: State, reason: str = "") -> None:
        self.state, self.reason = state, reason
        self._changed()

    def _keep_running(self) -> None:
        delay: float | None = None
        while not self._stopping.is_set():
            began = time.time()
            ended = self._run_once()
            if self._stopping.is_set():
                break
            delay = next_delay(delay, time.time() - began)
            self._set("waiting", ended)
            self._stopping.wait(max(delay, self._away()))
        self._set("stopped")

    def _run_once(self) -> str:
        """Run it to its end; says how it ended or why it could not start."""
        try:
            command = self._command()
        except LabError as error:
            return str(error)
        with self._log.open("ab") as log:
            with self._lock:
                if self._stopping.is_set():
                    return ""
                if self.since is not None:
                    self.restarts += 1
                try:
                    self._child = subprocess.Popen(
                        command.argv,
                        env=dict(command.env),
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                except OSError as error:
                    return f"cannot be started: {error}"
            self.since = time.time()
            self._set("running")
            code = self._child.wait()
            ended = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
            log.write(f"[lab] {self.name} {ended}\n".encode())
            return ended
