"""From a Deployment, or a StatefulSet's Pod, to the processes it asks for. Pure: no cluster, no processes."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.confined import Confinement
from lab.errors import LabError

Json = dict[str, Any]
ReadKeys = Callable[[str, str, str], "dict[str, bytes] | None"]
"""(kind, namespace, name) -> the keys of a Secret or ConfigMap, None where there is none."""

_FILES = {"secret": "Secret", "configMap": "ConfigMap"}
_VOLUME_KINDS = (*_FILES, "projected", "emptyDir", "persistentVolumeClaim")


@dataclass(frozen=True)
class Pod:
    """One process that a Deployment wants, whose name changes whenever its template does; or a StatefulSet's Pod."""

    name: str
    namespace: str
    workload: str
    """The Deployment; of a StatefulSet's Pod, which keeps its name, that name."""
    owner: str
    """The uid of the Deployment or StatefulSet."""
    template: Json
    uid: str = ""
    """Of a StatefulSet's Pod, which Kubernetes' own controller makes; those of Deployments are the lab's."""
    left_out: tuple[str, ...] = ()
    """Its containers that the lab does not run."""

    @property
    def key(self) -> str:
        return f"{self.namespace}.{self.name}"

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = (self.template.get("metadata") or {}).get("labels") or {}
        return labels

    @property
    def spec(self) -> Json:
        spec: Json = self.template["spec"]
        return spec

    @property
    def container(self) -> Json:
        containers: list[Json] = self.spec["containers"]
        if len(containers) != 1 or self.spec.get("initContainers"):
            raise LabError("the lab runs one container of a pod, without init containers")
        return containers[0]

    @property
    def image(self) -> str:
        return str(self.container["image"])

    @property
    def service_account(self) -> str:
        return str(self.spec.get("serviceAccountName") or "default")

    @property
    def grace(self) -> float:
        """Seconds between SIGTERM and SIGKILL."""
        return float(self.spec.get("terminationGracePeriodSeconds", 30))


def template_hash(template: Json) -> str:
    text = json.dumps(template, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def pods_of(deployment: Json) -> list[Pod]:
    """The pods a Deployment wants now; none while it is being deleted."""
    meta, spec = deployment["metadata"], deployment["spec"]
    if meta.get("deletionTimestamp"):
        return []
    replicas = spec.get("replicas", 1)
    marker = template_hash(spec["template"])
    return [
        Pod(
            f"{meta['name']}-{marker}-{number}",
            meta["namespace"],
            meta["name"],
            meta["uid"],
            spec["template"],
        )
        for number in range(replicas)
    ]


def pods_of_stateful_sets(found: list[Json], left_out: Collection[str]) -> list[Pod]:
    """Those of the API server's Pods that StatefulSets own, without the containers of the images `left_out`."""
    return [_stateful(pod, owner["uid"], left_out) for pod in found if (owner := _stateful_set(pod))]


def _stateful_set(found: Json) -> Json | None:
    owners: list[Json] = found["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner["kind"] == "StatefulSet" and owner.get("controller")), None)


def _stateful(found: Json, owner: str, left_out: Collection[str]) -> Pod:
    meta, containers = found["metadata"], found["spec"]["containers"]
    runs = [container for container in containers if container["image"] not in left_out]
    return Pod(
        meta["name"],
        meta["namespace"],
        meta["name"],
        owner,
        {"metadata": meta, "spec": found["spec"] | {"containers": runs}},
        meta["uid"],
        tuple(container["name"] for container in containers if container not in runs),
    )


def starts_before_it_stops(deployment: Json) -> bool:
    """RollingUpdate (the default) brings new pods up first; Recreate ends the old ones first."""
    return (deployment["spec"].get("strategy") or {}).get("type") != "Recreate"


@dataclass(frozen=True)
class Probe:
    """An HTTP GET that says whether a container is ready: in seconds, and how many failures in a row count."""

    path: str
    port: int
    delay: float
    period: float
    timeout: float
    failures: int


def probe(pod: Pod, kind: str) -> Probe | None:
    """The container's `startupProbe` or `readinessProbe`. Raises LabError for one that is no HTTP GET."""
    found = pod.container.get(kind)
    if not found:
        return None
    if "httpGet" not in found:
        raise LabError(f"the lab knows HTTP probes, not this {kind}: {sorted(found)}")
    return Probe(
        found["httpGet"].get("path", "/"),
        int(found["httpGet"]["port"]),
        found.get("initialDelaySeconds", 0),
        found.get("periodSeconds", 10),
        found.get("timeoutSeconds", 1),
        found.get("failureThreshold", 3),
    )


@dataclass(frozen=True)
class File:
    """A file in the pod's root; `path` as the pod sees it."""

    path: str
    content: bytes
    mode: int = 0o644
    owner: int | None = None
    """None: the user that the lab runs as."""


def fields(pod: Pod, address: str) -> dict[str, str]:
    """What `fieldRef` may name."""
    meta = pod.template.get("metadata") or {}
    known = {
        "metadata.name": pod.name,
        "metadata.namespace": pod.namespace,
        "metadata.uid": f"lab-{pod.name}",
        "spec.serviceAccountName": pod.service_account,
        "spec.nodeName": "lab",
        "status.podIP": address,
        "status.hostIP": address,
    }
    for kind in ("labels", "annotations"):
        known |= {f"metadata.{kind}['{key}']": value for key, value in (meta.get(kind) or {}).items()}
    return known


def expand(text: str, known: Mapping[str, str]) -> str:
    """`$(NAME)` as Kubernetes expands it: unknown names stay as they are, `$$` is a dollar."""

    def one(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return known.get(match.group(1), match.group())

    return re.sub(r"\$\$|\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)", one, text)


def _key_of(ref: Json, kind: str, pod: Pod, read: ReadKeys) -> bytes | None:
    """One key of a Secret or ConfigMap; when missing, None if it is optional, else LabError."""
    keys = read(kind, pod.namespace, ref["name"])
    if keys is not None and ref["key"] in keys:
        return keys[ref["key"]]
    if ref.get("optional"):
        return None
    lacks = "does not exist" if keys is None else f"has no key {ref['key']!r}"
    raise LabError(f"{kind} {ref['name']!r} {lacks}")


def _all_keys(ref: Json, kind: str, pod: Pod, read: ReadKeys) -> dict[str, bytes]:
    name = ref.get("name") or ref.get("secretName") or ""
    keys = read(kind, pod.namespace, name)
    if keys is None and not ref.get("optional"):
        raise LabError(f"{kind} {name!r} does not exist")
    return keys or {}


def environment(pod: Pod, address: str, given: Mapping[str, str], read: ReadKeys) -> dict[str, str]:
    """The container's environment. `given` is what every pod gets (KUBERNETES_SERVICE_HOST, …).

    Raises LabError where it names what does not exist or the lab does not know.
    """
    env = dict(given)
    for source in pod.container.get("envFrom") or []:
        for field, kind in (("secretRef", "Secret"), ("configMapRef", "ConfigMap")):
            if field in source:
                keys = _all_keys(source[field], kind, pod, read)
                env |= {source.get("prefix", "") + key: value.decode() for key, value in keys.items()}
    for entry in pod.container.get("env") or []:
        value = _value_of(entry, pod, address, env, read)
        if value is not None:
            env[entry["name"]] = value
    return env


def _value_of(entry: Json, pod: Pod, address: str, env: Mapping[str, str], read: ReadKeys) -> str | None:
    origin = entry.get("valueFrom")
    if not origin:
        return expand(entry.get("value", ""), env)
    if "fieldRef" in origin:
        path = origin["fieldRef"]["fieldPath"]
        known = fields(pod, address)
        if path not in known:
            raise LabError(f"the lab does not know fieldRef {path!r} (env {entry['name']})")
        return known[path]
    for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
        if field in origin:
            found = _key_of(origin[field], kind, pod, read)
            return None if found is None else found.decode()
    raise LabError(f"the lab does not know valueFrom {sorted(origin)} (env {entry['name']})")


def arguments(pod: Pod, env: Mapping[str, str]) -> list[str]:
    """What follows the binary: the image's entrypoint is the binary itself, `command` replaces it."""
    command = (pod.container.get("command") or [])[1:]
    return [expand(text, env) for text in [*command, *(pod.container.get("args") or [])]]


def _mounts(pod: Pod) -> Iterator[tuple[Json, str, Json]]:
    """Each of the container's mounts, with the kind of its volume and what is said of it.

    Raises LabError for a kind that the lab does not know.
    """
    volumes = {volume["name"]: volume for volume in pod.spec.get("volumes") or []}
    for mount in pod.container.get("volumeMounts") or []:
        volume = volumes[mount["name"]]
        kind = next((kind for kind in _VOLUME_KINDS if kind in volume), None)
        if kind is None:
            raise LabError(f"the lab does not know the kind of volume {mount['name']!r}: {sorted(volume)}")
        yield mount, kind, volume[kind]


def claims(pod: Pod) -> dict[str, str]:
    """The PersistentVolumeClaim at each mount path that is one's."""
    return {
        mount["mountPath"]: source["claimName"]
        for mount, kind, source in _mounts(pod)
        if kind == "persistentVolumeClaim"
    }


def fs_group(pod: Pod) -> int | None:
    """Whose its persistent volumes are."""
    group: int | None = (pod.spec.get("securityContext") or {}).get("fsGroup")
    return group


def mounted_files(pod: Pod, read: ReadKeys) -> list[File]:
    """The files of the container's Secret, ConfigMap and projected volumes, at their mount paths.

    Raises LabError for a volume that is missing or of a kind the lab does not know.
    """
    files: list[File] = []
    for mount, kind, volume in _mounts(pod):
        sources = volume["sources"] if kind == "projected" else [{kind: volume}]
        for source in sources:
            ((held, keys),) = source.items()
            if held in _FILES:
                files += _files_of(keys, _FILES[held], mount, pod, read)
            elif kind == "projected":
                raise LabError(f"the lab does not know {held} in the projected volume {mount['name']!r}")
    return files


def _files_of(source: Json, kind: str, mount: Json, pod: Pod, read: ReadKeys) -> list[File]:
    keys = _all_keys(source, kind, pod, read)
    paths = {key: key for key in keys}
    if source.get("items"):
        paths = {item["key"]: item["path"] for item in source["items"]}
    lacking = sorted(set(paths) - set(keys))
    if lacking and not source.get("optional"):
        raise LabError(f"{kind} {source.get('secretName') or source.get('name')!r} has no key {lacking[0]!r}")
    sub = mount.get("subPath")
    where = mount["mountPath"].rstrip("/")
    return [
        File(where if sub else f"{where}/{path}", keys[key], source.get("defaultMode", 0o644))
        for key, path in paths.items()
        if key in keys and sub in (None, "", path)
    ]


def empty_folders(pod: Pod) -> list[str]:
    """The mount paths of the container, as folders that must exist even when nothing is in them."""
    return [mount["mountPath"] for mount in pod.container.get("volumeMounts") or [] if not mount.get("subPath")]


def confinement(pod: Pod) -> Confinement:
    """What the container's security context, and the pod's under it, ask for; emptyDirs stay writable.

    Seccomp profiles and what only a scheduler reads are not honoured. Raises LabError, as a kubelet would, for
    a root that runAsNonRoot forbids, and for capabilities that the lab cannot give or take one by one.
    """
    of_container = pod.container.get("securityContext") or {}
    asked = (pod.spec.get("securityContext") or {}) | of_container
    capabilities = of_container.get("capabilities") or {}
    if capabilities.get("add") or capabilities.get("drop") not in (None, [], ["ALL"]):
        raise LabError(f"the lab takes all capabilities or none, not {json.dumps(capabilities)}")
    if asked.get("runAsNonRoot") and not asked.get("runAsUser"):
        raise LabError("container has runAsNonRoot and image will run as root")
    empty = {volume["name"] for volume in pod.spec.get("volumes") or [] if "emptyDir" in volume}
    mounts = pod.container.get("volumeMounts") or []
    return Confinement(
        user=asked.get("runAsUser"),
        group=asked.get("runAsGroup"),
        read_only=bool(asked.get("readOnlyRootFilesystem")),
        no_new_privileges=asked.get("allowPrivilegeEscalation") is False,
        no_capabilities=capabilities.get("drop") == ["ALL"],
        writable=tuple(mount["mountPath"] for mount in mounts if mount["name"] in empty),
        fs_group=fs_group(pod),
    )


def has_number(number: int, uid_map: str) -> bool:
    """Whether a user namespace, by its /proc/self/uid_map, has the user of this number."""
    ranges = [[int(part) for part in line.split()] for line in uid_map.splitlines()]
    return any(first <= number < first + count for first, _, count in ranges)


def wants_token(pod: Pod, account: Json) -> bool:
    """Whether the service account's token is mounted: the pod decides, else its account, else yes."""
    for holder in (pod.spec, account):
        if holder.get("automountServiceAccountToken") is not None:
            return bool(holder["automountServiceAccountToken"])
    return True


def pod_object(pod: Pod) -> Json:
    """The Pod as the API shows it. Without a node: the API server deletes it at once, asking no kubelet."""
    meta = pod.template.get("metadata") or {}
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": pod.workload,
        "uid": pod.owner,
        "controller": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod.name,
            "namespace": pod.namespace,
            "labels": meta.get("labels") or {},
            "annotations": meta.get("annotations") or {},
            "ownerReferences": [owner],
        },
        "spec": pod.spec,
    }


def pod_status(pod: Pod, address: str, since: str | None, ready: bool, restarts: int, reason: str) -> Json:
    """A Pod's status; `since` (RFC 3339) is when its process started, None while it does not run."""
    state: Json = {"running": {"startedAt": since}} if since else {"waiting": {"reason": "Lab", "message": reason}}
    container = {
        "name": pod.container["name"],
        "image": pod.image,
        "imageID": pod.image,
        "ready": ready,
        "started": ready,
        "restartCount": restarts,
        "state": state,
    }
    left_out = [
        {"name": name, "image": "", "imageID": "", "ready": False, "restartCount": 0, "state": {"waiting": _LEFT_OUT}}
        for name in pod.left_out
    ]
    condition = "True" if ready else "False"
    return {
        "phase": "Running" if since else "Pending",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [{"type": kind, "status": condition} for kind in ("Ready", "ContainersReady")],
        "containerStatuses": [container, *left_out],
    }


_LEFT_OUT = {"reason": "Lab", "message": "the lab has no binary for it, and leaves it out"}


def deployment_status(deployment: Json, pods: list[tuple[Pod, bool]], reason: str, now: str) -> Json:
    """The status of a Deployment whose pods are `pods`: (pod, runs), old ones included."""
    wanted = {pod.name for pod in pods_of(deployment)}
    replicas = deployment["spec"].get("replicas", 1)
    ready = sum(runs for _, runs in pods)
    updated = sum(pod.name in wanted for pod, _ in pods)
    available = ready >= replicas
    condition = {
        "type": "Available",
        "status": "True" if available else "False",
        "reason": "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
        "message": reason if not available and reason else f"{ready} of {replicas} processes run",
        "lastUpdateTime": now,
        "lastTransitionTime": now,
    }
    status: Json = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": len(pods),
        "updatedReplicas": updated,
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(replicas - ready, 0),
        "conditions": [condition],
    }
    return status


def same_status(old: Json, new: Json) -> bool:
    """Whether two statuses say the same, whenever they were written (zero counts are absent once stored)."""

    def plain(status: Json) -> Json:
        conditions = [
            {key: value for key, value in condition.items() if not key.startswith("last")}
            for condition in status.get("conditions") or []
        ]
        counts = {key: value for key, value in status.items() if key != "conditions" and value}
        return counts | {"conditions": conditions}

    return plain(old) == plain(new)
