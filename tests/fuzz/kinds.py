"""Every kind of request that is tried, in the words of docs/bad-input.md, and how one of it is drawn.

What it gets is not here: that is the engine's to say. A kind is so narrow that all of it get the same.
"""

from __future__ import annotations

import gzip
import itertools
import json
import random
import re
import uuid
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote_plus

from tests.fuzz.drafts import ENDPOINT, LIMIT, MARK, SHA1, SIGNATURE, Draft, Draw

Ends = Literal["reads", "closes", "waits"]
"""What the client does once all is sent: reads the answer, says first that nothing more comes, or says nothing."""

MIB = 1024 * 1024


@dataclass(frozen=True)
class Kind:
    """`draw` makes one. `starts`: each starts one Workflow, else none does. `most`: in one run.

    `known` is why no answer, or one of 500 and more, is no news, and what there is to do about it.
    """

    name: str
    draw: Callable[[Draw], Draft | bytes]
    starts: bool = False
    ends: Ends = "reads"
    most: int = 1_000_000
    known: str = ""


@dataclass(frozen=True)
class Group:
    """Kinds that have something in common, which `about` says."""

    name: str
    about: str
    kinds: tuple[Kind, ...]


@dataclass(frozen=True)
class Request:
    """One request. `mark` is in its body; `dependency` is the one whose Sensor starts its Workflow, if it is to."""

    kind: Kind
    number: int
    mark: str
    wire: bytes
    dependency: str

    @property
    def name(self) -> str:
        return f"{GROUP_OF[self.kind]}: {self.kind.name} #{self.number}"

    @property
    def method(self) -> str:
        return self.wire.split(b" ", 1)[0].decode(errors="replace")


NO_HTTP = "Go's HTTP server says so, before the engine sees it"
PANICS = (
    "the engine's handler panics, Go's HTTP server catches that, and the process lives. Only who knows the secret can"
    " do it"
)


def _starting(name: str, draw: Callable[[Draw], Draft | bytes]) -> Kind:
    return Kind(name, draw, starts=True, most=16)


def _small(d: Draw) -> Draft:
    """A delivery that starts a Workflow, so small that Go's HTTP server has read it all when it finds a fault.

    What it has not read when it closes the connection may cost the client the answer.
    """
    return d.signed(json.dumps({"action": "opened", "text": d.text(1, 500), MARK: d.mark}).encode(), "issues")


def _waiting(name: str, draw: Callable[[Draw], Draft | bytes]) -> Kind:
    known = "the engine waits as long as the client does: it has no time limit. An Ingress has one"
    return Kind(name, draw, ends="waits", most=24, known=known)


def _nested(d: Draw, depth: int) -> bytes:
    opened, closed = d.rng.choice((("[", "]"), ('{"":', "}")))
    return ('{"":' + opened * depth + "1" + closed * depth + "}").encode()


def _cut(d: Draw, draft: Draft) -> Draft:
    """Its body signed as it stands, but cut short somewhere, and the rest never sent."""
    return replace(draft, body=draft.body[: d.rng.randrange(1, len(draft.body))])


def _signed_cut(d: Draw) -> Draft:
    """Cut short after a quote, a bracket, a comma or a colon, and signed so."""
    payload = d.payload()
    whole = json.dumps(payload.body).encode()
    return d.signed(whole[: d.rng.choice([mark.end() for mark in re.finditer(rb'["{\[,:]', whole)])], payload.event)


def _literal(d: Draw) -> bytes:
    return d.rng.choice((b"t", b"tr", b"tru", b"f", b"fa", b"fal", b"fals"))


def _form(d: Draw, body: bytes, event: str = "ping") -> Draft:
    return d.signed(body, event).but("Content-Type", "application/x-www-form-urlencoded")


def _quoted(text: str) -> bytes:
    return b"payload=" + quote_plus(text).encode()


def _form_of_a_delivery(d: Draw) -> Draft:
    payload = d.payload()
    return _form(d, _quoted(json.dumps(payload.body)), payload.event)


def _spoofed(d: Draw) -> Draft:
    """The body says that it is of an event that fires; the header says another."""
    payload = d.payload()
    body = payload.body | {"X-GitHub-Event": payload.event, "X-GitHub-Delivery": str(d.id)}
    return d.signed(json.dumps(body).encode(), "ping")


def _compressed(d: Draw, how: str) -> Draft:
    draft = d.firing()
    packed = gzip.compress(draft.body, mtime=0) if how == "gzip" else zlib.compress(draft.body)
    return d.signed(packed, "issues").but("Content-Encoding", how)


def _bomb(d: Draw) -> Draft:
    return d.signed(gzip.compress(b"[" * d.rng.randrange(8, 24) * MIB, mtime=0)).but("Content-Encoding", "gzip")


def _encoded(d: Draw, encoding: str) -> Draft:
    payload = d.payload()
    body = json.dumps(payload.body | {"é": "ü" * d.rng.randint(1, 100)}, ensure_ascii=False).encode(encoding)
    return d.signed(body, payload.event).but("Content-Type", f"application/json; charset={encoding}")


def _latin(d: Draw) -> Draft:
    return d.signed(json.dumps({"é": "ü" * d.rng.randint(1, 100)}, ensure_ascii=False).encode("latin-1")).but(
        "Content-Type", "application/json; charset=iso-8859-1"
    )


def _many_headers(d: Draw) -> Draft:
    draft = d.unheard()
    fields = tuple((f"X-{n}-{d.text(1, 20)}".encode(), d.text(1, 40).encode()) for n in range(d.rng.randint(50, 900)))
    return replace(draft, headers=draft.headers + fields)


def _growing_headers(d: Draw) -> Draft:
    draft = d.unheard()
    return replace(draft, headers=(*draft.headers, (b"X-Padding", b"<" * d.rng.randint(600_000, 900_000))))


def _id(d: Draw, text: str | bytes, *more: str) -> Draft:
    return d.firing().but("X-GitHub-Delivery", text, *more)


def _raw(d: Draw, draft: Draft, line: bytes) -> Draft:
    """With one more line among its headers, as it stands."""
    name, colon, value = line.partition(b": ")
    assert colon, line
    return replace(draft, headers=(*draft.headers[:2], (name, value), *draft.headers[2:]))


def _bytes(rng: random.Random, least: int, most: int) -> bytes:
    return rng.randbytes(rng.randint(least, most))


def _bad_chunks(d: Draw, size: bytes) -> Draft:
    draft = d.firing()
    body = b"%s\r\n%s\r\n0\r\n\r\n" % (size, draft.body)
    return replace(draft, body=body).but("Content-Length").but("Transfer-Encoding", "chunked")


def _length(d: Draw, *values: str) -> Draft:
    return _small(d).but("Content-Length", *values)


def _too_large(d: Draw, *, chunked: bool = False) -> Draft:
    draft = d.filled(LIMIT + d.rng.choice((1, 2, 100, 5_000, 100_000, MIB)), "issues")
    return draft.chunked(d.rng) if chunked else draft


def _event(draft: Draft) -> str:
    return dict(draft.headers)[b"X-GitHub-Event"].decode()


def _deep_delivery(d: Draw) -> Draft:
    depth = d.rng.randint(2_000, 9_000)
    return d.with_fields(f'"deep":{"[" * depth}{"]" * depth}')


def _not_utf8(d: Draw) -> Draft:
    draft = d.with_fields('"odd":"\\ud83d here"')
    odd = d.rng.choice((b"\xff", b"\xc3(", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82"))
    return d.signed(draft.body.replace(b" here", odd), _event(draft))


def _largest(d: Draw) -> Draft:
    short = d.with_fields('"padding":""')
    missing = LIMIT - len(short.body)
    return d.signed(short.body[:-2] + b"x" * missing + short.body[-2:], _event(short))


def _sha1_alone(d: Draw) -> Draft:
    draft = d.firing()
    return draft.but(SIGNATURE).but(SHA1, d.hmac("sha1", draft.body))


def _method(d: Draw, method: str) -> Draft:
    return d.unheard().asks(f"{method} {ENDPOINT} HTTP/1.1")


def _escaped(d: Draw) -> str:
    letters = [f"%{ord(c):02x}" if c.isalpha() and d.rng.random() < 0.5 else c for c in ENDPOINT]
    return "".join(letters)


def _cases(d: Draw) -> Draft:
    draft = d.unheard()
    return replace(
        draft,
        headers=tuple(
            (bytes(d.rng.choice((c, ord(chr(c).swapcase()))) for c in name), value) for name, value in draft.headers
        ),
    )


def _length_twice(d: Draw) -> Draft:
    draft = d.unheard()
    return draft.but("Content-Length", *[str(len(draft.body))] * d.rng.randint(2, 5))


def _alike(d: Draw) -> str:
    event = _event(d.firing())
    return d.rng.choice((event.upper(), f"{event}s", f"x{event}", f"{event},{event}", event.replace("_", "-") + ";"))


def _two_events(d: Draw) -> Draft:
    draft = d.firing()
    return draft.but("X-GitHub-Event", "ping", _event(draft))


def _signature(d: Draw, other: Callable[[str], str], draft: Draft | None = None) -> Draft:
    draft = draft or d.unheard()
    return draft.but(SIGNATURE, other(dict(draft.headers)[SIGNATURE.encode()].decode()))


def _signatures(d: Draw, *, right_first: bool) -> Draft:
    draft = d.unheard() if right_first else d.firing()
    both = [dict(draft.headers)[SIGNATURE.encode()].decode(), _hex(d)]
    return draft.but(SIGNATURE, *(both if right_first else reversed(both)))


def _by_sha512(d: Draw) -> Draft:
    draft = d.unheard()
    return draft.but(SIGNATURE, d.hmac("sha512", draft.body))


def _charset(d: Draw) -> Draft:
    charset = d.rng.choice(("utf-16", "iso-8859-1", "no-such", d.text(1, 99)))
    return d.unheard().but("Content-Type", f"application/json; charset={charset}")


def _hex(d: Draw, size: int = 64) -> str:
    return "sha256=" + "".join(d.rng.choices("0123456789abcdef", k=size))


def _one_wrong(d: Draw, signature: str) -> str:
    at = d.rng.randrange(7, len(signature))
    return signature[:at] + ("0" if signature[at] != "0" else "1") + signature[at + 1 :]


def _values(draft: Draft, name: str) -> list[bytes]:
    return [value for key, value in draft.headers if key == name.encode()]


def _wrong_and_sha1(d: Draw) -> Draft:
    draft = d.firing()
    return draft.but(SIGNATURE, _hex(d)).but(SHA1, d.hmac("sha1", draft.body))


def _changed(d: Draw) -> Draft:
    draft = d.firing()
    at = d.rng.randrange(len(draft.body))
    return replace(draft, body=draft.body[:at] + bytes([draft.body[at] ^ 1]) + draft.body[at + 1 :])


def _appended(d: Draw) -> Draft:
    draft = d.firing()
    return replace(draft, body=draft.body + b"\n").but("Content-Length", str(len(draft.body) + 1))


def _more(d: Draw, more: bytes) -> Draft:
    draft = d.firing()
    return d.signed(draft.body + more, _event(draft))


def _before(d: Draw, before: bytes) -> Draft:
    draft = d.firing()
    return d.signed(before + draft.body, _event(draft))


def _typed(d: Draw, *values: str) -> Draft:
    return d.firing().but("Content-Type", *values)


def _long_line(d: Draw) -> str:
    return f"POST {ENDPOINT}?{d.text(1_100_000, 1_500_000)} HTTP/1.1"


def _no_colon(d: Draw) -> Draft:
    draft = _small(d)
    return replace(draft, line=draft.line + b"\r\n" + d.text(1, 99).encode())


def _smaller(d: Draw) -> Draft:
    draft = d.firing()
    length = d.rng.randrange(1, len(draft.body) - 1)
    return d.signed(draft.body[:length], _event(draft)).but("Content-Length", str(length))


def _coding(d: Draw, *values: str) -> Draft:
    return _small(d).chunked(d.rng).but("Transfer-Encoding", *values)


def _chunks_cut(d: Draw) -> Draft:
    draft = d.firing().chunked(d.rng)
    return replace(draft, body=draft.body[: d.rng.randrange(10, len(draft.body) - 10)])


ODD = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

DELIVERIES = Group(
    "Deliveries that count",
    "Each is signed, and starts one Workflow with a valid name, whatever its delivery id holds.",
    (
        _starting("a delivery as GitHub makes it", lambda d: d.firing()),
        _starting("no delivery id", lambda d: d.firing().but("X-GitHub-Delivery")),
        _starting("an empty delivery id", lambda d: _id(d, "")),
        _starting("a delivery id in capitals", lambda d: _id(d, str(d.id).upper())),
        _starting("a delivery id with spaces, slashes, dots", lambda d: _id(d, f"../ {d.id} /./x.")),
        _starting("a delivery id with braces, quotes, tags", lambda d: _id(d, f"{{{{=1+1}}}} \"'`<b>&\\ {d.id}")),
        _starting("a delivery id in other letters", lambda d: _id(d, f"größe-é-🐙-{d.id}")),
        _starting("a delivery id that is not UTF-8", lambda d: _id(d, b"\xff\xfe\x80" + str(d.id).encode())),
        _starting("a delivery id with dashes at its ends", lambda d: _id(d, f"--{d.id.hex}--")),
        _starting("a delivery id of 41 to 60,000 letters", lambda d: _id(d, d.id.hex + d.text(9, 60_000))),
        _starting("a delivery id of 300,000 to 900,000 letters", lambda d: _id(d, d.id.hex + d.text(300_000, 900_000))),
        _starting("two delivery ids", lambda d: _id(d, str(d.id), str(uuid.UUID(int=d.rng.getrandbits(128))))),
        _starting("values of other types in its body", lambda d: d.other_types()),
        _starting("a field twice in its body", lambda d: d.with_fields(f'"mark":"{d.mark}","sender":{{"login":7}}')),
        _starting("half of a surrogate pair, and bytes that are not UTF-8", _not_utf8),
        _starting("a body 2,000 to 9,000 levels deep", _deep_delivery),
        Kind("the largest body that is taken", _largest, starts=True, most=4),
        _starting("GitHub's other content type, a form", _form_of_a_delivery),
        _starting("a right X-Hub-Signature (SHA-1) alone", _sha1_alone),
    ),
)

TAKEN = Group(
    "Other ways to say the same",
    "Each is signed and taken, and starts nothing, since no route hears of its event.",
    (
        Kind("GET, PUT, PATCH or DELETE", lambda d: _method(d, d.rng.choice(("GET", "PUT", "PATCH", "DELETE")))),
        Kind("a method that nobody knows", lambda d: _method(d, d.text(1, 40, ODD))),
        Kind("HEAD", lambda d: _method(d, "HEAD")),
        Kind("HTTP/1.0", lambda d: d.unheard().asks(f"POST {ENDPOINT} HTTP/1.0")),
        Kind("a query", lambda d: d.unheard().asks(f"POST {ENDPOINT}?{d.text(1, 5000)}={d.text(1, 50)} HTTP/1.1")),
        Kind("the path escaped", lambda d: d.unheard().asks(f"POST {_escaped(d)} HTTP/1.1")),
        Kind("a whole URL", lambda d: d.unheard().asks(f"POST http://{d.text(1, 60)}{ENDPOINT} HTTP/1.1")),
        Kind("another Host", lambda d: d.unheard().but("Host", d.text(1, 200))),
        Kind("lines that end with LF alone", lambda d: replace(d.unheard(), newline=b"\n")),
        Kind("a header on two lines", lambda d: d.unheard().but("X-Folded", f"{d.text(1, 9)}\r\n {d.text(1, 9)}")),
        Kind("header names in other letter cases", _cases),
        Kind("50 to 900 further headers", _many_headers),
        Kind("a header of up to 900,000 letters", lambda d: d.unheard().but("X-Padding", d.text(9_000, 900_000))),
        Kind("a header that is not UTF-8", lambda d: d.unheard().but("X-Odd", bytes([d.rng.randint(128, 255)]) * 9)),
        Kind("Expect: 100-continue", lambda d: d.unheard().but("Expect", "100-continue")),
        Kind("in chunks", lambda d: d.unheard().chunked(d.rng)),
        Kind("Content-Length twice, the same", _length_twice),
        Kind("in chunks, and a Content-Length too", lambda d: d.unheard().chunked(d.rng).but("Content-Length", "7")),
        Kind("no X-GitHub-Event", lambda d: d.firing().but("X-GitHub-Event")),
        Kind("an X-GitHub-Event that nobody knows", lambda d: d.firing().but("X-GitHub-Event", d.text(1, 9_000))),
        Kind("an X-GitHub-Event that looks alike", lambda d: d.firing().but("X-GitHub-Event", _alike(d))),
        Kind("two X-GitHub-Event, the one that fires behind", _two_events),
        Kind("X-GitHub-Event in the body only", _spoofed),
        Kind("a signature in capitals", lambda d: _signature(d, lambda of: "sha256=" + of[7:].upper())),
        Kind("a right signature before a wrong one", lambda d: _signatures(d, right_first=True)),
        Kind("a right SHA-512 signature", _by_sha512),
        Kind("a right SHA-1 signature beside", lambda d: (u := d.unheard()).but(SHA1, d.hmac("sha1", u.body))),
        Kind("application/json in capitals", lambda d: d.unheard().but("Content-Type", "APPLICATION/JSON")),
        Kind("a charset that is not the body's", _charset),
        Kind("Content-Encoding: gzip, the body plain", lambda d: d.unheard().but("Content-Encoding", "gzip")),
        Kind("ISO 8859-1, and says so", _latin),
        Kind("an empty object", lambda d: d.signed(d.text(1, 50, " \t\r\n").encode() + b"{}")),
        Kind("up to 9,000 levels deep", lambda d: d.signed(_nested(d, d.rng.randint(100, 9_000)))),
        Kind("20,000 fields", lambda d: d.signed(json.dumps(dict.fromkeys(map(str, range(20_000)), 0)).encode())),
        Kind("numbers of up to 300 digits", lambda d: d.signed(b'{"":-%s}' % d.text(9, 300, "123456789").encode())),
    ),
)

SIGNATURES = Group(
    "Signatures",
    "Each has the body of a delivery that would start a Workflow.",
    (
        Kind("none", lambda d: d.firing().but(SIGNATURE)),
        Kind("an empty one", lambda d: d.firing().but(SIGNATURE, "")),
        Kind("no `=` in it", lambda d: d.firing().but(SIGNATURE, d.text(1, 500_000))),
        Kind("an algorithm that nobody knows", lambda d: d.firing().but(SIGNATURE, f"{d.text(1, 90)}={_hex(d)[7:]}")),
        Kind("no hexadecimal number", lambda d: d.firing().but(SIGNATURE, "sha256=" + d.text(2, 500_000, "ghijklmn"))),
        Kind("an odd number of digits", lambda d: d.firing().but(SIGNATURE, _hex(d, d.rng.randrange(1, 99, 2)))),
        Kind("too few digits", lambda d: d.firing().but(SIGNATURE, _hex(d, d.rng.randrange(0, 63, 2)))),
        Kind("too many digits", lambda d: d.firing().but(SIGNATURE, _hex(d, d.rng.randrange(66, 5_000, 2)))),
        Kind("a wrong one", lambda d: d.firing().but(SIGNATURE, _hex(d))),
        Kind("one digit wrong", lambda d: _signature(d, lambda of: _one_wrong(d, of), d.firing())),
        Kind("made with another secret", lambda d: replace(d, secret=d.rng.randbytes(20)).firing()),
        Kind("made with no secret", lambda d: replace(d, secret=b"").firing()),
        Kind("another delivery's", lambda d: d.firing().but(SIGNATURE, *_values(d.unheard(), SIGNATURE))),
        Kind("a wrong one before a right one", lambda d: _signatures(d, right_first=False)),
        Kind("a wrong one, and a right SHA-1", _wrong_and_sha1),
        Kind("a wrong SHA-1 alone", lambda d: d.firing().but(SIGNATURE).but(SHA1, "sha1=" + _hex(d)[7:47])),
        Kind("a SHA-256 that says it is SHA-1", lambda d: _signature(d, lambda of: "sha1=" + of[7:], d.firing())),
        Kind("a body changed by a byte", _changed),
        Kind("a body with a line's end behind", _appended),
    ),
)

BODIES = Group(
    "Bodies",
    "Each is signed as it is, so that nothing but the body is wrong.",
    (
        Kind("none", lambda d: d.signed(b"", "issues")),
        Kind("spaces", lambda d: d.signed(d.text(1, 9_000, " \t\r\n").encode(), "issues")),
        Kind("JSON cut short", _signed_cut),
        Kind("JSON cut short in true or false", lambda d: d.signed(b'{"action":"opened","":' + _literal(d), "issues")),
        Kind("JSON, and something behind", lambda d: _more(d, b"}")),
        Kind("JSON twice", lambda d: _more(d, b"{}")),
        Kind("bytes", lambda d: d.signed(b"\x01" + _bytes(d.rng, 1, 50_000), "issues")),
        Kind("a zero byte", lambda d: _before(d, b"\x00")),
        Kind("single quotes", lambda d: d.signed(str(d.payload().body).encode(), "issues")),
        Kind("a comment", lambda d: _before(d, b"/* */")),
        Kind("a control character in a text", lambda d: d.signed(b'{"":"%c"}' % d.rng.randint(1, 8), "issues")),
        Kind("null", lambda d: d.signed(d.text(1, 99, " ").encode() + b"null", "issues"), known=PANICS),
        Kind("a list", lambda d: d.signed(json.dumps([d.payload().body]).encode(), "issues")),
        Kind("a text", lambda d: d.signed(json.dumps(d.text(1, 999)).encode(), "issues")),
        Kind("a number", lambda d: d.signed(str(d.rng.randint(0, 2**70)).encode(), "issues")),
        Kind("true or false", lambda d: d.signed(d.rng.choice((b"true", b"false")), "issues")),
        Kind("NaN", lambda d: d.signed(b'{"action":"opened","x":NaN}', "issues")),
        Kind("a number beyond 1e308", lambda d: d.signed(b'{"x":1e%d}' % d.rng.randint(309, 10**9), "issues")),
        Kind("more than 10,000 levels deep", lambda d: d.signed(_nested(d, d.rng.randint(10_000, 40_000)), "issues")),
        Kind("100,000 brackets that nothing closes", lambda d: d.signed(b"[" * 100_000, "issues")),
        Kind("UTF-16", lambda d: _encoded(d, "utf-16")),
        Kind("UTF-32", lambda d: _encoded(d, "utf-32")),
        Kind("UTF-8 with a byte order mark", lambda d: _before(d, b"\xef\xbb\xbf")),
        Kind("UTF-7", lambda d: d.signed(b"+AHs-" + d.firing().body[1:], "issues")),
        Kind("compressed with gzip", lambda d: _compressed(d, "gzip")),
        Kind("compressed with deflate", lambda d: _compressed(d, "deflate")),
        Kind("8 to 24 MiB compressed to a few KiB", _bomb, most=20),
        Kind("XML", lambda d: d.signed(b"<payload>%s</payload>" % d.text(1, 999).encode(), "issues")),
    ),
)

CONTENT_TYPES = Group(
    "Content types",
    "Each is signed, and its body would start a Workflow.",
    (
        Kind("none", lambda d: _typed(d)),
        Kind("an empty one", lambda d: _typed(d, "")),
        Kind("text/plain", lambda d: _typed(d, "text/plain")),
        Kind("another JSON", lambda d: _typed(d, d.rng.choice(("application/vnd.github+json", "text/json")))),
        Kind("XML", lambda d: _typed(d, "application/xml")),
        Kind("multipart/form-data", lambda d: _typed(d, f"multipart/form-data; boundary={d.text(1, 70)}")),
        Kind("no media type", lambda d: _typed(d, f"/{d.text(1, 9_000)}")),
        Kind("a parameter twice", lambda d: _typed(d, "application/json; charset=utf-8; charset=utf-16")),
        Kind("two of them, the right one behind", lambda d: _typed(d, "text/plain", "application/json")),
        Kind("a form, its body JSON", lambda d: _typed(d, "application/x-www-form-urlencoded")),
        Kind("a form without payload", lambda d: _form(d, f"x={d.text(1, 999)}".encode())),
        Kind("a form whose payload is cut short", lambda d: _form(d, _quoted('{"action":"opened"'))),
        Kind("a form with a broken escape", lambda d: _form(d, b"payload=%7" + d.text(1, 99, "ghij").encode())),
        Kind("a form whose payload is null", lambda d: _form(d, b"payload=null"), known=PANICS),
    ),
)

PATHS = Group(
    "Methods and paths",
    "Each is signed, and its body would start a Workflow.",
    (
        Kind("another path", lambda d: d.firing().asks(f"POST /{d.text(1, 3_000)} HTTP/1.1")),
        Kind("the root", lambda d: d.firing().asks("POST / HTTP/1.1")),
        Kind("a slash behind", lambda d: d.firing().asks(f"POST {ENDPOINT}/ HTTP/1.1")),
        Kind("a slash escaped behind", lambda d: d.firing().asks(f"POST {ENDPOINT}%2f HTTP/1.1")),
        Kind("in capitals", lambda d: d.firing().asks(f"POST {ENDPOINT.upper()} HTTP/1.1")),
        Kind("slashes doubled", lambda d: d.firing().asks(f"POST {'/' * d.rng.randint(2, 99)}{ENDPOINT[1:]} HTTP/1.1")),
        Kind("dots", lambda d: d.firing().asks(f"POST {'/..' * d.rng.randint(1, 99)}{ENDPOINT} HTTP/1.1")),
        Kind("a zero byte escaped", lambda d: d.firing().asks(f"POST {ENDPOINT}%00 HTTP/1.1")),
        Kind("bytes that are not UTF-8", lambda d: d.firing().asks(b"POST /%s HTTP/1.1" % (b"\xff" * 9))),
        Kind("a path of up to 900,000 letters", lambda d: d.firing().asks(f"POST /{d.text(9_000, 900_000)} HTTP/1.1")),
        Kind("a broken escape", lambda d: _small(d).asks(f"POST {ENDPOINT}%g{d.text(1, 9)} HTTP/1.1")),
        Kind("no slash before", lambda d: _small(d).asks(f"POST {d.text(1, 99)} HTTP/1.1")),
        Kind("OPTIONS of the server", lambda d: d.firing().asks("OPTIONS * HTTP/1.1")),
        Kind("CONNECT", lambda d: d.firing().asks("CONNECT example.com:443 HTTP/1.1")),
        Kind("GET without signature", lambda d: d.firing().but(SIGNATURE).asks(f"GET {ENDPOINT} HTTP/1.1")),
        Kind("GET without headers", lambda d: f"GET {ENDPOINT} HTTP/1.1\r\nHost: {d.host}\r\n\r\n".encode()),
        Kind("the engine's own health check", lambda d: d.firing().asks("POST /health HTTP/1.1")),
    ),
)

LINES = Group(
    "Lines and headers",
    "Each is signed, and its body would start a Workflow, where there is one.",
    (
        Kind("no request", lambda d: d.text(1, 50, "\r\n").encode(), ends="closes"),
        Kind("bytes", lambda d: b"\x00" + _bytes(d.rng, 100, 3_000) + b"\r\n\r\n"),
        Kind(
            "the beginning of TLS",
            lambda d: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + d.rng.randbytes(500) + b"\r\n\r\n",
        ),
        Kind("HTTP/0.9", lambda d: f"GET {ENDPOINT}\r\n\r\n".encode()),
        Kind("the beginning of HTTP/2", lambda d: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 9),
        Kind("HTTP/2.0", lambda d: _small(d).asks(f"POST {ENDPOINT} HTTP/2.0"), known=NO_HTTP),
        Kind("HTTP/3.0", lambda d: _small(d).asks(f"POST {ENDPOINT} HTTP/3.0"), known=NO_HTTP),
        Kind("another protocol", lambda d: _small(d).asks(f"POST {ENDPOINT} {d.text(1, 99)}/1.1")),
        Kind("spaces in the request line", lambda d: _small(d).asks(f"POST  {ENDPOINT}  HTTP/1.1")),
        Kind("a method that cannot be", lambda d: _small(d).asks(f"PO{d.rng.choice('@/[(')}ST {ENDPOINT} HTTP/1.1")),
        Kind("no Host", lambda d: _small(d).but("Host")),
        Kind("two Hosts", lambda d: _small(d).but("Host", d.host, d.text(1, 99))),
        Kind("a Host that cannot be", lambda d: _small(d).but("Host", f"{d.text(1, 9)} {d.text(1, 9)}")),
        Kind("a header without colon", _no_colon),
        Kind("a header without name", lambda d: _raw(d, _small(d), b": x")),
        Kind("a space before the colon", lambda d: _raw(d, _small(d), b"X-Space : x")),
        Kind("a header name that cannot be", lambda d: _raw(d, _small(d), b"X(%s: x" % d.text(1, 9).encode())),
        Kind("a zero byte in a header", lambda d: _small(d).but("X-Zero", f"x\0{d.text(1, 9)}")),
        Kind("a control character in the delivery id", lambda d: _small(d).but("X-GitHub-Delivery", f"\x1b[{d.id}")),
        Kind("more than 1 MiB of headers", lambda d: _small(d).but("X-Padding", d.text(1_100_000, 1_500_000)), most=40),
        Kind("a request line of more than 1 MiB", lambda d: _small(d).asks(_long_line(d)), most=40),
        Kind("an Expect that nobody knows", lambda d: _small(d).but("Expect", d.text(1, 99))),
        Kind(
            "600,000 to 900,000 `<` in a header",
            _growing_headers,
            most=4,
            known="each is six bytes in the event, which is then more than the EventBus takes"
            " (`eventBus.maxPayloadBytes`): see above",
        ),
    ),
)

LENGTHS = Group(
    "Lengths and chunks",
    f"Each is signed. A body of more than {LIMIT:,} bytes (`webhook.maxPayloadBytes`) is too large.",
    (
        Kind("a byte to a MiB too large", lambda d: _too_large(d), most=80),
        Kind("a byte to a MiB too large, in chunks", lambda d: _too_large(d, chunked=True), most=80),
        Kind("too large, after Expect: 100-continue", lambda d: _too_large(d).but("Expect", "100-continue"), most=80),
        Kind("too large, neither Content-Length nor chunks", lambda d: _too_large(d).but("Content-Length"), most=80),
        Kind("25 MiB, GitHub's largest", lambda d: d.filled(25 * MIB), most=4),
        Kind("25 MiB in chunks", lambda d: d.filled(25 * MIB).chunked(d.rng), most=4),
        Kind(
            "10 GB, it says, and sends 7 MiB", lambda d: d.filled(7 * MIB).but("Content-Length", str(10**10)), most=20
        ),
        Kind("a Content-Length beyond 2^63", lambda d: _length(d, str(d.rng.randint(2**63, 2**80)))),
        Kind("a negative Content-Length", lambda d: _length(d, str(-d.rng.randint(1, 10**6)))),
        Kind("a Content-Length that is no number", lambda d: _length(d, d.text(1, 9, "xyz"))),
        Kind("two Content-Lengths", lambda d: _length(d, "5", "6")),
        Kind("a Content-Length that is too small", lambda d: _length(d, "1")),
        Kind("a Content-Length that is too small, signed so", _smaller),
        Kind("neither Content-Length nor chunks", lambda d: _length(d)),
        Kind("the body cut short, and the end", lambda d: _cut(d, _small(d)), ends="closes"),
        _waiting("the body cut short, and silence", lambda d: _cut(d, _small(d))),
        _waiting("the headers cut short, and silence", lambda d: _small(d).wire[: d.rng.randint(20, 200)]),
        _waiting("nothing at all, and silence", lambda d: b""),
        Kind("the headers cut short, and the end", lambda d: _small(d).wire[: d.rng.randint(30, 200)], ends="closes"),
        Kind("chunks cut short, and the end", _chunks_cut, ends="closes"),
        Kind("a chunk whose length is no number", lambda d: _bad_chunks(d, d.text(1, 9, "xyz").encode())),
        Kind("a chunk whose length is beyond 2^64", lambda d: _bad_chunks(d, b"f" * d.rng.randint(17, 99))),
        Kind("a chunk that is longer than it says", lambda d: _bad_chunks(d, b"1")),
        Kind("a transfer coding that nobody knows", lambda d: _coding(d, d.text(1, 50)), known=NO_HTTP),
        Kind("Transfer-Encoding: gzip, chunked", lambda d: _coding(d, "gzip, chunked"), known=NO_HTTP),
        Kind("Transfer-Encoding twice", lambda d: _coding(d, "chunked", "chunked"), known=NO_HTTP),
    ),
)

GROUPS = (DELIVERIES, TAKEN, SIGNATURES, CONTENT_TYPES, BODIES, LENGTHS, PATHS, LINES)
KINDS = tuple(kind for group in GROUPS for kind in group.kinds)


def mark_of(kind: Kind, number: int, *, run: str) -> str:
    """What is in the body of no other request, of this run and of any other."""
    return f"{run}-{KINDS.index(kind)}-{number}"


def request(kind: Kind, number: int, *, seed: int, run: str, host: str, secret: bytes) -> Request:
    """The request of a kind that has this number, in a run of its own: `run` makes its delivery id and mark new."""
    mark = mark_of(kind, number, run=run)
    draw = Draw(
        rng=random.Random(f"{seed}/{GROUP_OF[kind]}/{kind.name}/{number}"),
        mark=mark,
        id=uuid.uuid5(uuid.NAMESPACE_URL, mark),
        host=host,
        secret=secret,
    )
    drawn = kind.draw(draw)
    wire = drawn if isinstance(drawn, bytes) else drawn.wire
    return Request(kind, number, mark, wire, draw.drawn.get("dependency", "") if kind.starts else "")


GROUP_OF = {kind: group.name for group in GROUPS for kind in group.kinds}


def plan(total: int, seed: int) -> list[tuple[Kind, int]]:
    """At least `total` requests, of each kind as many, or its `most`, in an order that the seed makes.

    Those that start a Workflow are spread evenly among the others.
    """
    each = next(each for each in itertools.count(1) if sum(min(each, kind.most) for kind in KINDS) >= total)
    planned = [(kind, number) for kind in KINDS for number in range(min(each, kind.most))]
    random.Random(seed).shuffle(planned)
    starting = [of for of in planned if of[0].starts]
    others = [of for of in planned if not of[0].starts]
    places = [((n + 0.5) / len(group), of) for group in (starting, others) for n, of in enumerate(group)]
    return [of for _, of in sorted(places, key=lambda place: place[0])]


def named(name: str) -> tuple[Kind, int] | None:
    """The kind and number of a request that a finding names."""
    text, _, number = name.rpartition(" #")
    kinds = [kind for kind in KINDS if text == f"{GROUP_OF[kind]}: {kind.name}"]
    return (kinds[0], int(number)) if kinds and number.isdecimal() else None
