"""The JetStream that carries events from the EventSource to the Sensors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi

from components import PACKAGE
from components.objects import declare, verdict
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class EventBusArgs:
    """`event_bus` as compiled. `access` is the Secret of an existing NATS, if the stack makes it; `value` its text.

    `serving` waits until NATS serves, and raises with the reason when it waits in vain; it is not called at preview.
    `protect`: Pulumi refuses to delete the EventBus. With it the engine deletes the volumes of its own NATS. `after` is
    what the Sensors need too; each of them waits for the EventBus only, since the state lists all that one waits for.
    """

    event_bus: Manifest
    access: Manifest | None
    key: str
    value: pulumi.Input[str] | None
    serving: Callable[[], None]
    verdict_seconds: int
    protect: bool
    after: Sequence[pulumi.Resource] = ()


class EventBus(pulumi.ComponentResource):
    """Argo Events' own JetStream, or a NATS that exists. `serving` is the EventBus, once its NATS serves."""

    event_bus: pulumi.CustomResource
    serving: pulumi.Output[Sequence[pulumi.Resource]]

    def __init__(self, name: str, args: EventBusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:EventBus", name, {}, opts)
        first: list[pulumi.Resource] = [*args.after]
        if args.access:
            children = pulumi.ResourceOptions(parent=self, depends_on=first)
            first = [declare(f"{name}-access", args.access, children, stringData={args.key: args.value})]
        self.event_bus = declare(
            f"{name}-eventbus",
            args.event_bus,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=first,
                custom_timeouts=verdict(args.verdict_seconds),
                protect=args.protect,
            ),
        )

        async def it_serves(_: object) -> Sequence[pulumi.Resource]:
            if not pulumi.runtime.is_dry_run():
                await asyncio.to_thread(args.serving)
            return [self.event_bus]

        self.serving = self.event_bus.urn.apply(it_serves)
        self.register_outputs({})
