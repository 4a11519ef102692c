"""WorkflowTemplates that someone else wrote, compared with the contract: what is wrong, and what to write instead."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from routes.manifests import Manifest
from routes.settings import PROJECT


def problems(found: Iterable[Manifest], wanted: Mapping[str, Sequence[str]]) -> list[str]:
    """What is wrong with the WorkflowTemplates `found` where routes send the parameters `wanted`, by template."""
    templates = {template["metadata"]["name"]: template for template in found}
    return [
        problem
        for name, parameters in wanted.items()
        for problem in (
            _of_one(name, templates[name], parameters) if name in templates else [_missing(name, parameters)]
        )
    ]


def account_problems(found: Iterable[Manifest], wanted: Iterable[str], runner: str) -> list[str]:
    """What is wrong with the service accounts that the WorkflowTemplates `wanted` among `found` name.

    `runner` is the one that the Workflows name, and theirs counts before a template's; empty where they name none.
    """
    named = {template["metadata"]["name"]: template["spec"].get("serviceAccountName") or "" for template in found}
    return [problem for name in wanted if name in named for problem in _of_account(name, named[name], runner)]


def _of_account(name: str, account: str, runner: str) -> Iterator[str]:
    if runner and account not in ("", runner):
        yield (
            f"{name}: its pods would run as {runner}, the stack's setting, and not as {account}, which it names;"
            " remove its spec.serviceAccountName, or let the templates name theirs:\n"
            f"      {PROJECT}:runner: {{kind: templates}}"
        )
    if not runner and not account:
        yield (
            f"{name}: its pods would run as `default`; add spec.serviceAccountName, or let the stack name one:\n"
            f"      {PROJECT}:runner: {{kind: managed}}"
        )


def _missing(name: str, parameters: Sequence[str]) -> str:
    lines = "".join(f"\n      - name: {parameter}" for parameter in parameters)
    return f"{name}: there is no such WorkflowTemplate; write one with these spec.arguments.parameters:{lines}"


def _of_one(name: str, template: Manifest, parameters: Sequence[str]) -> Iterator[str]:
    arguments = template["spec"].get("arguments") or {}
    declared = {parameter.get("name", ""): parameter for parameter in arguments.get("parameters") or []}
    for parameter in parameters:
        if parameter not in declared:
            yield (
                f"{name}: the routes send it {parameter}, which it does not declare;"
                f" add to its spec.arguments.parameters:\n      - name: {parameter}"
            )
    for parameter, declaration in declared.items():
        if parameter not in parameters and not _has_value(declaration):
            default = declaration.get("default")
            value = json.dumps("" if default is None else default, ensure_ascii=False)
            yield (
                f"{name}: no route sends it {parameter}, and that has no value of its own (a `default` is none here);"
                f" remove it, or write:\n      - name: {parameter}\n        value: {value}"
            )


def _has_value(declaration: Manifest) -> bool:
    """Whether a Workflow runs that does not send it: to the workflow-controller neither `default` is enough."""
    value_from = declaration.get("valueFrom") or {}
    return declaration.get("value") is not None or value_from.get("configMapKeyRef") is not None
