"""What a Deployment becomes as processes."""

from typing import Any

import pytest

from lab import podspec
from lab.confined import Confinement
from lab.errors import LabError
from lab.layout import HOLLOW
from lab.pods import is_ours

Json = dict[str, Any]

STORED = {
    ("Secret", "bus"): {"auth": b"username: lab\n"},
    ("ConfigMap", "settings"): {"level": b"debug", "color": b"blue"},
}


def read(kind: str, namespace: str, name: str) -> dict[str, bytes] | None:
    assert namespace == "ns"
    return STORED.get((kind, name))


def deployment(container: Json | None = None, spec: Json | None = None, **extra: Any) -> Json:
    template = {
        "metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [{"name": "main", "image": "i", **(container or {})}], **(spec or {})},
    }
    meta = {"name": "d", "namespace": "ns", "uid": "u", "generation": 3}
    return {"metadata": meta, "spec": {"replicas": 1, "template": template, **extra}}


def pod(container: Json | None = None, spec: Json | None = None) -> podspec.Pod:
    return podspec.pods_of(deployment(container, spec))[0]


def env(*entries: Json, **container: Any) -> dict[str, str]:
    given = {"KUBERNETES_SERVICE_HOST": "10.77.0.1"}
    return podspec.environment(pod({"env": list(entries), **container}), "10.77.1.9", given, read)


def test_as_many_pods_as_replicas() -> None:
    pods = podspec.pods_of(deployment(replicas=3))
    assert len({pod.name for pod in pods}) == 3


def test_a_deployment_at_zero_or_being_deleted_has_no_pods() -> None:
    assert podspec.pods_of(deployment(replicas=0)) == []
    doomed = deployment()
    doomed["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert podspec.pods_of(doomed) == []


def test_a_changed_template_is_another_pod_and_a_changed_scale_is_not() -> None:
    assert pod({"args": ["a"]}).name != pod({"args": ["b"]}).name
    assert podspec.pods_of(deployment(replicas=1))[0].name == podspec.pods_of(deployment(replicas=2))[0].name


def test_only_recreate_ends_the_old_pods_first() -> None:
    assert podspec.starts_before_it_stops(deployment())
    assert not podspec.starts_before_it_stops(deployment(strategy={"type": "Recreate"}))


def test_the_environment_has_values_fields_and_keys_of_secrets_and_config_maps() -> None:
    found = env(
        {"name": "PLAIN", "value": "1"},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "AUTH", "valueFrom": {"secretKeyRef": {"name": "bus", "key": "auth"}}},
        {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "level"}}},
        envFrom=[{"prefix": "C_", "configMapRef": {"name": "settings"}}],
    )
    assert found["KUBERNETES_SERVICE_HOST"] == "10.77.0.1"
    assert (found["PLAIN"], found["IP"], found["APP"], found["LEVEL"]) == ("1", "10.77.1.9", "x", "debug")
    assert found["POD_NAME"].startswith("d-")
    assert found["AUTH"] == "username: lab\n"
    assert found["C_color"] == "blue"


@pytest.mark.parametrize(
    ("ref", "said"),
    [({"name": "none", "key": "k"}, "'none' does not exist"), ({"name": "bus", "key": "k"}, "no key 'k'")],
)
def test_a_missing_secret_key_holds_the_pod_back_unless_it_is_optional(ref: Json, said: str) -> None:
    with pytest.raises(LabError, match=said):
        env({"name": "A", "valueFrom": {"secretKeyRef": ref}})
    assert "A" not in env({"name": "A", "valueFrom": {"secretKeyRef": {**ref, "optional": True}}})


def test_what_the_lab_does_not_know_is_named() -> None:
    with pytest.raises(LabError, match="resourceFieldRef"):
        env({"name": "A", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}})
    with pytest.raises(LabError, match=r"metadata\.shoe"):
        env({"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.shoe"}}})
    odd = pod({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, {"volumes": [{"name": "v", "nfs": {}}]})
    with pytest.raises(LabError, match="nfs"):
        podspec.mounted_files(odd, read)
    with pytest.raises(LabError, match="one container"):
        _ = pod(spec={"initContainers": [{"name": "i"}]}).container


def test_variables_expand_as_kubernetes_expands_them() -> None:
    assert podspec.expand("$(A)-$(B)-$$(A)-$", {"A": "1"}) == "1-$(B)-$(A)-$"


def test_the_arguments_follow_the_binary_and_command_replaces_the_entrypoint() -> None:
    assert podspec.arguments(pod({"args": ["serve", "$(A)"]}), {"A": "1"}) == ["serve", "1"]
    assert podspec.arguments(pod({"command": ["/bin/x", "run"], "args": ["y"]}), {}) == ["run", "y"]


def mounted(source: Json, **mount: Any) -> dict[str, bytes]:
    holder = pod(
        {"volumeMounts": [{"name": "v", "mountPath": "/etc/bus", **mount}]},
        {"volumes": [{"name": "v", **source}]},
    )
    return {file.path: file.content for file in podspec.mounted_files(holder, read)}


def test_secret_volumes_become_files_at_their_mount_paths() -> None:
    assert mounted({"secret": {"secretName": "bus"}}) == {"/etc/bus/auth": b"username: lab\n"}
    items = [{"key": "auth", "path": "auth.yaml"}]
    named = {"secret": {"secretName": "bus", "items": items}}
    assert mounted(named) == {"/etc/bus/auth.yaml": b"username: lab\n"}
    assert mounted(named, subPath="auth.yaml") == {"/etc/bus": b"username: lab\n"}
    assert mounted({"configMap": {"name": "settings"}}).keys() == {"/etc/bus/level", "/etc/bus/color"}
    assert mounted({"emptyDir": {}}) == {}


def test_a_projected_volume_has_the_files_of_all_its_sources() -> None:
    items = [{"key": "level", "path": "nats.conf"}]
    sources: list[Json] = [{"configMap": {"name": "settings", "items": items}}, {"secret": {"name": "bus"}}]
    assert mounted({"projected": {"sources": sources}}) == {
        "/etc/bus/nats.conf": b"debug",
        "/etc/bus/auth": b"username: lab\n",
    }
    with pytest.raises(LabError, match="serviceAccountToken"):
        mounted({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}})


def test_a_missing_secret_volume_holds_the_pod_back_unless_it_is_optional() -> None:
    with pytest.raises(LabError, match="does not exist"):
        mounted({"secret": {"secretName": "none"}})
    assert mounted({"secret": {"secretName": "none", "optional": True}}) == {}


@pytest.mark.parametrize(
    ("of_pod", "of_account", "wanted"),
    [(None, None, True), (None, False, False), (True, False, True), (False, True, False)],
)
def test_the_pod_then_its_account_decide_on_the_token(
    of_pod: bool | None, of_account: bool | None, wanted: bool
) -> None:
    spec = {} if of_pod is None else {"automountServiceAccountToken": of_pod}
    account = {} if of_account is None else {"automountServiceAccountToken": of_account}
    assert podspec.wants_token(pod(spec=spec), account) is wanted


def test_a_security_context_is_honoured_and_what_is_asked_of_the_container_goes_first() -> None:
    assert podspec.confinement(pod()) == Confinement()
    asked = pod(
        {
            "securityContext": {
                "runAsUser": 7,
                "readOnlyRootFilesystem": True,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "s", "mountPath": "/s"}],
        },
        {
            "securityContext": {"runAsUser": 8, "runAsGroup": 9, "runAsNonRoot": True},
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "bus"}}],
        },
    )
    assert podspec.confinement(asked) == Confinement(
        user=7, group=9, read_only=True, no_new_privileges=True, no_capabilities=True, writable=("/tmp",)
    )


@pytest.mark.parametrize("user", [{}, {"runAsUser": 0}])
def test_a_pod_that_must_not_be_root_is_held_back_where_it_would_be(user: Json) -> None:
    with pytest.raises(LabError, match="container has runAsNonRoot and image will run as root"):
        podspec.confinement(pod(spec={"securityContext": {"runAsNonRoot": True, **user}}))


@pytest.mark.parametrize("capabilities", [{"add": ["NET_ADMIN"]}, {"drop": ["CHOWN"]}])
def test_single_capabilities_are_named_as_what_the_lab_does_not_know(capabilities: Json) -> None:
    with pytest.raises(LabError, match="all capabilities or none"):
        podspec.confinement(pod({"securityContext": {"capabilities": capabilities}}))


def test_a_user_namespace_says_which_users_it_has() -> None:
    assert podspec.has_number(65532, "         0          0 4294967295\n")
    assert not podspec.has_number(65532, "         0      65534          1\n")
    assert podspec.has_number(65532, "0 1000 1\n1 100000 65536\n")


def stateful(**spec: Any) -> Json:
    containers = [{"name": "main", "image": "nats"}, {"name": "reloader", "image": "none"}]
    owner = {"kind": "StatefulSet", "name": "bus", "uid": "s", "controller": True}
    meta = {"name": "bus-0", "namespace": "ns", "uid": "p", "labels": {"app": "bus"}, "ownerReferences": [owner]}
    return {"metadata": meta, "spec": {"containers": containers, **spec}}


def test_pods_of_stateful_sets_are_run_without_the_containers_that_are_left_out() -> None:
    deployments = stateful()
    deployments["metadata"]["ownerReferences"][0]["kind"] = "ReplicaSet"
    alone = stateful()
    del alone["metadata"]["ownerReferences"]
    (found,) = podspec.pods_of_stateful_sets([deployments, alone, stateful()], ["none"])
    assert (found.key, found.uid, found.owner, found.image) == ("ns.bus-0", "p", "s", "nats")
    assert found.labels == {"app": "bus"}
    assert found.left_out == ("reloader",)
    status = podspec.pod_status(found, "10.77.1.9", "now", True, 0, "")
    assert [(one["name"], one["ready"]) for one in status["containerStatuses"]] == [("main", True), ("reloader", False)]


def test_a_pod_that_runs_is_not_ready_before_its_probes_say_so() -> None:
    status = podspec.pod_status(pod(), "10.77.1.9", "now", False, 0, "")
    assert status["phase"] == "Running"
    assert {condition["status"] for condition in status["conditions"]} == {"False"}


def test_claims_are_found_by_where_they_are_mounted_and_are_their_groups() -> None:
    holder = pod(
        {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        {
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-bus-0"}}],
            "securityContext": {"fsGroup": 9},
        },
    )
    assert podspec.claims(holder) == {"/data": "data-bus-0"}
    assert podspec.mounted_files(holder, read) == []
    assert podspec.fs_group(holder) == podspec.confinement(holder).fs_group == 9


def test_a_probe_is_an_http_get_with_the_defaults_of_kubernetes() -> None:
    asked = pod({"readinessProbe": {"httpGet": {"path": "/healthz", "port": 8222}, "periodSeconds": 5}})
    assert podspec.probe(asked, "readinessProbe") == podspec.Probe("/healthz", 8222, 0, 5, 1, 3)
    assert podspec.probe(asked, "startupProbe") is None
    with pytest.raises(LabError, match="tcpSocket"):
        podspec.probe(pod({"readinessProbe": {"tcpSocket": {"port": 1}}}), "readinessProbe")


def test_the_status_counts_what_runs_and_says_why_something_does_not() -> None:
    wanted = deployment(replicas=2)
    first, second = podspec.pods_of(wanted)
    up = podspec.deployment_status(wanted, [(first, True), (second, True)], "", "now")
    assert (up["observedGeneration"], up["readyReplicas"], up["updatedReplicas"]) == (3, 2, 2)
    assert up["conditions"][0]["status"] == "True"
    half = podspec.deployment_status(wanted, [(first, True), (second, False)], "Secret 'x' does not exist", "now")
    assert (half["readyReplicas"], half["unavailableReplicas"]) == (1, 1)
    assert half["conditions"][0]["status"] == "False"
    assert half["conditions"][0]["message"] == "Secret 'x' does not exist"


def test_a_pod_of_the_old_template_does_not_count_as_updated() -> None:
    new = deployment({"args": ["b"]})
    old = podspec.pods_of(deployment({"args": ["a"]}))[0]
    assert podspec.deployment_status(new, [(old, True)], "", "now")["updatedReplicas"] == 0


def test_a_status_that_says_the_same_later_is_not_written_again() -> None:
    wanted = deployment(replicas=0)
    status = podspec.deployment_status(wanted, [], "", "now")
    stored = {key: value for key, value in status.items() if value}
    assert podspec.same_status(stored, podspec.deployment_status(wanted, [], "", "later"))
    assert not podspec.same_status({}, status)


def test_a_pod_object_has_no_node_so_that_its_deletion_waits_for_no_kubelet() -> None:
    found = podspec.pod_object(pod())
    assert "nodeName" not in found["spec"]
    assert found["metadata"]["ownerReferences"][0]["uid"] == "u"


def test_a_deployment_in_a_hollow_namespace_is_not_run() -> None:
    assert not is_ours({"metadata": {"namespace": f"{HOLLOW}bench"}})
    assert is_ours({"metadata": {"namespace": f"not-{HOLLOW}bench"}})
