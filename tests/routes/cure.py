"""A stack that restarts Sensors that hang. `make golden` writes its objects into cure.json."""

from __future__ import annotations

import json

from routes import FAMILIES
from routes.compiler import CompiledStack, compile_stack
from routes.settings import parse_settings
from tests.routes.test_settings import MINIMAL

SETTING = {"image": f"registry.example/github-to-argo@sha256:{'0123456789abcdef' * 4}"}


def stack(setting: dict[str, object] | None = None, **changes: object) -> CompiledStack:
    """The minimal stack with the setting `cure`, and with these changes."""
    config = MINIMAL | {"cure": SETTING | (setting or {})} | changes
    return compile_stack(FAMILIES, parse_settings(config, source="test"))


if __name__ == "__main__":
    print(json.dumps(stack().cure, indent=2))
