"""Whether a pod is ready: its startup and readiness probes, as a kubelet asks them. Liveness is not asked."""

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from lab.podspec import Probe
from lab.process import Process

STEP = 0.5
"""Seconds between two looks at whether the process is still the same."""


class Readiness:
    """Asks while `process` lives, from `watch` to `stop`; without probes it is ready when it runs."""

    def __init__(
        self,
        process: Process,
        address: str,
        startup: Probe | None,
        readiness: Probe | None,
        changed: Callable[[], None],
    ) -> None:
        self._process = process
        self._address = address
        self._probes = [probe for probe in (startup, readiness) if probe]
        self._changed = changed
        self._passed: float | None = None
        self._over = threading.Event()

    @property
    def ready(self) -> bool:
        running = self._process.running
        return running and (not self._probes or self._passed == self._process.since)

    def watch(self) -> None:
        if self._probes:
            threading.Thread(target=self._watch, name=f"probes of {self._process.name}", daemon=True).start()

    def stop(self) -> None:
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(STEP):
            since = self._process.since
            if self._process.running and since is not None:
                self._follow(since)

    def _follow(self, since: float) -> None:
        """One life of the process: the first probe until it passes once, then the last as long as it lives."""
        probe, failures = self._probes[0], 0
        due = since + probe.delay
        while not self._over.wait(min(STEP, max(0.0, due - time.time()))):
            if not self._process.running or self._process.since != since:
                return
            if time.time() < due:
                continue
            passes, last = self._passes(probe), probe is self._probes[-1]
            failures = 0 if passes else failures + 1
            if passes and not last:
                probe = self._probes[-1]
            elif passes or failures >= probe.failures:
                self._set(since if passes and last else None)
            due = max(since + probe.delay, time.time() + (0 if passes and not last else probe.period))

    def _passes(self, probe: Probe) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._address}:{probe.port}{probe.path}", timeout=probe.timeout):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _set(self, passed: float | None) -> None:
        if self._passed != passed:
            self._passed = passed
            self._changed()
