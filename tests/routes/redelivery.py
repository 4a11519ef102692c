"""A stack that fetches back from GitHub what is missing. `make golden` writes its objects into redelivery.json."""

from __future__ import annotations

import json

from routes import FAMILIES
from routes.compiler import CompiledStack, compile_stack
from routes.settings import parse_settings
from tests.routes.test_settings import MINIMAL

SETTING = {
    "hook": {"kind": "organization", "name": "acme"},
    "token": {"name": "github-redelivery", "key": "token"},
    "image": f"registry.example/github-to-argo@sha256:{'0123456789abcdef' * 4}",
}


def stack(setting: dict[str, object] | None = None, **changes: object) -> CompiledStack:
    """The minimal stack with the setting `redelivery`, and with these changes."""
    config = MINIMAL | {"redelivery": SETTING | (setting or {})} | changes
    return compile_stack(FAMILIES, parse_settings(config, source="test"))


if __name__ == "__main__":
    print(json.dumps(stack().redelivery, indent=2))
