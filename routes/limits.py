"""What the engine can take: how many Workflows a Sensor starts, and how large a delivery may be on its way.

GitHub sends up to 25 MB. What is larger than the EventSource takes is answered 400; what it took and the EventBus does
not, 500: GitHub shows both as failed. What is too large for a Workflow arrives reduced (`reduced.py`).
"""

from __future__ import annotations

INT32 = 2**31 - 1
"""The most seconds that a Workflow can be kept, above which the workflow-controller cannot read it; semaphores take as
much at most."""

KIB = 1024
MIB = 1024 * KIB

BUS_BYTES = 16 * MIB
"""The largest message of a JetStream that the stack makes."""

NATS_BYTES = MIB
"""The largest message of a NATS whose `max_payload` nobody has set."""

JETSTREAM_BYTES = 32 * MIB
"""The largest message that a JetStream keeps in a file, whatever its `max_payload` is."""

BACKLOG_BYTES = 1024 * MIB
"""How much may wait in an EventBus, unless the stack says otherwise."""

GROWTH = 8
"""The EventSource writes the body anew, where each `<`, `>` or `&` is six bytes, and as base64, four thirds of it."""

ORDINARY_GROWTH = 1.4
"""What an ordinary body grows by, at most every hundredth character of which is such. GitHub's examples grow less."""

HEADERS_BYTES = 64 * KIB
"""Room in a message for the request's headers and what the engine adds."""

DEFAULT_BYTES = 6 * MIB
"""The largest body, unless the EventBus takes less: a push of 2,048 commits, GitHub's most, is smaller."""

POD_BYTES = 64 * MIB
POD_GROWTH = 16
"""What a pod of the EventSource or a Sensor holds at most: so much, and so many times the largest body. Measured with
Go's memory limit set (`pods.memory_limit`): docs/large-deliveries.md."""

EVENT_BYTES = 224 * KIB
"""The largest `event`, as a Workflow holds it: JSON within JSON.

A Workflow of 1 MiB is its controller's largest. It holds its arguments twice (`spec` and what its status keeps of the
WorkflowTemplate), and a comment of 65,536 characters of four bytes beside this still fits, with room for nodes.
"""


REQUESTS_A_SECOND = 5
"""What a Sensor's Kubernetes client makes after a burst of ten: client-go's default, as Argo Events sets no other."""

REQUESTS_OF_A_WORKFLOW = 2
"""Get and create; of a redelivery, get and update."""


RETRY_SECONDS = 5
"""Between two attempts of a Sensor to start a Workflow."""


MUTEXES = 50
"""The most mutexes of a route: an admission policy names each."""


def most_workflows(seconds: int) -> int:
    """How many new Workflows a Sensor can start in that time, again and again."""
    return seconds * REQUESTS_A_SECOND // REQUESTS_OF_A_WORKFLOW


def body_that_passes(bus: int) -> int:
    """The largest body, in bytes, that a bus for messages of `bus` bytes takes whatever stands in it."""
    return (bus - HEADERS_BYTES) // GROWTH


def ordinary_body_that_passes(bus: int) -> int:
    """The largest ordinary body, in bytes, that a bus for messages of `bus` bytes takes."""
    return int((bus - HEADERS_BYTES) / ORDINARY_GROWTH)


def bus_that_takes(body: int) -> int:
    """The size of the messages, in bytes, that a bus must take for ordinary bodies of `body` bytes."""
    return int(body * ORDINARY_GROWTH) + 1 + HEADERS_BYTES


def backlog_for(bus: int) -> int:
    """The bytes that a stream must hold for one message of `bus` bytes, with its subject and what a server adds."""
    return bus + HEADERS_BYTES


def memory_for(body: int) -> int:
    """The memory, in MiB, that a pod must be allowed which looks at bodies of `body` bytes."""
    return -(-(POD_BYTES + POD_GROWTH * body) // MIB)


LARGEST_BYTES = ordinary_body_that_passes(JETSTREAM_BYTES)
"""The largest body that any JetStream takes, 23.9 MB. GitHub sends up to 25 MB."""
