"""The user's own WorkflowTemplates, looked at before anything is deployed: whether they take what the routes send."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from components.cluster import connect, read
from routes.external_templates import account_problems, problems
from routes.manifests import Manifest
from routes.settings import PROJECT


@dataclass(frozen=True, kw_only=True)
class ExternalTemplates:
    """The WorkflowTemplates `wanted`, with the parameters that routes send each of them.

    `makes_namespace`: the stack makes the namespace, so that it need not be there yet. `runner` is the service account
    that the Workflows name, empty for none.
    """

    kube_context: str
    namespace: str
    makes_namespace: bool
    wanted: Mapping[str, Sequence[str]]
    runner: str

    def check(self) -> None:
        """Returns when all take what they are sent; warns where that cannot be known yet.

        Raises RunError with everything that is wrong with them, or why the cluster could not tell.
        """
        try:
            found = self._read()
        except (client.ApiException, config.ConfigException, HTTPError) as error:
            raise pulumi.RunError(
                f"the WorkflowTemplates of namespace {self.namespace} cannot be read in context {self.kube_context}:"
                f" {_words(error)}. To go on without looking at them:\n"
                f"      pulumi config set {PROJECT}:checkTemplates false"
            ) from None
        if found is None and self.makes_namespace:
            pulumi.log.warn(
                f"namespace {self.namespace} is not there yet: whether its WorkflowTemplates take what the routes send"
                " is seen once it is"
            )
        elif found is None:
            raise pulumi.RunError(
                f"there is no namespace {self.namespace} in context {self.kube_context}; make it, or let the stack:\n"
                f"      pulumi config set {PROJECT}:createNamespace true"
            )
        elif wrong := problems(found, self.wanted) + account_problems(found, self.wanted, self.runner):
            count = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
            raise pulumi.RunError(
                f"{count} wrong with the WorkflowTemplates of namespace {self.namespace} in context"
                f" {self.kube_context}\n\n" + "\n".join(f"  {problem}" for problem in wrong)
            )

    def _read(self) -> list[Manifest] | None:
        """The WorkflowTemplates that are there; None where there is not even the namespace."""
        api = connect(self.kube_context)
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{self.namespace}/workflowtemplates"
        found: list[Manifest] = read(api, path)["items"]
        return found if found or self._namespace_is_there(api) else None

    def _namespace_is_there(self, api: client.ApiClient) -> bool:
        try:
            read(api, f"/api/v1/namespaces/{self.namespace}")
        except client.ApiException as error:
            if error.status == 403:
                return True  # who may not ask could still list what is in it
            if error.status != 404:
                raise
            return False
        return True


def _words(error: Exception) -> str:
    """What the cluster said, on one line."""
    if not isinstance(error, client.ApiException):
        return " ".join(str(error).split())
    if error.status == 404:
        return "it knows no WorkflowTemplates (is Argo Workflows installed?)"
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return " ".join(str(error.reason).split())
