"""pulumi-language-python of the lab: what the command line of Pulumi starts for a project in Python.

Pulumi's own is a Go program that the lab cannot build. This is the server of Pulumi's Automation API, which runs the
same program in the same way, behind the same protocol: `pulumi-language-python [flags] ENGINE`, which prints its port.
"""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from lab.stack import program

LARGEST_MESSAGE = 400 * 1024**2
"""As Pulumi's own: a state may be large."""


class Host(LanguageServer):
    """Runs the project's program. `engine` is the address of the Pulumi engine that started it."""

    def __init__(self, engine: str) -> None:
        super().__init__(program)
        self.engine = engine

    def Run(self, request: Any, context: Any) -> language_pb2.RunResponse:
        os.chdir(request.pwd)
        del request.args[:]
        request.args.append(self.engine)
        return super().Run(request, context)


def main() -> None:
    server = grpc.server(
        ThreadPoolExecutor(4),
        options=[(f"grpc.max_{way}_message_length", LARGEST_MESSAGE) for way in ("receive", "send")],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(Host(sys.argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    with suppress(KeyboardInterrupt):  # so Pulumi ends it
        threading.Event().wait()


if __name__ == "__main__":
    main()
