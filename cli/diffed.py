"""What a change does, for a reviewer: in a terminal, and as the Markdown of a comment on a pull request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.diff import Altered, Changed, Diff, Rerouted

LONG = 60
"""Characters of a value that are shown. Of two that begin alike, those where they part."""
WHY = 200
"""Characters of what the engine says of a failure that are shown."""
SAME = 15
"""Characters that are shown of what they begin alike with."""

_LOSING = ("Sensor loses waiting events", "Sensors lose waiting events")

Code = Callable[[str], str]


def text(diff: Diff) -> RenderableType:
    """All of it, section by section, a line each that is indented where it does not fit."""
    told: list[RenderableType] = [Text(f"{plain(_sides(diff))}: {summary(diff)}", style="bold")]
    for title, lines in _sections(diff, code=str, prose=plain):
        told.append(Text(f"\n{title}", style="bold"))
        listed = Table.grid(padding=(0, 1))
        for line in lines:
            listed.add_row(Text("  -", style="yellow"), Text(line))
        told.append(listed)
    return Group(*told)


def markdown(diff: Diff) -> str:
    """All of it, as Markdown in which no text of a payload, nor of a setting, is more than text."""
    heading = f"### {prose(_sides(diff))}\n\n{summary(diff)[:1].upper()}{summary(diff)[1:]}.\n"
    sections = [
        f"\n#### {title}\n\n" + "".join(f"- {line}\n" for line in lines)
        for title, lines in _sections(diff, code=code, prose=prose)
    ]
    return heading + "".join(sections)


def _sides(diff: Diff) -> str:
    return f"{diff.old} → {diff.new}"


def summary(diff: Diff) -> str:
    """The whole in one line."""
    replayed = f"{diff.replayed} sample deliveries replayed"
    if not diff:
        return f"nothing changes ({replayed})"
    fire = sum(len(rerouted.deliveries) for rerouted in diff.rerouted)
    told = [
        _count(fire, "delivery fires otherwise", "deliveries fire otherwise"),
        _count(diff.workflows, "Workflow differs", "Workflows differ"),
        *([] if diff.waiting is None else [_count(len(diff.losing), *_LOSING)]),
        _count(len(diff.changed), "other change", "other changes"),
    ]
    return f"{', '.join(told)} ({replayed})"


def _count(number: int, one: str, more: str) -> str:
    return f"{number or 'no'} {more if number > 1 else one}"


def _sections(diff: Diff, *, code: Code, prose: Code) -> Iterator[tuple[str, list[str]]]:
    """The sections that have something to say, with their lines."""
    for title, lines in (
        ("Deliveries that fire otherwise", [_rerouted(one, code) for one in diff.rerouted]),
        ("Workflows that differ", [_altered(one, code, prose) for one in diff.altered]),
        ("Events that wait", [prose(one.what) for one in diff.waiting or ()]),
        ("Other changes, of settings and objects", [_changed(one, code) for one in diff.changed]),
    ):
        if lines:
            yield title, lines


def _rerouted(rerouted: Rerouted, code: Code) -> str:
    was, now = (
        _list((_cut(told, 0, WHY) for told in what), code) or "nothing" for what in (rerouted.was, rerouted.now)
    )
    names = rerouted.deliveries
    what = "1 delivery" if len(names) == 1 else f"{len(names)} deliveries"
    return f"{what}: {was} → {now}: {_list(names, code)}"


def _altered(altered: Altered, code: Code, prose: Code) -> str:
    such = f"{altered.values} different values, such as " if altered.values > 1 else ""
    return (
        f"{prose(altered.what)}: {such}{_values(altered.was, altered.now, code)}: "
        f"{_count(altered.workflows, 'Workflow', 'Workflows')} of {_list(altered.sensors, code)},"
        f" such as that of {code(plain(altered.delivery))}"
    )


def _changed(changed: Changed, code: Code) -> str:
    objects = _list(changed.objects, code)
    if not changed.path:
        return f"{objects}: {'gone' if changed.now is None else 'new'}"
    return f"{objects}: {code(plain(changed.path))}: {_values(changed.was, changed.now, code)}"


def _list(texts: Iterable[str], code: Code) -> str:
    return ", ".join(map(code, map(plain, texts)))


def _values(was: object, now: object, code: Code) -> str:
    """Two values, cut where they are long."""
    texts = ["" if value is None else plain(_quoted(value)) for value in (was, now)]
    alike = next((n for n, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
    begin = max(0, alike - SAME) if max(map(len, texts)) > LONG else 0
    return " → ".join(code(_cut(text, begin)) if text else "absent" for text in texts)


def _quoted(value: object) -> str:
    """A value as JSON, but a text as it stands: regular expressions are hard enough to read."""
    match value:
        case str(text) | [str(text)]:
            return f'"{text}"'
        case _:
            return json.dumps(value, ensure_ascii=False)


def _cut(text: str, begin: int, length: int = LONG) -> str:
    return f"{'…' if begin else ''}{text[begin : begin + length]}{'…' if len(text) > begin + length else ''}"


def plain(text: str) -> str:
    """What has no shape of its own, or turns the direction of what follows, as JSON spells it."""
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


# --- Markdown


def code(text: str) -> str:
    """Literal text. In a span of code no backtick, and in a table no pipe, could be told apart: those need HTML."""
    if not {"`", "|"} & set(text):
        return f"`{text}`"
    return "<code>" + "".join(c if c.isalnum() or c in ' "(){}^,-=' else f"&#{ord(c)};" for c in text) + "</code>"


def prose(text: str) -> str:
    """A sentence, with what Markdown or HTML would make something of as it stands, and nobody called by an @."""
    return "".join("@&#8203;" if c == "@" else f"&#{ord(c)};" if c in r"\`*_[]<>|&~#!" else c for c in plain(text))
