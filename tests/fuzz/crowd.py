"""A crowd: many clients at once that send their deliveries a few bytes at a time and come to no end."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from cli.delivery import Posted, Sender
from payloads import Payload
from tests.fuzz.sending import Address

EVERY = 0.5
"""Seconds between two bytes of one client, and between two valid deliveries."""


@dataclass(frozen=True)
class Crowd:
    """How many clients there were, how many of them were still connected at the end, and what others got meanwhile."""

    clients: int
    connected: int
    posted: tuple[Posted, ...]
    slowest: float
    """Seconds that the slowest of these took."""


def crowd(
    address: Address, wires: Sequence[bytes], seconds: float, sender: Sender, payloads: Sequence[Payload]
) -> Crowd:
    """For some seconds a client for each of the wires, which sends it byte by byte; and payloads one by one meanwhile.

    A wire that is all sent would be answered: each is longer than there is time for.
    """
    posted: list[Posted] = []
    slowest = 0.0
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(address, timeout=5.0)) for _ in wires]
        for client, wire in zip(clients, wires, strict=True):
            client.sendall(wire[:-200])
        end = time.monotonic() + seconds
        for at in range(-200, -1):
            round_began = time.monotonic()
            if round_began > end:
                break
            for client, wire in zip(clients, wires, strict=True):
                client.sendall(wire[at : at + 1])
            if len(posted) < len(payloads):
                posted.append(sender.post(payloads[len(posted)]))
                slowest = max(slowest, time.monotonic() - posted[-1].at)
            time.sleep(max(0.0, round_began + EVERY - time.monotonic()))
        return Crowd(len(clients), len(clients) - len(_answered(clients)), tuple(posted), slowest)


def _answered(clients: Sequence[socket.socket]) -> list[selectors.SelectorKey]:
    """Those to whom something was said, or whose connection was closed."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        return [key for key, _ in selector.select(timeout=0)]
