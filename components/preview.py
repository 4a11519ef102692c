"""What a check before anything is made does where the cluster does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pulumi
from kubernetes import client, config
from urllib3.exceptions import HTTPError


@contextmanager
def where_it_answers(no_right: str) -> Iterator[None]:
    """What is asked of a cluster and said of its answers. One that cannot be asked is Pulumi's to tell.

    Warns `no_right` where the cluster refuses.
    """
    try:
        yield
    except (client.ApiException, config.ConfigException, HTTPError) as error:
        if isinstance(error, client.ApiException) and error.status == 403:
            pulumi.log.warn(no_right)
