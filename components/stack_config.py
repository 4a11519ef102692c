"""The one way in for configuration: Pulumi's stack config, read whole, so that a misspelt key is seen."""

from __future__ import annotations

import json

import pulumi
from pulumi.runtime.config import CONFIG, get_config, get_config_env, is_config_secret

from routes.settings import PROJECT, SECRETS, SettingsError, StackSettings, parse_settings, settings_in


def read_settings() -> StackSettings:
    """The settings of the stack that runs. Raises RunError with every wrong one."""
    settings = {key: _value(value) for key, value in settings_in(get_config_env() | CONFIG.get()).items()}
    try:
        return parse_settings(settings, source=f"Pulumi.{pulumi.get_stack()}.yaml")
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from None


def read_secret(key: str, *, at_least: int = 1) -> pulumi.Output[str]:
    """A secret config value of at least so many bytes, not counting a newline at its end, which the engine drops.

    Raises RunError saying how to set it, and refuses one that is shorter or stands in the clear.
    """
    how = f"write {SECRETS[key]}:\n      pulumi config set --secret {PROJECT}:{key}"
    value = pulumi.Config(PROJECT).get_secret(key)
    if value is None:
        raise pulumi.RunError(f"{PROJECT}:{key}: missing; {how}")
    if not is_config_secret(f"{PROJECT}:{key}"):
        raise pulumi.RunError(f"{PROJECT}:{key}: stands there in the clear; {how}")
    if len((get_config(f"{PROJECT}:{key}") or "").removesuffix("\n").encode()) < at_least:
        raise pulumi.RunError(
            f"{PROJECT}:{key}: has fewer than {at_least} characters; {how}, for example:\n"
            f"      openssl rand -hex 32 | pulumi config set --secret {PROJECT}:{key}"
        )
    return value


def _value(text: str) -> object:
    """Pulumi hands every value over as text, an object as JSON."""
    return json.loads(text) if text[:1] in ("{", "[") else text
