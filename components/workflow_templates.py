"""The WorkflowTemplates that the routes start, where the stack writes them itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import PACKAGE
from components.objects import declare
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class WorkflowTemplatesArgs:
    """`templates` as compiled, none where they are external; `after` is what must be there first."""

    templates: Sequence[Manifest]
    after: Sequence[pulumi.Resource] = ()


class WorkflowTemplates(pulumi.ComponentResource):
    """Managed WorkflowTemplates: the contract's parameters, and a body that finishes without a pod."""

    templates: list[pulumi.CustomResource]

    def __init__(self, name: str, args: WorkflowTemplatesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:WorkflowTemplates", name, {}, opts)
        children = pulumi.ResourceOptions(parent=self, depends_on=[*args.after])
        self.templates = [
            declare(f"{name}-{manifest['metadata']['name']}", manifest, children) for manifest in args.templates
        ]
        self.register_outputs({})
