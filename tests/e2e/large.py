"""What becomes of large deliveries on the lab: the table in docs/large-deliveries.md.

`make large` delivers them to a stack of its own, which takes the largest that there are, and writes the table anew as
measured.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from kubernetes.config import new_client_from_config

from cli.delivery import Sender
from cli.stacks import ROOT
from cli.workflow import notes_of, parameters_of
from payloads import Payload, large_pull_request, large_push, one_of_each
from routes.limits import LARGEST_BYTES
from routes.reduced import REDUCED
from tests.e2e.conftest import Cluster
from tests.e2e.text_stack import text_stack

PAGE = ROOT / "docs/large-deliveries.md"
BEGIN, END = "<!-- measured: tests/e2e/large.py -->", "<!-- end -->"
MB = 1_000_000
SIZES = (100_000, MB, 5 * MB, 23_900_000)
SECONDS = 120.0
HALF_A_GIB = {"limits": {"cpu": "500m", "memory": "512Mi"}}
PODS = ("EventSource", "busiest Sensor", "other Sensors, each at most", "NATS")


@dataclass(frozen=True)
class Process:
    """A process of the lab, and the kind of its pod."""

    pid: int
    kind: str
    name: str

    def peak(self) -> int:
        """The most memory that it had resident since `forget`, in bytes."""
        return self._bytes("VmHWM")

    def forget(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _bytes(self, what: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        (line,) = (line for line in lines if line.startswith(f"{what}:"))
        return int(line.split()[1]) * 1024


def processes(namespace: str) -> Iterator[Process]:
    """The pods of the stack in a namespace, and the NATS."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                environment = dict(
                    entry.split("=", 1)
                    for entry in (folder / "environ").read_bytes().decode().split("\0")
                    if "=" in entry
                )
            except (OSError, UnicodeDecodeError):  # it ended, or is none of ours
                continue
            kind = {"sensor-service": "Sensor", "eventsource-service": "EventSource"}.get([*words, ""][1])
            if Path(words[0]).name == "nats-server":
                yield Process(int(folder.name), "NATS", "nats")
            elif kind and environment.get("NAMESPACE", namespace) == namespace:
                yield Process(int(folder.name), kind, environment["POD_NAME"])


@dataclass
class Measured:
    """One delivery."""

    what: str
    body: int
    status: int
    answer: str
    posted: float
    started: float | None = None
    event: int = 0
    workflow: int = 0
    reduced: str = ""
    peaks: Mapping[str, int] = field(default_factory=dict)

    def row(self) -> str:
        ms = f"{self.started * 1000:,.0f}" if self.started is not None else "-"
        memory = " | ".join(f"{self.peaks[pod] / 2**20:,.0f}" for pod in PODS)
        return (
            f"| {self.what} | {self.body:,} | {self.status} {self.answer} | {self.posted * 1000:,.0f} | {ms} |"
            f" {self.event:,} | {self.workflow:,} | {self.reduced or 'whole'} | {memory} |"
        )


@contextmanager
def watched(namespace: str) -> Iterator[dict[str, int]]:
    """The peaks of the pods' memory from here to the end of the `with`."""
    found = list(processes(namespace))
    for process in found:
        process.forget()
    peaks: dict[str, int] = {}
    yield peaks
    sensors = sorted((p.peak() for p in found if p.kind == "Sensor"), reverse=True)
    (source,), (nats,) = ([p.peak() for p in found if p.kind == kind] for kind in ("EventSource", "NATS"))
    peaks |= dict(zip(PODS, (source, sensors[0], sensors[1], nats), strict=True))


def measure(cluster: Cluster, what: str, payload: Payload) -> Measured:
    """Delivers it, waits for its Workflow to finish, and looks at all on its way."""
    with watched(cluster.namespace) as peaks, cluster.watch() as watcher:
        posted = cluster.sender.post(payload)
        took = time.monotonic() - posted.at
        size = len(json.dumps(payload.body, ensure_ascii=False).encode())
        found = Measured(what, size, posted.status, posted.answer, took)
        if posted.status == 200:
            ((_, seen),) = watcher.of([posted.delivery], seconds=SECONDS)
            workflow = cluster.settled(posted.delivery)
            found.started = seen - posted.at
            found.event = len(parameters_of(workflow)["event"].encode())
            found.workflow = len(json.dumps(workflow, ensure_ascii=False, separators=(",", ":")).encode())
            found.reduced = ", ".join(json.loads(parameters_of(workflow)["event"]).get(REDUCED, {}).get("cut", []))
            assert bool(notes_of(workflow, "annotations").get("reduced")) is bool(found.reduced)
    found.peaks = peaks
    return found


def table(rows: list[Measured]) -> str:
    heads = (
        "delivery",
        "bytes",
        "answer",
        "POST ms",
        "Workflow after ms",
        "event bytes",
        "Workflow bytes",
        "cut",
        *(f"{p}, MiB" for p in PODS),
    )
    return "\n".join([f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *(row.row() for row in rows)]) + "\n"


def main() -> None:
    secret = Path(os.environ["WEBHOOK_SECRET_FILE"]).read_bytes().strip()
    lab = Cluster(Sender(url="", secret=secret), os.environ["WORKFLOW_NAMESPACE"], new_client_from_config())
    with text_stack(
        lab, webhook={"maxPayloadBytes": LARGEST_BYTES}, pods={"sensor": HALF_A_GIB, "eventSource": HALF_A_GIB}
    ) as stack:
        sender = replace(stack.cluster.sender, timeout=SECONDS)
        rows = list(measured(replace(stack.cluster, sender=sender)))
    text = PAGE.read_text()
    PAGE.write_text(f"{text.partition(BEGIN)[0]}{BEGIN}\n{table(rows)}{END}{text.partition(END)[2]}")


def measured(cluster: Cluster) -> Iterator[Measured]:
    """What becomes of each size, told as it is measured."""
    deliveries = [
        (what, payload)
        for size in SIZES
        for what, payload in (("pull request", large_pull_request(size)), ("push of 2,048 commits", large_push(size)))
        if what == "pull request" or size >= MB
    ]
    deliveries.append(("pull request of nothing but `<`", one_of_each()["pr"].but(pull_request__body="<" * 5 * MB)))
    for what, payload in deliveries:
        found = measure(cluster, what, payload)
        print(found.row(), flush=True)
        yield found


if __name__ == "__main__":
    main()
