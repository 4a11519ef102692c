"""A stack with monitoring, for the tests."""

from __future__ import annotations

from routes import FAMILIES
from routes.compiler import CompiledStack, compile_stack
from routes.manifests import Manifest
from routes.settings import parse_settings
from tests.routes.test_settings import MINIMAL

SETTING = {"labels": {"release": "kps"}, "runbooks": "https://runbooks.example/monitoring.md"}
CHANGES: dict[str, object] = {
    "monitoring": SETTING,
    "networkPolicy": {"metricsFrom": {"kubernetes.io/metadata.name": "monitoring"}},
}
SETTINGS = parse_settings(MINIMAL | CHANGES, source="test")


def stack(**changes: object) -> CompiledStack:
    return compile_stack(FAMILIES, parse_settings(MINIMAL | CHANGES | changes, source="test"))


def one(kind: str, objects: list[Manifest]) -> Manifest:
    (found,) = (manifest for manifest in objects if manifest["kind"] == kind)
    return found
