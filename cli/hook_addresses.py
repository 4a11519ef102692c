"""The addresses that GitHub's webhooks come from, and what a stack's allow list lacks of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated

import typer

from cli.stacks import read_settings
from cli.terminal import fail
from routes.settings import IngressExposure, SettingsError

ANSWER_SECONDS = 30.0
Block = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Compared:
    """`missing`: GitHub posts from there, and would be refused. `further`: allowed, and not GitHub's."""

    missing: list[str]
    further: list[str]


def published(url: str) -> list[str]:
    """The blocks that GitHub's API at `url` names, which anyone may ask. Raises GitHubError."""
    import urllib3  # slow to import, and no other command needs them

    from cli.github import GitHubError

    try:
        response = urllib3.request("GET", f"{url}/meta", timeout=ANSWER_SECONDS, retries=False)
        blocks = [str(ip_network(block)) for block in response.json()["hooks"]]
    except urllib3.exceptions.HTTPError as error:
        raise GitHubError(f"{url} does not answer: {error}") from None
    except (ValueError, KeyError, TypeError):
        raise GitHubError(
            f"{url}/meta names no addresses of webhooks ({response.status}); a GitHub Enterprise Server posts from its"
            " own address"
        ) from None
    if not blocks:
        raise GitHubError(f"{url}/meta names no addresses of webhooks")
    return blocks


def compared(allowed: Iterable[str], github: Iterable[str]) -> Compared:
    pinned, now = [ip_network(block) for block in allowed], [ip_network(block) for block in github]
    return Compared(
        missing=[str(block) for block in now if not _within(block, pinned)],
        further=[str(block) for block in pinned if not _within(block, now)],
    )


def _within(block: Block, others: Iterable[Block]) -> bool:
    return any(block.version == other.version and block.subnet_of(other) for other in others)  # type: ignore[arg-type]


def hook_addresses(
    stack: Annotated[str, typer.Option(help="Compare with this stack's allow list instead of printing.")] = "",
) -> None:
    """Print where GitHub's webhooks come from, for the setting exposure.allowFrom. Asks GitHub's API, without a token.

    With --stack, exit code 1: GitHub posts from where the stack lets nobody in. 2: it could not be told.
    """
    from cli.github import GitHubError, api_url

    try:
        github = published(api_url())
        exposure = read_settings(stack).exposure if stack else None
    except (GitHubError, SettingsError) as error:
        fail(str(error))
    if exposure is None:
        typer.echo(f"allowFrom: [{', '.join(github)}]")
        return
    if not isinstance(exposure, IngressExposure) or not exposure.allow_from:
        fail(f"stack {stack} has no exposure.allowFrom: it lets anyone post")
    found = compared(exposure.allow_from, github)
    for block in found.missing:
        typer.echo(f"{block}: GitHub posts from there, and stack {stack} refuses it")
    for block in found.further:
        typer.echo(f"{block}: stack {stack} lets it in, and it is not GitHub's")
    if found.missing:
        raise typer.Exit(1)
    if not found.further:
        typer.echo(f"exposure.allowFrom of stack {stack} is what GitHub posts from")
