"""The CronWorkflows of a stack, and what they stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import PACKAGE
from components.objects import declare
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class ScheduledArgs:
    """`objects` as compiled, the CronWorkflow last; `after` is what must be there first: it looks for its Workflows."""

    objects: Sequence[Manifest]
    after: Sequence[pulumi.Resource] = ()


class _Scheduled(pulumi.ComponentResource):
    """A CronWorkflow with an account, a WorkflowTemplate, settings and a NetworkPolicy of its own."""

    objects: list[pulumi.CustomResource]

    def __init__(self, name: str, args: ScheduledArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:{type(self).__name__}", name, {}, opts)
        *stands_on, cron = args.objects
        namespace = cron["metadata"]["namespace"]
        children = pulumi.ResourceOptions(parent=self, depends_on=[*args.after])
        self.objects = [declare(f"{name}-{_called(manifest, namespace)}", manifest, children) for manifest in stands_on]
        after_all = pulumi.ResourceOptions(parent=self, depends_on=[*args.after, *self.objects])
        self.objects.append(declare(f"{name}-{_called(cron, namespace)}", cron, after_all))
        self.register_outputs({})


def _called(manifest: Manifest, namespace: str) -> str:
    kind: str = manifest["kind"].lower()
    return kind if manifest["metadata"].get("namespace", namespace) == namespace else f"{kind}-there"


class Redelivery(_Scheduled):
    """Asks GitHub again for what is missing."""


class Cure(_Scheduled):
    """Restarts Sensors that hang since NATS came back."""
