"""The real tools, installed as `make audit` installs them, on vulnerability databases made here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from lab.tools import built_folder, tools_named
from supply import audit, sbom
from supply.tools import ROOT, SupplyError, Tools, tools

(EXPLAIN,) = tools_named(["explain"])
BINARY = built_folder(EXPLAIN) / "argo-events-explain"
"""One that these tests have anyhow."""
WHEN = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def found() -> Iterator[Tools]:
    with tools() as made:
        yield made


# --- Python: OSV on the loopback


class Osv(BaseHTTPRequestHandler):
    """Knows one vulnerability, of every version of PyYAML before 7."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        package = {"ecosystem": "PyPI", "name": "pyyaml"}
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "7.0"}]}]
        known: dict[str, object] = {
            "id": "PYSEC-2026-1",
            "summary": "made up",
            "modified": WHEN,
            "published": WHEN,
            "aliases": [],
        }
        known |= {"details": "made up", "affected": [{"package": package, "ranges": ranges}]}
        answer = json.dumps({"vulns": [known]} if asked["package"]["name"].lower() == "pyyaml" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def osv(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = HTTPServer(("127.0.0.1", 0), Osv)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"http://127.0.0.1:{server.server_port}/v1/query")
    yield
    server.shutdown()
    server.server_close()


def test_a_known_vulnerability_of_a_python_package_is_found(found: Tools, osv: None) -> None:
    assert audit.python(found, ROOT / "requirements.txt") == ["pyyaml 6.0.3: PYSEC-2026-1, mended in 7.0"]


def test_python_packages_without_known_vulnerabilities_are_fine(found: Tools, osv: None) -> None:
    assert audit.python(found, ROOT / "requirements-toolchain.txt") == []


def test_a_database_of_python_that_cannot_be_asked_is_not_no_vulnerability(
    found: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", "http://127.0.0.1:9/v1/query")
    with pytest.raises(SupplyError, match=r"^pip-audit could not look requirements-toolchain.txt up in"):
        audit.python(found, ROOT / "requirements-toolchain.txt")


# --- Go: a database in a folder


@pytest.fixture
def vulnerable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database in which every version of Argo Events before 9.0.0 is vulnerable."""
    module = "github.com/argoproj/argo-events"
    ranges = [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "9.0.0"}]}]
    entry = {
        "schema_version": "1.3.1",
        "id": "GO-2026-0001",
        "modified": WHEN,
        "published": WHEN,
        "affected": [{"package": {"name": module, "ecosystem": "Go"}, "ranges": ranges, "ecosystem_specific": {}}],
    }
    vulns = [{"id": entry["id"], "modified": WHEN, "fixed": "9.0.0"}]
    files: dict[str, object] = {
        "index/db.json": {"modified": WHEN},
        "index/modules.json": [{"path": module, "vulns": vulns}],
        "ID/GO-2026-0001.json": entry,
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    monkeypatch.setenv("GOVULNDB", tmp_path.as_uri())
    return tmp_path


def test_a_known_vulnerability_in_a_binary_is_found(found: Tools, vulnerable: Path) -> None:
    assert audit.go(found, EXPLAIN) == [
        "argo-events-explain: github.com/argoproj/argo-events v1.9.11: GO-2026-0001, mended in v9.0.0"
    ]


def test_a_binary_without_known_vulnerabilities_is_fine(found: Tools, vulnerable: Path) -> None:
    (vulnerable / "index/modules.json").write_text("[]")
    assert audit.of_binary(found, BINARY) == []


def test_a_database_of_go_that_cannot_be_asked_is_not_no_vulnerability(
    found: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOVULNDB", (tmp_path / "nowhere").as_uri())
    with pytest.raises(SupplyError, match=r"^govulncheck could not look argo-events-explain up in Go's database"):
        audit.of_binary(found, BINARY)


# --- Bills of materials


def test_the_bill_of_a_lock_names_each_package_with_its_version(found: Tools, tmp_path: Path) -> None:
    sbom.python(found, ROOT / "requirements.txt", tmp_path / "bill.json")
    listed = json.loads((tmp_path / "bill.json").read_text())
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    assert ("pulumi", "3.250.0") in {(c["name"], c["version"]) for c in listed["components"]}


def test_the_bill_of_a_binary_names_each_module_and_go_itself(found: Tools, tmp_path: Path) -> None:
    sbom.go(found, BINARY, tmp_path / "bill.json")
    listed = {c["name"]: c for c in json.loads((tmp_path / "bill.json").read_text())["components"]}
    assert listed["github.com/argoproj/argo-events"]["version"] == "v1.9.11"
    assert listed["stdlib"]["purl"].startswith("pkg:golang/stdlib@1.")
    assert len(listed) > 100


def test_a_bill_that_is_not_cyclonedx_is_refused(found: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "bill", lambda *_: {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": {}})
    with pytest.raises(SupplyError, match="the bill of argo-events-explain is not CycloneDX"):
        sbom.go(found, BINARY, tmp_path / "bill.json")
