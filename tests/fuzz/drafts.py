"""A request as bytes, however wrong, since no HTTP library would send most of these; and what one is drawn from."""

from __future__ import annotations

import copy
import functools
import hmac
import json
import random
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cli.delivery import signature
from cli.stacks import compiled, read_settings
from payloads import Body, Payload, events, examples, one_of_each
from routes import FAMILIES
from routes.guards import fires_on

Path = tuple[str | int, ...]

SIGNATURE, SHA1 = "X-Hub-Signature-256", "X-Hub-Signature"
MARK = "mark"
"""A field of each body, by which a Workflow says which request started it."""

OTHERS: tuple[Any, ...] = (None, True, 0, -1, 1e30, "", "{{", [], {}, [""], {"{{": ["{{"]})
"""Values of every type, for where GitHub has one of another."""

STACK = "lab"
SETTINGS = read_settings(STACK)
LIMIT = SETTINGS.max_body
"""The largest body that the EventSource takes, in bytes."""
ENDPOINT = SETTINGS.webhook.endpoint


@dataclass(frozen=True)
class Draft:
    """A request in its parts; `wire` is what goes out."""

    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    line: bytes = f"POST {ENDPOINT} HTTP/1.1".encode()
    newline: bytes = b"\r\n"

    def but(self, name: str, *values: str | bytes) -> Draft:
        """With these values of a header, where it stood or at the end: several repeat it, none removes it."""
        key = name.encode()
        fields = [(key, value.encode() if isinstance(value, str) else value) for value in values]
        names = [name for name, _ in self.headers]
        at = names.index(key) if key in names else len(names)
        return replace(self, headers=(*self.headers[:at], *fields, *self.headers[at + 1 :]))

    def asks(self, line: str | bytes) -> Draft:
        """With another request line."""
        return replace(self, line=line.encode() if isinstance(line, str) else line)

    def chunked(self, rng: random.Random) -> Draft:
        """The same body in chunks, and no Content-Length."""
        cuts = sorted(rng.sample(range(1, len(self.body)), min(5, len(self.body) - 1)))
        pieces = [self.body[a:b] for a, b in zip([0, *cuts], [*cuts, len(self.body)], strict=True)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        return replace(self, body=body).but("Content-Length").but("Transfer-Encoding", "chunked")

    @property
    def wire(self) -> bytes:
        lines = [self.line, *(name + b": " + value for name, value in self.headers)]
        return self.newline.join([*lines, b"", self.body])


def routed() -> frozenset[str]:
    """The events that a route of the stack hears of."""
    routes = [route for family in FAMILIES for route in family.routes]
    return frozenset(delivery.event for route in routes for delivery in fires_on(route, SETTINGS))


@functools.cache
def unrouted() -> tuple[str, ...]:
    """GitHub's events that none hears of."""
    return tuple(event for event in events() if event not in routed())


@functools.cache
def _firing() -> dict[str, Payload]:
    return one_of_each()


@functools.cache
def _rates() -> dict[str, int]:
    """How many Workflows a minute each dependency's route starts at most."""
    return {
        delivery.name: rate.limit
        for family in FAMILIES
        for route in family.routes
        if (rate := SETTINGS.rate(route))
        for delivery in route.deliveries
    }


@functools.cache
def _decisive() -> tuple[Path, ...]:
    """The paths that the Sensors' filters read."""
    filters = json.dumps(
        [d["filters"] for sensor in compiled(STACK).all_sensors() for d in sensor["spec"]["dependencies"]]
    )
    return tuple(tuple(path.split(".")) for path in re.findall(r"body\.([\w.-]+)", filters))


@dataclass(frozen=True)
class Draw:
    """What a kind of request is drawn with. The same `rng` and `mark` make the same request.

    `id` is the delivery id, `host` where the EventSource listens, `secret` what GitHub signs with.
    """

    rng: random.Random
    mark: str
    id: uuid.UUID
    host: str
    secret: bytes = field(repr=False)
    drawn: dict[str, str] = field(default_factory=dict)
    """The dependency that `firing` chose, for the one who counts Workflows."""

    def signed(self, body: bytes, event: str = "ping") -> Draft:
        """Any body, signed as GitHub signs it. No route hears of a ping."""
        headers = {
            "Host": self.host,
            "User-Agent": "GitHub-Hookshot/lab",
            "Accept": "*/*",
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(self.id),
            SIGNATURE: signature(self.secret, body),
            "Content-Length": str(len(body)),
        }
        return Draft(body, tuple((name.encode(), value.encode()) for name, value in headers.items()))

    def payload(self) -> Payload:
        """A delivery that fires one route, more often one that may start many."""
        rates = _rates()
        dependency = self.rng.choices(list(rates), list(rates.values()))[0]
        self.drawn["dependency"] = dependency
        payload = _firing()[dependency]
        return Payload(payload.event, payload.body | {MARK: self.mark})

    def firing(self) -> Draft:
        """A delivery as GitHub makes it, that starts a Workflow."""
        payload = self.payload()
        return self.signed(in_json(payload.body), payload.event)

    def unheard(self) -> Draft:
        """A delivery as GitHub makes it, of an event that no route hears of."""
        event = self.rng.choice(unrouted())
        return self.signed(in_json(self.rng.choice(examples(event)) | {MARK: self.mark}), event)

    def with_fields(self, text: str) -> Draft:
        """A delivery that starts a Workflow, with further fields of the JSON object, as they stand."""
        payload = self.payload()
        return self.signed(f"{json.dumps(payload.body)[:-1]},{text}}}".encode(), payload.event)

    def other_types(self) -> Draft:
        """A delivery that starts a Workflow, with up to four values of other types, but for what filters read."""
        payload = self.payload()
        body = copy.deepcopy(payload.body)
        places = [path for path in paths(body) if path != (MARK,) and not any(touches(path, of) for of in _decisive())]
        changed: list[Path] = []
        for path in self.rng.sample(places, self.rng.randint(1, 4)):
            if not any(touches(path, of) for of in changed):
                changed.append(path)
                parent: Any = functools.reduce(_member, path[:-1], body)
                parent[path[-1]] = self.rng.choice(OTHERS)
        return self.signed(in_json(body), payload.event)

    def filled(self, size: int, event: str = "ping") -> Draft:
        """A signed body of exactly so many bytes."""
        return self.signed(b'{"":"' + b"x" * (size - 7) + b'"}', event)

    def text(self, least: int, most: int, letters: str = "abcdefghijklmnopqrstuvwxyz0123456789") -> str:
        """Letters, `least` to `most` of them; small numbers are as likely as large ones."""
        size: int = round(least * (most / least) ** self.rng.random())
        piece = "".join(self.rng.choices(letters, k=min(size, 1000)))
        return (piece * (size // len(piece) + 1))[:size]

    def hmac(self, kind: str, body: bytes) -> str:
        """A signature by another hash than GitHub's, as the engine spells it."""
        return f"{kind}={hmac.digest(self.secret, body, kind).hex()}"


def _member(value: Any, key: str | int) -> Any:
    return value[key]


def in_json(body: Body) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


def touches(one: Path, other: Path) -> bool:
    """Whether one place is within the other."""
    return all(a == b for a, b in zip(one, other, strict=False))


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place within a JSON value."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in items:
        yield (*path, key)
        yield from paths(member, (*path, key))
