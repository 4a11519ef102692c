"""Bills of materials, CycloneDX 1.6 in JSON: one for each lock, one for each Go binary of the engine.

cyclonedx-gomod is not used: a binary's own list says what was linked, and the Go tool prints it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab import golang
from supply.tools import SupplyError, Tools, run

Json = dict[str, Any]

# Checks standard input against CycloneDX's own schema.
_CHECK = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
sys.exit(str(JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read()) or "") or 0)
"""


def python(tools: Tools, lock: Path, target: Path) -> None:
    """Writes the bill of a lock. Raises SupplyError."""
    options = ["--spec-version=1.6", "--output-reproducible", "--validate", "--short-PURLs"]
    said = tools.python("cyclonedx-py", "requirements", *options, f"--output-file={target}", str(lock))
    if said.code:
        raise SupplyError(f"cyclonedx-py could not list {lock.name}: {said.last_line}")


def go(tools: Tools, binary: Path, target: Path) -> None:
    """Writes the bill of a Go binary from what is written in it. Raises SupplyError."""
    said = run([golang.chosen(), "version", "-m", "-json", str(binary)])
    if said.code:
        raise SupplyError(f"{binary.name} does not say what it was linked from: {said.last_line}")
    target.write_text(json.dumps(bill(binary.name, json.loads(said.out)), indent=2) + "\n")
    checked = tools.python("python", "-c", _CHECK, str(target))
    if checked.code:
        raise SupplyError(f"the bill of {binary.name} is not CycloneDX: {checked.last_line}")


def bill(name: str, build: Json) -> Json:
    """A bill from what `go version -m -json` says of a binary."""
    modules = [build["Main"], *build.get("Deps", [])]
    used = [module.get("Replace") or module for module in modules]
    components = [_component(module["Path"], module.get("Version") or "(devel)") for module in used]
    components.append(_component("stdlib", build["GoVersion"].removeprefix("go")))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": name, "bom-ref": name}},
        "components": sorted(components, key=lambda component: component["bom-ref"]),
    }


def _component(path: str, version: str) -> Json:
    purl = f"pkg:golang/{path}@{version}"
    return {"type": "library", "name": path, "version": version, "purl": purl, "bom-ref": purl}
