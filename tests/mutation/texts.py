"""Single changes of the little languages in a Sensor: regular expressions, paths, expressions, templates.

Each function yields pairs: what was changed, in words, and the changed text.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator

Changes = Iterator[tuple[str, str]]

PIECE = re.compile(
    r"""\\. | \[(?:\\.|[^\]\\])+\] | \{\d*,?\d*\} | \(\?[a-z]+\) | \(\?i?: | [A-Za-z0-9_:=,'/-]+ | .""", re.X | re.S
)
"""A piece of a regular expression; plain characters together are one."""

CHARACTER = r"(?:\\x\{[0-9a-f]+\}|\\x[0-9a-f]{2}|\\p[A-Z]|\\.|[^\\])"
RANGE = re.compile(rf"{CHARACTER}-{CHARACTER}|{CHARACTER}", re.S)
"""A member of a character class."""


def regex(pattern: str) -> Changes:
    """A regular expression without each of its pieces, alternatives and members of classes."""
    for match in PIECE.finditer(pattern):
        piece, rest = match.group(), (pattern[: match.start()], pattern[match.end() :])
        at = f"{piece} at {match.start()}"
        if piece == "(?i:":
            yield f"(?: for {at}", "(?:".join(rest)
        if piece in ("(", ")", "(?:", "(?i:", "|"):
            continue
        yield f"without {at}", "".join(rest)
        if piece.startswith("[") and piece not in (r"[",):
            yield from _class(piece, at, rest)
        if limits := re.fullmatch(r"\{(\d*),?(\d*)\}", piece):
            for number in filter(None, limits.groups()):
                for other in (int(number) - 1, int(number) + 1):
                    if other >= 0:
                        yield f"{number} becomes {other} in {at}", piece.replace(number, str(other)).join(rest)
        if piece.isalnum() or "_" in piece:
            yield f"{piece}x for {at}", f"{piece}x".join(rest)
    yield from _alternatives(pattern)


def _class(piece: str, at: str, rest: tuple[str, str]) -> Changes:
    negated = piece.startswith("[^")
    members = RANGE.findall(piece[2 if negated else 1 : -1])
    if len(members) > 1:
        for i, member in enumerate(members):
            left = "".join(members[:i] + members[i + 1 :])
            yield f"without {member!r} in {at}", f"[{'^' if negated else ''}{left}]".join(rest)
    yield f"the reverse of {at}", f"[{'' if negated else '^'}{''.join(members)}]".join(rest)


def _alternatives(pattern: str) -> Changes:
    """Of each group, and of the whole, each alternative dropped."""
    groups: list[tuple[int, list[int]]] = [(0, [])]
    bars: list[tuple[int, int, list[int]]] = []
    for match in PIECE.finditer(pattern):
        match match.group():
            case "(" | "(?:" | "(?i:":
                groups.append((match.end(), []))
            case ")":
                begin, at = groups.pop()
                bars.append((begin, match.start(), at))
            case "|":
                groups[-1][1].append(match.start())
    ((begin, at),) = groups
    for start, end, splits in (*bars, (begin, len(pattern), at)):
        if splits:
            edges = [start - 1, *splits, end]
            options = [pattern[a + 1 : b] for a, b in itertools.pairwise(edges)]
            for i, option in enumerate(options):
                left = "|".join(options[:i] + options[i + 1 :])
                yield f"without the alternative {option} at {start}", pattern[:start] + left + pattern[end:]


def path(text: str) -> Changes:
    """A path of the engine's filters: each of its places moved or left out, its brackets, its static value."""
    for match in re.finditer(r"body((?:\.[\w-]+)+)", text):
        for what, moved in _moved(match.group()):
            yield what, text[: match.start()] + moved + text[match.end() :]
    if inner := re.fullmatch(r"\[(.+)\](\.0)?", text):
        places = inner[1].split(",")
        yield "without brackets", inner[1] + (inner[2] or "")
        if inner[2]:
            yield "without .0", text.removesuffix(".0")
            yield ".1 for .0", text.removesuffix("0") + "1"
        for i, place in enumerate(places):
            if len(places) > 1:
                left = ",".join(places[:i] + places[i + 1 :])
                yield f"without {place}", f"[{left}]{inner[2] or ''}"
        for i in range(len(places) - 2):
            places[i], places[i + 1] = places[i + 1], places[i]
            yield f"{places[i]} before {places[i + 1]}", f"[{','.join(places)}]{inner[2] or ''}"
            places[i], places[i + 1] = places[i + 1], places[i]
    yield from key(text)


def key(text: str) -> Changes:
    """The static value in a path, if it has one."""
    if '!""' in text:
        yield 'another text for !""', text.replace('!""', '!"x"')
        yield 'null for !""', text.replace('!""', "!null")


def _moved(place: str) -> Changes:
    *parents, last = place.split(".")
    yield f"{place}x", f"{place}x"
    if len(parents) > 1:
        yield f"{parents[0]}.{last} for {place}", f"{parents[0]}.{last}"
    yield f"{'.'.join(parents)} for {place}", ".".join(parents)


def expression(text: str) -> Changes:
    """A govaluate expression: each operand and comparison, each text, each name."""
    yield from conditions(text)
    for match in re.finditer(r"'([^']*)'", text):
        for what, other in (("another text", f"'{match[1]}x'"), ("no text", "''")):
            if other == match.group():
                continue
            yield f"{what} for {match.group()}", text[: match.start()] + other + text[match.end() :]
    for match in re.finditer(r"[!=]=", text):
        for other in {"==": ("!=", "=~", "<"), "!=": ("==",)}[match.group()]:
            at = f"{match.group()} at {match.start()}"
            yield f"{other} for {at}", text[: match.start()] + other + text[match.end() :]
    for match in re.finditer(r" \+ \w+", text):
        yield f"without{match.group()}", text[: match.start()] + text[match.end() :]
    for name, other in (("ref", "branch"), ("branch", "ref")):
        for match in re.finditer(rf"\b{name}\b(?!s)", text):
            if text[match.start() - 1 : match.start()] not in ("/", "'"):
                yield f"{other} for {name} at {match.start()}", text[: match.start()] + other + text[match.end() :]


def conditions(text: str) -> Changes:
    """What is joined by `||`, or by `&&`: each operand dropped, each joint the other."""
    joint, other = (" && ", " || ") if " && " in text else (" || ", " && ")
    operands = text.split(joint)
    for i, operand in enumerate(operands):
        if len(operands) > 1:
            yield f"without {operand}", joint.join(operands[:i] + operands[i + 1 :])
    for i in range(1, len(operands)):
        yield f"{other.strip()} before {operands[i]}", joint.join(operands[:i]) + other + joint.join(operands[i:])


TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)
      | (?P<end>\}\}) | (?P<path>\.Input(?:\.[\w-]+)+) | (?P<variable>\$\w+) | (?P<number>\d+)
      | (?P<pipe>\|) | (?P<word>[A-Za-z]\w*) | (?P<other>[().]|:=|=|\s+|.)""",
    re.X | re.S,
)
OTHER_WORDS = {
    "int64": ("toString", ""),
    "toString": ("",),
    "not": ("",),
    "eq": ("ne",),
    "omit": ("pick",),
    "if": ("if not",),
    "with": ("if",),
    "regexFind": ("regexMatch",),
    "sha256sum": ("sha1sum",),
    "trunc": ("abbrev",),
}


def template(text: str, known: set[str], *, pieces: Callable[[str], bool] = lambda _: True) -> Changes:
    """A Go template: each path and text around actions; of each action also each pipe, quoted text, number and word.

    `known` are the actions, but for their paths, that were changed in full before; it grows. `pieces`: of which regular
    expressions each piece too. A change is called after its action, not its place, which is another after each edit.
    """
    times: Counter[str] = Counter()
    for what, changed in _template(text, known, pieces):
        times[what] += 1
        yield what if times[what] == 1 else f"{what} ({times[what]})", changed


def _template(text: str, known: set[str], pieces: Callable[[str], bool]) -> Changes:
    before_this = frozenset(known)
    for kind, start, end, before, action in _tokens(text):
        token = text[start:end]

        def put(other: str, start: int = start, end: int = end) -> str:
            return text[:start] + other + text[end:]

        at = f"{token[:40]} in {action.strip()[:80]}"
        match kind:
            case "text":
                yield f"without {token}", put("")
                yield f"{token}x", put(f"{token}x")
            case "path":
                for what, moved in _moved(token.removeprefix(".Input.")):
                    yield what, put(f".Input.{moved}")
            case _ if action in before_this:
                continue
            case "string":
                quote, inner = token[0], token[1:-1]
                if inner:
                    yield f"no text for {at}", put(quote * 2)
                yield f"another text for {at}", put(f"{quote}{inner}x{quote}")
                if before in ("regexMatch", "regexReplaceAll", "regexFind", ":=") and pieces(inner):
                    for what, other in regex(inner):
                        yield f"{what} of the expression in {action.strip()[:80]}", put(f"{quote}{other}{quote}")
            case "number":
                for number in (int(token) - 1, int(token) + 1):
                    yield f"{number} for {at}", put(str(number))
            case "word":
                for word in OTHER_WORDS.get(token, ()):
                    if token == "if":
                        closing = text.index("}}", end)
                        yield f"the reverse of {at}", put(f"if not ({text[end:closing].strip()}) ", end=closing)
                    else:
                        yield f"{word or 'nothing'} for {at}", put(word)
            case "pipe":
                stage = _stage(text, start)
                yield f"without {text[start:stage].strip()} in {action.strip()[:80]}", put("", end=stage)
        known.add(action)


def _tokens(text: str) -> Iterator[tuple[str, int, int, str, str]]:
    """Each token with its kind, its place, the word before it and its action, without paths.

    What is outside of actions is `text`.
    """
    at = 0
    while at < len(text):
        opening = text.find("{{", at)
        if opening != at:
            end = len(text) if opening < 0 else opening
            yield "text", at, end, "", ""
            at = end
            continue
        tokens = list(_action(text, at + 2))
        action = "".join("." if kind == "path" else text[start:end] for kind, start, end, _ in tokens)
        yield from ((*token, action) for token in tokens)
        at = tokens[-1][2] + len("}}")


def _action(text: str, at: int) -> Iterator[tuple[str, int, int, str]]:
    before = ""
    while True:
        match = TOKEN.match(text, at)
        assert match and match.lastgroup, text[at:]
        if match.lastgroup == "end":
            return
        at = match.end()
        yield match.lastgroup, match.start(), match.end(), before
        if match.lastgroup == "word" or match.group() == ":=":
            before = match.group()
        elif match.lastgroup not in ("other",):
            before = ""


def _stage(text: str, start: int) -> int:
    """Where the stage of a pipe that begins at `start` ends."""
    depth, at = 0, start + 1
    while True:
        match = TOKEN.match(text, at)
        assert match, text[at:]
        if depth == 0 and (match.lastgroup in ("end", "pipe") or match.group() == ")"):
            return at
        depth += {"(": 1, ")": -1}.get(match.group(), 0)
        at = match.end()
