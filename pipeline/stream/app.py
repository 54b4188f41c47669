"""The Faust app: an agent over slices of touchpoints.v1."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import faust
from faust.types import TP
from yarl import URL

from pipeline.failpoint import Reached
from pipeline.stream.recovery import PatientTables
from pipeline.stream.slices import Slice, slicing
from pipeline.stream.transport import LedgerTransport
from pipeline.topics import TOUCHPOINTS

#: Records in a slice at the most. Only a worker that is behind gets as many, and a journey gets one revision for all of
#: them; one that keeps up gets what the last fetch brought.
MOST_RECORDS = 100_000
#: What is fetched of a partition at once, in bytes; and of all, so that none has to wait until others are worked off.
_LEAST_FETCH, _MOST_FETCH, _FETCH_OF_ALL = 1 << 20, 12 << 20, 50 << 20


class LedgerApp(faust.App):  # type: ignore[misc]
    """A Faust app whose positions come from elsewhere; `take_partitions` is set before it starts."""

    take_partitions: Callable[[Callable[[], set[int]]], Awaitable[dict[int, int]]]
    #: Set before a graceful stop: the worker leaves the group, and others need not wait for it.
    stops_for_good = False

    def _new_transport(self) -> Any:
        return LedgerTransport(self.conf.broker_consumer, self)


def build(
    *,
    group: str,
    instance: str,
    bootstrap_servers: str,
    folder: str,
    take: Callable[[Callable[[], set[int]]], Awaitable[dict[int, int]]],
    handle: Callable[[Slice], Awaitable[bool]],
    reached: Reached,
    partitions: int,
    most_records: int = MOST_RECORDS,
) -> LedgerApp:
    """The app, not yet started.

    `handle` is called with one slice after the other, says whether to acknowledge it, and must not raise.
    `folder` is one that Faust may write to; nothing of worth is in it.
    """
    app = LedgerApp(
        group,
        broker=[URL(f"kafka://{server.strip()}") for server in bootstrap_servers.split(",")],
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        autodiscover=False,
        # A killed worker that starts again is the same member, and need not wait for its dead self.
        consumer_group_instance_id=instance,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_request_timeout=30.0,
        broker_max_poll_records=max(most_records, MOST_RECORDS),
        consumer_max_fetch_size=max(_LEAST_FETCH, min(_MOST_FETCH, _FETCH_OF_ALL // partitions)),
        consumer_auto_offset_reset="earliest",
        # Each message is a whole slice.
        stream_buffer_maxsize=2,
        stream_wait_empty=False,
        broker_commit_interval=1.0,
        ConsumerScheduler=slicing(most_records),
        TableManager=PatientTables,
    )
    app.take_partitions = take
    topic = app.topic(TOUCHPOINTS, key_serializer="raw", value_serializer="raw", key_type=None, value_type=None)

    @app.agent(topic, name="touchpoints")  # type: ignore[untyped-decorator]
    async def touchpoints(stream: Any) -> None:
        async for event in stream.noack().events():
            if await handle(event.message.value):
                reached("before_ack")
                event.ack()
                reached("after_ack")

    return app


def tp(partition: int) -> TP:
    """Faust's name of a partition of touchpoints.v1."""
    return TP(TOUCHPOINTS, partition)
