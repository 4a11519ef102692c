"""Requests over plain sockets, and what comes back, in words that are the same for all requests of a kind."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
from dataclasses import dataclass

from tests.fuzz.kinds import Request

Address = tuple[str, int]

PATIENCE = 60.0
SILENCE = 1.5
"""Seconds: how long an answer may take, and how long a client waits that has not sent everything."""
WORDS = 120
ANSWER = 2 * 1024 * 1024


@dataclass(frozen=True, order=True)
class Answer:
    """Status 0 is none: the EventSource closed the connection, or keeps it open."""

    status: int
    words: str

    def __str__(self) -> str:
        return " ".join(filter(None, [str(self.status or ""), self.words]))


CLOSED = Answer(0, "the connection is closed without an answer")
SILENT = Answer(0, "no answer, and the connection stays open")


def send(address: Address, request: Request) -> Answer:
    """What the EventSource answers."""
    kind = request.kind
    try:
        connection = socket.create_connection(address, timeout=PATIENCE)
    except OSError as error:
        return Answer(0, f"no connection: {error.strerror}")
    with connection:
        # It may have answered before it was sent everything.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request.wire)
            if kind.ends == "closes":
                connection.shutdown(socket.SHUT_WR)
        if kind.ends == "waits":
            connection.settimeout(SILENCE)
        return _read(connection, request.method)


def _read(connection: socket.socket, method: str) -> Answer:
    response = http.client.HTTPResponse(connection, method=method)
    try:
        response.begin()
        text = response.read(ANSWER).decode(errors="replace")
    except TimeoutError:
        return SILENT
    except (http.client.HTTPException, ConnectionResetError):
        return CLOSED
    finally:
        response.close()
    where = response.getheader("Location")
    return Answer(response.status, f"to {where}" if where else in_words(text, response.status))


def in_words(text: str, status: int) -> str:
    """An answer without its status and what it quotes of the request, and cut where it is long."""
    text = re.sub(r"""'(\\.[^']*|[^'\\])'""", "'…'", text)
    text = re.sub(r'"([^"\\]|\\.)*"', '"…"', text, flags=re.S)
    text = re.sub(r"\b(true|false)\b", "…", text)
    text = re.sub(r"(?<=U\+)[0-9A-F]+|\b\d+e\d+", "…", text)
    return re.sub(r"\s+", " ", text).strip().removeprefix(f"{status} ")[:WORDS]
