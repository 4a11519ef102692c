"""The components of the lab: what each is run with, what each needs written first, when each is ready."""

import base64
import functools
import hashlib
import json
import secrets
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from lab.layout import (
    API_PORT,
    API_URL,
    LAB_ADDRESS,
    NATS_ACCOUNTS,
    NATS_MONITOR_PORT,
    NATS_PORT,
    SERVICE_NETWORK,
    WORKFLOWS_NAMESPACE,
    Layout,
)
from lab.process import Command
from lab.roots import Root

MAX_PAYLOAD_BYTES = 32 * 1024**2
"""The largest message that NATS takes: JetStream keeps no larger one."""

ETCD_PORT = 2379
CONTROLLER_METRICS_PORT, CONTROLLER_HEALTH_PORT = 7777, 8081
WORKFLOWS_HEALTH_PORT = 6060

_CONTROLLERS = (
    "disruption-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "persistentvolumeclaim-protection-controller",
    "serviceaccount-controller",
    "statefulset-controller",
)

NATS_IMAGES = {"2.10.29": "nats-server-2.10", "2.15.1": "nats-server"}
"""The versions of a native EventBus that the controller's config lists: Argo Events' own latest, and the lab's NATS."""

LEFT_OUT = "lab.local/left-out"
"""The image of the two containers beside each server of a native EventBus: the Go modules of neither can be had.

Without the reloader a changed configuration waits for a new pod; without the exporter nothing listens on port 7777.
"""

_CONTROLLER_CONFIG = {
    "eventBus": {
        "nats": {"versions": [{"version": "0.22.1", "natsStreamingImage": "none", "metricsExporterImage": "none"}]},
        "jetstream": {
            "settings": "max_memory_store: -1\nmax_file_store: 1TB\n",
            "streamConfig": "maxMsgs: 50000\nmaxAge: 168h\nmaxBytes: -1\nreplicas: 1\nduplicates: 300s\n"
            "retention: 0\ndiscard: 0\n",
            "versions": [
                {
                    "version": version,
                    "natsImage": f"lab.local/nats-server:{version}",
                    "metricsExporterImage": LEFT_OUT,
                    "configReloaderImage": LEFT_OUT,
                    "startCommand": "/nats-server",
                }
                for version in NATS_IMAGES
            ],
        },
    }
}


@functools.cache
def argo_events_image(layout: Layout) -> str:
    """What the controller calls the image of EventSources' and Sensors' pods: by digest, that of the binary itself."""
    with (layout.bin / "argo-events").open("rb") as binary:
        return f"lab.local/argo-events@sha256:{hashlib.file_digest(binary, 'sha256').hexdigest()}"


def images(layout: Layout) -> dict[str, str | None]:
    """Container image -> binary: all that the lab can run in a pod; None: it leaves that container out."""
    servers = {f"lab.local/nats-server:{version}": binary for version, binary in NATS_IMAGES.items()}
    return {argo_events_image(layout): "argo-events", **servers, LEFT_OUT: None}


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def write_state(layout: Layout) -> None:
    """All files that the components read: tokens, kubeconfig, Pulumi's passphrase, secrets of NATS and the webhook."""
    for folder in (layout.data, layout.logs, layout.certs, layout.pulumi_state):
        folder.mkdir(parents=True, exist_ok=True)
    token = secrets.token_hex(24)
    passwords = {account: secrets.token_hex(16) for account in NATS_ACCOUNTS}
    _private(layout.tokens, f'{token},lab-admin,lab-admin,"system:masters"\n')
    _private(layout.kubeconfig, yaml.safe_dump(_kubeconfig(layout, token), sort_keys=False))
    for account, password in passwords.items():
        _private(layout.nats_access(account), f"username: {account}\npassword: {password}\n")
    _private(layout.nats_config, _nats_config(layout, passwords))
    _private(layout.webhook_secret, secrets.token_hex(32))
    _private(layout.passphrase, secrets.token_hex(16) + "\n")


def _kubeconfig(layout: Layout, token: str) -> dict[str, object]:
    cluster = {"server": API_URL, "certificate-authority": str(layout.certs / "apiserver.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": cluster}],
        "users": [{"name": "lab-admin", "user": {"token": token}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab-admin"}}],
        "current-context": "lab",
    }


def _nats_config(layout: Layout, passwords: dict[str, str]) -> str:
    """NATS with an account for each of `passwords`, in TLS with the API server's certificate, JetStream on its store.

    It listens at every address: all of them are the private network's, its Service's ClusterIP among them.
    """
    settings = {
        "server_name": "lab",
        "host": "0.0.0.0",
        "port": NATS_PORT,
        "http": f"0.0.0.0:{NATS_MONITOR_PORT}",
        "max_payload": MAX_PAYLOAD_BYTES,
        "jetstream": {"store_dir": str(layout.data / "nats")},
        "tls": {
            "cert_file": str(layout.certs / "apiserver.crt"),
            "key_file": str(layout.certs / "apiserver.key"),
            "timeout": 5,
        },
        "accounts": {
            account: {"jetstream": "enabled", "users": [{"user": account, "password": password}]}
            for account, password in passwords.items()
        },
    }
    return json.dumps(settings, indent=2) + "\n"


def etcd(layout: Layout) -> Command:
    """Without fsync: the lab's data need not outlive a crash of the machine."""
    client, peer = f"http://127.0.0.1:{ETCD_PORT}", f"http://127.0.0.1:{ETCD_PORT + 1}"
    argv = [str(layout.bin / "etcd"), f"--data-dir={layout.data / 'etcd'}", "--name=lab", "--log-level=warn"]
    argv += [
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
    ]
    argv += [f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=lab={peer}", "--unsafe-no-fsync"]
    return Command(argv, {})


def kube_apiserver(layout: Layout) -> Command:
    """It makes its own certificate in `certs/`; the same key signs the service accounts' tokens."""
    key = layout.certs / "apiserver.key"
    argv = [
        str(layout.bin / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{ETCD_PORT}",
        f"--secure-port={API_PORT}",
        f"--advertise-address={LAB_ADDRESS}",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        f"--cert-dir={layout.certs}",
        f"--token-auth-file={layout.tokens}",
        "--authorization-mode=RBAC",
        "--disable-admission-plugins=ServiceAccount",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--profiling=false",
    ]
    return Command(argv, {})


def kube_controller_manager(layout: Layout) -> Command:
    argv = [
        str(layout.bin / "kube-controller-manager"),
        f"--kubeconfig={layout.kubeconfig}",
        f"--controllers={','.join(_CONTROLLERS)}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]
    return Command(argv, {})


def nats_server(layout: Layout) -> Command:
    return Command([str(layout.bin / "nats-server"), "--config", str(layout.nats_config)], {})


def argo_events_controller(layout: Layout, nsenter: str) -> Command:
    """In a root of its own, since it reads its configuration from /etc/argo-events."""
    binary = layout.bin / "argo-events"
    root = Root("argo-events-controller")
    if not root.path.is_dir():
        root.create(binary)
    root.write("/etc/argo-events/controller-config.yaml", yaml.safe_dump(_CONTROLLER_CONFIG).encode())
    root.write("/etc/argo-events/kubeconfig", _portable_kubeconfig(layout).encode(), 0o600)
    ports = [f"--metrics-port={CONTROLLER_METRICS_PORT}", f"--health-port={CONTROLLER_HEALTH_PORT}"]
    argv = [nsenter, f"--root={root.path}", "--wd=/", "--", f"/bin/{binary.name}", "controller"]
    env = {"HOME": "/", "KUBECONFIG": "/etc/argo-events/kubeconfig", "ARGO_EVENTS_IMAGE": argo_events_image(layout)}
    return Command([*argv, "--leader-election=false", *ports], env)


def _portable_kubeconfig(layout: Layout) -> str:
    """The kubeconfig with the certificate inside, for a process that cannot see its file."""
    kubeconfig = yaml.safe_load(layout.kubeconfig.read_text())
    certificate = base64.b64encode((layout.certs / "apiserver.crt").read_bytes()).decode()
    kubeconfig["clusters"][0]["cluster"] = {"server": API_URL, "certificate-authority-data": certificate}
    return yaml.safe_dump(kubeconfig)


def workflow_controller(layout: Layout) -> Command:
    """Serves every namespace; its own ConfigMap is in WORKFLOWS_NAMESPACE."""
    argv = [str(layout.bin / "workflow-controller"), f"--kubeconfig={layout.kubeconfig}"]
    argv += [f"--namespace={WORKFLOWS_NAMESPACE}", "--executor-image=none"]
    return Command(argv, {"LEADER_ELECTION_DISABLE": "true"})


def answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    """Whether an HTTP address says 200 within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1, context=context) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def etcd_ready() -> bool:
    return answers(f"http://127.0.0.1:{ETCD_PORT}/health")


def api_ready(layout: Layout) -> bool:
    """Also in the certificate's first moment: anyone may read /readyz."""
    certificate = layout.certs / "apiserver.crt"
    if not certificate.is_file():
        return False
    return answers(f"{API_URL}/readyz", ssl.create_default_context(cafile=str(certificate)))


def nats_ready() -> bool:
    return answers(f"http://{LAB_ADDRESS}:{NATS_MONITOR_PORT}/healthz")


def argo_events_ready() -> bool:
    return answers(f"http://127.0.0.1:{CONTROLLER_HEALTH_PORT}/readyz")


def workflows_ready() -> bool:
    return answers(f"http://127.0.0.1:{WORKFLOWS_HEALTH_PORT}/healthz")
