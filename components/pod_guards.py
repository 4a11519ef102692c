"""What stands around the pods that Argo Events makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import PACKAGE
from components.objects import declare, logical_name
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class PodGuardsArgs:
    """`objects` as compiled; `after` is what must be there first: the namespace."""

    objects: Sequence[Manifest]
    after: Sequence[pulumi.Resource] = ()


class PodGuards(pulumi.ComponentResource):
    """NetworkPolicies, PodDisruptionBudgets and, where images are named, the policy that admits no others."""

    objects: list[pulumi.CustomResource]

    def __init__(self, name: str, args: PodGuardsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:PodGuards", name, {}, opts)
        children = pulumi.ResourceOptions(parent=self, depends_on=[*args.after])
        self.objects = [declare(f"{name}-{logical_name(manifest)}", manifest, children) for manifest in args.objects]
        self.register_outputs({})
