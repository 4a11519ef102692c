"""The way in: the EventSource that GitHub posts to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pulumi

from components import PACKAGE
from components.objects import declare, verdict
from routes.compiler import EVENT_SOURCE_SERVICE
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class GitHubEventSourceArgs:
    """`event_source` as compiled. It comes up when `sensors` are there and `subscribed` has returned.

    `subscribed` and, once it is up, `listening` wait, and raise with the reason when they wait in vain. Neither is
    called at preview.
    """

    event_source: Manifest
    sensors: Sequence[pulumi.CustomResource]
    subscribed: Callable[[], None]
    listening: Callable[[], None]
    verdict_seconds: int
    after: Sequence[pulumi.Resource] = ()


class GitHubEventSource(pulumi.ComponentResource):
    """One endpoint for every event, signatures checked. `path` and `service` are where an Ingress would point."""

    path: pulumi.Output[str]
    service: pulumi.Output[str]

    def __init__(self, name: str, args: GitHubEventSourceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:GitHubEventSource", name, {}, opts)

        async def all_subscribed(_: object) -> Sequence[pulumi.Resource]:
            if not pulumi.runtime.is_dry_run():
                await asyncio.to_thread(args.subscribed)
            return [*args.sensors, *args.after]

        async def it_listens(_: object) -> None:
            if not pulumi.runtime.is_dry_run():
                await asyncio.to_thread(args.listening)

        # A new consumer sees only what comes after it: a delivery taken before a Sensor subscribed would start nothing.
        after: pulumi.Output[Sequence[pulumi.Resource]] = pulumi.Output.all(*(s.id for s in args.sensors)).apply(
            all_subscribed
        )
        event_source = declare(
            f"{name}-eventsource",
            args.event_source,
            pulumi.ResourceOptions(parent=self, depends_on=after, custom_timeouts=verdict(args.verdict_seconds)),
        )
        (source,) = args.event_source["spec"]["github"].values()
        (port,) = args.event_source["spec"]["service"]["ports"]
        metadata = args.event_source["metadata"]
        service = f"{EVENT_SOURCE_SERVICE}.{metadata['namespace']}.svc:{port['port']}"
        listening: pulumi.Output[None] = event_source.id.apply(it_listens)
        self.path = listening.apply(lambda _: str(source["webhook"]["endpoint"]))
        self.service = listening.apply(lambda _: service)
        self.register_outputs({"path": self.path, "service": self.service})
