"""A campaign: requests of every kind at the EventSource of the lab, and what came of them."""

from __future__ import annotations

import os
import re
import threading
import time
import urllib.parse
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
from kubernetes import client
from kubernetes.config import new_client_from_config

from cli.delivery import WORKFLOWS, Sender, Watcher
from cli.rotate import SELECTOR
from cli.workflow import Workflow, delivery_of, parameters_of
from lab.host import read_status
from lab.layout import Layout
from payloads import Payload, one_of_each
from routes import FAMILIES
from routes.compiler import EVENT_SOURCE
from tests.fuzz.drafts import MARK
from tests.fuzz.kinds import Kind, Request, plan, request
from tests.fuzz.sending import Address, Answer, send

AT_ONCE = 8
WARM = 0.2
"""The part of a campaign after which memory is looked at first: by then Go's heap has its size."""
MEMORY = 32 * 1024 * 1024
"""By how many bytes the process may grow from then on."""
SPARE = 5
"""How many open files and goroutines more than before may be left: of the metrics' own connection, say."""
SETTLED_SECONDS, STARTED_SECONDS, CALM_SECONDS = 420.0, 60.0, 90.0
NAME_LENGTH = 63
"""The workflow-controller writes a Workflow's name into a label of each pod."""

SENSORS = {route.deliveries[0].name: route for family in FAMILIES for route in family.routes}
"""Each Sensor's route by the name of its first dependency."""
ROUTES = {delivery.name: route for route in SENSORS.values() for delivery in route.deliveries}
"""The route of each dependency."""


@dataclass(frozen=True)
class Vitals:
    """The EventSource's process: its number in the lab, how often it was started anew, its resident memory in bytes."""

    pid: int
    restarts: int
    memory: int
    files: int
    goroutines: int


@dataclass(frozen=True, kw_only=True)
class Target:
    """The EventSource of the lab's stack, its process, and the Workflows of the whole lab."""

    url: str
    secret: bytes = field(repr=False)
    namespace: str
    api: client.ApiClient

    @classmethod
    def of_lab(cls) -> Target:
        """The one of the lab that we are in: no other may be a target. Raises KeyError outside of it."""
        assert os.environ["GITHUB_TO_ARGO_LAB"]
        return cls(
            url=os.environ["WEBHOOK_URL"],
            secret=Path(os.environ["WEBHOOK_SECRET_FILE"]).read_bytes().strip(),
            namespace=os.environ["WORKFLOW_NAMESPACE"],
            api=new_client_from_config(),
        )

    @property
    def host(self) -> str:
        return urllib.parse.urlsplit(self.url).netloc

    @property
    def address(self) -> Address:
        parts = urllib.parse.urlsplit(self.url)
        assert parts.hostname and parts.port
        return parts.hostname, parts.port

    def workflows(self) -> dict[str, Workflow]:
        """Every Workflow of the lab, by namespace and name."""
        listed = client.CustomObjectsApi(self.api).list_cluster_custom_object(*WORKFLOWS, "workflows")
        return {f"{w['metadata']['namespace']}/{w['metadata']['name']}": w for w in listed["items"]}

    def vitals(self) -> Vitals:
        """How its process is now. Raises TimeoutError when there is none for long."""
        deadline = time.monotonic() + STARTED_SECONDS
        while not (process := self._process()):
            if time.monotonic() > deadline:
                raise TimeoutError("the EventSource does not run")
            time.sleep(0.2)
        proc = Path(f"/proc/{process['pid']}")
        (memory,) = re.findall(r"VmRSS:\s+(\d+) kB", (proc / "status").read_text())
        (pod,) = client.CoreV1Api(self.api).list_namespaced_pod(self.namespace, label_selector=SELECTOR).items
        metrics = urllib3.request("GET", f"http://{pod.status.pod_ip}:7777/metrics", headers={"Connection": "close"})
        (goroutines,) = re.findall(r"^go_goroutines (\d+)$", metrics.data.decode(), flags=re.M)
        files = len(list((proc / "fd").iterdir()))
        return Vitals(process["pid"], process["restarts"], int(memory) * 1024, files, int(goroutines))

    def _process(self) -> dict[str, Any] | None:
        status = read_status(Layout())
        assert status, "the lab does not run"
        prefix = f"{self.namespace}.{EVENT_SOURCE}-eventsource-"
        return next((p for p in status["processes"] if p["name"].startswith(prefix) and p["pid"]), None)

    def calmed(self, memory: int) -> Vitals:
        """How its process is once it has no more memory than this, or has not given it back after a while.

        Go gives back what it no longer uses when it has collected garbage, and that it does when there is new garbage.
        """
        sender, garbage = Sender(url=self.url, secret=self.secret), Payload("ping", {"": "x" * 200_000})
        deadline = time.monotonic() + CALM_SECONDS
        while (vitals := self.vitals()).memory > memory and time.monotonic() < deadline:
            for _ in range(20):
                sender.post(garbage)
            time.sleep(1)
        return vitals

    def settle(self) -> set[str]:
        """Sends each Sensor a delivery and waits for its Workflow; the delivery ids.

        By then each has looked at all that was sent before, since it takes its deliveries in their order. Raises
        TimeoutError when a delivery for one of them becomes no Workflow.
        """
        sender, payloads = Sender(url=self.url, secret=self.secret), one_of_each()
        with Watcher(self.api, self.namespace) as watcher:
            posted = {dependency: sender.post(payloads[dependency]).delivery for dependency in SENSORS}
            found = watcher.of(posted.values(), seconds=SETTLED_SECONDS, finished=False)
        if len(found) < len(posted):
            raise TimeoutError(f"only {len(found)} of {len(posted)} Sensors made a Workflow of a valid delivery")
        return set(posted.values())


@dataclass
class Report:
    """What came of a campaign, and what is wrong with it: each text names the request that shows it."""

    seed: int
    run: str
    planned: int
    sent: int = 0
    bytes: int = 0
    seconds: float = 0.0
    answers: dict[Kind, Counter[Answer]] = field(default_factory=lambda: defaultdict(Counter))
    shown_by: dict[tuple[Kind, Answer], Request] = field(default_factory=dict)
    expected: dict[str, Request] = field(default_factory=dict)
    created: list[Workflow] = field(default_factory=list)
    vitals: list[Vitals] = field(default_factory=list)
    """Before all, after the WARM part, and when all had settled."""

    def heard(self, sent: Request, answer: Answer) -> None:
        self.sent += 1
        self.bytes += len(sent.wire)
        self.answers[sent.kind][answer] += 1
        self.shown_by.setdefault((sent.kind, answer), sent)
        if sent.dependency:
            self.expected[sent.mark] = sent

    def of_each_kind(self) -> Mapping[Kind, Answer]:
        """What a kind got most."""
        return {kind: answers.most_common(1)[0][0] for kind, answers in self.answers.items()}

    def started(self, kind: Kind) -> int:
        marks = {mark_of(workflow) for workflow in self.created}
        return sum(mark in marks for mark, sent in self.expected.items() if sent.kind is kind)

    def problems(self) -> list[str]:
        return [*self.unsent(), *self.faults(), *self.uneven(), *self.miscreated(), *self.ailments()]

    def unsent(self) -> Iterator[str]:
        if self.sent < self.planned:
            yield f"only {self.sent} of {self.planned} requests were sent before the time was over"

    def faults(self) -> Iterator[str]:
        """Answers of 500 and more, and none, where that is no news."""
        for (kind, answer), shown_by in self.shown_by.items():
            if not 0 < answer.status < 500 and not kind.known:
                yield f"{shown_by.name}: {answer}"

    def uneven(self) -> Iterator[str]:
        """Kinds that get one answer now and another then: the table could not say what they get."""
        for kind, answers in self.answers.items():
            if len(answers) > 1:
                yield "; ".join(f"{self.shown_by[kind, answer].name}: {answer}" for answer in answers)

    def miscreated(self) -> Iterator[str]:
        """Deliveries without their one Workflow, and Workflows without a delivery."""
        created: dict[str, list[Workflow]] = defaultdict(list)
        for workflow in self.created:
            created[mark_of(workflow)].append(workflow)
        for mark, sent in self.expected.items():
            found = [workflow["metadata"] for workflow in created.pop(mark, [])]
            begins = f"{ROUTES[sent.dependency].workflow}-"
            if len(found) != 1:
                yield f"{sent.name}: {len(found)} Workflows instead of one"
            elif not found[0]["name"].startswith(begins) or len(found[0]["name"]) > NAME_LENGTH:
                yield f"{sent.name}: its Workflow is named {found[0]['name']}, not {begins}…"
        for mark, workflows in created.items():
            for workflow in workflows:
                yield f"Workflow {workflow['metadata']['name']} of {mark or 'no request'} should not be there"

    def ailments(self) -> Iterator[str]:
        """What is wrong with the EventSource's process."""
        if len(self.vitals) < 3:
            return
        before, warm, after = self.vitals
        if (before.pid, before.restarts) != (after.pid, after.restarts):
            yield f"the EventSource ended: process {before.pid} is {after.pid}, {after.restarts} restarts"
        if after.memory - warm.memory > MEMORY:
            yield f"its memory grew from {warm.memory:,} to {after.memory:,} bytes, by more than {MEMORY:,}"
        if after.files > before.files + SPARE:
            yield f"it had {before.files} open files and has {after.files}"
        if after.goroutines > before.goroutines + SPARE:
            yield f"it had {before.goroutines} goroutines and has {after.goroutines}"


def mark_of(workflow: Workflow) -> str:
    """The mark of the request that a Workflow was started by; of a body that Python's JSON may find too deep."""
    found = re.search(rf'"{MARK}":"([^"]*)"', parameters_of(workflow).get("event", ""))
    return found[1] if found else ""


def run(target: Target, total: int, seed: int, *, minutes: float, done: Callable[[], None] = lambda: None) -> Report:
    """At least `total` requests, and then a look at what is there. Sends no more once the minutes are over.

    Raises TimeoutError where a Sensor no longer makes a Workflow of a valid delivery.
    """
    planned = plan(total, seed)
    report = Report(seed, uuid.uuid4().hex, len(planned))
    target.settle()
    before = target.workflows()
    report.vitals.append(target.vitals())
    began = time.monotonic()
    warm = int(len(planned) * WARM)
    lock = threading.Lock()

    def one(of: tuple[Kind, int]) -> None:
        if time.monotonic() - began > minutes * 60:
            return
        made = request(*of, seed=seed, run=report.run, host=target.host, secret=target.secret)
        answer = send(target.address, made)
        with lock:
            report.heard(made, answer)
        done()

    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(one, planned[:warm]))
        report.vitals.append(target.vitals())
        list(threads.map(one, planned[warm:]))
    report.seconds = time.monotonic() - began
    ours = target.settle()
    new = (workflow for name, workflow in target.workflows().items() if name not in before)
    report.created = [workflow for workflow in new if delivery_of(workflow) not in ours]
    report.vitals.append(target.calmed(report.vitals[-1].memory + MEMORY))
    return report
