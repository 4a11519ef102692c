"""Known vulnerabilities: pip-audit over the locks, govulncheck over the engine's binaries.

Mirrors of their databases are named by PIP_AUDIT_OSV_URL and GOVULNDB.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from lab.tools import Tool, built_folder
from supply.tools import SupplyError, Tools


def python(tools: Tools, lock: Path) -> list[str]:
    """A line for each known vulnerability of a lock's packages. Raises SupplyError where OSV cannot be asked."""
    # Not PyPI's own database: pip-audit passes over what that does not answer, and calls it no vulnerability.
    options = ["--vulnerability-service=osv", "--strict", "--disable-pip", "--require-hashes", "--progress-spinner=off"]
    said = tools.python("pip-audit", *options, "--format=json", f"--requirement={lock}")
    try:
        audited = json.loads(said.out)["dependencies"]
    except (ValueError, KeyError):
        raise SupplyError(f"pip-audit could not look {lock.name} up in the database OSV: {said.last_line}") from None
    if skipped := [package["name"] for package in audited if "skip_reason" in package]:
        raise SupplyError(f"pip-audit did not look these of {lock.name} up: {', '.join(skipped)}")
    return [
        f"{package['name']} {package['version']}: {found['id']}"
        + (f", mended in {', '.join(found['fix_versions'])}" if found["fix_versions"] else ", not mended yet")
        for package in audited
        for found in package["vulns"]
    ]


def go(tools: Tools, tool: Tool) -> list[str]:
    """A line for each known vulnerability that a built tool of the engine holds.

    Raises SupplyError where Go's database cannot be asked.
    """
    return [
        f"{binary.name}: {line}"
        for binary in (built_folder(tool) / name for name in tool.packages.values())
        for line in of_binary(tools, binary)
    ]


def of_binary(tools: Tools, binary: Path) -> list[str]:
    """A line for each known vulnerability of the modules that a Go binary was linked from."""
    mirror = [f"-db={os.environ['GOVULNDB']}"] if "GOVULNDB" in os.environ else []
    said = tools.govulncheck("-mode=binary", "-format=json", *mirror, str(binary))
    if said.code:
        raise SupplyError(f"govulncheck could not look {binary.name} up in Go's database: {said.last_line}")
    return sorted({_finding(message["finding"]) for message in _messages(said.out) if "finding" in message})


def _finding(finding: dict[str, object]) -> str:
    trace = finding["trace"]
    assert isinstance(trace, list)
    fixed = finding.get("fixed_version")
    return f"{trace[0]['module']} {trace[0].get('version', '')}: {finding['osv']}" + (
        f", mended in {fixed}" if fixed else ", not mended yet"
    )


def _messages(text: str) -> Iterator[dict[str, dict[str, object]]]:
    """JSON documents, one after the other."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        message, end = decoder.raw_decode(text)
        yield message
        text = text[end:]
