"""The tools of the engine: what is built from which Go module, and where the result is kept."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError
from lab.golang import ENGINE

_PULUMI_VERSION = "v3.250.0"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One Go module under `lab/engine/`.

    packages: Go package -> name of the binary; none: the module is only read. module: the Go module that it is of.
    crds: folders or files of that module whose CustomResourceDefinitions are kept beside the binaries.
    minutes: a cold build on 2 cores. cold_gb: what such a build adds to Go's caches.
    """

    name: str
    packages: dict[str, str]
    module: str
    minutes: float
    cold_gb: float
    ldflags: str = "-s -w"
    crds: tuple[str, ...] = field(default=())

    @property
    def folder(self) -> Path:
        return ENGINE / self.name


TOOLS = (
    Tool(
        name="etcd",
        packages={"go.etcd.io/etcd/server/v3": "etcd"},
        module="go.etcd.io/etcd/server/v3",
        minutes=1,
        cold_gb=1,
    ),
    Tool(
        name="kubernetes",
        packages={
            "k8s.io/kubernetes/cmd/kube-apiserver": "kube-apiserver",
            "k8s.io/kubernetes/cmd/kube-controller-manager": "kube-controller-manager",
            "k8s.io/kubernetes/cmd/kubectl": "kubectl",
        },
        module="k8s.io/kubernetes",
        minutes=6,
        cold_gb=4,
    ),
    Tool(
        name="argo-events",
        packages={"github.com/argoproj/argo-events/cmd": "argo-events"},
        module="github.com/argoproj/argo-events",
        minutes=5,
        cold_gb=4,
        crds=("manifests/base/crds",),
    ),
    Tool(
        name="explain",
        packages={".": "argo-events-explain"},
        module="github.com/argoproj/argo-events",
        minutes=0.5,
        cold_gb=4,
    ),
    Tool(
        name="argo-workflows",
        packages={"github.com/argoproj/argo-workflows/v3/cmd/workflow-controller": "workflow-controller"},
        module="github.com/argoproj/argo-workflows/v3",
        minutes=5,
        cold_gb=3,
        crds=("manifests/base/crds/minimal",),
    ),
    # The native EventBus's: the version that dev and prod name. The lab's own NATS is the newer one of a wheel.
    Tool(
        name="nats-server",
        packages={"github.com/nats-io/nats-server/v2": "nats-server-2.10"},
        module="github.com/nats-io/nats-server/v2",
        minutes=0.5,
        cold_gb=0.2,
    ),
    # A program of ours over argo-workflows' packages, for the tests: compiled once the controller is.
    Tool(
        name="validate",
        packages={".": "argo-workflows-validate"},
        module="github.com/argoproj/argo-workflows/v3",
        minutes=1,
        cold_gb=0.5,
    ),
    Tool(
        name="pulumi",
        packages={"github.com/pulumi/pulumi/pkg/v3/cmd/pulumi": "pulumi"},
        module="github.com/pulumi/pulumi/pkg/v3",
        minutes=5,
        cold_gb=3,
        ldflags=f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version={_PULUMI_VERSION}",
    ),
    Tool(
        name="pulumi-kubernetes",
        packages={".": "pulumi-resource-kubernetes"},
        module="github.com/pulumi/pulumi-kubernetes/provider/v4",
        minutes=8,
        cold_gb=5,
    ),
    # What stacks make beside Argo's own: the API server knows the kinds, and no controller of theirs runs.
    Tool(
        name="external-secrets",
        packages={},
        module="github.com/external-secrets/external-secrets",
        minutes=0.2,
        cold_gb=0.2,
        crds=("config/crds/bases/external-secrets.io_externalsecrets.yaml",),
    ),
    Tool(
        name="gateway-api",
        packages={},
        module="sigs.k8s.io/gateway-api",
        minutes=0.1,
        cold_gb=0.1,
        crds=tuple(f"config/crd/standard/gateway.networking.k8s.io_{kind}.yaml" for kind in ("gateways", "httproutes")),
    ),
    Tool(
        name="prometheus-operator",
        packages={},
        module="github.com/prometheus-operator/prometheus-operator",
        minutes=0.1,
        cold_gb=0.1,
        crds=tuple(
            f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
            for kind in ("podmonitors", "prometheusrules")
        ),
    ),
)


def cache_root() -> Path:
    """Where built tools live: GITHUB_TO_ARGO_CACHE, else `~/.cache/github-to-argo`."""
    chosen = os.environ.get("GITHUB_TO_ARGO_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else Path.home() / ".cache" / "github-to-argo"


def fingerprint(tool: Tool, sources: dict[str, bytes]) -> str:
    """A short hash of all that decides what is built: the module's files by name, and how they are built."""
    digest = hashlib.sha256()
    how = [
        tool.ldflags,
        *(f"{package}={binary}" for package, binary in sorted(tool.packages.items())),
        *tool.crds,
    ]
    parts = [*(text.encode() for text in how)]
    for name in sorted(sources):
        parts += [name.encode(), sources[name]]
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def read_sources(tool: Tool) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in sorted(tool.folder.iterdir())
        if path.name in ("go.mod", "go.sum") or path.suffix in (".go", ".s")
    }


def built_folder(tool: Tool, root: Path | None = None) -> Path:
    """The folder that holds, or will hold, this tool's binaries and CRDs."""
    return (root or cache_root()) / "engine" / f"{tool.name}-{fingerprint(tool, read_sources(tool))}"


def tools_named(names: Sequence[str]) -> list[Tool]:
    """The tools of these names; all for none. Raises LabError for a name that no tool has."""
    unknown = set(names) - {tool.name for tool in TOOLS}
    if unknown:
        raise LabError(f"There is no tool {', '.join(sorted(unknown))}; there are {', '.join(t.name for t in TOOLS)}.")
    return [tool for tool in TOOLS if not names or tool.name in names]


def missing_tools(*names: str) -> list[Tool]:
    """Those of the named tools (none: all) that the cache lacks. Raises LabError when it cannot even be read."""
    try:
        return [tool for tool in tools_named(names) if not built_folder(tool).is_dir()]
    except PermissionError as error:
        raise LabError(
            f"The cache {cache_root()} cannot be read: {error.strerror}.\n"
            "Set GITHUB_TO_ARGO_CACHE to a folder of yours (it needs about 1 GB)."
        ) from error
