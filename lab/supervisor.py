"""The first process inside the lab's namespaces: network, control plane, Argo, pods.

PID 1 only reaps what is orphaned; its child does the work. When either ends, the kernel ends all the others.
"""

import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from lab.errors import LabError
from lab.layout import Layout

Json = dict[str, Any]

READY_SECONDS = 120.0
RESTARTS_BEFORE_READY = 4


def main(root: Path) -> None:
    outer_pid = int(os.readlink("/proc/self"))
    child = os.fork()
    if child == 0:
        _work(Layout(root), outer_pid)
        return

    def end(_signal: int, _frame: FrameType | None) -> None:
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while True:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _work(layout: Layout, outer_pid: int) -> None:
    supervisor = Supervisor(layout, outer_pid)
    try:
        supervisor.bring_up()
    except LabError as error:
        supervisor.fail(str(error))
        sys.exit(1)
    while True:
        signal.pause()


def log(text: str) -> None:
    print(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}", flush=True)


class Supervisor:
    """Brings the components up in order and writes `status.json` whenever something changes."""

    def __init__(self, layout: Layout, outer_pid: int) -> None:
        # Imported here: these are slow to import, and PID 1 has no use for them.
        from lab.process import Process

        self._layout = layout
        self._outer_pid = outer_pid
        self._components: list[Process] = []
        self._pod_processes: Callable[[], list[Process]] = list
        self._phase = "network"
        self._ready = False
        self._error = ""
        self._started = time.time()
        self._changed = threading.Event()
        self._writing = threading.Lock()
        threading.Thread(target=self._write_forever, name="status", daemon=True).start()

    def bring_up(self) -> None:
        from lab import control_plane as plane
        from lab import network
        from lab.pods import find_nsenter

        layout = self._layout
        nsenter = find_nsenter()
        self._write_status()
        _mount_own_folders()
        network.set_up()
        plane.write_state(layout)

        self._run("etcd", lambda: plane.etcd(layout))
        self._wait("etcd", plane.etcd_ready)
        self._run("kube-apiserver", lambda: plane.kube_apiserver(layout))
        from lab.cluster import Cluster  # while the API server starts: half a second
        from lab.pods import Pods

        self._wait("kube-apiserver", lambda: (layout.certs / "apiserver.crt").is_file())
        self._run("nats-server", lambda: plane.nats_server(layout))
        self._wait("kube-apiserver", lambda: plane.api_ready(layout))
        self._phase = "custom resource definitions"
        self._changed.set()
        cluster = Cluster(layout.kubeconfig)
        _apply_definitions(layout)
        _create_own_objects(cluster)

        # Only now: the garbage collector learns of kinds at its start, and then every 30 seconds.
        self._run("kube-controller-manager", lambda: plane.kube_controller_manager(layout))
        self._run("argo-events-controller", lambda: plane.argo_events_controller(layout, nsenter))
        self._run("workflow-controller", lambda: plane.workflow_controller(layout))
        pods = Pods(cluster, layout, plane.images(layout), log, self._changed.set)
        self._pod_processes = pods.processes
        pods.start()
        self._wait("nats-server", plane.nats_ready)
        self._wait("argo-events-controller", plane.argo_events_ready)
        self._wait("workflow-controller", plane.workflows_ready)
        self._phase, self._ready = "ready", True
        log(f"ready after {time.time() - self._started:.1f} s")
        self._write_status()

    def fail(self, message: str) -> None:
        log(message)
        self._error = message
        self._write_status()

    def _run(self, name: str, command: Callable[[], Any]) -> None:
        from lab.away import stays_away
        from lab.process import Process

        away = functools.partial(stays_away, self._layout, name)
        process = Process(name, command, self._layout.log(name), self._changed.set, away)
        self._components.append(process)
        process.start()

    def _wait(self, name: str, ready: Callable[[], bool]) -> None:
        """Until `ready`. Raises LabError when it takes too long or the component keeps ending."""
        self._phase = name
        self._changed.set()
        process = next(process for process in self._components if process.name == name)
        end = time.monotonic() + READY_SECONDS
        while not ready():
            if process.restarts >= RESTARTS_BEFORE_READY:
                raise LabError(f"{name} does not stay up: it {process.reason or 'ends again and again'}")
            if time.monotonic() > end:
                raise LabError(f"{name} was not ready within {READY_SECONDS:.0f} s")
            time.sleep(0.05)

    def _write_forever(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            self._write_status()
            time.sleep(0.05)

    def _write_status(self) -> None:
        with self._writing:
            processes = [
                {
                    "name": process.name,
                    "kind": kind,
                    "pid": process.pid,
                    "since": process.since,
                    "restarts": process.restarts,
                    "state": process.state,
                    "reason": process.reason,
                }
                for kind, group in (("component", self._components), ("pod", self._pod_processes()))
                for process in group
            ]
            status: Json = {
                "pid": self._outer_pid,
                "started": self._started,
                "phase": self._phase,
                "ready": self._ready,
                "error": self._error,
                "processes": processes,
            }
            partial = self._layout.status.with_suffix(".partial")
            partial.write_text(json.dumps(status, indent=1))
            partial.replace(self._layout.status)


def _mount_own_folders() -> None:
    """A /run of our own for `ip netns` and the pods' roots, and a /proc that shows this PID namespace."""
    for argv in (
        ["mount", "-t", "tmpfs", "-o", "mode=0755", "lab", "/run"],
        ["mount", "-t", "proc", "proc", "/proc"],
    ):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            if argv[2] == "tmpfs":
                raise LabError(f"no private /run: {done.stderr.strip()}")
            log(f"/proc stays the host's: {done.stderr.strip()}")
    Path("/run/lab/roots").mkdir(parents=True)
    Path("/run/netns").mkdir()


def _apply_definitions(layout: Layout) -> None:
    """The CRDs, and wait until the API server serves them. Raises LabError with kubectl's own words."""
    kubectl = [str(layout.bin / "kubectl"), f"--kubeconfig={layout.kubeconfig}"]
    for argv in (
        ["apply", "--server-side", "--force-conflicts", f"--filename={layout.crds}"],
        ["wait", "--for=condition=Established", "--timeout=30s", f"--filename={layout.crds}"],
    ):
        done = subprocess.run(kubectl + argv, capture_output=True, text=True, check=False, env={"HOME": "/run/lab"})
        if done.returncode != 0:
            raise LabError(f"kubectl {argv[0]} of the CRDs failed: {done.stderr.strip()[-500:]}")


def _create_own_objects(cluster: Any) -> None:
    """workflow-controller's ConfigMap; a Service and a Pod for NATS, so that the API's proxy reaches it."""
    from lab import layout as lab
    from lab.cluster import namespaced
    from lab.services import publish

    for namespace in (lab.NATS_NAMESPACE, lab.WORKFLOWS_NAMESPACE):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        cluster.apply(f"/api/v1/namespaces/{namespace}", body)

    def apply(version: str, kind: str, plural: str, namespace: str, name: str, **content: Any) -> Json:
        meta = {"name": name, "namespace": namespace}
        body = {"apiVersion": version, "kind": kind, "metadata": meta, **content}
        applied: Json = cluster.apply(namespaced(f"api/{version}", namespace, plural, name), body)
        return applied

    apply("v1", "ConfigMap", "configmaps", lab.WORKFLOWS_NAMESPACE, "workflow-controller-configmap")
    ports = [{"name": "client", "port": lab.NATS_PORT}, {"name": "monitor", "port": lab.NATS_MONITOR_PORT}]
    place = (lab.NATS_NAMESPACE, lab.NATS_SERVICE)
    service = apply("v1", "Service", "services", *place, spec={"ports": ports})
    apply("v1", "Pod", "pods", *place, spec={"containers": [{"name": "nats", "image": "nats-server"}]})
    status = {"phase": "Running", "podIP": lab.LAB_ADDRESS, "podIPs": [{"ip": lab.LAB_ADDRESS}]}
    cluster.merge(namespaced("api/v1", lab.NATS_NAMESPACE, "pods", lab.NATS_SERVICE) + "/status", {"status": status})
    protocol = {"protocol": "TCP"}
    publish(cluster, service, {lab.NATS_SERVICE: lab.LAB_ADDRESS}, [port | protocol for port in ports])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
