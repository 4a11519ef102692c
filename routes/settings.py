"""All that a stack may set, and messages that teach the fix.

A setting `a.b` stands in `Pulumi.<stack>.yaml` under `config: github-to-argo:a: {b: …}` and is overridden with
`pulumi config set --path github-to-argo:a.b VALUE`. Two secrets stand beside them and are never read here: `SECRETS`.
"""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    create_model,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from routes import FAMILIES
from routes.model import Rate, Route, Semaphore

PROJECT = "github-to-argo"

SECRETS = {
    "webhookSecretValue": "the secret of the GitHub webhook, where webhookSecret.kind is config",
    "eventBusAccessValue": "`username: …` and `password: …` of an existing NATS, where eventBus.access.kind is config",
}
"""Config keys that hold secrets. They go from Pulumi's config into a Secret and nowhere else."""


T = TypeVar("T")


class SettingsError(ValueError):
    """The stack's config is wrong. The text lists every wrong setting and what to write instead."""


class Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False, hide_input_in_errors=True
    )


def _odd_or_one(replicas: int) -> int:
    if replicas % 2 == 0:
        raise ValueError("an even number of NATS servers cannot agree better than one fewer")
    return replicas


def _re2(pattern: str) -> str:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if re.search(r"\(\?[=!<]|\\[1-9]", pattern):
        raise ValueError("the engine's regular expressions (Go's) have no look-around and no back-references")
    if compiled.search(""):
        raise ValueError("it matches every text")
    return pattern


Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
SecretKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]{1,253}$")]
Quantity = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Ki|Mi|Gi|Ti)$")]
Interval = Annotated[str, StringConstraints(pattern=r"^([0-9]+(s|m|h))+$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Re2 = Annotated[str, AfterValidator(_re2)]


class NativeEventBus(Model):
    """A JetStream that Argo Events runs in the stack's namespace."""

    kind: Literal["native"]
    version: Text = Field("2.10.29", description="a version that the Argo Events controller's config lists")
    replicas: Annotated[int, AfterValidator(_odd_or_one)] = Field(
        3, ge=1, le=5, description="how many NATS servers: 1, 3 or 5", examples=[3]
    )
    storage: Quantity | None = Field(
        None, description="size of each server's volume; without it a restart of all loses events", examples=["10Gi"]
    )
    storage_class: Name | None = Field(None, description="StorageClass of these volumes", examples=["standard"])


class Monitor(Model):
    """The Service of a NATS's monitoring port, which `pulumi up` asks whether the Sensors have subscribed."""

    namespace: Label = Field(description="namespace of the Service", examples=["nats"])
    service: Label = Field(description="name of the Service", examples=["nats"])
    port: Label = Field("monitor", description="name or number of its port", examples=["monitor", "8222"])
    account: Text | None = Field(None, description="the NATS account, where it has several", examples=["agents"])


class SecretRef(Model):
    """A key of a Secret in the stack's namespace."""

    name: Name = Field(description="name of the Secret", examples=["nats-ca"])
    key: SecretKey = Field(description="key in the Secret", examples=["ca.crt"])


class Access(Model):
    """The Secret that holds the user and password of a NATS, as YAML `username: …` and `password: …`."""

    kind: Literal["existing", "config"] = Field(
        "existing",
        description="existing: the Secret is there; config: made from the secret config key eventBusAccessValue",
        examples=["existing"],
    )
    name: Name = Field(description="name of the Secret", examples=["nats-access"])
    key: SecretKey = Field("auth", description="key in the Secret", examples=["auth"])


class ExoticEventBus(Model):
    """A NATS with JetStream that exists. Stacks that share one need an account each: their subjects are alike."""

    kind: Literal["exotic"]
    url: Annotated[str, StringConstraints(pattern=r"^tls://\S+:\d+$")] = Field(
        description="where the NATS listens, with TLS: the engine speaks nothing else",
        examples=["tls://nats.nats.svc:4222"],
    )
    access: Access = Field(description="the Secret with its user and password", examples=["{name: nats-access}"])
    ca: SecretRef | None = Field(
        None,
        description="the Secret with the CA of its certificate; without it the engine does not check the certificate",
        examples=["{name: nats-ca, key: ca.crt}"],
    )
    stream_replicas: Annotated[int, AfterValidator(_odd_or_one)] = Field(
        1, ge=1, le=5, description="on how many servers each event is stored: 1, 3 or 5", examples=[3]
    )
    monitor: Monitor | None = Field(
        None, description="the Service of its monitoring port", examples=["{namespace: nats, service: nats}"]
    )


class WebhookSecret(Model):
    """The Secret that the EventSource checks signatures with. There is no way to have none."""

    name: Name = Field("github-webhook-secret", description="name of the Secret", examples=["github-webhook-secret"])
    key: SecretKey = Field("secret", description="key in the Secret", examples=["secret"])


class ExternalWebhookSecret(WebhookSecret):
    """Written by External Secrets from a store."""

    kind: Literal["external"]
    store: Name = Field(description="name of the SecretStore or ClusterSecretStore", examples=["my-secret-store"])
    store_kind: Literal["ClusterSecretStore", "SecretStore"] = Field(
        "ClusterSecretStore", description="kind of the store", examples=["ClusterSecretStore"]
    )
    remote_key: Text = Field(description="key in the store", examples=["github/webhook"])
    remote_property: Text | None = Field(None, description="property of that key", examples=["secret"])
    refresh_interval: Interval = Field("1h", description="how often the store is read", examples=["1h"])


class ExistingWebhookSecret(WebhookSecret):
    """Made by someone else, in the stack's namespace."""

    kind: Literal["existing"]


class ConfigWebhookSecret(WebhookSecret):
    """Made by this stack from the secret config key `webhookSecretValue`."""

    kind: Literal["config"]


class Webhook(Model):
    """Where the EventSource listens."""

    endpoint: Annotated[str, StringConstraints(pattern=r"^/[-a-zA-Z0-9/_.]*$")] = Field(
        "/events", description="path that GitHub posts to", examples=["/events"]
    )
    port: int = Field(12000, ge=1024, le=65535, description="port of the EventSource and its Service", examples=[12000])


class RateSettings(Model):
    """How many Workflows a route starts; what is above waits."""

    limit: int = Field(ge=1, le=10_000, description="Workflows per unit", examples=[20])
    unit: Literal["Second", "Minute", "Hour"] = Field("Minute", description="the unit", examples=["Minute"])


class RouteSettings(Model):
    """What a stack may change of a route."""

    enabled: bool = Field(True, description="false: the route has no Sensor", examples=["true"])
    rate: RateSettings | None = Field(None, description="instead of the route's own rate", examples=["{limit: 20}"])


class Semaphores(Model):
    """How many Workflows run at once; the ConfigMap `workflow-semaphores`."""

    pr_validation: int = Field(5, ge=1, alias="pr-validation", description="Workflows at once", examples=[5])
    coderun: int = Field(10, ge=1, description="Workflows at once", examples=[10])
    implementation: int = Field(5, ge=1, description="Workflows at once", examples=[5])
    orchestrator: int = Field(2, ge=1, description="Workflows at once", examples=[2])


# A closed model with one field for each route of the table.
Routes = create_model(
    "Routes",
    __base__=Model,
    **{  # type: ignore[call-overload]
        route.sensor.replace("-", "_"): (
            RouteSettings,
            Field(
                RouteSettings(), alias=route.sensor, description="settings of the route", examples=["{enabled: true}"]
            ),
        )
        for family in FAMILIES
        for route in family.routes
    },
)


class StackSettings(Model):
    """One stack: where it goes and what it changes of the route table."""

    kube_context: Text = Field(
        description="the context of your kubeconfig that this stack is deployed to", examples=["my-cluster"]
    )
    namespace: Label = Field(description="the namespace of everything that has one", examples=["argo-events"])
    create_namespace: bool = Field(
        False, description="true: the stack makes the namespace, and destroys it with all in it", examples=["false"]
    )
    event_bus: Annotated[NativeEventBus | ExoticEventBus, Field(discriminator="kind")] = Field(
        description="the JetStream that carries the events", examples=["{kind: native}"]
    )
    webhook_secret: Annotated[
        ExternalWebhookSecret | ExistingWebhookSecret | ConfigWebhookSecret, Field(discriminator="kind")
    ] = Field(
        description="where the webhook's secret comes from", examples=["{kind: existing, name: github-webhook-secret}"]
    )
    webhook: Webhook = Field(Webhook(), description="where the EventSource listens", examples=["{port: 12000}"])
    workflow_templates: Literal["external", "managed"] = Field(
        "external",
        description="external: the WorkflowTemplates are yours; managed: written from the contract, with empty bodies",
        examples=["external"],
    )
    check_templates: bool = Field(
        True,
        description="false: external WorkflowTemplates are not read and compared at preview"
        " (a cluster that cannot be reached)",
        examples=["true"],
    )
    workflow_ttl_seconds: int = Field(
        345_600,
        ge=60,
        description="how long a finished Workflow is kept, and a redelivery of it recognised;"
        " GitHub redelivers for three days",
        examples=[345_600],
    )
    retry_minutes: int = Field(
        10,
        ge=1,
        le=1440,
        description="how long an outage of the API server may last before a delivery is given up",
        examples=[10],
    )
    verdict_seconds: int = Field(
        180, ge=10, le=3600, description="how long `pulumi up` waits for the engine's verdict", examples=[180]
    )
    admission_policy: bool = Field(
        True,
        description="false: no ValidatingAdmissionPolicy (Kubernetes before 1.30, or no right to make one)",
        examples=["true"],
    )
    security_workflows: Re2 = Field(
        "(?i)security|scan",
        description="a regular expression for the names of the GitHub workflows that are security scans",
        examples=["(?i)security|scan"],
    )
    semaphores: Semaphores = Field(
        Semaphores(), description="how many Workflows run at once", examples=["{coderun: 10}"]
    )
    routes: Routes = Field(Routes(), description="settings of single routes, by Sensor", examples=["{}"])

    def route(self, route: Route) -> RouteSettings:
        settings = getattr(self.routes, route.sensor.replace("-", "_"))
        assert isinstance(settings, RouteSettings)
        return settings

    def rate(self, route: Route) -> Rate:
        changed = self.route(route).rate
        return Rate(limit=changed.limit, unit=changed.unit) if changed else route.rate

    def at_once(self, semaphore: Semaphore) -> int:
        limit = self.semaphores.model_dump(by_alias=True)[semaphore]
        assert isinstance(limit, int)
        return limit


def settings_in(config: Mapping[str, T]) -> dict[str, T]:
    """This project's settings in a whole stack config, `project:key` by key, without its secrets."""
    return {
        key: value
        for name, value in config.items()
        for project, _, key in (str(name).partition(":"),)
        if project == PROJECT and key not in SECRETS
    }


def parse_settings(config: Mapping[str, object], *, source: str) -> StackSettings:
    """The settings in a stack's `config`, keys without the project's name, secrets left out.

    `source` is what a message calls them, say `Pulumi.dev.yaml`. Raises SettingsError naming every wrong setting.
    """
    try:
        return StackSettings.model_validate(dict(config))
    except ValidationError as error:
        lines = [_explain(detail) for detail in error.errors(include_input=False, include_url=False)]
    count = "1 setting is" if len(lines) == 1 else f"{len(lines)} settings are"
    raise SettingsError(f"{source}: {count} wrong\n\n" + "\n".join(lines))


def all_settings() -> Iterator[tuple[str, str, str]]:
    """Every setting: its path, its default as YAML would have it (empty: it must be given), and what it is."""
    yield from _settings_of(StackSettings, "")


def _settings_of(model: type[BaseModel], path: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        if name == "kind" and not field.description:
            continue  # which member of a union this is: told with the union
        key = f"{path}{field.alias or name}"
        members = _models(field.annotation)
        kinds = f" (kind: {', '.join(kind for m in members for kind in _kinds(m))})" if len(members) > 1 else ""
        default = "" if field.is_required() or members else json.dumps(field.default, ensure_ascii=False)
        yield key, default, (field.description or "") + kinds
        for member in members:
            of_kind = f"{key}({', '.join(_kinds(member))})" if len(members) > 1 else key
            yield from _settings_of(member, f"{of_kind}.")


def _explain(error: ErrorDetails) -> str:
    place = _Place(StackSettings)
    for step in error["loc"]:
        place.enter(str(step))
    key = f"{PROJECT}:{'.'.join(place.keys)}"
    what = error["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)
    match error["type"]:
        case "extra_forbidden":
            return f"  {key}: there is no such setting{_nearest(place)}"
        case "missing":
            what = "missing"
        case "union_tag_not_found" | "union_tag_invalid":
            kinds = [kind for member in place.members for kind in _kinds(member)]
            return (
                f"  {key}.kind: should be one of {', '.join(kinds)}, for example:\n{_command(f'{key}.kind', kinds[0])}"
            )
        case "string_pattern_mismatch":
            what = "not of the right form"
    about = place.field.description if place.field and place.field.description else ""
    examples = (place.field.examples if place.field else None) or []
    advice = f"; write {about}" if about else ""
    return f"  {key}: {what}{advice}" + (f", for example:\n{_command(key, examples[0])}" if examples else "")


def _command(key: str, value: object) -> str:
    text = str(value)
    if text.startswith("{"):
        return f"      {key}: {text}"
    quoted = f"'{text}'" if re.search(r"[^-\w./:]", text) else text
    return f"      pulumi config set --path {key} {quoted}"


class _Place:
    """Where in the settings a validation error points to: the keys as the user wrote them, and the field there."""

    def __init__(self, model: type[BaseModel]) -> None:
        self.keys: list[str] = []
        self.field: FieldInfo | None = None
        self.members: tuple[type[BaseModel], ...] = (model,)
        self.siblings: tuple[str, ...] = ()

    def enter(self, step: str) -> None:
        kinds = {tag: m for m in self.members if "kind" in m.model_fields for tag in _kinds(m)}
        if len(self.members) > 1 and step in kinds:  # the tag of a union is not a key
            self.members = (kinds[step],)
            return
        fields = {field.alias or name: field for m in self.members for name, field in m.model_fields.items()}
        self.keys.append(step)
        self.siblings = tuple(fields)
        self.field = fields.get(step)
        self.members = _models(self.field.annotation) if self.field else ()


def _kinds(model: type[BaseModel]) -> tuple[str, ...]:
    """The tags of one member of a union."""
    return get_args(model.model_fields["kind"].annotation)


def _models(annotation: Any) -> tuple[type[BaseModel], ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(model for member in get_args(annotation) for model in _models(member))
    return (annotation,) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else ()


def _nearest(place: _Place) -> str:
    known = [*place.siblings, *SECRETS] if len(place.keys) == 1 else list(place.siblings)
    near = difflib.get_close_matches(place.keys[-1], known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
