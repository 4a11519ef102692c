"""Who is answered: the stack's guards as further conditions of the route table, and which of them are off.

`fires_on` is the one place that the compiler, `explain`, `show` and the docs take a route's conditions from.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from routes import FAMILIES
from routes.model import Condition, Delivery, Is, Like, OneOf, OneOfOrBy, Route, SameAs, Unlike
from routes.settings import ANY_REPOSITORY, StackSettings, Trust

MEMBERS = ("OWNER", "MEMBER", "COLLABORATOR")
TRUSTED = {Trust.MEMBERS: MEMBERS, Trust.CONTRIBUTORS: (*MEMBERS, "CONTRIBUTOR")}
"""The author_associations that each trust answers to. GitHub has FIRST_TIMER, FIRST_TIME_CONTRIBUTOR, NONE besides."""

READY = "ready_for_review"
"""The action that ends a draft and changes nothing else: what it ends was validated where drafts are."""

GITHUB_ACTIONS = "github-actions"
"""The slug of the App that makes a check run of each job of GitHub Actions."""


def fires_on(route: Route, settings: StackSettings) -> tuple[Delivery, ...]:
    """The kinds of delivery that a route fires on in this stack, each with all that it must meet."""
    further = (delivery for delivery in route.further if delivery.event in settings.security_events)
    return tuple(_guarded(delivery, route, settings) for delivery in (*route.deliveries, *further))


def _guarded(delivery: Delivery, route: Route, settings: StackSettings) -> Delivery:
    actions = delivery.actions
    if delivery.paths.draft and settings.drafts == "run":
        actions = tuple(action for action in actions if action != READY)
    return replace(delivery, actions=actions, where=(*delivery.where, *_guards(delivery, route, settings)))


def _guards(delivery: Delivery, route: Route, settings: StackSettings) -> Iterator[Condition]:
    paths = delivery.paths
    if paths.draft and settings.drafts == "skip":
        yield Is(paths.draft, False)
    if paths.repository and ANY_REPOSITORY not in settings.repositories:
        yield Like(paths.repository, settings.repositories)
    yield from _trust(delivery, settings.trust_of(route), settings)
    if paths.writer and (logins := _agents(settings)):
        yield Unlike(paths.writer, logins)
    if paths.writer_app and settings.never_answered.apps:
        yield Unlike(paths.writer_app, settings.never_answered.apps)
    if paths.check_app and settings.triage.check_runs == "external":
        yield Unlike(paths.check_app, (GITHUB_ACTIONS,))
    if settings.triage.forks == "skip":
        if paths.head_repository:
            yield SameAs(paths.head_repository, paths.repository)
        elif paths.branch:
            yield Like(paths.branch, ("*",))
    if paths.branch and settings.triage.branches_ignore:
        yield Unlike(paths.branch, settings.triage.branches_ignore)
    if paths.ref and settings.triage.branches_ignore:
        yield Unlike(paths.ref, tuple(f"refs/heads/{branch}" for branch in settings.triage.branches_ignore))
    for actor in paths.actors if settings.triage.actors_ignore else ():
        yield Unlike(actor, settings.triage.actors_ignore)


def _trust(delivery: Delivery, trust: Trust, settings: StackSettings) -> Iterator[Condition]:
    """An agent's own pull request is validated however its account stands to the repository."""
    paths = delivery.paths
    if not paths.association or trust == Trust.ANYONE:
        return
    if paths.proposer and (logins := _agents(settings)):
        yield OneOfOrBy(paths.association, TRUSTED[trust], by=paths.proposer, logins=logins)
    else:
        yield OneOf(paths.association, TRUSTED[trust])


def _agents(settings: StackSettings) -> tuple[str, ...]:
    """The logins of accounts that are never answered. An App that acts for itself has its slug and `[bot]`."""
    return (*settings.never_answered.logins, *(f"{app}[bot]" for app in settings.never_answered.apps))


# --- What is off


def warning(settings: StackSettings) -> str:
    """One text on the guards that are off and that the stack does not write down itself; empty where there is none."""
    lines = [f"  {line}" for line in _off(settings)]
    if not lines:
        return ""
    told = "a guard is off" if len(lines) == 1 else f"{len(lines)} guards are off"
    return f"{told} (docs/who-is-answered.md); a guard that the stack sets, be it off, is not told:\n" + "\n".join(
        lines
    )


def _off(settings: StackSettings) -> Iterator[str]:
    routes = [route for family in FAMILIES for route in family.routes if settings.route(route).enabled]
    paths = [delivery.paths for route in routes for delivery in fires_on(route, settings)]
    written, never, triage = settings.model_fields_set, settings.never_answered, settings.triage
    anyone = [
        route.sensor
        for route in routes
        if any(delivery.paths.association for delivery in route.deliveries)
        and settings.trust_of(route) == Trust.ANYONE
        and not settings.route(route).trust
    ]
    if anyone and "trust" not in written:
        yield f"trust: any stranger starts {', '.join(anyone)}; write trust: members, or trust: anyone"
    if any(p.writer for p in paths) and not (never.logins or never.apps or never.model_fields_set):
        yield (
            "neverAnswered: an agent can answer its own comment or issue; write"
            " neverAnswered: {logins: [my-agent]}, or neverAnswered: {logins: []}"
        )
    if any(p.repository for p in paths) and "repositories" not in written:
        yield (
            "repositories: every repository that delivers here is served; write"
            f" repositories: [my-org/*], or repositories: ['{ANY_REPOSITORY}']"
        )
    if any(p.check_app for p in paths) and triage.check_runs == "all" and "check_runs" not in triage.model_fields_set:
        yield (
            "triage.checkRuns: a failed run of N jobs is triaged N+1 times; write"
            " triage: {checkRuns: external}, or triage: {checkRuns: all}"
        )
    if any(p.branch for p in paths) and triage.forks == "run" and "forks" not in triage.model_fields_set:
        yield (
            "triage.forks: a stranger's pull request that fails starts the triage of its fork's branch; write"
            " triage: {forks: skip}, or triage: {forks: run}"
        )
    if any(p.branch for p in paths) and not {"branches_ignore", "actors_ignore"} & triage.model_fields_set:
        yield (
            "triage.branchesIgnore, triage.actorsIgnore: an agent triages its own red branch; write"
            " triage: {branchesIgnore: ['agent/*']}, or triage: {branchesIgnore: []}"
        )
