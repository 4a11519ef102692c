"""The words the route table is written in: families, routes, deliveries and the conditions they must meet.

Nothing here knows Argo Events; `compiler.py` turns it into Sensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Agent(StrEnum):
    """The agent that a Workflow runs, the contract's parameter `agent`."""

    REX = "rex"
    TRIAGE = "triage"
    SECURITY = "security"


class Template(StrEnum):
    """The WorkflowTemplates that routes start."""

    PR_VALIDATION = "pr-validation"
    CODERUN = "coderun-template"
    IMPLEMENTATION = "implementation"
    ORCHESTRATOR = "orchestrator-resume-close"


class Semaphore(StrEnum):
    """The keys of the ConfigMap `workflow-semaphores`: how many Workflows run at once."""

    PR_VALIDATION = "pr-validation"
    CODERUN = "coderun"
    IMPLEMENTATION = "implementation"
    ORCHESTRATOR = "orchestrator"


Unit = Literal["Second", "Minute", "Hour"]
SECONDS: Mapping[Unit, int] = {"Second": 1, "Minute": 60, "Hour": 3600}


@dataclass(frozen=True, kw_only=True)
class Rate:
    """At most `limit` Workflows per `unit`. What is above waits and is never dropped."""

    limit: int
    unit: Unit = "Minute"

    @property
    def seconds(self) -> int:
        """How long the unit is."""
        return SECONDS[self.unit]


# Conditions. A path is a dotted path within the delivery's body. A path that is missing or null meets none of them but
# Unlike.


@dataclass(frozen=True)
class OneOf:
    """The text at `path` is one of `values`, letter for letter."""

    path: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class NotOneOf:
    """The text at `path` is there, not empty, and none of `values`, letter for letter."""

    path: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Is:
    """The JSON boolean at `path` is `value`."""

    path: str
    value: bool


@dataclass(frozen=True)
class NamedLike:
    """The first of `paths` that the body has holds a match of the regular expression in the setting `setting`."""

    paths: tuple[str, ...]
    setting: Literal["security_workflows"]


@dataclass(frozen=True)
class BranchIn:
    """The full ref at `path` is that of one of `names`, or of the branch named at `or_named_at`."""

    path: str
    names: tuple[str, ...]
    or_named_at: str


@dataclass(frozen=True)
class Like:
    """The text at `path` is like one of `patterns`: `*` stands for any text, and letter case does not count."""

    path: str
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class Unlike:
    """The text at `path` is like none of `patterns`, as in Like. A path that is missing or null is like none."""

    path: str
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class OneOfOrBy:
    """The text at `path` is one of `values`, letter for letter, or that at `by` one of `logins`, in any letter case.

    Both paths have to be there.
    """

    path: str
    values: tuple[str, ...]
    by: str
    logins: tuple[str, ...]


@dataclass(frozen=True)
class SameAs:
    """The texts at `path` and `other` are there and the same, letter for letter."""

    path: str
    other: str


EVENT = "X-GitHub-Event"
"""The header, which the EventSource puts into the body under this name."""

Condition = OneOf | NotOneOf | Is | NamedLike | BranchIn | Like | Unlike | OneOfOrBy | SameAs


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Where a delivery's body has what a stack's guards look at, as dotted paths; empty where it has nothing of it.

    `association`: how the author stands to the repository, an author_association. `writer`: the login of who wrote what
    a Workflow would answer; `writer_app`: the slug of the GitHub App that it was written through. `proposer`: the login
    of who opened the pull request that a Workflow would validate. `draft`: whether it is a draft. `repository`: the
    repository as owner/name.

    Of a run or check, `actors`: the logins of who caused it; `branch`: its branch; `head_repository`: whose branch that
    is, as owner/name (a check of a fork's branch has no branch instead); `check_app`: the slug of the GitHub App that
    made the check. Of an alert, `ref`: its full ref.
    """

    association: str = ""
    writer: str = ""
    writer_app: str = ""
    proposer: str = ""
    actors: tuple[str, ...] = ()
    branch: str = ""
    head_repository: str = ""
    ref: str = ""
    check_app: str = ""
    draft: str = ""
    repository: str = "repository.full_name"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One kind of GitHub delivery that a route fires on: a dependency of its Sensor.

    `name` is the dependency's name, `event` the X-GitHub-Event. No `actions` means any, and events without one.
    """

    name: str
    event: str
    actions: tuple[str, ...] = ()
    where: tuple[Condition, ...] = ()
    paths: Paths = Paths()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that a delivery must meet: first its event, then its action, then `where`."""
        actions = (OneOf("action", self.actions),) if self.actions else ()
        return (OneOf(EVENT, (self.event,)), *actions, *self.where)


@dataclass(frozen=True, kw_only=True)
class Route:
    """One Sensor with one trigger: which deliveries start a Workflow from which template, and how often.

    `further` are deliveries that count only in a stack whose setting `securityEvents` names their event; what a stack
    makes of them all is `guards.fires_on`. `workflow` begins the name of each Workflow; the delivery id ends it.
    `agent` is the contract's parameter. `pull_request` is where each delivery has the number of the pull request that
    its Workflow is about, where a stack may have one Workflow at a time for each: no other route has its semaphore.
    """

    sensor: str
    trigger: str
    deliveries: tuple[Delivery, ...]
    template: Template
    workflow: str
    semaphore: Semaphore
    rate: Rate
    agent: Agent | None = None
    further: tuple[Delivery, ...] = ()
    pull_request: str = ""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Routes that belong together: one SensorFamily component."""

    name: str
    routes: tuple[Route, ...]
