"""All that a stack may set, and messages that teach the fix.

A setting `a.b` stands in `Pulumi.<stack>.yaml` under `config: github-to-argo:a: {b: …}` and is overridden with
`pulumi config set --path github-to-argo:a.b VALUE`. Two secrets stand beside them and are never read here: `SECRETS`.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import re2
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    ValidationError,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from routes import FAMILIES, limits
from routes.model import SECONDS, Rate, Route, Semaphore

PROJECT = "github-to-argo"

SECRETS = {
    "webhookSecretValue": "the secret of the GitHub webhook, where webhookSecret.kind is config",
    "eventBusAccessValue": "`username: …` and `password: …` of an existing NATS, where eventBus.access.kind is config",
}
"""Config keys that hold secrets. They go from Pulumi's config into a Secret and nowhere else."""


ANY_REPOSITORY = "*/*"

UNLIMITED = "unlimited"


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
    """Go's regular expressions are those of RE2 but for what is said here; `tests/engine` compares the two."""
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(
            f"not a regular expression of the engine, which knows RE2's (Go's): {_said(error)};"
            " these have no look-around and no back-references"
        ) from None
    if re.search(r"(?<!\\)(?:\\\\)*\\C", pattern):
        raise ValueError(r"the engine's regular expressions (Go's) have no \C")
    if not all(name.isascii() for name in compiled.groupindex):
        raise ValueError("the engine's regular expressions (Go's) have group names of A-Z, a-z, 0-9 and _ only")
    if compiled.search(""):
        raise ValueError("it matches every text")
    return pattern


def _text_of_number(amount: object) -> object:
    """YAML's `cpu: 1` is a number."""
    return str(amount) if type(amount) is int else amount


def _canonical_cpu(amount: str) -> str:
    """As Kubernetes writes it: what the engine runs is compared with what was applied, letter for letter."""
    millis = millicores(amount)
    return f"{millis}m" if millis % 1000 else str(millis // 1000)


def _canonical_memory(amount: str) -> str:
    """As Kubernetes writes it."""
    size = mebibytes(amount)
    return f"{size // 1024**2}Ti" if size % 1024**2 == 0 else f"{size // 1024}Gi" if size % 1024 == 0 else f"{size}Mi"


def millicores(amount: str) -> int:
    """Thousandths of a CPU: 250 for `250m`, 2000 for `2`."""
    return int(amount[:-1]) if amount.endswith("m") else int(amount) * 1000


def mebibytes(amount: str) -> int:
    """MiB: 512 for `512Mi`, 2048 for `2Gi`."""
    unit: int = 1024 ** ("Mi", "Gi", "Ti").index(amount[-2:])
    return int(amount[:-2]) * unit


def _names_a_volume(name: str) -> str:
    # argo-events 1.9.11 calls the volume `secret-…`.
    if "." in name or len(name) > 56:
        raise ValueError(
            "the EventSource's pod has a volume called so, and that takes letters, digits and -, 56 at most"
        )
    return name


def _within_three_days(ago: str) -> str:
    if int(ago[:-1]) * {"m": 60, "h": 3600, "d": 86400}[ago[-1]] > 3 * 86400:
        raise ValueError("GitHub keeps deliveries for three days")
    return ago


def _one_by_digest(image: str) -> str:
    if not re.fullmatch(BY_DIGEST, image):
        raise ValueError("it has no digest: it must end with @sha256: and 64 hexadecimal digits")
    return image


def quantity_bytes(amount: str) -> int:
    """Bytes: 1048576 for `1Mi`."""
    power: int = 1024 ** (("Ki", "Mi", "Gi", "Ti").index(amount[-2:]) + 1)
    return int(amount[:-2]) * power


def _networks(blocks: tuple[str, ...]) -> tuple[str, ...]:
    for number, block in enumerate(blocks, 1):
        try:
            ipaddress.ip_network(block)
        except ValueError:
            raise ValueError(f"number {number} is no block of addresses (for one address: /32)") from None
    return blocks


def _ports(ports: tuple[int, ...]) -> tuple[int, ...]:
    for port in ports:
        if not 1 <= port <= 65535:
            raise ValueError(f"{port} is no port")
    if not ports:
        raise ValueError("without a port nothing gets through")
    return ports


def _labels(labels: dict[str, str]) -> dict[str, str]:
    part = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
    for number, (key, value) in enumerate(labels.items(), 1):
        if not re.fullmatch(rf"([-a-z0-9.]{{1,253}}/)?{part}", key) or not re.fullmatch(rf"({part})?", value):
            raise ValueError(f"number {number} is no label and its value")
    if not labels:
        raise ValueError("no label at all would select everything")
    return labels


ANNOTATION = r"([-a-z0-9.]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
BY_DIGEST = r"[a-z0-9][-a-z0-9._:/]*@sha256:[0-9a-f]{64}"


def _by_digest(images: tuple[str, ...]) -> tuple[str, ...]:
    for number, image in enumerate(images, 1):
        if not re.fullmatch(BY_DIGEST, image):
            raise ValueError(f"number {number} has no digest: it must end with @sha256: and 64 hexadecimal digits")
    return images


def _annotations(annotations: dict[str, str]) -> dict[str, str]:
    for number, key in enumerate(annotations, 1):
        if not re.fullmatch(ANNOTATION, key):
            raise ValueError(f"number {number} has no key that an annotation may have")
    return annotations


def _no_allow_list(blocks: tuple[str, ...]) -> tuple[str, ...]:
    if blocks:
        raise PydanticCustomError(
            "no_allow_list",
            "Gateway API has no allow list; take this out, and write a policy of your Gateway's own kind for the"
            " HTTPRoute github-to-argo-webhook (Envoy Gateway: a SecurityPolicy)",
        )
    return blocks


def _said(error: re2.error) -> str:
    (text,) = error.args
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def _branch(pattern: str) -> str:
    if pattern.startswith("refs/"):
        raise ValueError("a run's branch has no refs/heads/ before it")
    if not pattern.strip("*"):
        raise ValueError("it is like every branch")
    return pattern


def _no_trust(trust: object) -> object:
    if trust is not None:
        raise ValueError(
            "none of the route's deliveries says how its author stands to the repository: GitHub tells it of pull"
            " requests, comments and issues, not of runs, checks and alerts, and a push or a merge takes the right to"
            " write"
        )
    return trust


def _not_one(chosen: bool) -> bool:
    if chosen:
        raise ValueError(
            "only a route that is about pull requests and shares its semaphore with no other can have one Workflow at"
            " a time for each pull request"
        )
    return chosen


Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
AtOnce = Annotated[int, Field(ge=1, le=limits.INT32)]
SecretKey = Annotated[str, StringConstraints(pattern=r"^[-._a-zA-Z0-9]{1,253}$")]
Quantity = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Ki|Mi|Gi|Ti)$")]
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
Interval = Annotated[str, StringConstraints(pattern=r"^([0-9]+(s|m|h))+$")]
Text = Annotated[str, StringConstraints(min_length=1)]
# 500 characters cannot nest deeper than Go allows, which is less than RE2 does.
Re2 = Annotated[str, StringConstraints(max_length=500), AfterValidator(_re2)]
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-_A-Za-z0-9]{0,99}(\[bot\])?$")]
App = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9]{0,99}$")]
AppId = Annotated[str, BeforeValidator(_text_of_number), StringConstraints(pattern=r"^[A-Za-z0-9.]{1,40}$")]
Repository = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-_A-Za-z0-9]{0,99}/[-._A-Za-z0-9]{1,100}$")]
Schedule = Annotated[
    str, StringConstraints(pattern=r"^(@(hourly|daily)|@every [1-9][0-9]*[mh]|([-0-9*/,]+ ){4}[-0-9*/,]+)$")
]
Owned = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z]+/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
Ago = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[mhd]$"), AfterValidator(_within_three_days)]
Repositories = Annotated[
    str, StringConstraints(pattern=r"^(\*/\*|[A-Za-z0-9][-_A-Za-z0-9]{0,99}/(\*|[-._A-Za-z0-9]{1,100}))$")
]
Branch = Annotated[str, StringConstraints(pattern=r"^[^\s~^:?\[\\]+$"), AfterValidator(_branch)]
Cpu = Annotated[
    str,
    BeforeValidator(_text_of_number),
    StringConstraints(pattern=r"^[1-9][0-9]*m?$"),
    AfterValidator(_canonical_cpu),
]
Memory = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Mi|Gi|Ti)$"), AfterValidator(_canonical_memory)]
Networks = Annotated[tuple[str, ...], AfterValidator(_networks)]
Ports = Annotated[tuple[int, ...], AfterValidator(_ports)]
Labels = Annotated[dict[str, str], AfterValidator(_labels)]
Images = Annotated[tuple[str, ...], AfterValidator(_by_digest)]
Host = Annotated[
    str,
    StringConstraints(
        pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$", max_length=253
    ),
]
AnnotationKey = Annotated[str, StringConstraints(pattern=f"^{ANNOTATION}$")]
Annotations = Annotated[dict[str, str], AfterValidator(_annotations)]


class Trust(StrEnum):
    """Whose pull requests, comments and issues start something, by GitHub's author_association."""

    ANYONE = "anyone"
    CONTRIBUTORS = "contributors"
    MEMBERS = "members"


SecurityEvent = Literal["repository_advisory", "code_scanning_alert", "secret_scanning_alert", "dependabot_alert"]


class Backlog(Model):
    """How much may wait in an EventBus. An event is stored until every Sensor has taken it."""

    backlog: Quantity | None = Field(
        None,
        description="how much may wait for the Sensors; while that is full deliveries are answered 500, and what waits"
        " is kept. By default 1Gi, and three quarters of a native EventBus's storage",
        examples=["1Gi"],
    )
    max_age_hours: int = Field(
        168, ge=1, le=8760, description="how long an event may wait for its Sensor before it is dropped", examples=[168]
    )


class NativeEventBus(Backlog):
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
    sync: Literal["always", "2m"] = Field(
        "always",
        description="always: an event is on the disk before GitHub is answered; 2m: NATS's own, every two minutes, so"
        " that a power loss of all its servers loses what was accepted since",
        examples=["always"],
    )
    max_payload_bytes: int = Field(
        limits.BUS_BYTES,
        ge=limits.NATS_BYTES,
        le=limits.JETSTREAM_BYTES,
        description="the largest message that it takes; deliveries grow on their way in, by two fifths, and up to eight"
        " times",
        examples=[limits.BUS_BYTES],
    )

    @model_validator(mode="after")
    def _storage_holds_the_backlog(self) -> NativeEventBus:
        if self.backlog and self.storage and quantity_bytes(self.backlog) > quantity_bytes(self.storage) * 3 // 4:
            raise ValueError(
                f"a backlog of {self.backlog} does not fit: it may be three quarters of storage, that is {self.storage}"
            )
        return self

    @model_validator(mode="after")
    def _backlog_holds_a_message(self) -> NativeEventBus:
        if self.backlog:
            _holds_a_message("backlog", self.backlog, self.backlog_bytes, self.max_payload_bytes)
        elif self.storage:
            _holds_a_message("storage", self.storage, self.backlog_bytes, self.max_payload_bytes)
        return self

    @property
    def backlog_bytes(self) -> int:
        """How much may wait, in bytes."""
        if self.backlog:
            return quantity_bytes(self.backlog)
        return quantity_bytes(self.storage) * 3 // 4 if self.storage else limits.BACKLOG_BYTES


def _holds_a_message(name: str, given: str, backlog: int, payload: int) -> None:
    """Raises ValueError where a stream of `backlog` bytes, by the setting `name`, never takes the largest message."""
    if backlog < limits.backlog_for(payload):
        least = limits.backlog_for(payload) * (4 if name == "storage" else 3) // 3 // limits.MIB + 1
        raise ValueError(
            f"{name} {given} leaves room for {backlog} bytes, and one message may have {payload} (maxPayloadBytes): it"
            f" would be refused for good; write {name}: {least}Mi or more, or a smaller maxPayloadBytes"
        )


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


class ExoticEventBus(Backlog):
    """A NATS with JetStream that exists. Stacks that share one need an account each: their subjects are alike."""

    kind: Literal["exotic"]
    url: Annotated[str, StringConstraints(pattern=rf"^tls://[-._A-Za-z0-9]+:{_PORT}$")] = Field(
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
    max_payload_bytes: int = Field(
        limits.NATS_BYTES,
        ge=limits.NATS_BYTES,
        le=limits.JETSTREAM_BYTES,
        description="the largest message that it takes, its max_payload (1 MiB where nobody has set it);"
        " the largest delivery is about seven tenths of it",
        examples=[limits.BUS_BYTES],
    )
    monitor: Monitor | None = Field(
        None, description="the Service of its monitoring port", examples=["{namespace: nats, service: nats}"]
    )

    @model_validator(mode="after")
    def _backlog_holds_a_message(self) -> ExoticEventBus:
        if self.backlog:
            _holds_a_message("backlog", self.backlog, self.backlog_bytes, self.max_payload_bytes)
        return self

    @property
    def backlog_bytes(self) -> int:
        """How much may wait, in bytes."""
        return quantity_bytes(self.backlog) if self.backlog else limits.BACKLOG_BYTES


class WebhookSecret(Model):
    """The Secret that the EventSource checks signatures with. There is no way to have none."""

    name: Annotated[Name, AfterValidator(_names_a_volume)] = Field(
        "github-webhook-secret", description="name of the Secret", examples=["github-webhook-secret"]
    )
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


class ManagedRunner(Model):
    """Made by this stack, with the rights that Argo Workflows needs in a Workflow's pods and no others."""

    kind: Literal["managed"]
    name: Name = Field("argo-workflow-runner", description="name of the service account", examples=["agents"])


class ExistingRunner(Model):
    """Made by someone else, in the stack's namespace."""

    kind: Literal["existing"]
    name: Name = Field(description="name of the service account", examples=["agents"])


class TemplatesRunner(Model):
    """Named by each WorkflowTemplate itself: the Workflows name none."""

    kind: Literal["templates"]


class Webhook(Model):
    """Where the EventSource listens."""

    endpoint: Annotated[str, StringConstraints(pattern=r"^/[-a-zA-Z0-9/_.]*$")] = Field(
        "/events", description="path that GitHub posts to", examples=["/events"]
    )
    port: int = Field(12000, ge=1024, le=65535, description="port of the EventSource and its Service", examples=[12000])
    replicas: int = Field(
        1,
        ge=1,
        le=5,
        description="how many EventSource pods take deliveries; with 2 a drained node or a new image loses none",
        examples=[2],
    )
    max_payload_bytes: int | None = Field(
        None,
        ge=64 * limits.KIB,
        le=limits.LARGEST_BYTES,
        description="the largest delivery that is taken, in bytes; GitHub is answered 400 to a larger one. By default"
        " 6291456, or what the EventBus takes if that is less; at most 23920640: no JetStream keeps a larger message",
        examples=[limits.DEFAULT_BYTES],
    )


class RateSettings(Model):
    """How many Workflows a route starts; what is above waits."""

    limit: int = Field(ge=1, description="Workflows per unit", examples=[20])
    unit: Literal["Second", "Minute", "Hour"] = Field("Minute", description="the unit", examples=["Minute"])

    @model_validator(mode="after")
    def _a_sensor_keeps_up(self) -> RateSettings:
        most = limits.most_workflows(SECONDS[self.unit])
        if self.limit > most:
            raise PydanticCustomError(
                "faster_than_a_sensor",
                "{limit} per {unit} is more than a Sensor starts, which is {most}: its Kubernetes client makes"
                " {requests} requests a second, and a new Workflow takes {each} (get and create); write"
                " {instead} or less, or rate: {unlimited} for as fast as the engine can",
                {
                    "limit": self.limit,
                    "unit": self.unit,
                    "most": most,
                    "requests": limits.REQUESTS_A_SECOND,
                    "each": limits.REQUESTS_OF_A_WORKFLOW,
                    "instead": f"{{limit: {most}, unit: {self.unit}}}",
                    "unlimited": UNLIMITED,
                },
            )
        return self


def _kind_of_rate(rate: object) -> str:
    return UNLIMITED if isinstance(rate, str) else "limited"


# The tags are no keys: `_Place` leaves them out.
Rated = Annotated[
    Annotated[RateSettings, Tag("limited")] | Annotated[Literal["unlimited"], Tag(UNLIMITED)],
    Discriminator(_kind_of_rate),
]


class RouteSettings(Model):
    """What a stack may change of a route."""

    enabled: bool = Field(True, description="false: the route has no Sensor", examples=["true"])
    rate: Rated | None = Field(
        None,
        description="instead of the route's own rate; unlimited: as fast as the engine can",
        examples=["{limit: 20}"],
    )
    trust: Trust | None = Field(
        None,
        description="instead of the stack's trust; routes of pull requests, comments and issues have it",
        examples=["members"],
    )

    one_per_pull_request: Annotated[bool, AfterValidator(_not_one)] = Field(
        False, description="false here", examples=["false"]
    )


class TrustlessRouteSettings(RouteSettings):
    """Of a route whose deliveries carry no author_association."""

    trust: Annotated[Trust | None, BeforeValidator(_no_trust)] = Field(None, description="no trust here")


class PullRequestRouteSettings(RouteSettings):
    """Of a route that is about pull requests and has a semaphore of its own."""

    one_per_pull_request: bool = Field(
        False,
        description="true: one Workflow at a time for each pull request, in the order of its pushes",
        examples=["true"],
    )


def _settings_of_route(route: Route) -> type[RouteSettings]:
    if route.pull_request:
        return PullRequestRouteSettings
    return RouteSettings if any(d.paths.association for d in route.deliveries) else TrustlessRouteSettings


class NeverAnswered(Model):
    """The agents' own accounts. Their comments and issues start nothing; their pull requests are validated."""

    logins: tuple[Login, ...] = Field(
        (), description="logins of accounts, an App's with [bot]", examples=["my-agent", "my-agent[bot]"]
    )
    apps: tuple[App, ...] = Field(
        (), description="slugs of GitHub Apps, also where they write for a person", examples=["my-agent"]
    )


class Triage(Model):
    """Which failures are triaged. Runs that are skipped or ignored are not looked at as security scans either."""

    check_runs: Literal["all", "external"] = Field(
        "all",
        description="external: only check runs that GitHub Actions did not make; its own fail with their workflow run",
        examples=["external"],
    )
    forks: Literal["run", "skip"] = Field(
        "run",
        description="skip: runs and checks of a fork's branch start nothing: who has a fork may be a stranger",
        examples=["skip"],
    )
    branches_ignore: tuple[Branch, ...] = Field(
        (),
        description="branches whose runs, checks and code scanning alerts start nothing; * stands for any text",
        examples=["agent/*"],
    )
    actors_ignore: tuple[Login, ...] = Field(
        (), description="logins whose runs and checks start nothing, an App's with [bot]", examples=["my-agent[bot]"]
    )


class Semaphores(Model):
    """How many Workflows run at once; the ConfigMap `workflow-semaphores`."""

    pr_validation: AtOnce = Field(5, alias="pr-validation", description="Workflows at once", examples=[5])
    coderun: AtOnce = Field(10, description="Workflows at once", examples=[10])
    implementation: AtOnce = Field(5, description="Workflows at once", examples=[5])
    orchestrator: AtOnce = Field(2, description="Workflows at once", examples=[2])


class Amount(Model):
    """CPU and memory."""

    cpu: Cpu = Field(description="CPUs, or thousandths of one", examples=["100m"])
    memory: Memory = Field(description="memory", examples=["256Mi"])


class Resources(Model):
    """What a container is given, and what it may not exceed."""

    requests: Amount = Field(description="what it is given", examples=["{cpu: 50m, memory: 128Mi}"])
    limits: Amount = Field(description="what it may not exceed", examples=["{cpu: 500m, memory: 512Mi}"])

    @model_validator(mode="after")
    def _limits_hold_the_requests(self) -> Resources:
        of_cpu = millicores(self.requests.cpu) > millicores(self.limits.cpu)
        if of_cpu or mebibytes(self.requests.memory) > mebibytes(self.limits.memory):
            raise ValueError(f"the requested {'cpu' if of_cpu else 'memory'} is more than its limit")
        return self


def _resources(of: str, cpu: str, memory: str, most_cpu: str, most_memory: str) -> Any:
    """A field that has these by default."""
    return Field(
        Resources(requests=Amount(cpu=cpu, memory=memory), limits=Amount(cpu=most_cpu, memory=most_memory)),
        description=f"CPU and memory of {of} (by default {cpu} and {memory}, at most {most_cpu} and {most_memory})",
        examples=[
            f"{{requests: {{cpu: {cpu}, memory: {memory}}}, limits: {{cpu: {most_cpu}, memory: {most_memory}}}}}"
        ],
    )


class Spread(Model):
    """How pods of one kind are kept apart: of the EventSource, of each Sensor, of a native EventBus."""

    nodes: Literal["prefer", "require"] = Field(
        "prefer",
        description="prefer: not on one node where there is another; require: never, and a pod waits for a node without"
        " one, so that a roll-out needs one node more than there are replicas",
        examples=["prefer"],
    )
    zones: Literal["ignore", "prefer", "require"] = Field(
        "ignore",
        description="the same for zones, by the nodes' label topology.kubernetes.io/zone",
        examples=["prefer"],
    )


class Pods(Model):
    """The pods of the EventSource, the Sensors and a native EventBus."""

    event_source: Resources = _resources("each EventSource pod", "50m", "128Mi", "1", "512Mi")
    sensor: Resources = _resources("each Sensor's pod", "20m", "96Mi", "500m", "256Mi")
    event_bus: Resources = _resources("each server of a native EventBus", "100m", "128Mi", "1", "1Gi")
    priority_class_name: Name | None = Field(
        None, description="the PriorityClass of these pods", examples=["business-critical"]
    )
    spread: Spread = Field(
        Spread(), description="how pods of one kind are kept apart", examples=["{nodes: prefer, zones: prefer}"]
    )
    node_selector: Labels | None = Field(
        None, description="labels of the nodes that they run on", examples=["{kubernetes.io/arch: amd64}"]
    )
    images: Images = Field(
        (),
        description="the images, by digest, that these pods may run, any other is refused; empty: any."
        " The Argo Events controller chooses them: its variable ARGO_EVENTS_IMAGE, and its config for an EventBus",
        examples=[f"[quay.io/argoproj/argo-events@sha256:{'0123456789abcdef' * 4}]"],
    )


class NetworkPolicySettings(Model):
    """Who may talk to these pods, and whom they may talk to."""

    enabled: bool = Field(True, description="false: no NetworkPolicy", examples=["true"])
    webhook_from: Labels | None = Field(
        None,
        description="labels of the namespace whose pods may post to the EventSource, your Ingress controller's;"
        " without it anyone may",
        examples=["{kubernetes.io/metadata.name: ingress-nginx}"],
    )
    webhook_from_addresses: Networks = Field(
        (),
        description="address blocks that may post to the EventSource's pods: of a load balancer that is in no pod, or"
        " of nodes whose network your Ingress controller uses",
        examples=["[10.0.0.0/16]"],
    )
    metrics_from: Labels | None = Field(
        None,
        description="labels of the namespace whose pods may read the metrics, your Prometheus's; without it none may",
        examples=["{kubernetes.io/metadata.name: monitoring}"],
    )
    api_server: Networks = Field(
        (), description="the API server's address blocks; empty: any address, at its ports", examples=["[10.0.0.1/32]"]
    )
    api_server_ports: Ports = Field(
        (443, 6443), description="ports at which the API server itself listens", examples=["[443, 6443]"]
    )
    dns_ports: Ports = Field(
        (53,), description="ports at which the DNS pods themselves listen (OpenShift: 5353)", examples=["[53]"]
    )
    event_bus: Networks = Field(
        (),
        description="address blocks of a NATS that exists; empty: any address, at the port of its url",
        examples=["[10.0.7.0/24]"],
    )


class NoExposure(Model):
    """Reached from within the cluster, or by what someone else makes."""

    kind: Literal["none"]


class SecretTls(Model):
    """The certificate is in a Secret of the stack's namespace."""

    kind: Literal["secret"]
    secret: Name = Field(description="name of the Secret with the host's certificate", examples=["github-webhook-tls"])


class IssuerTls(Model):
    """cert-manager fetches the certificate, and writes it into a Secret."""

    kind: Literal["issuer"]
    issuer: Name = Field(description="name of cert-manager's issuer", examples=["letsencrypt"])
    issuer_kind: Literal["ClusterIssuer", "Issuer"] = Field(
        "ClusterIssuer", description="kind of the issuer", examples=["ClusterIssuer"]
    )
    secret: Name = Field(
        "github-webhook-tls", description="name of the Secret that it writes", examples=["github-webhook-tls"]
    )


class ElsewhereTls(Model):
    """A load balancer before the Ingress ends TLS, or its controller has a certificate for every host."""

    kind: Literal["elsewhere"]


class IngressExposure(Model):
    """An Ingress of any class. It takes the webhook's path at one host, and nothing else."""

    kind: Literal["ingress"]
    host: Host = Field(description="the host that GitHub posts to", examples=["webhooks.example.com"])
    class_name: Name = Field(description="name of the IngressClass", examples=["nginx"])
    tls: Annotated[SecretTls | IssuerTls | ElsewhereTls, Field(discriminator="kind")] = Field(
        description="where the host's certificate comes from", examples=["{kind: issuer, issuer: letsencrypt}"]
    )
    allow_annotation: AnnotationKey | None = Field(
        None,
        description="the annotation of the Ingress controller that takes an allow list, blocks separated by commas;"
        " known for the class nginx",
        examples=["haproxy.org/allow-list"],
    )
    allow_from: Networks = Field(
        (),
        description="address blocks that may post, GitHub's: `python -m cli hook-addresses` prints them; empty: any",
        examples=["[192.30.252.0/22]"],
    )
    annotations: Annotations = Field(
        {},
        description="further annotations of the Ingress, as its controller knows them",
        examples=["{nginx.ingress.kubernetes.io/limit-rps: '50'}"],
    )

    @field_validator("allow_from", mode="after")
    @classmethod
    def _can_be_told(cls, blocks: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        name = info.data.get("class_name", "nginx")
        if blocks and not info.data.get("allow_annotation") and not is_nginx(name):
            raise PydanticCustomError(
                "no_allow_list",
                "how the class {name} takes an allow list is not known, so it would let anyone in; write"
                " allowAnnotation too, the annotation of its controller that takes blocks separated by commas"
                " (HAProxy: haproxy.org/allow-list, AWS: alb.ingress.kubernetes.io/inbound-cidrs), or leave this out",
                {"name": name},
            )
        return blocks

    @property
    def takes_nginx_annotations(self) -> bool:
        return is_nginx(self.class_name)


def is_nginx(class_name: str) -> bool:
    """Whether an IngressClass is, by its name, one of ingress-nginx. Preview looks whether it is."""
    return re.fullmatch(r"nginx(-.*)?", class_name) is not None


class ParentGateway(Model):
    """A Gateway that exists."""

    name: Name = Field(description="name of the Gateway", examples=["public"])
    namespace: Label = Field(description="its namespace", examples=["gateways"])
    listener: Name | None = Field(
        None, description="name of its listener, one with HTTPS; without it any whose host fits", examples=["https"]
    )


class GatewayExposure(Model):
    """A Gateway API HTTPRoute. It takes the webhook's path at one host, and nothing else."""

    kind: Literal["gateway"]
    host: Host = Field(description="the host that GitHub posts to", examples=["webhooks.example.com"])
    gateway: ParentGateway = Field(
        description="the Gateway that takes the host", examples=["{name: public, namespace: gateways, listener: https}"]
    )
    allow_from: Annotated[Networks, AfterValidator(_no_allow_list)] = Field(
        (), description="nothing here: Gateway API has no allow list", examples=["[]"]
    )


Exposure = NoExposure | IngressExposure | GatewayExposure


def _sensor(name: str) -> str:
    names = [route.sensor for family in FAMILIES for route in family.routes]
    if name not in names:
        raise ValueError(f"there is no such Sensor; there are {', '.join(names)}")
    return name


Sensor = Annotated[str, AfterValidator(_sensor)]

# A closed model with one field for each route of the table.
Routes = create_model(
    "Routes",
    __base__=Model,
    **{  # type: ignore[call-overload]
        route.sensor.replace("-", "_"): (
            model := _settings_of_route(route),
            Field(model(), alias=route.sensor, description="settings of the route", examples=["{enabled: true}"]),
        )
        for family in FAMILIES
        for route in family.routes
    },
)


class RepositoryHook(Model):
    """A webhook of a repository."""

    kind: Literal["repository"]
    name: Repository = Field(description="the repository, as owner/name", examples=["acme/api"])
    id: int | None = Field(
        None, ge=1, description="the webhook's number; without it the one that posts to webhook.endpoint", examples=[1]
    )


class OrganizationHook(Model):
    """A webhook of an organization."""

    kind: Literal["organization"]
    name: Login = Field(description="the organization", examples=["acme"])
    id: int | None = Field(
        None, ge=1, description="the webhook's number; without it the one that posts to webhook.endpoint", examples=[1]
    )


class AppHook(Model):
    """The webhook of a GitHub App."""

    kind: Literal["app"]
    id: AppId = Field(description="the App's id, or its client id", examples=["123456"])


GitHubHook = RepositoryHook | OrganizationHook | AppHook


def hook_named(kind: str, name: str, number: int | None = None) -> GitHubHook:
    """The webhook of a `repository`, an `organization` or an `app`. Raises ValueError for a name that none has."""
    match kind:
        case "repository":
            return RepositoryHook(kind="repository", name=name, id=number)
        case "organization":
            return OrganizationHook(kind="organization", name=name, id=number)
        case _:
            return AppHook(kind="app", id=name)


class Redelivery(Model):
    """A CronWorkflow that asks GitHub again for what is missing: `redeliver --yes`."""

    hook: Annotated[GitHubHook, Field(discriminator="kind")] = Field(
        description="the webhook whose deliveries these are", examples=["{kind: organization, name: acme}"]
    )
    token: SecretRef = Field(
        description="the Secret with a token that may read and redeliver this webhook's deliveries, or with the App's"
        " private key",
        examples=["{name: github-redelivery, key: token}"],
    )
    image: Annotated[str, AfterValidator(_one_by_digest)] = Field(
        description="an image of yours that holds this project and the built engine (docs/redeliver.md)",
        examples=[f"registry.example/github-to-argo@sha256:{'0123456789abcdef' * 4}"],
    )
    schedule: Schedule = Field("*/5 * * * *", description="when it runs, as cron has it", examples=["*/5 * * * *"])
    since: Ago = Field("1h", description="how far back each run looks", examples=["1h"])
    api_url: Annotated[str, StringConstraints(pattern=r"^https://[^\s/?#]+(/[^\s?#]*)?$")] = Field(
        "https://api.github.com",
        description="where GitHub's API is; of a GitHub Enterprise Server: https://HOST/api/v3",
        examples=["https://api.github.com"],
    )
    resources: Resources = _resources("its pod", "100m", "256Mi", "1", "1Gi")


class Cure(Model):
    """A CronWorkflow that restarts Sensors that hang since NATS came back: `cure --yes`."""

    image: Annotated[str, AfterValidator(_one_by_digest)] = Field(
        description="an image of yours that holds this project (docs/redeliver.md)",
        examples=[f"registry.example/github-to-argo@sha256:{'0123456789abcdef' * 4}"],
    )
    schedule: Schedule = Field("*/5 * * * *", description="when it runs, as cron has it", examples=["*/5 * * * *"])
    resources: Resources = _resources("its pod", "100m", "128Mi", "500m", "256Mi")


class Monitoring(Model):
    """PodMonitors and a PrometheusRule of Prometheus Operator, and a Grafana dashboard."""

    labels: Labels | None = Field(
        None,
        description="labels that your Prometheus selects its PodMonitors and PrometheusRules by: `ruleSelector` of the"
        " object Prometheus; without it every one is selected, or none is",
        examples=["{release: kube-prometheus-stack}"],
    )
    interval: Annotated[str, StringConstraints(pattern=r"^([5-9]|[1-5][0-9]|60)s$")] = Field(
        "30s", description="how often the pods are asked, 60s at most: the alerts look at minutes", examples=["30s"]
    )
    backlog_minutes: int = Field(
        30,
        ge=1,
        le=1440,
        description="an alert where more waits for a route than its rate lets through in so many minutes",
        examples=[30],
    )
    dashboard: Labels | None = Field(
        {"grafana_dashboard": "1"},
        description="labels of the ConfigMap with the dashboard, which the sidecar of your Grafana selects by; null: no"
        " dashboard",
        examples=['{grafana_dashboard: "1"}'],
    )
    runbooks: Annotated[str, StringConstraints(pattern=r"^https?://[^\s#]+$")] | None = Field(
        None,
        description="where your people read docs/monitoring.md; each alert links to its place there",
        examples=["https://github.com/acme/platform/blob/main/docs/monitoring.md"],
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
    sensor_replicas: int = Field(
        2,
        ge=1,
        le=5,
        description="how many pods each Sensor has, one of which works. With 1 a Sensor may hang when NATS comes back,"
        " until its pod is restarted",
        examples=[2],
    )
    pods: Pods = Field(
        Pods(), description="the pods of EventSource, Sensors and EventBus", examples=["{}"], validate_default=True
    )
    network_policy: NetworkPolicySettings = Field(
        NetworkPolicySettings(), description="who may talk to these pods, and whom they may talk to", examples=["{}"]
    )
    exposure: Annotated[Exposure, Field(discriminator="kind")] = Field(
        NoExposure(kind="none"),
        description="how GitHub reaches the EventSource; none: by what you make yourself",
        examples=["{kind: ingress, host: webhooks.example.com, className: nginx, tls: {kind: elsewhere}}"],
    )
    pod_security: Literal["restricted", "baseline"] = Field(
        "restricted",
        description="the Pod Security level of a namespace that the stack makes; baseline: for Workflows whose pods"
        " cannot be restricted",
        examples=["restricted"],
    )
    workflow_templates: Literal["external", "managed"] = Field(
        "external",
        description="external: the WorkflowTemplates are yours; managed: written from the contract, with empty bodies",
        examples=["external"],
    )
    runner: Annotated[ManagedRunner | ExistingRunner | TemplatesRunner, Field(discriminator="kind")] = Field(
        ManagedRunner(kind="managed"),
        description="the service account that the Workflows' pods run as, in place of one that a WorkflowTemplate names"
        " in its spec; templates: that one",
        examples=["{kind: managed, name: argo-workflow-runner}"],
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
        le=limits.INT32,
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
        description="false: no ValidatingAdmissionPolicies (Kubernetes before 1.30, or no right to make one)",
        examples=["true"],
    )
    security_workflows: Re2 = Field(
        "(?i)security|scan",
        description="a regular expression for the names of the GitHub workflows that are security scans",
        examples=["(?i)security|scan"],
    )
    trust: Trust = Field(
        Trust.ANYONE,
        description="whose pull requests, comments and issues start something: anyone; contributors (OWNER, MEMBER,"
        " COLLABORATOR, CONTRIBUTOR); members (without CONTRIBUTOR)",
        examples=["members"],
    )
    never_answered: NeverAnswered = Field(
        NeverAnswered(),
        description="the agents' own accounts, whose comments and issues start nothing",
        examples=["{logins: [my-agent], apps: [my-agent]}"],
    )
    repositories: tuple[Repositories, ...] = Field(
        (ANY_REPOSITORY,),
        min_length=1,
        description="the repositories served: owner/name, owner/*, or */* for all;"
        " a security_advisory has none and is always served",
        examples=["my-org/*"],
    )
    triage: Triage = Field(Triage(), description="which failures are triaged", examples=["{checkRuns: external}"])
    drafts: Literal["skip", "run"] = Field(
        "skip",
        description="skip: a draft pull request is validated once it is ready for review; run: as any other, and no"
        " more when it is ready",
        examples=["skip"],
    )
    security_events: tuple[SecurityEvent, ...] = Field(
        (),
        description="further events for the security agent: repository_advisory, code_scanning_alert,"
        " secret_scanning_alert, dependabot_alert",
        examples=["code_scanning_alert"],
    )
    loses: tuple[Sensor, ...] = Field(
        (),
        description="Sensors that may lose the deliveries that wait for them, in a change that is refused otherwise;"
        " to be taken out again afterwards",
        examples=["github-issues-to-implementation"],
    )
    takes_over: tuple[Owned, ...] = Field(
        (),
        description="objects, as Kind/name, that are there already and become this stack's; to be taken out again"
        " afterwards",
        examples=["EventBus/github"],
    )
    protect: bool = Field(
        True,
        description="false: Pulumi may delete the EventBus, with all that waits, and a namespace that the stack makes",
        examples=["true"],
    )
    redelivery: Redelivery | None = Field(
        None,
        description="a CronWorkflow that fetches back from GitHub what is missing; off without it",
        examples=["{hook: {kind: organization, name: acme}, token: {name: github-redelivery, key: token}, image: …}"],
    )
    cure: Cure | None = Field(
        None,
        description="a CronWorkflow that restarts Sensors that hang since NATS came back; off without it",
        examples=["{image: …}"],
    )
    monitoring: Monitoring | None = Field(
        None,
        description="PodMonitors, alerts and a dashboard, for Prometheus Operator and Grafana; off without it",
        examples=["{labels: {release: kube-prometheus-stack}}"],
    )
    semaphores: Semaphores = Field(
        Semaphores(), description="how many Workflows run at once", examples=["{coderun: 10}"]
    )
    routes: Routes = Field(Routes(), description="settings of single routes, by Sensor", examples=["{}"])

    @field_validator("webhook_secret", mode="after")
    @classmethod
    def _is_a_secret_of_its_own(cls, secret: WebhookSecret, info: ValidationInfo) -> WebhookSecret:
        bus = info.data.get("event_bus")
        if not isinstance(bus, ExoticEventBus):
            return secret
        made = not isinstance(secret, ExistingWebhookSecret)
        clashes = [
            name
            for name, ref in (("access", bus.access), ("ca", bus.ca))
            if ref and ref.name == secret.name and (made or (name == "access" and bus.access.kind == "config"))
        ]
        if not clashes:
            return secret
        wrong = PydanticCustomError(
            "one_secret_for_two",
            "eventBus.{name} has the Secret {secret} too, and what the stack makes holds nothing but its own; choose"
            " another name for one of them",
            {"name": clashes[0], "secret": secret.name},
        )
        line = InitErrorDetails(type=wrong, loc=("name",), input=secret.name)
        raise ValidationError.from_exception_data(cls.__name__, [line], hide_input=True)

    @field_validator("webhook", mode="after")
    @classmethod
    def _passes_the_bus(cls, webhook: Webhook, info: ValidationInfo) -> Webhook:
        bus, body = info.data.get("event_bus"), webhook.max_payload_bytes
        if not bus or not body or body <= limits.ordinary_body_that_passes(bus.max_payload_bytes):
            return webhook
        theirs = "" if isinstance(bus, NativeEventBus) else ", and so that NATS's max_payload"
        wrong = PydanticCustomError(
            "larger_than_the_bus",
            "{body} bytes become a message of up to {needed}, and eventBus.maxPayloadBytes is {bus}; set that to"
            " {needed}{theirs}, or this to at most {most}",
            {
                "body": body,
                "needed": limits.bus_that_takes(body),
                "bus": bus.max_payload_bytes,
                "theirs": theirs,
                "most": limits.ordinary_body_that_passes(bus.max_payload_bytes),
            },
        )
        line = InitErrorDetails(type=wrong, loc=("maxPayloadBytes",), input=body)
        raise ValidationError.from_exception_data(cls.__name__, [line], hide_input=True)

    @field_validator("pods", mode="after")
    @classmethod
    def _hold_the_largest_delivery(cls, pods: Pods, info: ValidationInfo) -> Pods:
        bus, webhook = info.data.get("event_bus"), info.data.get("webhook")
        if not bus or not webhook:
            return pods
        body = _max_body(webhook, bus)
        needed = limits.memory_for(body)
        lines = [
            InitErrorDetails(
                type=PydanticCustomError(
                    "too_small_for_deliveries",
                    "{memory} is too little for a delivery of {body} bytes; set it to at least {needed}Mi, or"
                    " webhook.maxPayloadBytes to less",
                    {"memory": memory, "body": body, "needed": needed},
                ),
                loc=(alias, "limits", "memory"),
                input=memory,
            )
            for alias, resources in (("eventSource", pods.event_source), ("sensor", pods.sensor))
            for memory in (resources.limits.memory,)
            if mebibytes(memory) < needed
        ]
        if lines:
            raise ValidationError.from_exception_data(cls.__name__, lines, hide_input=True)
        return pods

    @field_validator("cure", mode="after")
    @classmethod
    def _asks_jetstream(cls, cure: Cure | None, info: ValidationInfo) -> Cure | None:
        bus = info.data.get("event_bus")
        if not cure or not isinstance(bus, ExoticEventBus) or bus.monitor:
            return cure
        raise PydanticCustomError(
            "kept_out",
            "it asks JetStream what waits, and eventBus.monitor does not say where; write the Service of its monitoring"
            f" port:\n      {PROJECT}:eventBus.monitor: {{namespace: nats, service: nats}}",
        )

    @field_validator("monitoring", mode="after")
    @classmethod
    def _is_let_in(cls, monitoring: Monitoring | None, info: ValidationInfo) -> Monitoring | None:
        policies = info.data.get("network_policy")
        if not monitoring or not policies or not policies.enabled or policies.metrics_from:
            return monitoring
        raise PydanticCustomError(
            "kept_out",
            "the NetworkPolicies let nobody read the metrics; write the labels of your Prometheus's namespace:\n"
            f"      {PROJECT}:networkPolicy: {{metricsFrom: {{kubernetes.io/metadata.name: monitoring}}}}",
        )

    @field_validator("routes", mode="after")
    @classmethod
    def _few_mutexes(cls, routes: Model, info: ValidationInfo) -> Model:
        semaphores = info.data.get("semaphores", Semaphores()).model_dump(by_alias=True)
        wrong = [
            InitErrorDetails(
                type=PydanticCustomError(
                    "too_many_mutexes",
                    "semaphores.{semaphore} is {at_once}, and this makes as many mutexes, {most} at most; set that to"
                    " at most {most}, or this to false",
                    {"semaphore": route.semaphore, "at_once": semaphores[route.semaphore], "most": limits.MUTEXES},
                ),
                loc=(route.sensor, "onePerPullRequest"),
                input=True,
            )
            for family in FAMILIES
            for route in family.routes
            if getattr(routes, route.sensor.replace("-", "_")).one_per_pull_request
            and semaphores[route.semaphore] > limits.MUTEXES
        ]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong, hide_input=True)
        return routes

    @property
    def max_body(self) -> int:
        """The largest delivery that the EventSource takes, in bytes."""
        return _max_body(self.webhook, self.event_bus)

    @property
    def public_url(self) -> str | None:
        """Where GitHub posts to, if the stack makes the way there."""
        if isinstance(self.exposure, NoExposure):
            return None
        return f"https://{self.exposure.host}{self.webhook.endpoint}"

    @property
    def service_account(self) -> str:
        """What the Workflows' pods run as; empty where each WorkflowTemplate says so itself."""
        return "" if isinstance(self.runner, TemplatesRunner) else self.runner.name

    def route(self, route: Route) -> RouteSettings:
        settings = getattr(self.routes, route.sensor.replace("-", "_"))
        assert isinstance(settings, RouteSettings)
        return settings

    def rate(self, route: Route) -> Rate | None:
        """The rate of a route; None: as fast as the engine can."""
        changed = self.route(route).rate
        if isinstance(changed, RateSettings):
            return Rate(limit=changed.limit, unit=changed.unit)
        return None if changed else route.rate

    def trust_of(self, route: Route) -> Trust:
        return self.route(route).trust or self.trust

    def one_per_pull_request(self, route: Route) -> bool:
        """Whether a pull request's Workflows of this route run one after the other."""
        return self.route(route).one_per_pull_request

    def at_once(self, semaphore: Semaphore) -> int:
        limit = self.semaphores.model_dump(by_alias=True)[semaphore]
        assert isinstance(limit, int)
        return limit


def _max_body(webhook: Webhook, bus: NativeEventBus | ExoticEventBus) -> int:
    return webhook.max_payload_bytes or min(
        limits.DEFAULT_BYTES, limits.ordinary_body_that_passes(bus.max_payload_bytes)
    )


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


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting. `default` is as YAML would have it; empty where it must be given, or is made of further settings."""

    path: str
    default: str
    meaning: str
    example: str
    required: bool


def all_settings() -> Iterator[Setting]:
    """Every setting, those within another one behind it."""
    yield from _settings_of(StackSettings, "")


def _settings_of(model: type[BaseModel], path: str) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        if name == "kind" and not field.description:
            continue  # which member of a union this is: told with the union
        key = f"{path}{field.alias or name}"
        members = _models(field.annotation)
        kinds = f" (kind: {', '.join(kind for m in members for kind in _kinds(m))})" if len(members) > 1 else ""
        required = field.is_required()
        yield Setting(
            path=key,
            default="" if required or members else json.dumps(field.default, ensure_ascii=False),
            meaning=(field.description or "") + kinds,
            example=str(field.examples[0]) if field.examples else "",
            required=required,
        )
        for member in members:
            of_kind = f"{key}({', '.join(_kinds(member))})" if len(members) > 1 else key
            yield from _settings_of(member, f"{of_kind}.")


def _explain(error: ErrorDetails) -> str:
    place = _Place(StackSettings)
    for step in error["loc"]:
        if isinstance(step, int):
            place.keys[-1] += f"[{step}]"
        else:
            place.enter(step)
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
        case (
            "larger_than_the_bus"
            | "too_small_for_deliveries"
            | "faster_than_a_sensor"
            | "too_many_mutexes"
            | "one_secret_for_two"
            | "no_allow_list"
            | "kept_out"
        ):
            return f"  {key}: {what}"
        case "string_pattern_mismatch":
            what = "not of the right form"
        case "tuple_type":
            what = "should be a list"
        case "too_short":
            what = "should not be empty"
    about = place.field.description if place.field and place.field.description else ""
    examples = (place.field.examples if place.field else None) or []
    advice = f"; write {about}" if about else ""
    of_items = place.field is not None and get_origin(place.field.annotation) is tuple and not key.endswith("]")
    item = "[0]" if of_items and not str(examples[0]).startswith("[") else ""
    return f"  {key}: {what}{advice}" + (f", for example:\n{_command(key + item, examples[0])}" if examples else "")


def _command(key: str, value: object) -> str:
    text = str(value)
    if text.startswith(("{", "[")):
        return f"      {key}: {text}"
    key, text = (f"'{word}'" if re.search(r"[^-\w./:]", word) else word for word in (key, text))
    return f"      pulumi config set --path {key} {text}"


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
        if step in ("limited", UNLIMITED):
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
    if get_origin(annotation) is Annotated:
        return _models(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(model for member in get_args(annotation) for model in _models(member))
    return (annotation,) if isinstance(annotation, type) and issubclass(annotation, BaseModel) else ()


def _nearest(place: _Place) -> str:
    known = [*place.siblings, *SECRETS] if len(place.keys) == 1 else list(place.siblings)
    near = difflib.get_close_matches(place.keys[-1], known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
