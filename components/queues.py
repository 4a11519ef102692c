"""What a change does to deliveries that wait: looked at before anything is made, at preview too.

The Sensors that are live are compared with those that are wanted, and JetStream says how many deliveries wait where the
engine would delete a consumer. It is the one thing that `pulumi up` cannot take back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pulumi
from kubernetes import client

from components.cluster import connect, read
from components.jetstream import JetStream, Silent, Unknown, look, path_of, query_of
from components.preview import where_it_answers
from routes.compiler import EVENT_BUS, PREFIX, CompiledStack, monitor_of
from routes.consumers import Loss, dropped, durable_names, renamed
from routes.manifests import Manifest
from routes.settings import PROJECT, StackSettings
from routes.streams import STREAM, Difference, differences, servers_of, stream_config


@dataclass(frozen=True)
class Queues:
    """The consumers of a stack's Sensors, and the stream that they read."""

    settings: StackSettings
    stack: CompiledStack

    def check(self) -> None:
        """Warns of what a change leaves behind, and of what could not be looked at.

        Raises RunError where deliveries that wait would be lost and the setting `loses` does not say so, and where the
        stream is not as the stack says: the engine would leave it so, without a word.
        """
        with where_it_answers(
            f"no right to read the Sensors and the EventBus of namespace {self.settings.namespace}: whether this loses"
            " deliveries that wait has not been looked at"
        ):
            api = connect(self.settings.kube_context)
            self._judge(self._sensors(api), self._event_bus(api), look(api, monitor_of(self.settings)))

    def _sensors(self, api: client.ApiClient) -> dict[str, Manifest]:
        listed = read(
            api,
            f"/apis/argoproj.io/v1alpha1/namespaces/{self.settings.namespace}/sensors",
            labelSelector=f"app.kubernetes.io/part-of={PREFIX}",
        )
        return {sensor["metadata"]["name"]: sensor for sensor in listed["items"]}

    def _event_bus(self, api: client.ApiClient) -> Manifest | None:
        try:
            path = f"/apis/argoproj.io/v1alpha1/namespaces/{self.settings.namespace}/eventbus/{EVENT_BUS}"
            found: Manifest = read(api, path)
        except client.ApiException as error:
            if error.status == 404:
                return None
            raise
        return found

    def _judge(self, live: dict[str, Manifest], bus: Manifest | None, found: JetStream | Unknown) -> None:
        wanted = {sensor["metadata"]["name"]: sensor for sensor in self.stack.all_sensors()}
        lost = [loss for name, sensor in live.items() for loss in dropped(sensor, wanted.get(name))]
        if bus is None and isinstance(found, Silent):
            found = JetStream(None, {})  # a first `pulumi up`: the EventBus is made by it
        anew = renamed(live, wanted)
        deleted = [loss for loss in lost if loss.sensor in wanted] + [
            replace(loss, sensor=anew[loss.sensor], why=f"it was {loss.sensor}", left=True)
            for loss in lost
            if loss.sensor in anew
        ]
        problems = [*self._would_lose(deleted, found), *self._another_stream(bus, found)]
        self._left_behind([loss for loss in lost if loss.sensor not in wanted and loss.sensor not in anew], found)
        self._comes_back([sensor for name, sensor in wanted.items() if name not in live], found)
        if problems:
            raise pulumi.RunError("\n\n".join(problems))
        unused = sorted(set(self.settings.loses) - {loss.sensor for loss in deleted})
        if unused:
            pulumi.log.warn(
                f"{PROJECT}:loses names {', '.join(unused)}, and this loses nothing of it: take it out, or a later"
                " change loses what waits without a question:\n"
                f"      pulumi config rm {PROJECT}:loses"
            )

    # --- Consumers that the engine deletes

    def _would_lose(self, losses: Sequence[Loss], found: JetStream | Unknown) -> Iterator[str]:
        refused: list[tuple[Loss, str]] = []
        for loss in losses:
            becomes = "nobody reads" if loss.left else "the engine deletes"
            told = f"{loss.sensor}: {loss.why}, so {becomes} the consumer of its trigger {loss.trigger}"
            waiting = _waiting(loss, found)
            if loss.sensor in self.settings.loses:
                pulumi.log.warn(f"{told}; {_count(waiting)} there, and the setting loses says that they may be lost")
            elif isinstance(waiting, Unknown):
                pulumi.log.warn(f"{told}. What waits there is lost, and could not be counted: {waiting}")
            elif waiting:
                refused.append((loss, f"  {told}; {_count(waiting)} there"))
            else:
                pulumi.log.warn(
                    f"{told}. Nothing waits there now. What is accepted until the new Sensor has subscribed, it does"
                    " not see: docs/deploys.md says how to keep deliveries away meanwhile"
                )
        if refused:
            names = sorted({loss.sensor for loss, _ in refused})
            yield (
                "deliveries that wait would be lost, so nothing was changed\n\n"
                + "\n".join(line for _, line in refused)
                + "\n\nWait until they are through; this counts them:\n"
                + "\n".join(f"      {self._counting(loss.consumer)}" for loss, _ in refused)
                + "\nOr say that they may be lost, and take it out again afterwards:\n"
                + f"      {PROJECT}:loses: [{', '.join(names)}]"
            )

    def _counting(self, consumer: str) -> str:
        monitor = monitor_of(self.settings)
        assert monitor is not None
        query = "&".join(f"{key}={value}" for key, value in query_of(monitor).items())
        return (
            f"kubectl --context {self.settings.kube_context} get --raw '{path_of(monitor)}?{query}' |"
            f""" jq '.. | objects | select(.name? == "{consumer}") | .num_pending + .num_ack_pending'"""
        )

    # --- Consumers that stay

    def _left_behind(self, losses: Iterable[Loss], found: JetStream | Unknown) -> None:
        for loss in losses:
            pulumi.log.warn(
                f"{loss.sensor} goes; {_count(_waiting(loss, found))} on its consumer {loss.consumer}, which the engine"
                " leaves in JetStream: it goes on collecting, and if the route comes back it starts all that, as far"
                " back as the stream reaches. To have it gone, once the Sensor is (docs/deploys.md):\n"
                f"      nats consumer rm {STREAM} {loss.consumer}"
            )

    def _comes_back(self, sensors: Iterable[Manifest], found: JetStream | Unknown) -> None:
        if isinstance(found, Unknown):
            return
        for sensor in sensors:
            for consumer in sorted(durable_names(sensor)):
                if (waiting := found.waiting.get(consumer, 0)) != 0:
                    pulumi.log.warn(
                        f"{sensor['metadata']['name']} comes back; {_count(waiting)} on its consumer {consumer}, and"
                        " what passes its filters starts now. To have it begin anew instead, before this"
                        f" (docs/deploys.md):\n      nats consumer rm {STREAM} {consumer}"
                    )

    # --- The stream

    def _another_stream(self, bus: Manifest | None, found: JetStream | Unknown) -> Iterator[str]:
        wanted = stream_config(self.stack.event_bus)
        if isinstance(found, Unknown):
            if bus is not None and stream_config(bus) != wanted:
                pulumi.log.warn(
                    "the EventBus's streamConfig changes, and the engine never changes a stream that is there. Whether"
                    f" it is as wanted could not be looked at: {found}"
                )
            return
        if found.config is None:
            return
        live, ours = servers_of(bus), servers_of(self.stack.event_bus)
        if live and ours and live.count != ours.count and 1 in (live.count, ours.count):
            yield (
                f"a native EventBus of {live.count} does not become one of {ours.count}: a cluster of NATS does not"
                " take over the stream of a single server, nor that one a cluster's, and what waits in it would be"
                " gone\n\n"
                f"Write {PROJECT}:eventBus.replicas: {live.count}. Or bring another stack up beside this one, in a"
                " namespace of its own, lead the webhook there, and destroy this one once nothing waits"
                " (docs/deploys.md)"
            )
            return
        if not (differ := differences(wanted, found.config)):
            return
        copies = [one for one in differ if one.name == "replicas" and one.wanted != "1"]
        if live is None and copies and not found.clustered:
            yield (
                "the stream's NATS is a single server, which can keep one copy of it. nats-server 2.10.29 takes the"
                " setting for more, and then does not load the stream when it starts again\n\n"
                f"Write {PROJECT}:eventBus.streamReplicas: 1"
            )
            return
        told = (
            "the stream is not as the stack says, and the engine never changes a stream that is there\n\n"
            + "\n".join(f"  {one.name} is {one.found}, wanted {one.wanted}" for one in differ)
            + self._too_old(found.oldest, differ)
        )
        change = f"      nats stream edit {STREAM} {' '.join(difference.flag for difference in differ)}"
        if (
            live
            and ours
            and (live.count < ours.count or (live.room or math.inf) < self.settings.event_bus.backlog_bytes)
        ):
            pulumi.log.warn(
                f"{told}\n\nIts servers cannot do that yet. After this start them again, one after the other, and"
                " change the stream (docs/deploys.md):\n"
                f"      kubectl --context {self.settings.kube_context} -n {self.settings.namespace} rollout restart"
                f" statefulset eventbus-{EVENT_BUS}-js\n{change}"
            )
        else:
            yield f"{told}\n\nChange it (docs/deploys.md), or write into the stack what it is:\n{change}"

    def _too_old(self, oldest: datetime | None, differ: Sequence[Difference]) -> str:
        """What a shorter maxAge drops as soon as the stream has it."""
        hours = self.settings.event_bus.max_age_hours
        if oldest is None or "maxAge" not in [one.name for one in differ]:
            return ""
        if datetime.now(UTC) - oldest <= timedelta(hours=hours):
            return ""
        return (
            f"\n\nWhat is there for longer than {hours} h is dropped then; the oldest came at"
            f" {oldest:%Y-%m-%d %H:%M} UTC."
        )


def _waiting(loss: Loss, found: JetStream | Unknown) -> int | Unknown:
    if isinstance(found, Unknown):
        return found
    count = found.waiting.get(loss.consumer, 0)
    return Unknown("the NATS server that leads it did not answer") if count is None else count


def _count(waiting: int | Unknown | None) -> str:
    if waiting is None or isinstance(waiting, Unknown):
        return f"how many deliveries wait could not be counted{f' ({waiting})' if waiting else ''}"
    return "1 delivery waits" if waiting == 1 else f"{waiting or 'no'} deliveries wait"
