"""The CronWorkflow that asks GitHub again for what is missing: the command `redeliver --yes`, every so often.

It is a WorkflowTemplate and a CronWorkflow that refers to it, so that it also runs where the workflow-controller takes
references only (`templateReferencing: Strict`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from routes import manifests as m
from routes.accounts import REPORTS, account
from routes.manifests import Manifest
from routes.network import to_api_server, to_dns
from routes.pods import container, security_context
from routes.settings import PROJECT, AppHook, Redelivery, StackSettings

ENDS_AFTER_SECONDS = 3600
"""More than the longest wait for GitHub's rate limit, but for its last run."""

# Argo's own containers beside the step: confined only where its controller's config says so (`executor`).
EXECUTOR = m.PodSpecPatch(
    init_containers=[m.ContainerPatch(name="init")],
    containers=[m.ContainerPatch(name="wait")],
)

SETTINGS, SECRET = "/etc/github-to-argo", "/etc/github"
"""Where its container finds the stack's settings, and the token or key."""

SETTINGS_FILE = "settings.yaml"


def redelivery(settings: StackSettings, metadata: Callable[[str], m.Metadata]) -> Iterator[Manifest]:
    """Its objects; none where the setting is not there. `metadata` of a name."""
    chosen = settings.redelivery
    if not chosen:
        return
    ours = metadata("redelivery")
    labels = {"app.kubernetes.io/part-of": PROJECT, "app.kubernetes.io/component": "redelivery"}
    lists = m.PolicyRule(api_groups=["argoproj.io"], resources=["workflows"], verbs=["list"])
    yield from account(ours, [lists, REPORTS])
    yield m.ConfigMap(metadata=ours, data={SETTINGS_FILE: written(settings)}).manifest()
    if settings.network_policy.enabled:
        yield m.NetworkPolicy(
            metadata=ours,
            spec=m.NetworkPolicySpec(
                pod_selector=m.LabelSelector(match_labels=labels),
                ingress=[],
                egress=[_to_github(chosen), to_api_server(settings), to_dns(settings)],
            ),
        ).manifest()
    yield m.PodsTemplate(
        metadata=ours,
        spec=m.PodsTemplateSpec(
            entrypoint="redeliver",
            service_account_name=ours.name,
            active_deadline_seconds=ENDS_AFTER_SECONDS,
            pod_metadata=m.PodMetadata(labels=labels),
            pod_spec_patch=json.dumps(EXECUTOR.manifest()),
            security_context=security_context(volumes=True),
            priority_class_name=settings.pods.priority_class_name,
            node_selector=settings.pods.node_selector,
            templates=[m.ContainerStep(name="redeliver", container=_container(chosen))],
            volumes=[
                m.Volume(name="settings", config_map=m.LocalRef(name=ours.name)),
                m.Volume(
                    name="github",
                    secret=m.SecretVolume(
                        secret_name=chosen.token.name, items=[m.KeyToPath(key=chosen.token.key, path="secret")]
                    ),
                ),
                m.Volume(name="temporary", empty_dir=m.Nothing()),
            ],
        ),
    ).manifest()
    yield m.CronWorkflow(
        metadata=ours,
        spec=m.CronWorkflowSpec(
            schedules=[chosen.schedule],
            successful_jobs_history_limit=1,
            failed_jobs_history_limit=3,
            workflow_spec=m.ScheduledSpec(workflow_template_ref=m.LocalRef(name=ours.name)),
        ),
    ).manifest()


def _container(chosen: Redelivery) -> m.StepContainer:
    of_what = container(chosen.resources)
    variable = "GITHUB_APP_PRIVATE_KEY_FILE" if isinstance(chosen.hook, AppHook) else "GITHUB_TOKEN_FILE"
    return m.StepContainer(
        image=chosen.image,
        command=["python", "-m", "cli", *command(chosen)],
        env=[m.EnvVar(name=variable, value=f"{SECRET}/secret")],
        volume_mounts=[
            m.VolumeMount(name="settings", mount_path=SETTINGS, read_only=True),
            m.VolumeMount(name="github", mount_path=SECRET, read_only=True),
            m.VolumeMount(name="temporary", mount_path="/tmp"),
        ],
        resources=of_what.resources,
        security_context=of_what.security_context,
    )


def command(chosen: Redelivery) -> list[str]:
    """What it runs, of the command line."""
    return ["redeliver", "--yes", "--since", chosen.since, "--settings", f"{SETTINGS}/{SETTINGS_FILE}"]


def _to_github(chosen: Redelivery) -> m.EgressRule:
    # To any address: GitHub's are many, and no policy knows names.
    return m.EgressRule(ports=[m.NetworkPort(port=urlsplit(chosen.api_url).port or 443)])


def written(settings: StackSettings) -> str:
    """The settings that somebody wrote down, as a `Pulumi.<stack>.yaml` has them."""
    found = settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return json.dumps({"config": {f"{PROJECT}:{key}": value for key, value in found.items()}}, indent=2) + "\n"
