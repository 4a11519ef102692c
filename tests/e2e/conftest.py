"""A running cluster: the lab by default (`make test-e2e`), or any other by KUBECONFIG, WEBHOOK_URL, WEBHOOK_SECRET_FILE
and WORKFLOW_NAMESPACE, with a stack of this project up in that namespace."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from kubernetes import client
from kubernetes.config import new_client_from_config

from cli.delivery import WORKFLOWS, Posted, Sender, Watcher, signature
from cli.workflow import Workflow, delivery_of
from payloads import Payload, acted, example, one_of_each
from tests.faults.stack import away

VARIABLES = ("WEBHOOK_URL", "WEBHOOK_SECRET_FILE", "WORKFLOW_NAMESPACE")
SECONDS = 90.0
"""How long a delivery may take to a Workflow that finished; its route's rate makes it wait behind others."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On a cluster that is not the lab, tests that drive the lab are not for it: deselected, and counted so."""
    if "GITHUB_TO_ARGO_LAB" not in os.environ:
        theirs = [item for item in items if item.get_closest_marker("lab")]
        config.hook.pytest_deselected(items=theirs)
        items[:] = [item for item in items if item not in theirs]


@dataclass(frozen=True)
class Cluster:
    """The cluster that is tested, and the way into it."""

    sender: Sender
    namespace: str
    api: client.ApiClient

    def workflows(self) -> dict[str, list[Workflow]]:
        """Every Workflow of the namespace by its delivery id."""
        listed = client.CustomObjectsApi(self.api).list_namespaced_custom_object(
            *WORKFLOWS, self.namespace, "workflows"
        )
        found: dict[str, list[Workflow]] = {}
        for workflow in listed["items"]:
            found.setdefault(delivery_of(workflow), []).append(workflow)
        return found

    def settled(self, delivery: str) -> Workflow:
        """The one Workflow of a delivery, once the workflow-controller writes nothing more about it."""
        for _ in range(30):
            (before,) = self.workflows()[delivery]
            time.sleep(1)
            (after,) = self.workflows()[delivery]
            if after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]:
                return after
        raise TimeoutError(f"the Workflow of {delivery} changes all the time")

    def beside(self, webhook: Mapping[str, str], namespace: str) -> Cluster:
        """Another stack of this cluster, by its output `webhook`; the webhook's secret is the same."""
        service = webhook["service"].split(".")[0]
        address = client.CoreV1Api(self.api).read_namespaced_service(service, namespace).spec.cluster_ip
        sender = Sender(url=f"http://{address}:12000{webhook['path']}", secret=self.sender.secret)
        return Cluster(sender, namespace, self.api)

    def delete_namespace(self, name: str) -> None:
        """Deletes it, and waits until it is gone, or a minute."""
        core = client.CoreV1Api(self.api)
        core.delete_namespace(name)
        deadline = time.monotonic() + 60
        while name in {ns.metadata.name for ns in core.list_namespace().items} and time.monotonic() < deadline:
            time.sleep(0.5)

    def away(self, selector: str) -> AbstractContextManager[None]:
        """The Deployment so labelled has no pod, not even one that ends."""
        return away(self.api, self.namespace, selector)

    def watch(self) -> Watcher:
        return Watcher(self.api, self.namespace)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    if missing := [name for name in VARIABLES if not os.environ.get(name)]:
        pytest.exit(
            f"no cluster to test: {', '.join(missing)} not set. `make test-e2e` runs these tests on the lab; for your"
            " own cluster give it KUBECONFIG, WEBHOOK_URL, WEBHOOK_SECRET_FILE and WORKFLOW_NAMESPACE.",
            returncode=2,
        )
    secret = Path(os.environ["WEBHOOK_SECRET_FILE"]).read_bytes().strip()
    sender = Sender(url=os.environ["WEBHOOK_URL"], secret=secret)
    return Cluster(sender, os.environ["WORKFLOW_NAMESPACE"], new_client_from_config())


@dataclass(frozen=True)
class Story:
    """One run of deliveries: each that must start nothing, and after it one of its route that must start a Workflow."""

    posted: dict[str, Posted]
    payloads: dict[str, Payload]
    workflows: dict[str, list[Workflow]]

    def of(self, name: str) -> list[Workflow]:
        return self.workflows.get(self.posted[name].delivery, [])


def silent() -> dict[str, list[tuple[str, Payload, str | None]]]:
    """What must start nothing: by the dependency whose delivery follows it, a name, a payload and its signature."""
    opened, commented, reviewed = (one_of_each()[name] for name in ("pr", "ic", "prc"))
    issue = one_of_each()["issues"]
    succeeded = example("workflow_run", lambda body: body["workflow_run"]["conclusion"] == "success")
    return {
        "pr": [
            ("a draft", opened.but(pull_request__draft=True), None),
            ("a pull request that got a label", acted("pull_request", "labeled"), None),
        ],
        "ic": [
            ("a bot's comment", commented.but(comment__user__type="Bot"), None),
            ("a comment without user", commented.but(comment__user=None), None),
            ("an edited comment", acted("issue_comment", "edited"), None),
        ],
        "prc": [("a bot's review comment", reviewed.but(comment__user__type="Bot"), None)],
        "wr": [
            ("a run that succeeded", succeeded, None),
            ("a run that was cancelled", succeeded.but(workflow_run__conclusion="cancelled"), None),
        ],
        "cr": [
            ("a check that succeeded", example("check_run", lambda b: b["check_run"]["conclusion"] == "success"), None)
        ],
        "issues": [
            ("a bad signature", issue, "sha256=" + "0" * 64),
            ("a signature by another secret", issue, signature(b"not the secret", b"{}")),
            ("no signature", issue, ""),
            ("a reopened issue", acted("issues", "reopened"), None),
        ],
        "push": [
            ("a tag", example("push", lambda body: body["ref"].startswith("refs/tags/")), None),
            ("a branch named like main", one_of_each()["push"].but(ref="refs/heads/main-old"), None),
            ("a deleted branch", one_of_each()["push"].but(deleted=True), None),
        ],
        "merged": [("a pull request closed without merge", acted("pull_request", "closed"), None)],
    }


@pytest.fixture(scope="session")
def story(cluster: Cluster) -> Story:
    payloads = one_of_each()
    before = silent()
    posted: dict[str, Posted] = {}
    with cluster.watch() as watcher:
        for dependency, payload in payloads.items():
            for name, wrong, signed in before.get(dependency, []):
                posted[name] = cluster.sender.post(wrong, signed=signed)
            posted[dependency] = cluster.sender.post(payload)
        # A Sensor takes its deliveries in their order: once the last is a Workflow, the others have been looked at.
        watcher.of([posted[dependency].delivery for dependency in payloads], seconds=SECONDS)
    return Story(posted, payloads, cluster.workflows())


@pytest.fixture
def watcher(cluster: Cluster) -> Iterator[Watcher]:
    with cluster.watch() as watching:
        yield watching
