"""JetStream's own API over the lab's NATS: what the nats CLI sends."""

from __future__ import annotations

import json
import socket
import ssl
from typing import Any

import yaml

from lab.layout import LAB_ADDRESS, NATS_PORT, Layout

INBOX = "_INBOX.tests"


def request(subject: str, body: Any = None, *, account: str = "second") -> dict[str, Any]:
    """The answer to one request. Raises AssertionError with JetStream's words where it refuses."""
    access = yaml.safe_load(Layout().nats_access(account).read_text())
    login = {"user": access["username"], "pass": access["password"], "verbose": False, "pedantic": False}
    payload = json.dumps(body).encode() if body is not None else b""
    with socket.create_connection((LAB_ADDRESS, NATS_PORT), timeout=10) as plain:
        plain.recv(65536)  # INFO, before TLS
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as connection, connection.makefile("rb") as answers:
            connection.sendall(
                f"CONNECT {json.dumps(login)}\r\nSUB {INBOX} 1\r\nPUB {subject} {INBOX} {len(payload)}\r\n".encode()
                + payload
                + b"\r\n"
            )
            for line in answers:
                if line.startswith(b"PING"):
                    connection.sendall(b"PONG\r\n")
                assert not line.startswith(b"-ERR"), line
                if line.startswith(b"MSG"):
                    answer: dict[str, Any] = json.loads(answers.read(int(line.split()[-1])))
                    assert "error" not in answer, answer["error"]
                    return answer
    raise AssertionError("NATS closed the connection")
