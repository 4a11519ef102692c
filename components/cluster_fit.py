"""Whether a stack fits the cluster that it is to go to: looked at before anything is made, at preview too.

Pulumi would say each of it as well, object by object in the API server's words, some of it only in the middle of `up`,
and some of it never. A cluster that cannot be asked is Pulumi's to tell.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pulumi
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from components.cluster import METADATA_OF_EACH, METADATA_ONLY, connect, create, read
from routes.cluster_fit import (
    Kind,
    changed_by_hand,
    kinds_of,
    refused_rights,
    someone_elses,
    terminating,
    unknown_kinds,
)
from routes.compiler import CompiledStack
from routes.manifests import Manifest
from routes.settings import PROJECT, StackSettings

ASKED_AT_ONCE = 8
LISTED_FROM = 2 * ASKED_AT_ONCE
"""So many objects of one kind are listed, fewer asked for by name: the namespace may have many of others."""
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
VERBS = ("create", "get", "patch")
"""What Pulumi does with each object."""
FORCED = "PULUMI_K8S_ENABLE_PATCH_FORCE=true"
"""With it Pulumi writes fields that somebody else wrote last. The API server refuses that otherwise, as a conflict."""


@dataclass(frozen=True)
class ClusterFit:
    """The cluster of a stack, by its API alone."""

    settings: StackSettings
    stack: CompiledStack

    def check(self) -> None:
        """Warns of what was changed by hand, and of what could not be looked at.

        Raises RunError where the stack could not be made, or would take over what is someone else's.
        """
        try:
            api = connect(self.settings.kube_context)
            wrong = list(self._problems(api))
        except (client.ApiException, config.ConfigException, HTTPError) as error:
            if isinstance(error, client.ApiException) and error.status == 403:
                pulumi.log.warn(f"no right to look whether the stack fits the cluster: {_message(error)}")
            return
        if wrong:
            raise pulumi.RunError(
                f"the stack does not fit the cluster in context {self.settings.kube_context}; nothing was changed\n\n"
                + "\n".join(f"  {problem}" for problem in wrong)
            )

    def _problems(self, api: client.ApiClient) -> Iterator[str]:
        wanted = kinds_of(self.stack.objects())
        kinds = _kinds(api, {group_version for group_version, _ in wanted})
        served: dict[str, list[str]] = {}
        for kind in kinds.values():
            served.setdefault(kind.group_version, []).append(kind.name)
        unknown = list(unknown_kinds(wanted, served, _versions(api)))
        yield from unknown
        if gone := self._namespace(api):
            yield gone
            return
        if not unknown:
            yield from self._rights(api, [kinds[one] for one in wanted])
            yield from self._owners(api, kinds)

    def _namespace(self, api: client.ApiClient) -> str | None:
        name, context = self.settings.namespace, self.settings.kube_context
        try:
            found = read(api, f"/api/v1/namespaces/{name}")
        except client.ApiException as error:
            if error.status == 404 and not self.settings.create_namespace:
                return (
                    f"there is no namespace {name} in context {context}; make it, or let the stack:\n"
                    f"      pulumi config set {PROJECT}:createNamespace true"
                )
            if error.status in (403, 404):
                return None
            raise
        return terminating(found)

    def _rights(self, api: client.ApiClient, kinds: Sequence[Kind]) -> Iterator[str]:
        if _may(api, group="*", resource="*", verb="*"):
            return
        # A Workflow is made by a Sensor, with rights of its own.
        questions = [(kind, verb) for kind in kinds if kind.name != "Workflow" for verb in VERBS]

        def refused(question: tuple[Kind, str]) -> bool:
            kind, verb = question
            where = {"namespace": self.settings.namespace} if kind.namespaced else {}
            return not _may(api, group=kind.group, resource=kind.plural, verb=verb, **where)

        answers: dict[Kind, list[str]] = {}
        for (kind, verb), no in zip(questions, _at_once(refused, questions), strict=True):
            answers.setdefault(kind, []).extend([verb] if no else [])
        yield from refused_rights(answers, self.settings.namespace)

    def _owners(self, api: client.ApiClient, kinds: dict[tuple[str, str], Kind]) -> Iterator[str]:
        found = list(_found(api, kinds, self.stack.objects()))
        others, unused = someone_elses(found, self.settings.takes_over)
        if others:
            names = ", ".join(told.partition(",")[0] for told in others)
            yield (
                "there already is by the same name, and not this stack's (`pulumi up` would take it over, `pulumi"
                f" destroy` delete it): {'; '.join(others)}. Choose another namespace, or say that it becomes the"
                f" stack's (docs/existing-clusters.md):\n      {PROJECT}:takesOver: [{names}]"
            )
        if unused:
            pulumi.log.warn(f"{PROJECT}:takesOver names {', '.join(unused)}, and nobody else has that: take it out")
        if edited := list(changed_by_hand(found)):
            pulumi.log.warn(
                f"changed by hand: {'; '.join(edited)}. Pulumi does not see it, since it compares with what it wrote"
                " itself, and `pulumi up` waits in vain for what it does not write. This writes the stack's again"
                " (docs/existing-clusters.md):\n"
                f"      {FORCED} pulumi up --refresh"
            )


def _may(api: client.ApiClient, **asked: str) -> bool:
    """Whether whoever asks may do it, as the API server says."""
    return bool(create(api, ACCESS_REVIEWS, {"spec": {"resourceAttributes": asked}})["status"]["allowed"])


def _kinds(api: client.ApiClient, group_versions: Iterable[str]) -> dict[tuple[str, str], Kind]:
    """The kinds that the cluster serves, by group and version and name."""
    found: dict[tuple[str, str], Kind] = {}
    for group_version in sorted(group_versions):
        base = "/apis" if "/" in group_version else "/api"
        try:
            resources = read(api, f"{base}/{group_version}")["resources"]
        except client.ApiException as error:
            if error.status != 404:
                raise
            continue
        for one in resources:
            if "/" not in one["name"]:
                key = group_version, one["kind"]
                found[key] = Kind(group_version, one["kind"], one["name"], one["namespaced"])
    return found


def _found(
    api: client.ApiClient, kinds: Mapping[tuple[str, str], Kind], objects: Iterable[Manifest]
) -> Iterator[Manifest]:
    """What is there by the names of the objects: its kind and metadata."""
    named: dict[tuple[str, str], set[str]] = {}
    for one in objects:
        kind, metadata = kinds[one["apiVersion"], one["kind"]], one["metadata"]
        named.setdefault((kind.name, _path(kind, metadata.get("namespace", ""))), set()).add(metadata["name"])
    alone: list[tuple[str, str]] = []
    for (name, path), names in named.items():
        if len(names) >= LISTED_FROM and (listed := _readable(api, path, METADATA_OF_EACH)):
            there = (one["metadata"] for one in listed["items"] or [])
            yield from ({"kind": name, "metadata": metadata} for metadata in there if metadata["name"] in names)
        else:
            alone += [(name, f"{path}/{one}") for one in sorted(names)]
    answers = _at_once(lambda one: _readable(api, one[1], METADATA_ONLY), alone)
    for (name, _), answer in zip(alone, answers, strict=True):
        if answer:
            yield {"kind": name, "metadata": answer["metadata"]}


def _path(kind: Kind, namespace: str) -> str:
    base = f"/apis/{kind.group_version}" if kind.group else f"/api/{kind.group_version}"
    return f"{base}/namespaces/{namespace}/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"


def _readable(api: client.ApiClient, path: str, accept: str) -> dict[str, Any] | None:
    """None: it is not there, or is not to be read."""
    try:
        return read(api, path, accept=accept)
    except client.ApiException as error:
        if error.status in (403, 404):
            return None
        raise


def _versions(api: client.ApiClient) -> dict[str, list[str]]:
    groups = read(api, "/apis")["groups"]
    return {group["name"]: [version["version"] for version in group["versions"]] for group in groups}


def _at_once(work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return list(pool.map(work, items))


def _message(error: client.ApiException) -> str:
    try:
        return str(json.loads(error.body or error.reason)["message"])
    except (TypeError, ValueError, KeyError):
        return " ".join(str(error.reason).split())
