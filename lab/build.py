"""Builds the engine's tools into the cache: in parallel, with progress, all or nothing for each tool."""

import math
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lab import golang
from lab.errors import LabError
from lab.tools import TOOLS, Tool, built_folder, cache_root, missing_tools, read_sources

GB = 1024**3
MEMORY_PER_BUILD = 4 * GB
COLD_BUILD_GB = 20
RESULT_GB = 1
_PARTIAL = ".building-"
_LAST_LINES = 15
_PLAIN_SECONDS = 30.0


@dataclass(frozen=True)
class Caches:
    """Where Go keeps what it downloads and compiles."""

    modules: Path
    compiled: Path


def slots(memory_available: int, processors: int) -> int:
    """How many builds run at once; memory in bytes."""
    return max(1, min(processors, memory_available // MEMORY_PER_BUILD))


def _memory_available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return MEMORY_PER_BUILD


def explain(tool: str, output: str, caches: Caches) -> str:
    """The message for a failed build: which tool, its last lines, and what to do."""
    lines = [line for line in output.splitlines() if line.strip() and not _is_progress(line)]
    last = "\n".join(f"  {line}" for line in lines[-_LAST_LINES:]) or "  (it said nothing)"
    return f"Building {tool} failed. Its last lines:\n{last}\n{_advice(output, caches)}"


def _advice(output: str, caches: Caches) -> str:
    if re.search(r"no space left on device|disk quota exceeded", output):
        return _disk_advice(caches)
    if re.search(
        r"dial tcp|no such host|i/o timeout|TLS handshake|connection refused|proxyconnect|Client\.Timeout|"
        r"network is unreachable|no route to host|module lookup disabled|x509: |50[234] ",
        output,
    ):
        return (
            "The Go module registry could not be reached. The first build downloads modules: check the "
            "network, and set GOPROXY to a module proxy that this machine reaches (`go env GOPROXY` shows "
            "the present one). Then again."
        )
    if "signal: killed" in output:
        return "The compiler was killed, most likely for lack of memory: a build takes about 4 GB. Free some."
    if re.search(r"requires go >=|go: no such tool|toolchain not available", output):
        return "This Go is too old. `.venv/bin/pip install -r requirements-toolchain.txt` brings a newer one."
    if "checksum mismatch" in output:
        return "A downloaded module is not the one that go.sum names. `go clean -modcache`, then again."
    return "Run the same command again: what was compiled is kept. If it fails again, the lines above say why."


def _disk_advice(caches: Caches) -> str:
    return (
        f"There is too little room on the disk. A first build takes about {COLD_BUILD_GB} GB for Go's caches "
        f"(GOMODCACHE={caches.modules}, GOCACHE={caches.compiled}) and {RESULT_GB} GB for the result "
        f"({cache_root()}). Free that much, or set "
        "GOMODCACHE, GOCACHE and GITHUB_TO_ARGO_CACHE to folders on a larger disk. Then again."
    )


def _is_progress(line: str) -> bool:
    """A line of `go build -v` (a package path) or of a download, not a complaint."""
    return bool(re.fullmatch(r"[\w.~/+-]+", line)) or line.startswith("go: downloading ")


class Builder:
    """One run that builds what is missing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._go = golang.chosen()
        self._environment = os.environ | {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off"}
        paths = self._ask_go(TOOLS[0], "env", "GOMODCACHE", "GOCACHE").splitlines()
        self._caches = Caches(Path(paths[0]), Path(paths[1]))
        self._stop = threading.Event()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._errors: list[LabError] = []
        self._lock = threading.Lock()

    def _ask_go(self, tool: Tool, *arguments: str, offline: bool = False) -> str:
        env = self._environment | ({"GOPROXY": "off"} if offline else {})
        done = subprocess.run(
            [self._go, *arguments], cwd=tool.folder, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0 and not offline:
            raise LabError(f"`go {' '.join(arguments)}` failed for {tool.name}: {done.stderr.strip()}")
        return done.stdout.strip()

    def _is_cold(self, tool: Tool) -> bool:
        """Whether the tool's own module has not even been downloaded."""
        return not self._module_folder(tool, offline=True)

    def _module_folder(self, tool: Tool, offline: bool = False) -> str:
        """Where the tool's module lies; empty when it has not been downloaded and `offline` forbids it."""
        return self._ask_go(tool, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", tool.module, offline=offline)

    def check_disk(self, tools: list[Tool]) -> None:
        """Raises LabError when the disk plainly cannot hold the build."""
        cold = [tool for tool in tools if self._is_cold(tool)]
        needs = {cache_root(): float(RESULT_GB)}
        by_module = {tool.module: tool.cold_gb for tool in sorted(cold, key=lambda tool: tool.cold_gb)}
        cold_gb = sum(by_module.values())  # tools of one module share what is compiled
        needs[self._caches.compiled] = cold_gb * 0.6
        needs[self._caches.modules] = cold_gb * 0.4
        per_disk: dict[int, tuple[float, float]] = {}
        for folder, gb in needs.items():
            there = _existing(folder)
            device = there.stat().st_dev
            total, _ = per_disk.get(device, (0.0, 0.0))
            per_disk[device] = (total + gb, shutil.disk_usage(there).free / GB)
        for needed, free in per_disk.values():
            if free < needed:
                raise LabError(f"{free:.1f} GB are free, {needed:.0f} GB are needed.\n{_disk_advice(self._caches)}")

    def build(self, tools: list[Tool]) -> None:
        """Build these tools. Raises LabError for the first that fails; ends all builds on any way out."""
        self.check_disk(tools)
        engine = cache_root() / "engine"
        _make_writable(engine)
        _sweep(engine)
        todo = sorted(tools, key=lambda tool: -tool.minutes)
        at_once = slots(_memory_available(), os.cpu_count() or 1)
        with _progress(self._console, todo) as report:
            workers = [
                threading.Thread(target=self._work, args=(todo, engine, report), daemon=True) for _ in range(at_once)
            ]
            try:
                for worker in workers:
                    worker.start()
                while any(worker.is_alive() for worker in workers):
                    report.tick()
                    time.sleep(0.2)
            finally:
                self._stop.set()
                self._end_children()
                for worker in workers:
                    worker.join(10)
        if self._errors:
            raise self._errors[0]

    def _work(self, todo: list[Tool], engine: Path, report: "Report") -> None:
        while not self._stop.is_set():
            with self._lock:
                if not todo:
                    return
                tool = todo.pop(0)
            report.began(tool)
            try:
                self._build_one(tool, engine, report)
            except LabError as error:
                if not self._stop.is_set():
                    self._errors.append(error)
                    self._stop.set()
                    self._end_children()
            else:
                report.ended(tool)

    def _build_one(self, tool: Tool, engine: Path, report: "Report") -> None:
        partial = Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{os.getpid()}-{tool.name}-", dir=engine))
        try:
            result = partial / "result"
            result.mkdir()
            output = partial / "output"
            (partial / "tmp").mkdir()
            packages = list(tool.packages)
            flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", tool.ldflags]
            build = ["build", "-v", *flags, "-o", f"{result}/", *packages]
            self._run(tool, [self._go, *(build if packages else ["mod", "download", tool.module])], output, report)
            for package, binary in tool.packages.items():
                made = result / _go_binary_name(package, read_sources(tool))
                if not made.is_file():
                    raise LabError(f"Building {tool.name} made no {made.name}; the module's layout has changed.")
                made.rename(result / binary)
            for source in tool.crds:
                copy_definitions(Path(self._module_folder(tool)) / source, result / "crds")
            result.chmod(0o755)
            try:
                result.rename(built_folder(tool))
            except OSError:
                if not built_folder(tool).is_dir():  # else another build was faster, with the same result
                    raise
        except OSError as error:
            raise LabError(explain(tool.name, str(error).lower(), self._caches)) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _run(self, tool: Tool, argv: list[str], output: Path, report: "Report") -> None:
        env = self._environment | {"GOTMPDIR": str(output.parent / "tmp")}
        with output.open("wb") as log, self._lock:
            if self._stop.is_set():
                raise LabError("stopped")
            child = subprocess.Popen(
                argv,
                cwd=tool.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._children[tool.name] = child
        while child.poll() is None:
            report.line(tool, _last_line(output))
            time.sleep(0.3)
        with self._lock:
            del self._children[tool.name]
        if child.returncode != 0:
            raise LabError(explain(tool.name, output.read_text(errors="replace"), self._caches))

    def _end_children(self) -> None:
        """End every build with its compilers: first politely, then by force."""
        with self._lock:
            children = list(self._children.values())
        for how in (signal.SIGTERM, signal.SIGKILL):
            for child in children:
                try:
                    os.killpg(child.pid, how)
                except ProcessLookupError:
                    continue
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline and any(child.poll() is None for child in children):
                time.sleep(0.05)


def _go_binary_name(package: str, sources: dict[str, bytes]) -> str:
    """What `go build -o DIR/` calls the binary: the package's last element that is not a version."""
    if package == ".":
        first = sources["go.mod"].decode().splitlines()[0]
        return first.removeprefix("module ").strip().rsplit("/", 1)[-1]
    elements = package.split("/")
    return elements[-2] if re.fullmatch(r"v\d+", elements[-1]) else elements[-1]


def copy_definitions(source: Path, target: Path) -> None:
    """Copies the CustomResourceDefinitions of a folder, or the one of a file."""
    target.mkdir(exist_ok=True)
    for path in sorted(source.glob("*.yaml")) if source.is_dir() else [source]:
        if "kind: CustomResourceDefinition" in path.read_text():
            shutil.copyfile(path, target / path.name)


def _existing(folder: Path) -> Path:
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _make_writable(engine: Path) -> None:
    try:
        engine.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=engine).close()
    except OSError as error:
        raise LabError(
            f"The cache {cache_root()} cannot be written: {error.strerror}.\n"
            "Set GITHUB_TO_ARGO_CACHE to a folder of yours (it needs about 1 GB)."
        ) from error


def _sweep(engine: Path) -> None:
    """Remove what builds left behind that were killed."""
    for partial in engine.glob(f"{_PARTIAL}*"):
        pid = partial.name.removeprefix(_PARTIAL).split("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(partial, ignore_errors=True)


def _last_line(output: Path) -> str:
    with output.open("rb") as log:
        log.seek(0, os.SEEK_END)
        log.seek(max(0, log.tell() - 400))
        lines = log.read().decode(errors="replace").split("\n")
    complete = [line for line in lines[:-1] if line.strip()]
    return complete[-1].strip() if complete else ""


class Report:
    """Tells a person how the builds go."""

    def __init__(self, tools: list[Tool]) -> None:
        self.began_at: dict[str, float] = {}
        self.lines: dict[str, str] = {}
        self.usual = {tool.name: tool.minutes * 60 for tool in tools}

    def began(self, tool: Tool) -> None:
        self.began_at[tool.name] = time.monotonic()

    def line(self, tool: Tool, text: str) -> None:
        self.lines[tool.name] = text

    def ended(self, tool: Tool) -> None:
        self.began_at.pop(tool.name, None)

    def tick(self) -> None:
        """Called often while builds run."""


class PlainReport(Report):
    """Lines, for logs: at least one every `_PLAIN_SECONDS`."""

    def __init__(self, console: Console, tools: list[Tool]) -> None:
        super().__init__(tools)
        self._console = console
        self._said = time.monotonic()

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def began(self, tool: Tool) -> None:
        super().began(tool)
        self._say(f"building {tool.name} (usually about {tool.minutes:.0f} min when nothing is cached)")

    def ended(self, tool: Tool) -> None:
        took = time.monotonic() - self.began_at[tool.name]
        super().ended(tool)
        self._say(f"built {tool.name} in {took:.0f} s")

    def tick(self) -> None:
        if time.monotonic() - self._said < _PLAIN_SECONDS:
            return
        now = time.monotonic()
        self._say(
            "building " + ", ".join(f"{name} ({now - began:.0f} s)" for name, began in self.began_at.copy().items())
        )


class BarReport(Report):
    """A bar for each tool, filled by the time it usually takes."""

    def __init__(self, progress: Progress, tools: list[Tool]) -> None:
        super().__init__(tools)
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            tool.name: progress.add_task(
                tool.name,
                total=tool.minutes * 60,
                start=False,
                usual=f"usually {tool.minutes:.0f} min",
                line="waits",
            )
            for tool in tools
        }

    def began(self, tool: Tool) -> None:
        super().began(tool)
        self._progress.start_task(self._tasks[tool.name])
        self._progress.update(self._tasks[tool.name], line="starts")

    def ended(self, tool: Tool) -> None:
        super().ended(tool)
        task = self._tasks[tool.name]
        self._progress.update(task, completed=self.usual[tool.name], line="built")
        self._progress.stop_task(task)

    def tick(self) -> None:
        now = time.monotonic()
        for name, began in self.began_at.copy().items():
            done = min(now - began, self.usual[name] * 0.99)
            self._progress.update(self._tasks[name], completed=done, line=self.lines.get(name, "")[-60:] or "starts")


@contextmanager
def _progress(console: Console, tools: list[Tool]) -> Iterator[Report]:
    if not console.is_terminal:
        yield PlainReport(console, tools)
        return
    columns = (
        TextColumn("{task.description:<18}"),
        BarColumn(24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[usual]}"),
        TextColumn("[dim]{task.fields[line]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield BarReport(progress, tools)


def build_missing(console: Console, *names: str) -> None:
    """Build those of the named tools (none: all) that the cache lacks; returns at once when it lacks none.

    Raises LabError.
    """
    tools = missing_tools(*names)
    if not tools:
        return
    minutes = max(sum(tool.minutes for tool in tools), 6 if any(tool.packages for tool in tools) else 1)
    gb = min(math.ceil(sum(tool.cold_gb for tool in tools)), COLD_BUILD_GB)
    console.print(
        f"The engine is built once: {', '.join(tool.name for tool in tools)}. On 2 cores with nothing cached "
        f"this takes up to {minutes:.0f} min and {gb} GB; later starts take seconds.",
        highlight=False,
        soft_wrap=True,
    )
    Builder(console).build(tools)
