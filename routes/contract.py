"""The parameter contract: each parameter, where each event carries it, and which WorkflowTemplate takes which.

A source becomes a Go template that the Sensor runs over the delivery (`.Input.body`). Payload text is data. No source
lets `{{` through, the mark that Argo Workflows would substitute and evaluate (`{{=1+1}}` in a title reached a step as
`2`). Nor a character that it cannot hand on: it quotes values as Go does, and what Go spells `\\a`, `\\v`, `\\x7f` or
`\\U000e0067` (in the flag of Scotland) is no JSON, so the Workflow would fail. A source that finds nothing comes out
empty, never as "null" or "<no value>"; the compiler sees to it that empty is no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from routes import reduced
from routes.model import Template

UNSPEAKABLE = r"[\x00-\x07\x0b\x0e-\x1f\x7f]|[^\x00-\x{ffff}\pL\pM\pN\pP\pS]"
"""What fails a Workflow: control characters, and beyond U+FFFF what Go cannot print (tags, private use, unassigned)."""

# Braces twice, for runs of them: `{{{` becomes `{ {{` first. One at the end meets what a template author writes next.
NEUTRAL = (
    f'{{{{ $text := regexReplaceAll `{UNSPEAKABLE}` (toString .) "\\ufffd"'
    ' | replace "{{" "{ {" | replace "{{" "{ {" }}{{ $text }}{{ if hasSuffix "{" $text }} {{ end }}'
)
"""A Go template: `.` as a text with nothing live in it."""

# After the word task or task id: with `:` or `#` any word, with only a space or a hyphen one that holds a digit.
# Letter by letter, since to `(?i)` the long s is an s, and the Kelvin sign a k.
TASK_ID = (
    r"\b[Tt][Aa][Ss][Kk](?:[-_ ]?[Ii][Dd])?"
    r"(?:[ \t]*[:#][ \t:#]*([A-Za-z0-9][A-Za-z0-9_-]*)"
    r"|(?: +|-)([0-9][A-Za-z0-9_-]*|[A-Za-z][A-Za-z_-]*[0-9][A-Za-z0-9_-]*))"
)


NAME_ENDING = "[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?"
"""A regular expression for what ends the name of each Workflow: a delivery id, or a hash of one."""


@dataclass(frozen=True)
class Json:
    """The body as JSON, as GitHub sent it, nothing in it live; what is too large for a Workflow reduced (`reduced.py`).

    `{{` is spelled `{\\u007b`, DEL `\\u007f`, and what lies beyond U+FFFF as two surrogates: the same JSON.
    """

    def template(self) -> str:
        # In one pass from piece to piece, since a stranger may write 65,536 different characters.
        code_point = "add (mul (index . 0) 262144) (mul (index . 1) 4096) (mul (index . 2) 64) (index . 3)"
        return (
            f"{reduced.EVENT}{{{{ $beyond := `{reduced.BEYOND}` }}}}{{{{ $found := regexFindAll $beyond $json -1 }}}}"
            "{{ range $i, $piece := regexSplit $beyond $json -1 }}{{ $piece }}"
            "{{ if lt $i (len $found) }}{{ with index $found $i }}"
            f"{{{{ $above := sub ({code_point}) {UTF8_OF_U10000} }}}}"
            r"{{ printf `\u%04x\u%04x` (add 55296 (div $above 1024)) (add 56320 (mod $above 1024)) }}"
            "{{ end }}{{ end }}{{ end }}"
        )


UTF8_OF_U10000 = 0xF0 * 64**3 + 0x90 * 64**2 + 0x80 * 64 + 0x80
"""The four bytes of U+10000, weighed as Json does: each code point beyond it is as much more."""


@dataclass(frozen=True)
class Reduced:
    """The size that the body had, in bytes, where `event` is a reduced one."""

    def template(self) -> str:
        return reduced.SIZE


@dataclass(frozen=True)
class Text:
    """The text at `path`; `{{` becomes `{ {`, a `{` at its end `{ `, and what fails a Workflow U+FFFD."""

    path: str

    def template(self) -> str:
        return f"{{{{ with .Input.body.{self.path} }}}}{NEUTRAL}{{{{ end }}}}"


@dataclass(frozen=True)
class Prose:
    """Text that a person wrote freely: as `Text`, and the engine does not take the very text "<no value>" for none."""

    path: str

    def template(self) -> str:
        return (
            f"{{{{ with .Input.body.{self.path} }}}}"
            '{{ if eq (toString .) "<no value>" }} {{ end }}'
            f"{NEUTRAL}{{{{ end }}}}"
        )


@dataclass(frozen=True)
class Number:
    """The number at `path`, whole and above 0, where the body has something at `given` (default: always)."""

    path: str
    given: str = ""

    def template(self) -> str:
        # A label too, where a minus would fail the Workflow. What is no number is 0 to int64.
        number = (
            f"{{{{ with .Input.body.{self.path} }}}}"
            "{{ if gt (int64 .) 0 }}{{ int64 . }}{{ end }}{{ end }}"
        )
        return f"{{{{ if .Input.body.{self.given} }}}}{number}{{{{ end }}}}" if self.given else number


@dataclass(frozen=True)
class TaskId:
    """The first task id in the texts at `paths`, the earlier path first."""

    paths: tuple[str, ...]

    def template(self) -> str:
        search = "".join(
            f"{{{{ if not $found }}}}{{{{ $found = regexFind $task (toString .Input.body.{path}) }}}}{{{{ end }}}}"
            for path in self.paths
        )
        return (
            f'{{{{ $task := `{TASK_ID}` }}}}{{{{ $found := "" }}}}{search}'
            '{{ with $found }}{{ regexReplaceAll $task . "${1}${2}" }}{{ end }}'
        )


@dataclass(frozen=True)
class Constant:
    """The same text for each delivery of an event."""

    text: str

    def template(self) -> str:
        return self.text


@dataclass(frozen=True)
class Label:
    """The text at `path` as a valid label value: at most 63 of letters, digits, `-`, `_`, `.`; `/` becomes `.`."""

    path: str

    def template(self) -> str:
        return (
            f"{{{{ with .Input.body.{self.path} }}}}"
            '{{ regexReplaceAll "[^A-Za-z0-9._-]+" (toString . | replace "/" ".") "-" '
            '| trimAll "-_." | trunc 63 | trimAll "-_." }}{{ end }}'
        )


LONGEST_ID = 1000
"""How many letters of a delivery id are kept, the most that a regular expression counts. GitHub's have 36."""


@dataclass(frozen=True)
class DeliveryId:
    """GitHub's delivery id, as the header X-GitHub-Delivery has it, neutral as `Text`.

    Only its beginning, where it is longer than any of GitHub's: with annotations of 256 KiB there would be no Workflow.
    """

    def template(self) -> str:
        beginning = f'index .Input.body "X-GitHub-Delivery" | regexFind ".{{0,{LONGEST_ID}}}"'
        return f"{{{{ with {beginning} }}}}{NEUTRAL}{{{{ end }}}}"


@dataclass(frozen=True)
class WorkflowName:
    """`prefix` and the delivery id: one Workflow for each delivery and route, however often the delivery comes.

    An id that cannot stand in a name is hashed; without any id the body is, so that two deliveries stay two.
    """

    prefix: str

    def template(self) -> str:
        return (
            '{{ $id := index .Input.body "X-GitHub-Delivery" | default "" | toString }}'
            f"{self.prefix}-"
            f"{{{{ if regexMatch `^{NAME_ENDING}$` $id }}}}{{{{ $id }}}}"
            "{{ else if $id }}{{ sha256sum $id | trunc 40 }}"
            "{{ else }}{{ mustToJson .Input.body | sha256sum | trunc 40 }}{{ end }}"
        )


@dataclass(frozen=True)
class Lane:
    """One of `count` names, `prefix` and a number: always the same for one pull request, whose number is at `path`.

    Nothing of the delivery stands in it. A hash chooses, and spreads pull requests evenly.
    """

    prefix: str
    path: str
    count: int

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}-{number}" for number in range(self.count))

    def template(self) -> str:
        return (
            f'{{{{ $pr := printf "%v#%d" .Input.body.repository.full_name (int64 .Input.body.{self.path}) }}}}'
            f"{self.prefix}-{{{{ mod (adler32sum $pr) {self.count} }}}}"
        )


Source = Json | Reduced | Text | Prose | Number | TaskId | Constant | Label | DeliveryId | WorkflowName | Lane


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What the contract calls a value, and the source of it: `always`, or by X-GitHub-Event; no source means absent."""

    meaning: str
    always: Source | None = None
    by_event: Mapping[str, Source] = field(default_factory=dict)

    def source(self, event: str) -> Source | None:
        return self.by_event.get(event, self.always)


PARAMETERS: Mapping[str, Carried] = {
    "event": Carried(meaning="the delivery's body as JSON, reduced where it is too large", always=Json()),
    "owner": Carried(meaning="the repository's owner", always=Text("repository.owner.login")),
    "repo": Carried(meaning="the repository's name", always=Text("repository.name")),
    "pr": Carried(
        meaning="the pull request's number",
        by_event={
            "pull_request": Number("number"),
            "pull_request_review_comment": Number("pull_request.number"),
            "issue_comment": Number("issue.number", given="issue.pull_request"),
        },
    ),
    "issue": Carried(
        meaning="the issue's number",
        by_event={"issues": Number("issue.number"), "issue_comment": Number("issue.number")},
    ),
    "branch": Carried(
        meaning="the pull request's head branch; for a push its full ref",
        by_event={
            "pull_request": Text("pull_request.head.ref"),
            "pull_request_review_comment": Text("pull_request.head.ref"),
            "push": Text("ref"),
        },
    ),
    # The route says which agent; the compiler writes it into the Workflow.
    "agent": Carried(meaning="rex, triage or security"),
    "includeComments": Carried(
        meaning='"true" for runs that a comment started',
        by_event={"issue_comment": Constant("true"), "pull_request_review_comment": Constant("true")},
    ),
    "commentBody": Carried(
        meaning="the comment",
        by_event={
            "issue_comment": Prose("comment.body"),
            "pull_request_review_comment": Prose("comment.body"),
        },
    ),
    "taskId": Carried(
        meaning="the task id in the comment, else in the issue's or pull request's title",
        by_event={
            "issue_comment": TaskId(("comment.body", "issue.title")),
            "pull_request_review_comment": TaskId(("comment.body", "pull_request.title")),
            "issues": TaskId(("issue.title",)),
            "pull_request": TaskId(("pull_request.title",)),
        },
    ),
}

TEMPLATES: Mapping[Template, tuple[str, ...]] = {
    Template.PR_VALIDATION: ("event", "owner", "repo", "pr", "branch", "taskId"),
    Template.CODERUN: (
        *("event", "owner", "repo", "pr", "issue", "branch"),
        *("agent", "includeComments", "commentBody", "taskId"),
    ),
    Template.IMPLEMENTATION: ("event", "owner", "repo", "issue", "agent", "taskId"),
    Template.ORCHESTRATOR: ("event", "owner", "repo", "pr", "branch", "taskId"),
}
"""The parameters that each WorkflowTemplate declares, all of them strings: just what its routes send."""

LABELS: Mapping[str, Carried] = {
    "repository": Carried(meaning="owner.repo", always=Label("repository.full_name")),
    "pr": PARAMETERS["pr"],
    "issue": PARAMETERS["issue"],
}
"""Labels of each Workflow that come from the delivery; route, event and agent are the compiler's."""

ANNOTATIONS: Mapping[str, Carried] = {
    "delivery": Carried(meaning="GitHub's delivery id", always=DeliveryId()),
    "reduced": Carried(meaning="the body's size in bytes, where `event` is reduced", always=Reduced()),
    "sender": Carried(meaning="the login that caused the delivery", always=Text("sender.login")),
    "sha": Carried(
        meaning="the commit",
        by_event={
            "pull_request": Text("pull_request.head.sha"),
            "pull_request_review_comment": Text("pull_request.head.sha"),
            "workflow_run": Text("workflow_run.head_sha"),
            "check_run": Text("check_run.head_sha"),
            "push": Text("after"),
            "code_scanning_alert": Text("commit_oid"),
        },
    ),
    "ref": Carried(
        meaning="the branch or ref",
        by_event={
            "pull_request": Text("pull_request.head.ref"),
            "pull_request_review_comment": Text("pull_request.head.ref"),
            "workflow_run": Text("workflow_run.head_branch"),
            "check_run": Text("check_run.check_suite.head_branch"),
            "push": Text("ref"),
            "code_scanning_alert": Text("ref"),
        },
    ),
    "url": Carried(
        meaning="the page at GitHub",
        by_event={
            "pull_request": Text("pull_request.html_url"),
            "pull_request_review_comment": Text("comment.html_url"),
            "issue_comment": Text("comment.html_url"),
            "issues": Text("issue.html_url"),
            "workflow_run": Text("workflow_run.html_url"),
            "check_run": Text("check_run.html_url"),
            "push": Text("compare"),
            "repository_advisory": Text("repository_advisory.html_url"),
            "code_scanning_alert": Text("alert.html_url"),
            "secret_scanning_alert": Text("alert.html_url"),
            "dependabot_alert": Text("alert.html_url"),
        },
    ),
}
"""Annotations of each Workflow: where it came from."""
