"""The engine's own code, and Argo Workflows' own validation, kept running."""

from collections.abc import Iterator

import pytest

from cli.engine import Engine
from cli.stacks import compiled
from routes.compiler import CompiledStack
from tests.engine.workflows import Validation


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine() as running:
        yield running


@pytest.fixture(scope="session")
def validation() -> Iterator[Validation]:
    with Validation() as running:
        yield running


@pytest.fixture(scope="session")
def stack() -> CompiledStack:
    """The stack that the matrix and the cases are about: the rules as the requirements have them."""
    return compiled("dev")
