"""Services: who stands behind each, and the lab's own answer for their ClusterIPs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab import network
from lab.cluster import ApiError, Cluster, namespaced
from lab.errors import LabError
from lab.layout import LAB_ADDRESS
from lab.network import PodNetwork
from lab.podspec import Pod

Json = dict[str, Any]


@dataclass(frozen=True)
class Backend:
    """A pod, where it is, and whether it is ready."""

    pod: Pod
    network: PodNetwork
    ready: bool = True


def selects(service: Json, pod: Pod) -> bool:
    selector: dict[str, str] = service["spec"].get("selector") or {}
    same_namespace: bool = service["metadata"]["namespace"] == pod.namespace
    return same_namespace and selector.items() <= pod.labels.items()


def behind(service: Json, backends: list[Backend]) -> list[Backend]:
    """The pods behind a Service."""
    unready = service["spec"].get("publishNotReadyAddresses", False)
    return [one for one in backends if selects(service, one.pod) and (one.ready or unready)]


def hosts(services: list[Json], backends: list[Backend]) -> str:
    """/etc/hosts of every pod, in place of a cluster's DNS: the names of Services, and of pods that have one."""
    lines = ["127.0.0.1 localhost"]
    for service in services:
        name = f"{service['metadata']['name']}.{service['metadata']['namespace']}"
        address = service["spec"].get("clusterIP", "None")
        if address not in ("None", ""):
            lines.append(f"{address} {_names(name)}")
        elif service["spec"].get("selector"):
            found = behind(service, backends)
            lines += [f"{one.network.address} {_names(name)}" for one in found]
            lines += [
                f"{one.network.address} {_names(one.pod.spec['hostname'] + '.' + name)}"
                for one in found
                if one.pod.spec.get("subdomain") == service["metadata"]["name"]
            ]
    return "\n".join(lines) + "\n"


def _names(name: str) -> str:
    return f"{name}.svc {name}.svc.cluster.local"


def target_port(port: Json, pod: Pod) -> int:
    """The container's port behind a Service's port. Raises LabError for a name no container port has."""
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for declared in pod.container.get("ports") or []:
        if declared.get("name") == target:
            return int(declared["containerPort"])
    raise LabError(f"no container port is named {target!r}")


def endpoints(service: Json, pods: dict[str, str], ports: list[Json]) -> tuple[Json, Json]:
    """The Endpoints and the EndpointSlice of a Service; `pods` is name -> address.

    The API server's service proxy reads the Endpoints, and follows only addresses that name their Pod.
    """
    meta = service["metadata"]
    owner = {"apiVersion": "v1", "kind": "Service", "name": meta["name"], "uid": meta["uid"]}
    common = {"namespace": meta["namespace"], "ownerReferences": [owner]}
    members = [
        {
            "ip": address,
            "targetRef": {"kind": "Pod", "namespace": meta["namespace"], "name": name},
        }
        for name, address in pods.items()
    ]
    subsets = [{"addresses": members, "ports": ports}] if members else []
    classic: Json = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": meta["name"], **common},
        "subsets": subsets,
    }
    slice_: Json = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta['name']}-lab",
            "labels": {
                "kubernetes.io/service-name": meta["name"],
                "endpointslice.kubernetes.io/managed-by": "lab",
            },
            **common,
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}} for address in pods.values()],
        "ports": ports,
    }
    return classic, slice_


def publish(cluster: Cluster, service: Json, pods: dict[str, str], ports: list[Json]) -> None:
    """Write both kinds of endpoints of a Service."""
    namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
    classic, slice_ = endpoints(service, pods, ports)
    cluster.apply(namespaced("api/v1", namespace, "endpoints", name), classic)
    cluster.apply(namespaced("apis/discovery.k8s.io/v1", namespace, "endpointslices", f"{name}-lab"), slice_)


class Services:
    """Keeps endpoints and ClusterIPs in step with the Services and the pods that run."""

    def __init__(self, cluster: Cluster, log: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._log = log
        self._published: dict[str, tuple[object, ...]] = {}
        self._answering: dict[str, PodNetwork | None] = {}
        """ClusterIP -> the pod that answers for it; None is the lab itself."""

    def reconcile(self, services: list[Json], backends: list[Backend]) -> None:
        wanted: dict[str, PodNetwork | None] = {}
        for service in services:
            chosen = behind(service, backends)
            if service["spec"].get("selector"):
                self._publish(service, chosen)
            address = service["spec"].get("clusterIP", "None")
            if address in ("None", ""):
                continue
            if chosen and service["spec"].get("selector"):
                wanted[address] = chosen[0].network
            elif not service["spec"].get("selector") and self._is_the_labs(service):
                wanted[address] = None
        self._answer(wanted)
        alive = {service["metadata"]["uid"] for service in services}
        self._published = {uid: said for uid, said in self._published.items() if uid in alive}

    def _publish(self, service: Json, chosen: list[Backend]) -> None:
        ports = []
        for port in service["spec"].get("ports") or []:
            try:
                target = target_port(port, chosen[0].pod) if chosen else port["port"]
            except LabError as error:
                self._log(f"service {service['metadata']['name']}: {error}")
                continue
            named = {"name": port["name"]} if port.get("name") else {}
            ports.append({**named, "port": target, "protocol": port.get("protocol", "TCP")})
        pods = {backend.pod.name: backend.network.address for backend in chosen}
        said = (tuple(pods.items()), repr(ports))
        uid = service["metadata"]["uid"]
        if self._published.get(uid) == said:
            return
        try:
            publish(self._cluster, service, pods, ports)
        except ApiError as error:
            self._log(f"endpoints of {service['metadata']['name']}: {error}")
            return
        self._published[uid] = said
        for port, translated in zip(service["spec"].get("ports") or [], ports, strict=False):
            if port["port"] != translated["port"]:
                self._log(
                    f"service {service['metadata']['name']}: port {port['port']} is not translated to "
                    f"{translated['port']} at its ClusterIP; use the same number for both in the lab"
                )

    def _is_the_labs(self, service: Json) -> bool:
        meta = service["metadata"]
        try:
            found = self._cluster.get(namespaced("api/v1", meta["namespace"], "endpoints", meta["name"]))
        except ApiError:
            return False
        return any(
            address["ip"] == LAB_ADDRESS
            for subset in found.get("subsets") or []
            for address in subset.get("addresses") or []
        )

    def _answer(self, wanted: dict[str, PodNetwork | None]) -> None:
        for address, where in list(self._answering.items()):
            if address not in wanted or wanted[address] != where:
                if where is not None:
                    where.leave(address)
                network.forget(address)
                del self._answering[address]
        for address, where in wanted.items():
            if address not in self._answering:
                try:
                    if where is None:
                        network.take_here(address)
                    else:
                        where.take(address)
                except LabError as error:
                    self._log(f"ClusterIP {address}: {error}")
                    continue
                self._answering[address] = where
