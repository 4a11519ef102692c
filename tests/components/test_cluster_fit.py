"""What is asked of a cluster before anything is made, and what is said where a stack does not fit it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from kubernetes import client, config

from components import cluster_fit
from components.cluster_fit import ACCESS_REVIEWS, ClusterFit
from routes import FAMILIES
from routes.compiler import compile_stack
from routes.settings import parse_settings
from tests.components.api_server import Answer
from tests.components.conftest import refused
from tests.routes.test_cluster_fit import SERVED
from tests.routes.test_settings import MINIMAL

CHECK = ClusterFit.check  # before the fixture of this floor puts it out of action
CLUSTER_WIDE = ("Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
BUSES = "/apis/argoproj.io/v1alpha1/namespaces/events/eventbuses"
BUS = f"{BUSES}/github"
Check = Callable[..., list[str]]


def _plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("cy") else f"{lower}es" if lower.endswith("s") else f"{lower}s"


def _resources(group_version: str, kinds: list[str]) -> tuple[str, object]:
    listed = [{"name": _plural(kind), "kind": kind, "namespaced": kind not in CLUSTER_WIDE} for kind in kinds]
    return f"{'/apis' if '/' in group_version else '/api'}/{group_version}", {"resources": listed}


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Check:
    """Looks at a cluster that has every kind, an empty namespace and all rights, but for what is said; the warnings."""

    def check(
        answers: dict[str, object] | None = None,
        refused: tuple[str, ...] = (),
        fails: Exception | None = None,
        **changes: object,
    ) -> list[str]:
        warnings: list[str] = []
        cluster = dict(_resources(key, [*kinds, *(["Namespace"] * (key == "v1"))]) for key, kinds in SERVED.items())
        groups = [{"name": key.partition("/")[0], "versions": [{"version": "v1"}]} for key in SERVED]
        cluster |= {"/apis": {"groups": groups}, "/api/v1/namespaces/events": {"status": {"phase": "Active"}}}
        cluster |= answers or {}

        def asked(
            _: object, method: str, path: str, header_params: dict[str, str], body: Any, **__: object
        ) -> tuple[str, Any]:
            assert (method, path) == ("POST", ACCESS_REVIEWS) if body else method == "GET"
            if "/namespaces/events/" in path:
                assert "PartialObjectMetadata" in header_params["Accept"], "a Secret's value is not asked for"
            return path, body

        def answered(_: object, path: str, review: Any, _request_timeout: int) -> Answer:
            if fails:
                raise fails
            if review:
                return Answer(201, {"status": {"allowed": allowed(review["spec"]["resourceAttributes"])}})
            body = cluster.get(path) or 404
            return Answer(body, {"message": "as it says"}) if isinstance(body, int) else Answer(200, body)

        def allowed(asked: dict[str, str]) -> bool:
            if asked["resource"] == "*":
                return asked == {"group": "*", "resource": "*", "verb": "*"} and not refused
            assert refused, "who may do everything is asked once"
            assert (asked.get("namespace") == "events") != (asked["resource"] in map(_plural, CLUSTER_WIDE))
            return asked["resource"] not in refused

        monkeypatch.setattr(config, "new_client_from_config", lambda **_: client.ApiClient())
        monkeypatch.setattr(client.ApiClient, "param_serialize", asked)
        monkeypatch.setattr(client.ApiClient, "call_api", answered)
        monkeypatch.setattr(pulumi.log, "warn", warnings.append)
        parsed = parse_settings(MINIMAL | changes, source="test")
        CHECK(ClusterFit(parsed, compile_stack(FAMILIES, parsed)))
        return warnings

    return check


def theirs(**metadata: object) -> dict[str, object]:
    written = [{"manager": "kubectl", "time": "2026-01-01T00:00:00Z", "fieldsV1": {"f:spec": {"f:jetstream": {}}}}]
    return {BUS: {"metadata": {"name": "github", "managedFields": written} | metadata}}


OURS = {"app.kubernetes.io/part-of": "github-to-argo"}


def test_a_cluster_that_a_stack_fits_is_nothing_to_tell(check: Check) -> None:
    assert check() == []


def test_what_is_missing_is_told_before_anything_is_made(check: Check) -> None:
    told = refused(check, {"/apis/argoproj.io/v1alpha1": None})
    assert told.startswith("the stack does not fit the cluster in context somewhere; nothing was changed\n\n")
    assert "install Argo Events, 1.9 or newer\n" in told and "install Argo Workflows, 3.6 or newer" in told


def test_a_namespace_that_is_not_there_is_asked_for_but_where_the_stack_makes_it(check: Check) -> None:
    nowhere: dict[str, object] = {"/api/v1/namespaces/events": None}
    assert "there is no namespace events in context somewhere; make it, or let the stack" in refused(check, nowhere)
    assert check(nowhere, createNamespace=True) == []


def test_a_namespace_that_goes_is_told(check: Check) -> None:
    going = {"metadata": {"name": "events"}, "status": {"phase": "Terminating"}}
    assert "namespace events is being deleted" in refused(check, {"/api/v1/namespaces/events": going})


def test_rights_that_are_missing_are_told(check: Check) -> None:
    told = refused(check, refused=("roles", "validatingadmissionpolicies"))
    assert "you may not create, get, patch roles.rbac.authorization.k8s.io in namespace events" in told
    assert "in the whole cluster: ask its administrator for a ClusterRole" in told


def test_what_is_someone_elses_is_not_taken_over(check: Check) -> None:
    told = refused(check, theirs())
    assert "delete it): EventBus/github, written by kubectl. Choose another namespace" in told
    assert "      github-to-argo:takesOver: [EventBus/github]" in told
    assert check(theirs(), takesOver=["EventBus/github"]) == []


def test_of_many_objects_a_kind_is_listed_and_asked_for_one_by_one_where_that_is_refused(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_fit, "LISTED_FROM", 1)
    (bus,) = theirs().values()
    listed: dict[str, object] = {BUSES: {"items": [bus, {"metadata": {"name": "of-somebody-else"}}]}}
    for answers in (listed, {BUSES: 403} | theirs()):
        assert "delete it): EventBus/github, written by kubectl. Choose another" in refused(check, answers)
    assert check({BUSES: {"items": None}}) == [], "as the API server says that there is none"


def test_a_stack_that_goes_on_taking_over_what_it_has_is_told(check: Check) -> None:
    (warning,) = check(takesOver=["EventBus/github"])
    assert "takesOver names EventBus/github, and nobody else has that: take it out" in warning


def test_what_was_changed_by_hand_is_told_with_the_command_that_mends_it(check: Check) -> None:
    (warning,) = check(theirs(labels=OURS))
    assert warning.startswith(
        "changed by hand: EventBus/github by kubectl at 2026-01-01T00:00:00Z. Pulumi does not see"
    )
    assert warning.endswith("\n      PULUMI_K8S_ENABLE_PATCH_FORCE=true pulumi up --refresh")


def test_who_may_not_look_is_told_so_and_goes_on(check: Check) -> None:
    (warning,) = check(fails=client.ApiException(status=403, reason='{"message": "no"}'))
    assert warning == "no right to look whether the stack fits the cluster: no"


@pytest.mark.parametrize("error", [config.ConfigException("no such context"), client.ApiException(status=500)])
def test_a_cluster_that_cannot_be_asked_is_pulumis_to_tell(check: Check, error: Exception) -> None:
    assert check(fails=error) == []
