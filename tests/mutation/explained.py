"""Mutants that no check without a cluster notices, and why that is right or who does notice."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Explanation:
    """`of`: a regular expression for names of mutants. `test`: the one that fails for them; empty: nothing could."""

    of: str
    why: str
    test: str = ""


TAKEN = "tests/e2e/test_deliveries.py::test_a_delivery_becomes_one_workflow_that_succeeds"

COMMIT = r"metadata\.annotations(\.github-to-argo/(sha|ref|url))?"
PR_LABEL = r"metadata\.labels\.github-to-argo/pr"
ISSUE_LABEL = r"metadata\.labels\.github-to-argo/issue"
URL = r"metadata\.annotations\.github-to-argo/url"
WRITTEN = {
    "github-[a-z-]+": (
        r"metadata\.name",
        r"metadata\.labels\.github-to-argo/(event|repository)",
        r"metadata\.annotations\.github-to-argo/(delivery|reduced|sender)",
        r"parameter\.(event|owner|repo)\.value",
    ),
    "github-pr-to-pr-validation": (
        PR_LABEL,
        COMMIT,
        r"parameter\.(pr|branch|taskId)\.value",
        r"spec\.synchronization\.mutexes\.0\.name",
    ),
    "github-issue-comment-to-rex": (
        PR_LABEL,
        ISSUE_LABEL,
        URL,
        r"parameter\.(pr|issue|includeComments|commentBody|taskId)\.value",
    ),
    "github-pr-review-comment-to-rex": (
        PR_LABEL,
        COMMIT,
        r"parameter\.(pr|branch|includeComments|commentBody|taskId)\.value",
    ),
    "github-ci-failures-to-triage": (COMMIT,),
    "github-issues-to-implementation": (ISSUE_LABEL, URL, r"parameter\.(issue|taskId)\.value"),
    "github-push-merge-to-orchestrator": (COMMIT, r"parameter\.branch\.value"),
}
"""What each delivery of a Sensor writes into its Workflow, whatever stood there."""

EXPLANATIONS = (
    *(
        Explanation(
            of=rf"^{sensor}: Workflow ({'|'.join(places)}): (another text|removed)$",
            why=f"every delivery writes it, be it empty ({sensor})",
        )
        for sensor, places in WRITTEN.items()
    ),
    Explanation(
        of=r": dead letter: template\.k8s\.source\.resource\.data(\.[A-Za-z]+: another text|(\.[A-Za-z]+)?: removed)$",
        why="every letter writes it, be it empty",
    ),
    Explanation(
        of=r": dead letter: [a-z]+ writes event src dataKey: ",
        why="an event's name is never empty, so that the key in its place is not asked for",
    ),
    Explanation(
        of=r": queue filter body\.X-GitHub-Event = path: body for body\.X-GitHub-Event$",
        why="no text matches the pattern, whichever it is",
    ),
    Explanation(
        of=r": dead letter: template\.k8s\.operation: removed$",
        why="to create is what the engine does unless it is told",
    ),
    Explanation(
        of=r": dead letter: retryStrategy\.steps: 2147483646 for 2147483647$",
        why="it gives up five seconds earlier, after 340 years",
    ),
    Explanation(
        of=r" filter \[body\.[\w.]+(,body\.[\w.]+)?\] (=|!=)( \(\d\))? value \d: without [\^$] at \d+$",
        why="compared is the JSON text of a list of one, whose brackets can only be its ends: one anchor would do",
    ),
    Explanation(of=r"^github-[a-z-]+: eventBusName: ", why="nothing comes from another EventBus", test=TAKEN),
    Explanation(
        of=r"k8s\.operation: patch for update$",
        why="the Sensors' account may not patch",
        test="tests/e2e/test_access.py::test_an_account_may_do_its_work_and_else_what_anyone_may",
    ),
    Explanation(
        of=r"^github-es: github\.main\.webhook\.(endpoint: another text|method: (another text|removed))$",
        why="nothing is answered under another path or method",
        test=TAKEN,
    ),
    Explanation(
        of=r"^github-es: github\.main\.webhookSecret\.(name|key): ",
        why="the EventSource does not start without its secret",
        test=TAKEN,
    ),
    Explanation(
        of=r"^github-es: github\.main\.(organizations\.0|events\.\d+|contentType): (another text|removed)$",
        why="the engine makes no hooks, since it has no token: who makes them reads it here",
        test="tests/routes/test_compiler.py::test_a_route_that_is_off_has_no_sensor_and_its_events_are_not_asked_for",
    ),
    Explanation(
        of=r"writes name src dataTemplate: (without \| default \"\"|without \| toString|nothing for toString)"
        r" in \$id := index \. \"X-GitHub-Delivery\" ",
        why="the EventSource writes the header into every body, as a text, empty where there is none",
    ),
    Explanation(
        of=r"writes delivery src dataTemplate: nothing for toString in with toString \. \| trunc 200$",
        why="the EventSource writes the header into every body, as a text",
    ),
    Explanation(
        of=r"writes taskId src dataTemplate: nothing for toString in \$found = regexFind \$task \(toString \.\) \(2\)$",
        why="a title that is no text has no task id: to the engine an error is empty too",
    ),
    Explanation(
        of=r": codescan filter \[body\.ref\] != value 0: \(\?: for \(\?i: at 4$",
        why="git's refs/pull is in small letters",
    ),
    Explanation(
        of=r"head_branch\] = value 0: (without \" at 3|\(\?: for \(\?i: at 4)$",
        why="any text, in either case; what is none has no quote at its end",
    ),
    Explanation(
        of=r": push writes (branch|annotation ref) src dataKey: ",
        why="a push that fires has a ref: it is what the filter looks at",
    ),
    Explanation(
        of=r": (push|wr|secscan) expr fields \d path: (another text|null) for !\"\"$",
        why="what is not there is no branch and no repository, whatever stands for it; null is no error either",
    ),
    Explanation(
        of=r"secscan filter \[body\.workflow\.name,.+\]\.0 = path: (another text|null) for !\"\"$",
        why="neither is a scan's name",
    ),
    Explanation(
        of=r"writes event src dataTemplate: (1 becomes 0|3 becomes 4) in \{1,3\} at 8 of the expression in ",
        why="nothing to replace is the same, and half a character is three such bytes at most",
    ),
    Explanation(
        of=r"writes event src dataTemplate: 2 for 1 in .*(regexFindAll|regexSplit) ",
        why="any number below 0 means all of them",
    ),
    Explanation(
        of=r"writes event src dataTemplate: (no|another) text for \"untold\" in \$_ := set \$s \"untold\" false$",
        why="what is not set is false to a template",
    ),
    Explanation(
        of=r"writes event src dataTemplate: (229375|229377) for 229376 in if le \(len \$json\) 229376$",
        why="only spares the work: the size as a Workflow holds it, which is larger by two quotes, is asked next",
    ),
    Explanation(
        of=r"writes event src dataTemplate: (no|another) text for \"github-to-argo/reduced\" in \$_ := unset ",
        why="the mark of the first cut is small, is not cut by the second, and is then written anew",
    ),
    Explanation(
        of=r"(\[body\.repository\.full_name\] = value 0: without \" at 18"
        r"|head_branch\] (=|!=)( \(2\))? value 0: without \" at (11|17)"
        r"|\[body\.ref\] !=( \(2\))? value 0: without \" at (21|28))$",
        why="a pattern that ends with `*` takes the quote in, which is always there",
    ),
)


def sort_out(
    survivors: Iterable[str],
) -> tuple[dict[Explanation, list[str]], list[str], list[Explanation]]:
    """Survivors by what explains them, those that nothing explains, and explanations of nothing."""
    explained: dict[Explanation, list[str]] = {}
    unexplained = []
    for survivor in survivors:
        found = next((e for e in EXPLANATIONS if re.search(e.of, survivor)), None)
        if found:
            explained.setdefault(found, []).append(survivor)
        else:
            unexplained.append(survivor)
    return explained, unexplained, [e for e in EXPLANATIONS if e not in explained]


def missing_tests() -> list[str]:
    """Tests that an explanation names and that are not there."""
    return [e.test for e in EXPLANATIONS if e.test and not _there(e.test)]


def _there(test: str) -> bool:
    path, _, name = test.partition("::")
    file = ROOT / path
    return file.exists() and f"\ndef {name}(" in file.read_text()
