"""A compiled Kubernetes object as a Pulumi resource."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from routes.admission import COMPONENT
from routes.manifests import Manifest


def declare(name: str, manifest: Manifest, opts: pulumi.ResourceOptions, **data: Any) -> pulumi.CustomResource:
    """The resource that `manifest` describes. `data` adds what no manifest holds: a Secret's `string_data`.

    Raises ValueError for a kind that no stack has.
    """
    metadata = manifest["metadata"]
    match manifest["kind"]:
        case "Namespace":
            return k8s.core.v1.Namespace(name, opts, metadata=metadata)
        case "Secret":
            return k8s.core.v1.Secret(name, opts, metadata=metadata, **data)
        case "ConfigMap":
            return k8s.core.v1.ConfigMap(name, opts, metadata=metadata, data=manifest["data"])
        case "ServiceAccount":
            return k8s.core.v1.ServiceAccount(
                name,
                opts,
                metadata=metadata,
                automount_service_account_token=manifest.get("automountServiceAccountToken"),
            )
        case "Role":
            return k8s.rbac.v1.Role(name, opts, metadata=metadata, rules=manifest["rules"])
        case "RoleBinding":
            return k8s.rbac.v1.RoleBinding(
                name, opts, metadata=metadata, role_ref=manifest["roleRef"], subjects=manifest["subjects"]
            )
        case "PodDisruptionBudget":
            return k8s.policy.v1.PodDisruptionBudget(name, opts, metadata=metadata, spec=manifest["spec"])
        case "NetworkPolicy":
            return k8s.networking.v1.NetworkPolicy(name, opts, metadata=metadata, spec=manifest["spec"])
        case "Ingress":
            return k8s.networking.v1.Ingress(name, opts, metadata=metadata, spec=manifest["spec"])
        case "ValidatingAdmissionPolicy":
            return k8s.admissionregistration.v1.ValidatingAdmissionPolicy(
                name, opts, metadata=metadata, spec=manifest["spec"]
            )
        case "ValidatingAdmissionPolicyBinding":
            return k8s.admissionregistration.v1.ValidatingAdmissionPolicyBinding(
                name, opts, metadata=metadata, spec=manifest["spec"]
            )
        case (
            "EventBus"
            | "EventSource"
            | "Sensor"
            | "WorkflowTemplate"
            | "CronWorkflow"
            | "ExternalSecret"
            | "HTTPRoute"
            | "PodMonitor"
            | "PrometheusRule" as kind
        ):
            return k8s.apiextensions.CustomResource(
                name, manifest["apiVersion"], kind, metadata=metadata, spec=manifest["spec"], opts=opts
            )
        case kind:
            raise ValueError(f"no stack has a {kind}")


def logical_name(manifest: Manifest) -> str:
    """Stable in every stack, as a cluster-wide object's own name is not: it holds the namespace's."""
    kind, metadata = manifest["kind"].lower(), manifest["metadata"]
    name = metadata["name"] if "namespace" in metadata else metadata["labels"].get(COMPONENT)
    return f"{kind}-{name}" if name else kind


def verdict(seconds: int) -> pulumi.CustomTimeouts:
    """How long the engine has for its verdict, the conditions in the annotation `pulumi.com/waitFor`."""
    return pulumi.CustomTimeouts(create=f"{seconds}s", update=f"{seconds}s", delete=f"{seconds}s")
