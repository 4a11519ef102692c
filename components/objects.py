"""A compiled Kubernetes object as a Pulumi resource."""

from __future__ import annotations

from typing import Any

import pulumi

from routes.admission import COMPONENT
from routes.manifests import Manifest

SECRET = ("data", "stringData")
"""What of a Secret Pulumi writes down encrypted, and never shows."""


def declare(name: str, manifest: Manifest, opts: pulumi.ResourceOptions, **data: Any) -> pulumi.CustomResource:
    """The resource that `manifest` describes. `data` adds what no manifest holds: a Secret's `stringData`.

    Not by the classes of pulumi_kubernetes, which are the same resources: to import those of the core group alone takes
    as long as all the rest of a preview's Python (docs/performance.md).
    """
    version = manifest["apiVersion"]
    if manifest["kind"] == "Secret":
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(additional_secret_outputs=[*SECRET]))
        data = {key: pulumi.Output.secret(value) for key, value in data.items()}
    token = f"kubernetes:{'core/v1' if version == 'v1' else version}:{manifest['kind']}"
    return pulumi.CustomResource(token, name, {**manifest, **data}, opts)


def logical_name(manifest: Manifest) -> str:
    """Stable in every stack, as a cluster-wide object's own name is not: it holds the namespace's."""
    kind, metadata = manifest["kind"].lower(), manifest["metadata"]
    name = metadata["name"] if "namespace" in metadata else metadata["labels"].get(COMPONENT)
    return f"{kind}-{name}" if name else kind


def verdict(seconds: int) -> pulumi.CustomTimeouts:
    """How long the engine has for its verdict, the conditions in the annotation `pulumi.com/waitFor`."""
    return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s", delete=f"{seconds}s")
