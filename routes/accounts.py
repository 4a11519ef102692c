"""A service account and what it may do in its namespace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from routes import manifests as m
from routes.manifests import Manifest

REPORTS = m.PolicyRule(api_groups=["argoproj.io"], resources=["workflowtaskresults"], verbs=["create", "patch"])
"""What Argo's executor needs in the pods of a Workflow: it reports what a step put out."""


def account(metadata: m.Metadata, rules: Sequence[m.PolicyRule]) -> Iterator[Manifest]:
    """It, a Role with these rules, and their RoleBinding, all of one name."""
    yield m.ServiceAccount(metadata=metadata).manifest()
    yield from may(metadata, metadata, rules)


def may(metadata: m.Metadata, who: m.Metadata, rules: Sequence[m.PolicyRule]) -> Iterator[Manifest]:
    """A Role with these rules, and its RoleBinding to the account `who`, which may be another namespace's."""
    assert who.namespace
    yield m.Role(metadata=metadata, rules=list(rules)).manifest()
    yield m.RoleBinding(
        metadata=metadata,
        role_ref=m.RoleRef(name=metadata.name),
        subjects=[m.Subject(name=who.name, namespace=who.namespace)],
    ).manifest()
