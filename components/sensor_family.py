"""The Sensors of one family of routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import PACKAGE
from components.objects import declare, verdict
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class SensorFamilyArgs:
    """`sensors` as compiled; `after` is what they stand on: the EventBus that serves, and what comes before it."""

    sensors: Sequence[Manifest]
    verdict_seconds: int
    after: pulumi.Input[Sequence[pulumi.Resource]] = ()


class SensorFamily(pulumi.ComponentResource):
    """One Sensor for each route."""

    sensors: list[pulumi.CustomResource]

    def __init__(self, name: str, args: SensorFamilyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:SensorFamily", name, {}, opts)
        children = pulumi.ResourceOptions(
            parent=self, depends_on=args.after, custom_timeouts=verdict(args.verdict_seconds)
        )
        self.sensors = [
            declare(f"{name}-{manifest['metadata']['name']}", manifest, children) for manifest in args.sensors
        ]
        self.register_outputs({})
