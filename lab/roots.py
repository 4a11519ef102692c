"""A root folder of its own for a process: the binary, the files it is given, and nothing else of the host."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

ROOTS = Path("/run/lab/roots")
"""On the lab's own tmpfs."""

_BIND, _RECURSIVE, _DETACH = 4096, 16384, 2
_DEVICES = ("null", "zero", "random", "urandom")
_libc = ctypes.CDLL(None, use_errno=True)


def _bind(source: str, target: Path) -> None:
    if _libc.mount(source.encode(), str(target).encode(), None, _BIND | _RECURSIVE, None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"cannot bind {source}: {os.strerror(error)}", str(target))


@dataclass(frozen=True)
class Root:
    """The root of one process, at `ROOTS/<name>`."""

    name: str

    @property
    def path(self) -> Path:
        return ROOTS / self.name

    def create(self, binary: Path) -> None:
        """An empty root with `binary` at /bin/<its name>, /proc, /tmp and the harmless devices."""
        for folder in ("bin", "dev", "etc", "proc", "tmp"):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        self.write("/etc/passwd", b"root:x:0:0:root:/:/bin/false\n")
        self.write("/etc/hosts", b"127.0.0.1 localhost\n")
        for source, target in (
            (str(binary.resolve()), self.path / "bin" / binary.name),
            *((f"/dev/{device}", self.path / "dev" / device) for device in _DEVICES),
        ):
            target.touch()
            _bind(source, target)
        _bind("/proc", self.path / "proc")

    def inside(self, path: str) -> Path:
        """Where an absolute path of the process lies; `..` cannot leave the root."""
        return self.path / os.path.normpath("/" + path).lstrip("/")

    def mount(self, folder: Path, path: str) -> None:
        """Show a folder of the host's at `path`."""
        target = self.inside(path)
        target.mkdir(parents=True, exist_ok=True)
        _bind(str(folder), target)

    def write(self, path: str, content: bytes, mode: int = 0o644, owner: int | None = None) -> None:
        """Write a file as the kubelet does: the reader sees the old or the new content, never a part."""
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_file() and target.read_bytes() == content:
            return
        partial = target.with_name(f".{target.name}.partial")
        partial.write_bytes(content)
        partial.chmod(mode)
        if owner is not None:
            os.chown(partial, owner, -1)
        partial.replace(target)

    def remove(self) -> None:
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            mount = line.split()[1]
            if mount.startswith(f"{self.path}/"):
                _libc.umount2(mount.encode(), _DETACH)
        _remove_tree(self.path)


def _remove_tree(path: Path) -> None:
    """Like shutil.rmtree, but stops at what is still mounted instead of deleting through it."""
    device = ROOTS.stat().st_dev
    for folder, folders, files in os.walk(path, topdown=False):
        if os.stat(folder).st_dev != device:
            continue
        for name in files:
            os.unlink(os.path.join(folder, name))
        for name in folders:
            child = os.path.join(folder, name)
            if os.path.islink(child):
                os.unlink(child)
        try:
            os.rmdir(folder)
        except OSError:
            continue
