"""Where the lab keeps what, and the addresses inside its private network."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

LAB_ADDRESS = "10.77.0.1"
"""The bridge inside the lab's network namespace: API server and NATS as the pods see them."""
POD_NETWORK = "10.77.0.0/16"
SERVICE_NETWORK = "10.96.0.0/16"

API_PORT = 443
"""443, so that the ClusterIP of the Service `kubernetes` needs no port translation."""
NATS_PORT = 4222
NATS_MONITOR_PORT = 8222
NATS_ACCOUNTS = ("lab", "second", "faults", "full", "slow", "seen", "bench")
"""One for each stack that uses the NATS at once, or that wants a stream of its own: the subjects of two are alike."""
NATS_NAMESPACE = "lab-nats"
NATS_SERVICE = "nats"
WORKFLOWS_NAMESPACE = "lab-workflows"
"""Where workflow-controller reads its own ConfigMap; it serves every namespace."""
HOLLOW = "hollow-"
"""So begin the names of namespaces whose Deployments the lab leaves alone: their pods are somebody else's to run."""

API_URL = f"https://{LAB_ADDRESS}:{API_PORT}"

PULUMI_KUBERNETES = "4.26.0"

CLONE = Path(__file__).resolve().parent.parent

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def search_path() -> str:
    """PATH with the administrator's folders, which a user's own PATH often lacks (`ip` lives there)."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*folders, *(folder for folder in SBIN if folder not in folders)])


@dataclass(frozen=True)
class Layout:
    """The files of one clone's lab, all below `.lab/`."""

    root: Path = CLONE

    @property
    def state(self) -> Path:
        return self.root / ".lab"

    @property
    def bin(self) -> Path:
        return self.state / "bin"

    @property
    def data(self) -> Path:
        return self.state / "data"

    def volume(self, claim: str = "") -> Path:
        """What a PersistentVolumeClaim of this uid holds; without one, the folder of these."""
        return self.data / "volumes" / claim

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def certs(self) -> Path:
        return self.state / "certs"

    @property
    def tokens(self) -> Path:
        return self.state / "tokens.csv"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def crds(self) -> Path:
        return self.state / "crds"

    @property
    def nats_config(self) -> Path:
        return self.state / "nats.conf"

    def nats_access(self, account: str) -> Path:
        """User and password of a NATS account, as an EventBus's access Secret holds them."""
        return self.state / f"nats-access-{account}.yaml"

    @property
    def pulumi_home(self) -> Path:
        return self.state / "pulumi-home"

    @property
    def pulumi_state(self) -> Path:
        return self.state / "pulumi-state"

    @property
    def passphrase(self) -> Path:
        return self.state / "pulumi-passphrase"

    @property
    def status(self) -> Path:
        return self.state / "status.json"

    @property
    def owner(self) -> Path:
        """The process on the host that holds the namespaces (`unshare`), with its start time."""
        return self.state / "owner.json"

    @property
    def version(self) -> Path:
        """Which engine and which code of ours the lab was started with."""
        return self.state / "version"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def away(self, name: str = "") -> Path:
        """Until when a process that was killed on purpose stays away; without a name, the folder of these."""
        return self.state / "away" / name

    @property
    def temporary(self) -> Path:
        """For temporary files: Pulumi's Kubernetes provider leaves some."""
        return self.state / "tmp"

    @property
    def webhook_secret(self) -> Path:
        """The secret that the lab's deliveries are signed with."""
        return self.state / "webhook-secret"

    @property
    def webhook(self) -> Path:
        """Environment variables that say where stack `lab` takes deliveries, once it is up."""
        return self.state / "webhook.json"

    def environment(self) -> dict[str, str]:
        """What a command inside the lab needs to find the engine; no secret is among it, only paths."""
        webhook: dict[str, str] = json.loads(self.webhook.read_text()) if self.webhook.exists() else {}
        return webhook | {
            "GITHUB_TO_ARGO_LAB": str(self.state),
            "KUBECONFIG": str(self.kubeconfig),
            "TMPDIR": str(self.temporary),
            "PATH": os.pathsep.join([str(self.bin), str(Path(sys.executable).parent), search_path()]),
            "PULUMI_HOME": str(self.pulumi_home),
            # Without the files of attributes beside each, which a killed Pulumi leaves empty and then cannot read.
            "PULUMI_BACKEND_URL": f"file://{self.pulumi_state}?metadata=skip",
            "PULUMI_CONFIG_PASSPHRASE_FILE": str(self.passphrase),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }
