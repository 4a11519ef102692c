"""The Secret that the EventSource checks signatures with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components import PACKAGE
from components.objects import declare, verdict
from routes.manifests import Manifest


@dataclass(frozen=True, kw_only=True)
class WebhookSecretArgs:
    """`secret` is a compiled ExternalSecret or Secret, none for one that exists; `value` a Secret's, under `key`."""

    secret: Manifest | None
    key: str
    value: pulumi.Input[str] | None
    verdict_seconds: int
    after: Sequence[pulumi.Resource] = ()


class WebhookSecret(pulumi.ComponentResource):
    """From External Secrets, from Pulumi's config, or someone else's."""

    secret: pulumi.CustomResource | None

    def __init__(self, name: str, args: WebhookSecretArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{PACKAGE}:WebhookSecret", name, {}, opts)
        children = pulumi.ResourceOptions(
            parent=self, depends_on=[*args.after], custom_timeouts=verdict(args.verdict_seconds)
        )
        self.secret = None
        if args.secret:
            data = {"stringData": {args.key: args.value}} if args.value is not None else {}
            self.secret = declare(f"{name}-secret", args.secret, children, **data)
        self.register_outputs({})
