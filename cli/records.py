"""Deliveries as people have them: a payload, GitHub's own record of a delivery, a folder of them, or standard input."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli.engine import Delivery

WHICH_EVENT = (
    "which event is it? Give it as GitHub's header X-GitHub-Event has it, for example --event issue_comment, or give"
    " GitHub's record of the delivery (its API, or the headers and payload under Recent deliveries)"
)


class UnreadableError(Exception):
    """A file that cannot be taken for a delivery. The text names the file and says what to give instead."""


def read_deliveries(place: str, event: str = "") -> list[Delivery]:
    """The deliveries in a file, in a folder's files, or (`-`) on standard input.

    A file holds one payload, of the X-GitHub-Event `event`; or GitHub's record of a delivery, as its API gives it or as
    text, headers first; or several records, as a JSON list or one a line. Raises UnreadableError.
    """
    if place == "-":
        return list(_deliveries("standard input", sys.stdin.buffer.read(), event))
    path = Path(place)
    try:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found = [d for file in files for d in _deliveries(str(file), file.read_bytes(), event)]
    except OSError as error:
        raise UnreadableError(f"{error.filename}: {error.strerror}") from None
    if not found:
        raise UnreadableError(f"{place}: there is no file in this folder")
    return found


def payload(name: str, body: bytes, event: str) -> Delivery:
    """A bare payload as the delivery that GitHub would have made of it, but for the id, which is all zeros."""
    headers = {"Content-Type": "application/json", "X-GitHub-Event": event, "X-GitHub-Delivery": str(uuid.UUID(int=0))}
    return Delivery(name=name, headers=headers, body=body)


def _deliveries(name: str, content: bytes, event: str) -> Iterator[Delivery]:
    if copied := _text_record(name, content):
        yield copied
        return
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError):
        lines = _lines(content)
        if not lines:  # no JSON that this can read: the EventSource's to judge
            yield payload(name, content, event)
            return
        document = lines
    match document:
        case list() if document and all(_is_record(item) for item in document):
            yield from (record(f"{name}, {number}", item) for number, item in enumerate(document, 1))
        case dict() if _is_record(document):
            yield record(name, document)
        case dict() if not event:
            raise UnreadableError(f"{name}: {WHICH_EVENT}")
        case _:
            yield payload(name, content, event)


def _lines(content: bytes) -> list[Any]:
    """Several records, one a line; none if it is anything else."""
    try:
        lines = [json.loads(line) for line in content.splitlines() if line.strip()]
    except (ValueError, RecursionError):
        return []
    return lines if all(map(_is_record, lines)) else []


def _request(record: dict[str, Any]) -> dict[str, Any]:
    request = record.get("request", record)
    return request if isinstance(request, dict) else {}


def _is_record(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    request = _request(item)
    return isinstance(request.get("headers"), dict) and ("payload" in request or "body" in request)


def record(name: str, item: dict[str, Any]) -> Delivery:
    """A delivery of GitHub's API: `GET …/hooks/{id}/deliveries/{id}`."""
    request = _request(item)
    headers = {str(key): str(value) for key, value in request["headers"].items()}
    known = {key.lower() for key in headers}
    for header, key in (("X-GitHub-Event", "event"), ("X-GitHub-Delivery", "guid")):
        if header.lower() not in known and item.get(key):
            headers[header] = str(item[key])
    if "content-type" not in known:
        headers["Content-Type"] = "application/json"
    delivery = Delivery(name=name, headers=headers, body=_body(request))
    if not delivery.event:
        raise UnreadableError(f"{name}: the record has no header X-GitHub-Event")
    return delivery


def _body(request: dict[str, Any]) -> bytes:
    body = request["payload"] if "payload" in request else request["body"]
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return text.encode()


def _text_record(name: str, content: bytes) -> Delivery | None:
    """Headers, one a line, and then the payload: what Recent deliveries shows, copied."""
    headers: dict[str, str] = {}
    rest = content
    while rest:
        line, _, after = rest.partition(b"\n")
        text = line.decode(errors="replace").strip()
        key, colon, value = text.partition(":")
        if text and (not colon or text[0] in '{["'):
            break
        if text:
            headers[key.strip()] = value.strip()
        rest = after
    delivery = Delivery(name=name, headers={"Content-Type": "application/json"} | headers, body=rest.strip())
    return delivery if headers and delivery.event else None
