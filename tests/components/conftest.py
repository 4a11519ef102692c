"""Pulumi mocks that record every registration as the engine would get it, and drain before a test looks."""

from __future__ import annotations

import functools
import json
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks, rpc
from pulumi.runtime.config import set_all_config
from pulumi.runtime.settings import get_root_resource

from cli.stacks import ROOT
from components.cluster_fit import ClusterFit
from components.engine import Engine
from components.exposed import Exposed
from components.external_templates import ExternalTemplates
from components.monitoring import PrometheusOperator
from components.pod_surroundings import PodSurroundings
from components.queues import Queues
from components.signatures import Signatures
from components.verdicts import Verdicts
from routes.manifests import Manifest
from routes.settings import PROJECT, SECRETS

SECRET = "hunter2" * 3
SECRET_SIGNATURE = rpc._special_secret_sig


@dataclass(frozen=True)
class Registered:
    """One resource as it was registered."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    provider: str
    dependencies: set[str]
    timeouts: str
    protect: bool
    raw: Any = field(repr=False)

    @property
    def kind(self) -> str:
        return self.type.rpartition(":")[2]

    @property
    def metadata(self) -> dict[str, Any]:
        found: dict[str, Any] = self.inputs["metadata"]
        return found

    def is_secret(self, key: str) -> bool:
        """Whether the input is marked secret on its way to the engine."""
        return SECRET_SIGNATURE in str(self.raw.fields[key])


class Recorder(mocks.MockMonitor):
    """Keeps what is registered and the stack outputs. Resources that do not wait for each other come in any order."""

    def __init__(self) -> None:
        super().__init__(_Echo())
        self.registered: list[Registered] = []
        self.outputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack":
            self.registered.append(
                Registered(
                    urn=response.urn,
                    type=request.type,
                    name=request.name,
                    inputs=_plain(rpc.deserialize_properties(request.object)),
                    provider=request.provider,
                    dependencies=set(request.dependencies),
                    timeouts=request.customTimeouts.create,
                    protect=request.protect,
                    raw=request.object,
                )
            )
        return response

    @property
    def objects(self) -> list[Registered]:
        """The Kubernetes objects."""
        return [r for r in self.registered if r.type.startswith("kubernetes:")]

    def of_kind(self, kind: str) -> list[Registered]:
        return [r for r in self.objects if r.kind == kind]

    def one(self, kind: str) -> Registered:
        (found,) = self.of_kind(kind)
        return found

    def before(self, resource: Registered) -> set[str]:
        """The URNs of all that is there before a resource is made."""
        depends = {r.urn: r.dependencies for r in self.registered}
        found, left = set[str](), {*resource.dependencies}
        while left:
            urn = left.pop()
            found.add(urn)
            left |= depends[urn] - found
        return found


def _plain(inputs: dict[str, Any]) -> dict[str, Any]:
    """Secret inputs as their values."""
    return {key: rpc.unwrap_rpc_secret(value) for key, value in inputs.items()}


class _Echo(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", args.inputs

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        return {}, None


def run(program: Callable[[], object], *, stack: str = "test", preview: bool = False) -> Recorder:
    """Runs a Pulumi program to its end; what it raises is raised here."""
    recorder = Recorder()
    mocks.set_mocks(mocks=_Echo(), project=PROJECT, stack=stack, preview=preview, monitor=recorder)
    root: Any = get_root_resource()
    exported = root.outputs
    exported.clear()

    def drained() -> pulumi.Output[None]:
        program()
        return pulumi.Output.all(**exported).apply(recorder.outputs.update)

    pulumi.runtime.test(drained)()
    return recorder


def run_stack(
    stack: str, *, preview: bool = False, secrets: bool = True, webhook_secret: str = SECRET, **changes: object
) -> Recorder:
    """Runs the project's `__main__.py` with a committed stack's config, as Pulumi hands it over, and changes to it."""
    config: dict[str, Any] = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    config |= {f"{PROJECT}:{key}": value for key, value in changes.items()}
    values = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    secret_keys = [f"{PROJECT}:{key}" for key in SECRETS] if secrets else []
    set_all_config(values | {key: webhook_secret if "webhook" in key else SECRET for key in secret_keys}, secret_keys)
    return run(lambda: runpy.run_path(str(ROOT / "__main__.py")) and None, stack=stack, preview=preview)


@functools.cache
def committed(stack: str) -> Recorder:
    """A committed stack as `pulumi up` makes it, for those who only look at it."""
    return run_stack(stack)


@dataclass
class Waits:
    """What would have been looked at and waited for on a cluster."""

    templates: list[ExternalTemplates] = field(default_factory=list)
    surroundings: list[PodSurroundings] = field(default_factory=list)
    fits: list[ClusterFit] = field(default_factory=list)
    exposed: list[Exposed] = field(default_factory=list)
    operators: list[PrometheusOperator] = field(default_factory=list)
    queues: list[Queues] = field(default_factory=list)
    signatures: list[Signatures] = field(default_factory=list)
    engines: list[Engine] = field(default_factory=list)
    event_buses: list[Manifest] = field(default_factory=list)
    sensors: list[Manifest] = field(default_factory=list)
    event_sources: list[Manifest] = field(default_factory=list)
    checking: list[Manifest] = field(default_factory=list)

    def subscribed(self, engine: Engine, sensors: list[Manifest]) -> None:
        self.engines.append(engine)
        self.sensors += sensors


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Waits]:
    """No test of this floor has a cluster to ask."""
    happened = Waits()
    monkeypatch.setattr(Engine, "serving", lambda _, event_bus: happened.event_buses.append(event_bus))
    monkeypatch.setattr(Engine, "subscribed", lambda engine, sensors: happened.subscribed(engine, sensors))
    monkeypatch.setattr(Engine, "listening", lambda _, event_source: happened.event_sources.append(event_source))
    monkeypatch.setattr(Verdicts, "watch", lambda verdicts: None)
    monkeypatch.setattr(ExternalTemplates, "check", lambda templates: happened.templates.append(templates))
    monkeypatch.setattr(PodSurroundings, "check", lambda surroundings: happened.surroundings.append(surroundings))
    monkeypatch.setattr(ClusterFit, "check", lambda fit: happened.fits.append(fit))
    monkeypatch.setattr(Exposed, "check", lambda exposed: happened.exposed.append(exposed))
    monkeypatch.setattr(PrometheusOperator, "check", lambda operator: happened.operators.append(operator))
    monkeypatch.setattr(Queues, "check", lambda queues: happened.queues.append(queues))
    monkeypatch.setattr(Signatures, "check", lambda signatures: happened.signatures.append(signatures))
    monkeypatch.setattr(Signatures, "are_checked", lambda _, event_source: happened.checking.append(event_source))
    yield happened
    set_all_config({}, [])


def named(manifest: Manifest) -> tuple[str, str, str | None]:
    """What identifies an object of a cluster."""
    metadata = manifest["metadata"]
    return manifest["kind"], metadata["name"], metadata.get("namespace")


def refused(check: Callable[..., object], *args: Any, **kwargs: Any) -> str:
    """The words with which a check ends `pulumi preview`."""
    with pytest.raises(pulumi.RunError) as raised:
        check(*args, **kwargs)
    return str(raised.value)
