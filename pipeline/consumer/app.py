"""The Faust app: an agent over slices of touchpoints.v1."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import faust
from yarl import URL

from pipeline.connections.kafka import KafkaConnection
from pipeline.consumer.credentials import credentials
from pipeline.consumer.recovery import UnboundedTableManager
from pipeline.consumer.slice_message import SliceMessage, slice_scheduler
from pipeline.consumer.transport import LedgerTransport
from pipeline.failpoint import Reached
from pipeline.topics import EXCHANGE, TOUCHPOINTS, TopicPartition

#: Default maximum of records in a slice. Only a worker that is behind gets as many, and a journey gets one revision for
#: all of them; one that keeps up gets what the last fetch brought.
MAX_RECORDS = 100_000
#: Bytes fetched of a partition at once, at least and at most; and of all, so that none waits for the others.
_MIN_FETCH, _MAX_FETCH, _FETCH_OF_ALL = 1 << 20, 12 << 20, 50 << 20

#: Takes the assigned partitions (which the argument tells) and returns where each is to be read from.
TakePartitions = Callable[[Callable[[], set[int]]], Awaitable[dict[TopicPartition, int]]]
#: Processes a slice and returns whether to acknowledge it. It must not raise.
ProcessSlice = Callable[[SliceMessage], Awaitable[bool]]


class LedgerApp(faust.App):  # type: ignore[misc]
    """A Faust app that reads from the ledger's positions; `kafka` and `take_partitions` are set before it starts."""

    kafka: KafkaConnection
    take_partitions: TakePartitions
    #: Set before a graceful stop: the worker leaves the group, so that others need not wait for it.
    stops_for_good = False

    def _new_transport(self) -> Any:
        return LedgerTransport(self.conf.broker_consumer, self)


def build_app(
    *,
    group: str,
    instance: str,
    kafka: KafkaConnection,
    folder: str,
    take_partitions: TakePartitions,
    process: ProcessSlice,
    reached: Reached,
    partitions: int,
    max_records: int = MAX_RECORDS,
    exchanges: bool = True,
) -> LedgerApp:
    """Return the app, not yet started. `folder` is one that Faust may write to; nothing in it is needed afterwards.

    With `exchanges` it reads the exchange topic, too; both topics have the same partitions, and go together.
    """
    app = LedgerApp(
        group,
        broker=[URL(f"kafka://{server.strip()}") for server in kafka.bootstrap_servers.split(",")],
        broker_credentials=credentials(kafka),
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        autodiscover=False,
        # A killed worker that starts again is the same member, and need not wait for its old session.
        consumer_group_instance_id=instance,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=3.0,
        broker_request_timeout=30.0,
        broker_max_poll_records=max(max_records, MAX_RECORDS),
        consumer_max_fetch_size=max(_MIN_FETCH, min(_MAX_FETCH, _FETCH_OF_ALL // partitions)),
        consumer_auto_offset_reset="earliest",
        # Each message is a whole slice.
        stream_buffer_maxsize=2,
        stream_wait_empty=False,
        broker_commit_interval=1.0,
        ConsumerScheduler=slice_scheduler(max_records),
        TableManager=UnboundedTableManager,
    )
    app.kafka, app.take_partitions = kafka, take_partitions
    topics = (TOUCHPOINTS, EXCHANGE) if exchanges else (TOUCHPOINTS,)
    topic = app.topic(*topics, key_serializer="raw", value_serializer="raw", key_type=None, value_type=None)

    @app.agent(topic, name="touchpoints")  # type: ignore[untyped-decorator]
    async def touchpoints(stream: Any) -> None:
        async for event in stream.noack().events():
            if await process(event.message.value):
                reached("before_ack")
                event.ack()
                reached("after_ack")

    return app
