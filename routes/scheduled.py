"""A command of the command line that runs in the cluster every so often, with an account of its own.

It is a WorkflowTemplate and a CronWorkflow that refers to it, so that it also runs where the workflow-controller takes
references only (`templateReferencing: Strict`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from routes import manifests as m
from routes.accounts import REPORTS, account
from routes.manifests import Manifest
from routes.network import to_api_server, to_dns
from routes.pods import container, security_context
from routes.settings import PROJECT, Resources, StackSettings

# Argo's own containers beside the step: confined only where its controller's config says so (`executor`).
EXECUTOR = m.PodSpecPatch(
    init_containers=[m.ContainerPatch(name="init")],
    containers=[m.ContainerPatch(name="wait")],
)

SETTINGS = "/etc/github-to-argo"
"""Where its container finds the stack's settings."""

SETTINGS_FILE = "settings.yaml"


@dataclass(frozen=True, kw_only=True)
class MountedSecret:
    """A key of a Secret as a file, `mount_path`/secret, and the variable of the environment that names the file."""

    name: str
    mount_path: str
    variable: str
    secret_name: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Scheduled:
    """What runs: `command`, behind `python -m cli`, with --settings. `name` is its objects', `step` the one step's.

    `rules` are what its account may do in the stack's namespace, beyond what each Workflow may; `egress`, whom its pod
    may talk to, beyond the API server and DNS.
    """

    name: str
    step: str
    command: Sequence[str]
    image: str
    schedule: str
    resources: Resources
    rules: Sequence[m.PolicyRule]
    ends_after_seconds: int
    egress: Sequence[m.EgressRule] = ()
    secret: MountedSecret | None = None


def scheduled(what: Scheduled, settings: StackSettings, metadata: Callable[[str], m.Metadata]) -> Iterator[Manifest]:
    """Its objects, the CronWorkflow last. `metadata` of a name."""
    ours = metadata(what.name)
    labels = {"app.kubernetes.io/part-of": PROJECT, "app.kubernetes.io/component": what.name}
    yield from account(ours, [*what.rules, REPORTS])
    yield m.ConfigMap(metadata=ours, data={SETTINGS_FILE: written(settings)}).manifest()
    if settings.network_policy.enabled:
        yield m.NetworkPolicy(
            metadata=ours,
            spec=m.NetworkPolicySpec(
                pod_selector=m.LabelSelector(match_labels=labels),
                ingress=[],
                egress=[*what.egress, to_api_server(settings), to_dns(settings)],
            ),
        ).manifest()
    yield m.PodsTemplate(
        metadata=ours,
        spec=m.PodsTemplateSpec(
            entrypoint=what.step,
            service_account_name=ours.name,
            active_deadline_seconds=what.ends_after_seconds,
            pod_metadata=m.PodMetadata(labels=labels),
            pod_spec_patch=json.dumps(EXECUTOR.manifest()),
            security_context=security_context(volumes=True),
            priority_class_name=settings.pods.priority_class_name,
            node_selector=settings.pods.node_selector,
            templates=[m.ContainerStep(name=what.step, container=_container(what))],
            volumes=[
                m.Volume(name="settings", config_map=m.LocalRef(name=ours.name)),
                *(_volume(secret) for secret in _secrets(what)),
                m.Volume(name="temporary", empty_dir=m.Nothing()),
            ],
        ),
    ).manifest()
    yield m.CronWorkflow(
        metadata=ours,
        spec=m.CronWorkflowSpec(
            schedules=[what.schedule],
            successful_jobs_history_limit=1,
            failed_jobs_history_limit=3,
            workflow_spec=m.ScheduledSpec(workflow_template_ref=m.LocalRef(name=ours.name)),
        ),
    ).manifest()


def _container(what: Scheduled) -> m.StepContainer:
    of_what = container(what.resources)
    secrets = _secrets(what)
    return m.StepContainer(
        image=what.image,
        command=["python", "-m", "cli", *what.command, "--settings", f"{SETTINGS}/{SETTINGS_FILE}"],
        env=[m.EnvVar(name=secret.variable, value=f"{secret.mount_path}/secret") for secret in secrets],
        volume_mounts=[
            m.VolumeMount(name="settings", mount_path=SETTINGS, read_only=True),
            *(m.VolumeMount(name=secret.name, mount_path=secret.mount_path, read_only=True) for secret in secrets),
            m.VolumeMount(name="temporary", mount_path="/tmp"),
        ],
        resources=of_what.resources,
        security_context=of_what.security_context,
    )


def _secrets(what: Scheduled) -> list[MountedSecret]:
    return [what.secret] if what.secret else []


def _volume(secret: MountedSecret) -> m.Volume:
    items = [m.KeyToPath(key=secret.key, path="secret")]
    return m.Volume(name=secret.name, secret=m.SecretVolume(secret_name=secret.secret_name, items=items))


def written(settings: StackSettings) -> str:
    """The settings that somebody wrote down, as a `Pulumi.<stack>.yaml` has them."""
    found = settings.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return json.dumps({"config": {f"{PROJECT}:{key}": value for key, value in found.items()}}, indent=2) + "\n"
