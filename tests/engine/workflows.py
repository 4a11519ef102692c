"""Argo Workflows' own validation, with its controller's options: the program `lab/engine/validate`, kept running."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cli.stacks import read_settings
from lab.errors import LabError
from lab.tools import TOOLS, built_folder
from routes import FAMILIES
from routes.compiler import CompiledStack, compile_stack
from routes.manifests import Manifest


def managed(stack: str) -> CompiledStack:
    """A committed stack that writes its WorkflowTemplates itself."""
    return compile_stack(FAMILIES, read_settings(stack).model_copy(update={"workflow_templates": "managed"}))


@dataclass(frozen=True)
class Verdict:
    """What the controller says of each WorkflowTemplate and each Workflow, in their order; empty where it is valid."""

    templates: list[str]
    workflows: list[str]


class Validation:
    """Answers as long as it is open. Raises LabError where the program is not built."""

    def __init__(self) -> None:
        (tool,) = (tool for tool in TOOLS if tool.name == "validate")
        (name,) = tool.packages.values()
        binary = built_folder(tool) / name
        if not binary.is_file():
            raise LabError(f"{name} is not built. Run `make engine`.")
        self._process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._process.communicate(timeout=10)

    def check(self, templates: Sequence[Manifest], workflows: Sequence[Manifest]) -> Verdict:
        """The verdict on WorkflowTemplates, and on Workflows that may refer to them and to no others."""
        answer = self.ask(json.dumps({"templates": templates, "workflows": workflows}))
        if "error" in answer:
            raise ValueError(answer["error"])
        return Verdict(**answer)

    def ask(self, line: str) -> Manifest:
        """The program's answer to one line."""
        assert self._process.stdin and self._process.stdout
        print(line, file=self._process.stdin, flush=True)
        answer: Manifest = json.loads(self._process.stdout.readline())
        return answer
