"""How the cluster is reached, and what is told where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.config import kube_config

from cli.cluster import Cluster, ClusterError, connect
from cli.stacks import read_settings


def test_without_a_kubeconfig_and_outside_a_pod_that_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ClusterError, match="kube-config"):
        connect(read_settings("lab"))


def test_a_cluster_that_does_not_answer_is_told() -> None:
    configuration = client.Configuration(host="http://127.0.0.1:9")
    configuration.retries = False
    nowhere = Cluster(api=client.ApiClient(configuration), namespace="events")
    for asked in (nowhere.started, lambda: nowhere.workflow("x"), lambda: nowhere.names_of("x")):
        with pytest.raises(ClusterError, match="the cluster does not answer: "):
            asked()
