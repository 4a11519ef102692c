"""Who stands behind a Service."""

from typing import Any

import pytest

from lab import services
from lab.errors import LabError
from lab.podspec import Pod

Json = dict[str, Any]


def pod(namespace: str = "ns", **labels: str) -> Pod:
    container = {"name": "main", "image": "i", "ports": [{"name": "web", "containerPort": 12000}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return Pod("p", namespace, "d", "u", template)


def service(**selector: str) -> Json:
    return {"metadata": {"name": "s", "namespace": "ns", "uid": "u"}, "spec": {"selector": selector}}


def test_a_service_selects_pods_of_its_namespace_that_have_all_its_labels() -> None:
    assert services.selects(service(a="1"), pod(a="1", b="2"))
    assert not services.selects(service(a="1", b="3"), pod(a="1", b="2"))
    assert not services.selects(service(a="1"), pod("other", a="1"))


def test_a_target_port_is_a_number_a_name_or_the_port_itself() -> None:
    assert services.target_port({"port": 80, "targetPort": 8080}, pod()) == 8080
    assert services.target_port({"port": 80, "targetPort": "web"}, pod()) == 12000
    assert services.target_port({"port": 80}, pod()) == 80
    with pytest.raises(LabError, match="'gone'"):
        services.target_port({"port": 80, "targetPort": "gone"}, pod())


def test_endpoints_name_their_pod_because_the_service_proxy_follows_no_others() -> None:
    classic, slice_ = services.endpoints(service(), {"p": "10.77.1.1"}, [{"port": 80}])
    target = classic["subsets"][0]["addresses"][0]["targetRef"]
    assert target == {"kind": "Pod", "namespace": "ns", "name": "p"}
    assert slice_["endpoints"][0]["addresses"] == ["10.77.1.1"]
    assert slice_["metadata"]["labels"]["kubernetes.io/service-name"] == "s"


def test_a_service_without_pods_has_no_endpoints() -> None:
    classic, slice_ = services.endpoints(service(), {}, [{"port": 80}])
    assert classic["subsets"] == [] and slice_["endpoints"] == []
