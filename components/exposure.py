"""The way from GitHub to the EventSource, where the stack makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import PACKAGE
from components.objects import declare, verdict
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class ExposureArgs:
    """`route` is a compiled Ingress or HTTPRoute, `url` what GitHub is to be told; `after` is what it leads to."""

    route: Manifest
    url: str
    verdict_seconds: int
    after: Sequence[pulumi.Resource] = ()


class Exposure(pulumi.ComponentResource):
    """An Ingress or an HTTPRoute. `url` is known once its controller has taken it."""

    url: pulumi.Output[str]

    def __init__(self, name: str, args: ExposureArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:Exposure", name, {}, opts)
        children = pulumi.ResourceOptions(
            parent=self, depends_on=[*args.after], custom_timeouts=verdict(args.verdict_seconds)
        )
        route = declare(f"{name}-{args.route['kind'].lower()}", args.route, children)
        self.url = route.id.apply(lambda _: args.url)
        self.register_outputs({"url": self.url})
