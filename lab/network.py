"""The lab's private network: a bridge, and a network namespace for each pod. Runs inside the lab only."""

import ipaddress
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.layout import LAB_ADDRESS, POD_NETWORK

BRIDGE = "lab0"
_NETWORK = ipaddress.ip_network(POD_NETWORK)
_FIRST_POD = 256


def ip(*commands: str, netns: str | None = None, tolerate: bool = False) -> None:
    """Run `ip` commands as one batch. Raises LabError with ip's own words, unless `tolerate`."""
    argv = ["ip", *(["-n", netns] if netns else []), "-force", "-batch", "-"]
    done = subprocess.run(argv, input="\n".join(commands) + "\n", capture_output=True, text=True, check=False)
    if done.returncode != 0 and not tolerate:
        raise LabError(f"ip failed on {commands}: {done.stderr.strip()}")


def set_up() -> None:
    """Loopback, the bridge with the lab's address, and forwarding between pods."""
    ip(
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"addr add {LAB_ADDRESS}/{_NETWORK.prefixlen} dev {BRIDGE}",
        f"link set {BRIDGE} up",
    )
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")


@dataclass(frozen=True)
class PodNetwork:
    """One pod's network namespace, number `number` of the lab's life."""

    number: int

    @property
    def name(self) -> str:
        return f"p{self.number}"

    @property
    def address(self) -> str:
        return str(_NETWORK[_FIRST_POD + self.number])

    @property
    def path(self) -> str:
        return f"/run/netns/{self.name}"

    def create(self) -> None:
        done = subprocess.run(["ip", "netns", "add", self.name], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"no network namespace for a pod: {done.stderr.strip()}")
        link = f"veth{self.number}"
        ip(
            f"link add {link} type veth peer name eth0 netns {self.name}",
            f"link set {link} master {BRIDGE} up",
        )
        ip(
            "link set lo up",
            f"addr add {self.address}/{_NETWORK.prefixlen} dev eth0",
            "link set eth0 up",
            f"route add default via {LAB_ADDRESS}",
            netns=self.name,
        )

    def delete(self) -> None:
        ip(f"link del veth{self.number}", tolerate=True)
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, check=False)

    def take(self, service_address: str) -> None:
        """Answer for a Service's ClusterIP."""
        ip(f"addr replace {service_address}/32 dev eth0", netns=self.name)
        ip(f"route replace {service_address}/32 via {self.address}")

    def leave(self, service_address: str) -> None:
        ip(f"addr del {service_address}/32 dev eth0", netns=self.name, tolerate=True)


def take_here(service_address: str) -> None:
    """Let the lab itself answer for a ClusterIP (the API server, NATS)."""
    ip(f"addr replace {service_address}/32 dev lo")


def forget(service_address: str) -> None:
    ip(f"route del {service_address}/32", tolerate=True)
    ip(f"addr del {service_address}/32 dev lo", tolerate=True)
