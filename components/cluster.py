"""The cluster of a stack, for what is looked at before anything is made: one question, one answer."""

from __future__ import annotations

from kubernetes import client, config

ANSWER_SECONDS = 10
"""Seconds that an answer may take."""


def connect(context: str) -> client.ApiClient:
    """The API server of a kubeconfig's context. What it does not answer at once is not asked again."""
    configuration = client.Configuration()
    configuration.retries = False
    return config.new_client_from_config(context=context, client_configuration=configuration)
