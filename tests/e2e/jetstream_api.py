"""JetStream's own API: what the nats CLI sends."""

from __future__ import annotations

import base64
import json
import socket
import ssl
from typing import Any

import yaml
from kubernetes import client

from lab.layout import LAB_ADDRESS, NATS_PORT, Layout

INBOX = "_INBOX.tests"


def request(subject: str, body: Any = None, *, account: str = "second") -> dict[str, Any]:
    """The answer of the lab's NATS to one request. Raises AssertionError with JetStream's words where it refuses."""
    return _answer(LAB_ADDRESS, yaml.safe_load(Layout().nats_access(account).read_text()), subject, body)


def request_of_native(
    api: client.ApiClient, namespace: str, event_bus: str, subject: str, body: Any = None
) -> dict[str, Any]:
    """The same of a server of a native EventBus, with the user that the controller made up."""
    core = client.CoreV1Api(api)
    pod = core.read_namespaced_pod(f"eventbus-{event_bus}-js-0", namespace)
    (access,) = core.read_namespaced_secret(f"eventbus-{event_bus}-js-client-auth", namespace).data.values()
    return _answer(pod.status.pod_ip, yaml.safe_load(base64.b64decode(access)), subject, body)


def _answer(address: str, access: dict[str, str], subject: str, body: Any) -> dict[str, Any]:
    with socket.create_connection((address, NATS_PORT), timeout=10) as plain:
        plain.recv(65536)  # INFO, before TLS
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as connection:
            return _asked(connection, {"user": access["username"], "pass": access["password"]}, subject, body)


def request_at(port: int, subject: str, body: Any = None) -> dict[str, Any]:
    """The same of a NATS on loopback without TLS and users."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        return _asked(connection, {}, subject, body)


def _asked(connection: socket.socket, login: dict[str, str], subject: str, body: Any) -> dict[str, Any]:
    payload = json.dumps(body).encode() if body is not None else b""
    connect = json.dumps(login | {"verbose": False, "pedantic": False})
    connection.sendall(
        f"CONNECT {connect}\r\nSUB {INBOX} 1\r\nPUB {subject} {INBOX} {len(payload)}\r\n".encode() + payload + b"\r\n"
    )
    with connection.makefile("rb") as answers:
        for line in answers:
            if line.startswith(b"PING"):
                connection.sendall(b"PONG\r\n")
            assert not line.startswith(b"-ERR"), line
            if line.startswith(b"MSG"):
                answer: dict[str, Any] = json.loads(answers.read(int(line.split()[-1])))
                assert "error" not in answer, answer["error"]
                return answer
    raise AssertionError("NATS closed the connection")
