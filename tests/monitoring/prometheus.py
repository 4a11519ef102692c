"""A real Prometheus that reads a stack as its PodMonitors say, and judges it by the rules of its PrometheusRule."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml
from kubernetes import client

from lab import prometheus
from routes.manifests import Manifest

Json = dict[str, Any]

GROUP = ("monitoring.coreos.com", "v1")
PORT, EXPORTER_PORT = 9391, 9392
WORKFLOW_CONTROLLER = "127.0.0.1:9090"
SHORTER = 60
"""By how much each time in the rules is made shorter: a minute becomes a second."""


def shortened(rules: Mapping[str, Any]) -> Json:
    """The groups of a PrometheusRule, every duration in them divided by SHORTER, judged every second."""
    groups = json.loads(json.dumps(rules["groups"]))
    for group in groups:
        group["interval"] = "1s"
        for rule in group["rules"]:
            rule["expr"] = shorter(rule["expr"])
            if "for" in rule:
                rule["for"] = _divided(rule["for"])
    return {"groups": groups}


def shorter(expr: str) -> str:
    """The expression with windows as the shortened rules have them."""
    return re.sub(r"(\[|offset )(\w+)", lambda found: found[1] + _divided(found[2]), expr)


def _divided(duration: str) -> str:
    seconds = int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[duration[-1]]
    return f"{seconds // SHORTER}s"


def targets(monitor: Manifest, api: client.ApiClient) -> list[Json]:
    """The pods and ports that a PodMonitor means, with the labels that Prometheus Operator adds."""
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    selector, metadata = monitor["spec"]["selector"], monitor["metadata"]
    wanted = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    wanted += [f"{one['key']} in ({','.join(one['values'])})" for one in selector.get("matchExpressions", [])]
    pods = client.CoreV1Api(api).list_namespaced_pod(metadata["namespace"], label_selector=",".join(wanted)).items
    return [
        {
            "targets": [f"{pod.status.pod_ip}:{port.container_port}"],
            "labels": {
                "job": f"{metadata['namespace']}/{metadata['name']}",
                "namespace": metadata["namespace"],
                "pod": pod.metadata.name,
                "container": container.name,
            },
        }
        for pod in pods
        for container in pod.spec.containers
        for port in container.ports or []
        if port.name == endpoint["port"] and pod.status.pod_ip
    ]


@dataclass(frozen=True)
class Series:
    """One line of a graph: its labels, and its values by Unix time."""

    labels: Mapping[str, str]
    values: Sequence[tuple[float, float]]


class Prometheus:
    """Runs from the `with` on, with all it writes in `folder`."""

    def __init__(self, api: client.ApiClient, namespace: str, folder: Path) -> None:
        objects = client.CustomObjectsApi(api)
        self._monitors = objects.list_namespaced_custom_object(*GROUP, namespace, "podmonitors")["items"]
        (rule,) = objects.list_namespaced_custom_object(*GROUP, namespace, "prometheusrules")["items"]
        self.alerts = [one["alert"] for group in rule["spec"]["groups"] for one in group["rules"] if "alert" in one]
        controller = {
            "job_name": "workflow-controller",
            "scheme": "https",
            "tls_config": {"insecure_skip_verify": True},
            "static_configs": [{"targets": [WORKFLOW_CONTROLLER], "labels": {"namespace": "argo"}}],
        }
        exporter = {"job_name": "nats", "static_configs": [{"targets": [f"127.0.0.1:{EXPORTER_PORT}"]}]}
        pods = {"job_name": "pods", "file_sd_configs": [{"files": [str(folder / "pods.json")]}]}
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "rules.yaml")],
            "scrape_configs": [pods, controller, exporter],
        }
        (folder / "rules.yaml").write_text(yaml.safe_dump(shortened(rule["spec"])))
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        self._api, self._folder = api, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()
        self._discovering = threading.Thread(target=self._discover_again, daemon=True)

    def __enter__(self) -> Self:
        argv = [
            str(prometheus.bring()["prometheus"]),
            f"--config.file={self._folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{PORT}",
        ]
        self._discover()
        self._discovering.start()
        log = (self._folder / "prometheus.log").open("wb")
        self._process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 30
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "prometheus.log").read_text()[-2000:])
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._discovering.join(30)
        if self._process:
            self._process.kill()
            self._process.wait()

    def _discover(self) -> None:
        """Debian's Prometheus cannot ask Kubernetes itself which pods there are."""
        found = [target for monitor in self._monitors for target in targets(monitor, self._api)]
        partial = self._folder / "partial"
        partial.write_text(json.dumps(found))
        partial.rename(self._folder / "pods.json")

    def _discover_again(self) -> None:
        while not self._over.wait(1):
            self._discover()

    def until(self, true: Callable[[], bool], what: str, *, seconds: float) -> float:
        """Waits, and says for how many seconds. Raises TimeoutError."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"{what}, after {seconds:.0f} s; firing: {sorted(self.firing())}")
            time.sleep(0.25)
        return time.monotonic() - began

    def firing(self) -> dict[str, list[Mapping[str, str]]]:
        """The labels of each alert that fires now, by its name."""
        found: dict[str, list[Mapping[str, str]]] = {}
        for alert in self._ask("alerts", {})["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return found

    def value(self, expr: str) -> float:
        """The sum of what an expression has now; 0 for nothing."""
        return sum(float(one["value"][1]) for one in self._ask("query", {"query": expr})["result"])

    def drawn(self, expr: str, began: float, ended: float) -> list[Series]:
        """What a panel shows of that time."""
        asked = {"query": expr, "start": began, "end": ended, "step": 2}
        return [
            Series(one["metric"], [(float(at), float(value)) for at, value in one["values"]])
            for one in self._ask("query_range", asked)["result"]
        ]

    def unhealthy(self) -> list[str]:
        """The errors of rules that could not be judged."""
        groups = self._ask("rules", {})["groups"]
        return [rule["lastError"] for group in groups for rule in group["rules"] if rule.get("lastError")]

    def _ready(self) -> bool:
        try:
            ready: bool = urllib3.request("GET", f"http://127.0.0.1:{PORT}/-/ready", retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False
        return ready

    def _ask(self, what: str, fields: Mapping[str, object]) -> Json:
        url = f"http://127.0.0.1:{PORT}/api/v1/{what}"
        texts = {key: str(value) for key, value in fields.items()}
        response = urllib3.request("GET", url, fields=texts, timeout=10.0, retries=False)
        answer = json.loads(response.data)
        if answer["status"] != "success":
            raise ValueError(answer["error"])
        data: Json = answer["data"]
        return data
