"""What it costs to compile every stack of this clone, and to read its settings."""

from __future__ import annotations

import time

from cli.stacks import read_settings, stack_names
from routes import FAMILIES
from routes.compiler import compile_stack

ROUNDS = 15


def compiling() -> list[float]:
    """Milliseconds of processor time for all of them, in each round."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for stack in stack_names():
            compile_stack(FAMILIES, read_settings(stack)).objects()
        found.append((time.process_time() - began) * 1000)
    return found
