"""One run of Pulumi, measured: `python -m tests.bench.program FOLDER ours|bare COPIES up|preview`.

In a process of its own, which imports nothing that the program would have to import by itself. Prints JSON.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import re
import resource
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
from pulumi import automation

PROJECT = "github-to-argo"
CLONE = Path(__file__).parent.parent.parent
OBJECTS = "objects.json"
"""In the stack's folder: what the bare program makes."""
STACKS = {"ours": "bench-ours", "bare": "bench-bare"}
PR_SET_CHILD_SUBREAPER = 36


def ours(folder: Path, copies: int) -> Callable[[], None]:
    """The project's own program, with so many times as many Sensors."""

    def program() -> None:
        import routes.compiler
        from tests.bench.many import many

        once = routes.compiler.compile_stack
        routes.compiler.compile_stack = lambda families, settings: many(once(families, settings), copies)
        try:
            runpy.run_path(str(CLONE / "__main__.py"), run_name="__main__")
        finally:
            routes.compiler.compile_stack = once

    return program


def bare(folder: Path, copies: int) -> Callable[[], None]:
    """A resource for each object, and nothing else: no component, no check, no order but the namespace before all."""

    def program() -> None:
        import pulumi_kubernetes as k8s

        typed: dict[str, Callable[..., Any]] = {
            "Secret": k8s.core.v1.Secret,
            "ConfigMap": k8s.core.v1.ConfigMap,
            "ServiceAccount": k8s.core.v1.ServiceAccount,
            "Role": k8s.rbac.v1.Role,
            "RoleBinding": k8s.rbac.v1.RoleBinding,
            "PodDisruptionBudget": k8s.policy.v1.PodDisruptionBudget,
            "NetworkPolicy": k8s.networking.v1.NetworkPolicy,
            "ValidatingAdmissionPolicy": k8s.admissionregistration.v1.ValidatingAdmissionPolicy,
            "ValidatingAdmissionPolicyBinding": k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding,
        }
        objects = json.loads((folder / OBJECTS).read_text())
        cluster = k8s.Provider("cluster", context="lab", enable_server_side_apply=True)
        (first,) = (o for o in objects if o["kind"] == "Namespace")
        namespace = k8s.core.v1.Namespace(
            "namespace", pulumi.ResourceOptions(provider=cluster), metadata=first["metadata"]
        )
        after = pulumi.ResourceOptions(provider=cluster, depends_on=[namespace])
        config = pulumi.Config(PROJECT)
        secrets = {
            "github-webhook-secret": ("secret", "webhookSecretValue"),
            "nats-access": ("auth", "eventBusAccessValue"),
        }
        for o in objects:
            name = f"{o['kind']}-{o['metadata']['name']}".lower()
            if o["kind"] in typed:
                rest = {_snake(key): value for key, value in o.items() if key not in ("apiVersion", "kind")}
                if o["kind"] == "Secret":
                    key, of = secrets[o["metadata"]["name"]]
                    rest["string_data"] = {key: config.require_secret(of)}
                typed[o["kind"]](name, after, **rest)
            elif o["kind"] != "Namespace":
                k8s.apiextensions.CustomResource(
                    name, o["apiVersion"], o["kind"], metadata=o["metadata"], spec=o["spec"], opts=after
                )

    return program


def _snake(name: str) -> str:
    return re.sub(r"(?=[A-Z])", "_", name).lower()


def main(folder: Path, program: str, copies: int, operation: str) -> None:
    # What Pulumi starts and does not wait for, its provider, is then waited for here, and so is counted.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    run = {"ours": ours, "bare": bare}[program](folder, copies)
    stack = automation.select_stack(
        stack_name=STACKS[program],
        project_name=PROJECT,
        program=run,
        opts=automation.LocalWorkspaceOptions(work_dir=str(folder)),
    )
    began, cpu = time.monotonic(), _cpu()
    if operation == "up":
        changes: Any = stack.up(color="never").summary.resource_changes
    else:
        changes = stack.preview(color="never").change_summary
    wall = time.monotonic() - began
    while _reaped():
        pass
    after = _cpu()
    told = {
        "wall": wall,
        "program": after[0] - cpu[0],
        "engine": after[1] - cpu[1],
        "program_memory": _most_resident(),
        "engine_memory": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "changes": {str(getattr(op, "value", op)): count for op, count in (changes or {}).items()},
    }
    print(json.dumps(told))


def _cpu() -> tuple[float, float]:
    """Seconds of processor time, of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    mine, theirs = (one.ru_utime + one.ru_stime for one in used)
    return mine, theirs


def _most_resident() -> int:
    """Bytes, of this process at its largest. getrusage would have it begin with what started it."""
    (kilobytes,) = re.findall(r"^VmHWM:\s+([0-9]+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kilobytes) * 1024


def _reaped() -> bool:
    try:
        os.wait()
    except ChildProcessError:
        return False
    return True


if __name__ == "__main__":
    os.chdir(CLONE)
    sys.path.insert(0, str(CLONE))
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
