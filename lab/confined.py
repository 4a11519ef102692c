"""Becomes a pod's process, as its security context asks. Run by its path: `python -I -S confined.py SETTINGS COMMAND…`.

Imports nothing of the lab, since what it runs in has none of it: a few milliseconds before each process.
"""

import ctypes
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

_NEWNET, _NEWNS = 0x40000000, 0x00020000
_READ_ONLY, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 32, 4096, 16384, 1 << 18
_BOUNDING_DROP, _NO_NEW_PRIVILEGES, _AMBIENT, _AMBIENT_CLEAR = 24, 38, 47, 4
_CAPABILITIES_V3 = 0x20080522


@dataclass(frozen=True)
class Confinement:
    """What a security context asks for. `user` and `group` None: as the lab itself runs. `writable`: its emptyDirs.

    `fs_group`: the group of its persistent volumes.
    """

    user: int | None = None
    group: int | None = None
    read_only: bool = False
    no_new_privileges: bool = False
    no_capabilities: bool = False
    writable: tuple[str, ...] = ()
    fs_group: int | None = None


def argv(network: str, root: str, confinement: Confinement, command: list[str]) -> list[str]:
    """The command line for `command` in a network namespace and a root folder. Raises nothing."""
    settings = json.dumps({"network": network, "root": root, **asdict(confinement)})
    return [sys.executable, "-I", "-S", __file__, settings, *command]


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}{arguments}: {os.strerror(error)}")


def _mount(source: str | None, target: str, flags: int) -> None:
    _call("mount", source and source.encode(), target.encode(), None, flags, None)


def _enter(network: str, root: str, confinement: Confinement) -> None:
    """The network namespace, and the root: in a mount namespace of its own, where it can be read-only."""
    descriptor = os.open(network, os.O_RDONLY)
    _call("setns", descriptor, _NEWNET)
    os.close(descriptor)
    _call("unshare", _NEWNS)
    _mount(None, "/", _RECURSIVE | _PRIVATE)
    _mount(root, root, _BIND | _RECURSIVE)
    for folder in confinement.writable:
        _mount(root + folder, root + folder, _BIND)
    if confinement.read_only:
        _mount(None, root, _REMOUNT | _BIND | _READ_ONLY)
    os.chroot(root)
    os.chdir("/")


def _give_up(confinement: Confinement, capabilities: int) -> None:
    """User, group and rights. The bounding set first: that takes a right which the rest gives up."""
    if confinement.no_capabilities:
        for capability in range(capabilities):
            _call("prctl", _BOUNDING_DROP, capability, 0, 0, 0)
        _call("prctl", _AMBIENT, _AMBIENT_CLEAR, 0, 0, 0)
    if confinement.user is not None:
        os.setgroups([] if confinement.fs_group is None else [confinement.fs_group])
        os.setgid(confinement.group or 0)
        os.setuid(confinement.user)
    if confinement.no_capabilities:
        _call("capset", (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0), (ctypes.c_uint32 * 6)())
    if confinement.no_new_privileges:
        _call("prctl", _NO_NEW_PRIVILEGES, 1, 0, 0, 0)


def main() -> None:
    settings, *command = sys.argv[1:]
    asked = json.loads(settings)
    network, root = asked.pop("network"), asked.pop("root")
    confinement = Confinement(**asked)
    capabilities = int(Path("/proc/sys/kernel/cap_last_cap").read_text()) + 1
    _enter(network, root, confinement)
    _give_up(confinement, capabilities)
    os.execv(command[0], command)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"[lab] cannot run it as its security context asks: {error}")
