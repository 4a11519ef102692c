"""The CronWorkflow that asks GitHub again for what is missing: the command `redeliver --yes`, every so often."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from routes import manifests as m
from routes.manifests import Manifest
from routes.scheduled import MountedSecret, Scheduled, scheduled
from routes.settings import AppHook, Redelivery, StackSettings

ENDS_AFTER_SECONDS = 3600
"""More than the longest wait for GitHub's rate limit, but for its last run."""


def redelivery(settings: StackSettings, metadata: Callable[[str], m.Metadata]) -> Iterator[Manifest]:
    """Its objects; none where the setting is not there. `metadata` of a name."""
    chosen = settings.redelivery
    if not chosen:
        return
    what = Scheduled(
        name="redelivery",
        step="redeliver",
        command=command(chosen),
        image=chosen.image,
        schedule=chosen.schedule,
        resources=chosen.resources,
        rules=[m.PolicyRule(api_groups=["argoproj.io"], resources=["workflows"], verbs=["list"])],
        ends_after_seconds=ENDS_AFTER_SECONDS,
        egress=[_to_github(chosen)],
        secret=MountedSecret(
            name="github",
            mount_path="/etc/github",
            variable="GITHUB_APP_PRIVATE_KEY_FILE" if isinstance(chosen.hook, AppHook) else "GITHUB_TOKEN_FILE",
            secret_name=chosen.token.name,
            key=chosen.token.key,
        ),
    )
    yield from scheduled(what, settings, metadata)


def command(chosen: Redelivery) -> list[str]:
    """What it runs, of the command line, but for the settings."""
    return ["redeliver", "--yes", "--since", chosen.since]


def _to_github(chosen: Redelivery) -> m.EgressRule:
    # To any address: GitHub's are many, and no policy knows names.
    return m.EgressRule(ports=[m.NetworkPort(port=urlsplit(chosen.api_url).port or 443)])
