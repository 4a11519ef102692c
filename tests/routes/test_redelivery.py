"""The CronWorkflow that fetches back from GitHub what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.stacks import compiled, read_settings, settings_from, stack_names
from routes.manifests import Manifest
from routes.scheduled import written
from routes.settings import StackSettings, parse_settings
from tests.routes.redelivery import SETTING, stack
from tests.routes.test_settings import MINIMAL

GOLDEN = Path(__file__).parent / "redelivery.json"


def one(kind: str, objects: list[Manifest]) -> Manifest:
    (found,) = (manifest for manifest in objects if manifest["kind"] == kind)
    return found


def container(objects: list[Manifest]) -> dict[str, Any]:
    (step,) = one("WorkflowTemplate", objects)["spec"]["templates"]
    found: dict[str, Any] = step["container"]
    return found


def test_it_renders_as_committed() -> None:
    rendered = json.dumps(stack().redelivery, indent=2) + "\n"
    assert rendered == GOLDEN.read_text(), "it renders otherwise; see `make golden` and `git diff`"


@pytest.mark.parametrize("name", stack_names())
def test_no_committed_stack_has_it(name: str) -> None:
    assert compiled(name).redelivery == []


def test_it_is_rendered_with_the_stacks_other_objects() -> None:
    made = stack()
    assert made.objects()[-len(made.redelivery) :] == made.redelivery
    assert len(made.redelivery) == 7


def test_its_account_may_list_workflows_and_no_more() -> None:
    rules = one("Role", stack().redelivery)["rules"]
    assert [(rule["resources"], rule["verbs"]) for rule in rules] == [
        (["workflows"], ["list"]),
        (["workflowtaskresults"], ["create", "patch"]),
    ]


def test_its_pod_is_restricted_and_so_are_argos_own_containers_in_it() -> None:
    objects = stack().redelivery
    spec = one("WorkflowTemplate", objects)["spec"]
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert json.loads(spec["podSpecPatch"]) == {
        "initContainers": [{"name": "init", "securityContext": confined}],
        "containers": [{"name": "wait", "securityContext": confined}],
    }
    pod = spec["securityContext"]
    assert pod["runAsNonRoot"] is True
    assert pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize(
    ("hook", "variable"),
    [
        ({"kind": "organization", "name": "acme"}, "GITHUB_TOKEN_FILE"),
        ({"kind": "repository", "name": "acme/api"}, "GITHUB_TOKEN_FILE"),
        ({"kind": "app", "id": 4711}, "GITHUB_APP_PRIVATE_KEY_FILE"),
    ],
)
def test_token_or_key_is_mounted_and_named_by_its_path_alone(hook: dict[str, object], variable: str) -> None:
    objects = stack({"hook": hook}).redelivery
    assert container(objects)["env"] == [{"name": variable, "value": "/etc/github/secret"}]
    mounts = {mount["name"]: mount["mountPath"] for mount in container(objects)["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in one("WorkflowTemplate", objects)["spec"]["volumes"]}
    assert mounts["github"] == "/etc/github"
    assert volumes["github"]["secret"] == {
        "secretName": "github-redelivery",
        "items": [{"key": "token", "path": "secret"}],
        "defaultMode": 0o440,
    }


def test_two_runs_of_it_are_never_at_once_and_none_lasts_for_ever() -> None:
    objects = stack({"schedule": "0 * * * *"}).redelivery
    cron = one("CronWorkflow", objects)["spec"]
    assert (cron["schedules"], cron["concurrencyPolicy"]) == (["0 * * * *"], "Forbid")
    assert cron["workflowSpec"] == {"workflowTemplateRef": {"name": "github-to-argo-redelivery"}}
    assert one("WorkflowTemplate", objects)["spec"]["activeDeadlineSeconds"] == 3600


def test_it_may_talk_to_github_the_api_server_and_dns_and_nobody_to_it() -> None:
    blocks = {"apiServer": ["10.0.0.1/32"], "apiServerPorts": [6443]}
    policy = one(
        "NetworkPolicy", stack({"apiUrl": "https://github.acme.example:8443/api/v3"}, networkPolicy=blocks).redelivery
    )
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["ingress"] == []
    to_github, to_api, to_dns = policy["spec"]["egress"]
    assert to_github == {"ports": [{"port": 8443, "protocol": "TCP"}]}
    assert to_api == {"to": [{"ipBlock": {"cidr": "10.0.0.1/32"}}], "ports": [{"port": 6443, "protocol": "TCP"}]}
    assert {port["port"] for port in to_dns["ports"]} == {53}
    labels = one("WorkflowTemplate", stack().redelivery)["spec"]["podMetadata"]["labels"]
    assert policy["spec"]["podSelector"]["matchLabels"] == labels
    without = stack(networkPolicy={"enabled": False}).redelivery
    assert "NetworkPolicy" not in {manifest["kind"] for manifest in without}


@pytest.mark.parametrize(
    "settings",
    [
        *map(read_settings, stack_names()),
        parse_settings(
            MINIMAL
            | {
                "redelivery": SETTING,
                "pods": {"sensor": {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": 2, "memory": "2Gi"}}},
            },
            source="test",
        ),
    ],
    ids=[*stack_names(), "with redelivery"],
)
def test_its_settings_are_those_of_the_stack(settings: StackSettings, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(written(settings))
    assert settings_from(file) == settings


def test_what_runs_is_the_command_line_of_anyone() -> None:
    command = " ".join(container(stack({"since": "6h"}).redelivery)["command"])
    assert command == "python -m cli redeliver --yes --since 6h --settings /etc/github-to-argo/settings.yaml"
