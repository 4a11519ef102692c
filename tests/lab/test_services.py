"""Who stands behind a Service."""

from typing import Any

import pytest

from lab import services
from lab.errors import LabError
from lab.network import PodNetwork
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


BUS: Json = {
    "metadata": {"name": "bus", "namespace": "ns", "uid": "u"},
    "spec": {"selector": {"app": "bus"}, "clusterIP": "None"},
}


def backend(number: int, *, ready: bool = True) -> services.Backend:
    spec = {"hostname": f"bus-{number}", "subdomain": "bus", "containers": []}
    template = {"metadata": {"labels": {"app": "bus"}}, "spec": spec}
    return services.Backend(Pod(f"bus-{number}", "ns", "bus", "u", template), PodNetwork(number), ready)


def test_only_what_is_ready_stands_behind_a_service_unless_it_says_otherwise() -> None:
    found = [backend(0), backend(1, ready=False)]
    assert services.behind(BUS, found) == found[:1]
    early = {**BUS, "spec": BUS["spec"] | {"publishNotReadyAddresses": True}}
    assert services.behind(early, found) == found


def test_services_and_their_pods_have_names_as_a_clusters_dns_gives_them() -> None:
    web = {"metadata": {"name": "web", "namespace": "ns", "uid": "w"}, "spec": {"clusterIP": "10.96.0.9"}}
    assert services.hosts([BUS, web], [backend(0), backend(1)]).splitlines() == [
        "127.0.0.1 localhost",
        "10.77.1.0 bus.ns.svc bus.ns.svc.cluster.local",
        "10.77.1.1 bus.ns.svc bus.ns.svc.cluster.local",
        "10.77.1.0 bus-0.bus.ns.svc bus-0.bus.ns.svc.cluster.local",
        "10.77.1.1 bus-1.bus.ns.svc bus-1.bus.ns.svc.cluster.local",
        "10.96.0.9 web.ns.svc web.ns.svc.cluster.local",
    ]


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
