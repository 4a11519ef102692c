"""What the engine can take: how many Workflows a Sensor starts, and how large a delivery may be.

A delivery's size is limited so that what the EventSource accepts passes the EventBus and fits into a Workflow. GitHub
sends up to 25 MB. What is larger than the EventSource takes is answered 400, and GitHub shows it as failed. What
it took and could not pass on would be answered 500; a Workflow that is too large would never run, and say nothing.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB

BUS_BYTES = 4 * MIB
"""The largest message of a JetStream that the stack makes."""

NATS_BYTES = MIB
"""The largest message of a NATS whose `max_payload` nobody has set."""

GROWTH = 8
"""The EventSource writes the body anew, where each `<`, `>` or `&` is six bytes, and as base64, four thirds of it."""

HEADERS_BYTES = 64 * KIB
"""Room in a message for the request's headers and what the engine adds."""

DEFAULT_BYTES = 256 * KIB
"""The largest body, unless the EventBus takes less: it leaves a template room to hand `event` down a few times."""

WORKFLOW_BYTES = 400 * KIB
"""The largest body that fits into a Workflow of 1 MiB, which holds its arguments twice and quotes them."""


REQUESTS_A_SECOND = 5
"""What a Sensor's Kubernetes client makes after a burst of ten: client-go's default, as Argo Events sets no other."""

REQUESTS_OF_A_WORKFLOW = 2
"""Get and create; of a redelivery, get and update."""


MUTEXES = 50
"""The most mutexes of a route: an admission policy names each."""


def most_workflows(seconds: int) -> int:
    """How many new Workflows a Sensor can start in that time, again and again."""
    return seconds * REQUESTS_A_SECOND // REQUESTS_OF_A_WORKFLOW


def body_that_passes(bus: int) -> int:
    """The largest body, in bytes, that a bus for messages of `bus` bytes takes whatever stands in it."""
    return (bus - HEADERS_BYTES) // GROWTH


def bus_that_takes(body: int) -> int:
    """The size of the messages, in bytes, that a bus must take for bodies of `body` bytes."""
    return body * GROWTH + HEADERS_BYTES
