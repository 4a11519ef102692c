"""The CronWorkflow that asks GitHub again for what is missing, and what it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import PACKAGE
from components.objects import declare
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class RedeliveryArgs:
    """`objects` as compiled, the CronWorkflow last; `after` is what must be there first: it looks for its Workflows."""

    objects: Sequence[Manifest]
    after: Sequence[pulumi.Resource] = ()


class Redelivery(pulumi.ComponentResource):
    """A CronWorkflow with an account, a WorkflowTemplate, settings and a NetworkPolicy of its own."""

    objects: list[pulumi.CustomResource]

    def __init__(self, name: str, args: RedeliveryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:Redelivery", name, {}, opts)
        *stands_on, cron = args.objects
        children = pulumi.ResourceOptions(parent=self, depends_on=[*args.after])
        self.objects = [declare(f"{name}-{manifest['kind'].lower()}", manifest, children) for manifest in stands_on]
        after_all = pulumi.ResourceOptions(parent=self, depends_on=[*args.after, *self.objects])
        self.objects.append(declare(f"{name}-{cron['kind'].lower()}", cron, after_all))
        self.register_outputs({})
