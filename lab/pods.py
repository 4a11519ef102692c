"""The kubelet's job: the pods of every Deployment and StatefulSet of the cluster, in any namespace, as processes.

The Pods of StatefulSets and their claims are Kubernetes' own controller's; those of Deployments are made here.
Lifecycle hooks, liveness probes and containers without a binary are left out.
"""

import base64
import dataclasses
import functools
import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import confined, podspec
from lab.away import stays_away
from lab.cluster import ApiError, Cluster, namespaced
from lab.confined import Confinement
from lab.errors import LabError
from lab.layout import API_PORT, HOLLOW, LAB_ADDRESS, Layout, search_path
from lab.network import PodNetwork
from lab.podspec import File, Pod
from lab.probes import Readiness
from lab.process import Command, Process
from lab.roots import Root
from lab.services import Backend, Services, hosts

Json = dict[str, Any]

TOKEN_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 365 * 24 * 3600
TICK = 10.0
"""Seconds between two looks when nothing is heard; volumes follow their Secrets that fast."""
_GIVEN = {
    "HOME": "/",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "KUBERNETES_SERVICE_HOST": LAB_ADDRESS,
    "KUBERNETES_SERVICE_PORT": str(API_PORT),
}
"""What the container runtime and the kubelet put into every container's environment."""
_DEPLOYMENTS = "/apis/apps/v1/deployments"
_SERVICES = "/api/v1/services"
_PODS = "/api/v1/pods"
_CLAIMS = "/api/v1/persistentvolumeclaims"


class RunningPod:
    """One pod: its root, its network, its process."""

    def __init__(
        self,
        pod: Pod,
        number: int,
        binary: Path,
        cluster: Cluster,
        layout: Layout,
        hosts: Callable[[], str],
        changed: Callable[[], None],
    ) -> None:
        self.pod = pod
        self.network = PodNetwork(number)
        self._binary = binary
        self._cluster = cluster
        self._layout = layout
        self._hosts = hosts
        self._root = Root(f"{number}-{pod.key}")
        self._prepared = False
        self._said: tuple[object, ...] = ()
        self.announced = bool(pod.uid)
        """Whether its Pod object has been created."""
        self.stopping = False
        log, away = layout.log(f"pod-{pod.namespace}.{pod.workload}"), functools.partial(stays_away, layout, pod.key)
        self.process = Process(pod.key, self._command, log, changed, away)
        startup, readiness = (podspec.probe(pod, kind) for kind in ("startupProbe", "readinessProbe"))
        self._readiness = Readiness(self.process, self.network.address, startup, readiness, changed)

    @property
    def ready(self) -> bool:
        return self._readiness.ready

    def start(self) -> None:
        self.process.start()
        self._readiness.watch()

    def stop(self, done: Callable[[], None]) -> None:
        """End it in the background and call `done` when nothing of it is left."""
        self.stopping = True
        self._readiness.stop()

        def end() -> None:
            self.process.stop(self.pod.grace)
            self.network.delete()
            self._root.remove()
            self._withdraw()
            done()

        threading.Thread(target=end, name=f"stop {self.pod.key}", daemon=True).start()

    def report(self) -> None:
        """Write the Pod object's status when it has changed. Raises ApiError."""
        process = self.process
        running = process.running and process.since is not None
        since = _rfc3339(process.since) if running and process.since is not None else None
        said = (since, self.ready, process.restarts, process.reason)
        if not self.announced or self.stopping or said == self._said:
            return
        status = podspec.pod_status(self.pod, self.network.address, since, self.ready, process.restarts, process.reason)
        try:
            self._cluster.merge(f"{self._path}/status", {"status": status})
        except ApiError as error:
            if error.status != 404:
                raise
        self._said = said

    @property
    def _path(self) -> str:
        return namespaced("api/v1", self.pod.namespace, "pods", self.pod.name)

    def _announce(self) -> None:
        try:
            self._cluster.create(namespaced("api/v1", self.pod.namespace, "pods"), podspec.pod_object(self.pod))
        except ApiError as error:
            if error.status != 409:
                raise
        self.announced = True

    def _withdraw(self) -> None:
        if self.pod.uid:
            return  # its successor has the same name
        try:
            self._cluster.delete(self._path)
        except ApiError:
            return  # gone with its Deployment or namespace

    def refresh_volumes(self) -> None:
        """Bring the files of its volumes up to date, as a kubelet does."""
        if self.process.running:
            self._write(podspec.mounted_files(self.pod, self._read))

    def refresh_hosts(self) -> None:
        """Bring its /etc/hosts up to date."""
        if self.process.running and not self.stopping:
            self._write_hosts()

    def _write_hosts(self) -> None:
        self._root.write("/etc/hosts", self._hosts().encode())

    def _command(self) -> Command:
        """What to run now, with its files written. Raises LabError for what is not there yet."""
        try:
            confinement = _within_reach(podspec.confinement(self.pod))
            if not self._prepared:
                claims = {path: self._volume(claim, confinement) for path, claim in podspec.claims(self.pod).items()}
                self._root.create(self._binary)
                for path, volume in claims.items():
                    self._root.mount(volume, path)
                self.network.create()
                self._prepared = True
            if not self.announced:
                self._announce()
            for folder in podspec.empty_folders(self.pod):
                self._root.inside(folder).mkdir(parents=True, exist_ok=True)
            for folder in confinement.writable:
                self._root.inside(folder).chmod(0o777)
            files = podspec.mounted_files(self.pod, self._read) + self._token_files(confinement.user)
            env = podspec.environment(self.pod, self.network.address, _GIVEN, self._read)
        except ApiError as error:
            raise LabError(str(error)) from error
        except OSError as error:
            raise LabError(f"its root cannot be made: {error}") from error
        self._write(files)
        self._write_hosts()
        command = [f"/bin/{self._binary.name}", *podspec.arguments(self.pod, env)]
        return Command(confined.argv(self.network.path, str(self._root.path), confinement, command), env)

    def _write(self, files: list[File]) -> None:
        for file in files:
            self._root.write(file.path, file.content, file.mode, file.owner)

    def _volume(self, claim: str, confinement: Confinement) -> Path:
        """The folder of a PersistentVolumeClaim, made for its first pod, and kept as long as the claim is."""
        path = namespaced("api/v1", self.pod.namespace, "persistentvolumeclaims", claim)
        found = self._cluster.get(path)
        folder = self._layout.volume(found["metadata"]["uid"])
        if not folder.is_dir():
            folder.mkdir(parents=True)
            if confinement.user is not None and confinement.fs_group is not None:
                os.chown(folder, -1, confinement.fs_group)
                folder.chmod(0o2775)
            status = {"phase": "Bound", "capacity": found["spec"]["resources"]["requests"]}
            self._cluster.merge(f"{path}/status", {"status": status})
        return folder

    def _token_files(self, user: int | None) -> list[File]:
        """The service account's token, which `user` may read, and what belongs to it."""
        account_path = namespaced("api/v1", self.pod.namespace, "serviceaccounts", self.pod.service_account)
        if not podspec.wants_token(self.pod, self._cluster.get(account_path)):
            return []
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS},
        }
        token = self._cluster.create(f"{account_path}/token", request)["status"]["token"]
        return [
            File(f"{TOKEN_FOLDER}/token", token.encode(), 0o600, user),
            File(f"{TOKEN_FOLDER}/ca.crt", (self._layout.certs / "apiserver.crt").read_bytes()),
            File(f"{TOKEN_FOLDER}/namespace", self.pod.namespace.encode()),
        ]

    def _read(self, kind: str, namespace: str, name: str) -> dict[str, bytes] | None:
        plural = "secrets" if kind == "Secret" else "configmaps"
        try:
            found = self._cluster.get(namespaced("api/v1", namespace, plural, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        if kind == "Secret":
            return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
        texts = {key: value.encode() for key, value in (found.get("data") or {}).items()}
        return texts | {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _within_reach(asked: Confinement) -> Confinement:
    """Without the user where the lab, started by someone who is not root, has but one."""
    uid_map = Path("/proc/self/uid_map").read_text()
    there = asked.user is None or podspec.has_number(asked.user, uid_map)
    return asked if there else dataclasses.replace(asked, user=None, group=None)


def is_ours(deployment: Json) -> bool:
    """Whether the lab runs its pods."""
    return not str(deployment["metadata"]["namespace"]).startswith(HOLLOW)


def find_nsenter() -> str:
    found = shutil.which("nsenter", path=search_path())
    if found is None:
        raise LabError("nsenter is missing")
    return found


class Pods:
    """Runs all pods: one look compares what is wanted with what runs, and moves towards it."""

    def __init__(
        self,
        cluster: Cluster,
        layout: Layout,
        images: Mapping[str, str | None],
        log: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._layout = layout
        self._images = images
        self._log = log
        self._changed = changed
        self._services = Services(cluster, log)
        self._hosts = ""
        self._wake = threading.Event()
        self._running: dict[str, RunningPod] = {}
        self._number = 0
        self.looked = threading.Event()
        """Set after the first whole look."""

    def start(self) -> None:
        for path in (_DEPLOYMENTS, _SERVICES, _PODS):
            threading.Thread(target=self._listen, args=(path,), name=f"watch {path}", daemon=True).start()
        threading.Thread(target=self._look_forever, name="pods", daemon=True).start()

    def processes(self) -> list[Process]:
        return [running.process for running in list(self._running.values())]

    def _nudge(self) -> None:
        self._wake.set()
        self._changed()

    def _listen(self, path: str) -> None:
        while True:
            try:
                for _ in self._cluster.watch(path, seconds=300):
                    self._wake.set()
            except ApiError as error:
                self._log(str(error))
                time.sleep(1)

    def _look_forever(self) -> None:
        refreshed = time.monotonic()
        while True:
            self._wake.wait(TICK)
            self._wake.clear()
            try:
                self._look()
                if time.monotonic() - refreshed >= TICK:
                    refreshed = time.monotonic()
                    self._refresh_volumes()
                self.looked.set()
            except ApiError as error:
                self._log(str(error))
                time.sleep(1)
                self._wake.set()
            except Exception as error:  # a kubelet outlives whatever one object holds
                self._log(f"unexpected: {error!r}")
                time.sleep(1)

    def _refresh_volumes(self) -> None:
        for running in list(self._running.values()):
            try:
                running.refresh_volumes()
            except LabError as error:
                self._log(f"{running.pod.key}: {error}")
        folder = self._layout.volume()
        kept = list(folder.iterdir()) if folder.is_dir() else []
        claims = {item["metadata"]["uid"] for item in self._cluster.list(_CLAIMS)} if kept else set()
        for volume in kept:
            if volume.name not in claims:
                shutil.rmtree(volume, ignore_errors=True)

    def _look(self) -> None:
        announced = [running for running in list(self._running.values()) if running.announced]
        found, deployments = self._cluster.list(_PODS), [d for d in self._cluster.list(_DEPLOYMENTS) if is_ours(d)]
        services = self._cluster.list(_SERVICES)
        self._stop_deleted(announced, found)
        owners = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in deployments}
        for running in list(self._running.values()):
            if not running.pod.uid and (running.pod.namespace, running.pod.workload) not in owners:
                self._stop(running)
        fresh: list[RunningPod] = []
        reasons = [self._serve(deployment, fresh) for deployment in deployments]
        self._serve_stateful(found, fresh)
        self._hosts = hosts(services, self._backends())
        for running in fresh:
            running.start()
        for deployment, reason in zip(deployments, reasons, strict=True):
            self._report(deployment, reason)
        for running in list(self._running.values()):
            running.report()
            running.refresh_hosts()
        self._services.reconcile(services, self._backends())

    def _stop_deleted(self, announced: list[RunningPod], found: list[Json]) -> None:
        """A Pod that someone deleted ends here; its Deployment or StatefulSet then gets a new one."""
        there = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod["metadata"]["uid"] for pod in found}
        for running in announced:
            uid = there.get((running.pod.namespace, running.pod.name))
            if uid is None or running.pod.uid not in ("", uid):
                self._stop(running)

    def _backends(self) -> list[Backend]:
        """Those that answer for a Service first."""
        running = [running for running in list(self._running.values()) if not running.stopping]
        running.sort(key=lambda one: -one.network.number)
        return [Backend(one.pod, one.network, one.ready) for one in running]

    def _of(self, deployment: Json) -> list[RunningPod]:
        owner = (deployment["metadata"]["namespace"], deployment["metadata"]["name"])
        return [
            running
            for running in list(self._running.values())
            if not running.pod.uid and (running.pod.namespace, running.pod.workload) == owner
        ]

    def _serve(self, deployment: Json, fresh: list[RunningPod]) -> str:
        """Stop this Deployment's old pods and add its new ones to `fresh`; says why one cannot run."""
        wanted = {pod.key: pod for pod in podspec.pods_of(deployment)}
        present = self._of(deployment)
        old = [running for running in present if running.pod.key not in wanted]
        fresh_up = all(key in self._running and self._running[key].process.running for key in wanted)
        if not wanted or fresh_up or not podspec.starts_before_it_stops(deployment):
            for running in old:
                self._stop(running)
        if old and not podspec.starts_before_it_stops(deployment):
            return "the old pods are ending"
        for key, pod in wanted.items():
            if key in self._running:
                continue
            try:
                fresh.append(self._add(pod))
            except LabError as error:
                return str(error)
        return next((running.process.reason for running in self._of(deployment) if running.process.reason), "")

    def _serve_stateful(self, found: list[Json], fresh: list[RunningPod]) -> None:
        """Add the new Pods of StatefulSets. One whose name an older one still has waits until that has ended."""
        left_out = [image for image, binary in self._images.items() if binary is None]
        for pod in podspec.pods_of_stateful_sets(found, left_out):
            try:
                if pod.key not in self._running:
                    fresh.append(self._add(pod))
            except LabError as error:
                self._log(f"{pod.key}: {error}")

    def _add(self, pod: Pod) -> RunningPod:
        """Not yet started. Raises LabError for an image that is none of the lab's."""
        name = self._images.get(pod.image)
        if name is None:
            raise LabError(f"image {pod.image!r}: the lab has no binary for it, only for {', '.join(self._images)}")
        self._number += 1
        binary = self._layout.bin / name
        running = RunningPod(pod, self._number, binary, self._cluster, self._layout, lambda: self._hosts, self._nudge)
        self._running[pod.key] = running
        return running

    def _stop(self, running: RunningPod) -> None:
        if running.stopping:
            return

        def done() -> None:
            self._running.pop(running.pod.key, None)
            self._nudge()

        running.stop(done)

    def _report(self, deployment: Json, reason: str) -> None:
        pods = [(running.pod, running.process.running) for running in self._of(deployment) if not running.stopping]
        now = _rfc3339(time.time())
        status = podspec.deployment_status(deployment, pods, reason, now)
        if podspec.same_status(deployment.get("status") or {}, status):
            return
        meta = deployment["metadata"]
        path = namespaced("apis/apps/v1", meta["namespace"], "deployments", meta["name"]) + "/status"
        try:
            self._cluster.merge(path, {"status": status})
        except ApiError as error:
            if error.status not in (404, 409):
                raise
