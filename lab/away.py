"""What of the lab is killed on purpose, and how long it stays away: `python -m lab kill NAME --for 60`.

Runs inside the lab, whose PID namespace has no processes but the lab's own.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from lab.errors import LabError
from lab.layout import Layout


def stays_away(layout: Layout, name: str) -> float:
    """Seconds until the supervisor may start this process again; 0 for one that nobody holds."""
    try:
        until = float(layout.away(name).read_text())
    except (OSError, ValueError):
        return 0.0
    return max(0.0, until - time.time())


def fitting(names: list[str], asked: str) -> str:
    """The one of `names` that is meant: by its whole name, or by a part that no other has. Raises LabError."""
    found = [asked] if asked in names else [name for name in names if asked in name]
    if len(found) != 1:
        choice = "\n  ".join(sorted(found or names)) or "none"
        raise LabError(f"What is to be killed? A part of the name will do if it is one's only. There run:\n  {choice}")
    return found[0]


def kill(layout: Layout, *asked: str, seconds: float = 0.0) -> list[str]:
    """Kill (-9) processes of the lab, all at once; each is started again after at least `seconds`.

    Returns their names. Raises LabError for one that does not run.
    """
    from lab.host import read_status  # the supervisor, which imports this module, has no use for it

    running = {p["name"]: p["pid"] for p in (read_status(layout) or {"processes": []})["processes"] if p["pid"]}
    names = [fitting(list(running), name) for name in asked]
    layout.away().mkdir(exist_ok=True)
    for name in names:
        layout.away(name).write_text(str(time.time() + seconds))
    for name in names:
        os.kill(running[name], signal.SIGKILL)
    return names


if __name__ == "__main__":
    try:
        (killed,) = kill(Layout(), sys.argv[1], seconds=float(sys.argv[2]))
    except LabError as error:
        raise SystemExit(str(error)) from None
    print(f"{killed} was killed; it starts again after {float(sys.argv[2]):g} s.")
