"""Looks at touchpoints.v1 beside the work: ends, committed offsets, and when a waiting record was appended."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.consumer.lag import PartitionEnd
from pipeline.errors import Unavailable
from pipeline.topics import TOUCHPOINTS

#: Seconds that the broker has to answer.
_ANSWER_S = 5.0
#: Bytes fetched to look at one record.
_FETCH_BYTES = 4_096


class TopicReader:
    """Has connections of its own, and joins no group. Methods block, and raise Unavailable."""

    def __init__(self, kafka: KafkaConnection, group: str) -> None:
        self._errors = ClientErrors()
        settings = kafka.client_settings(self._errors)
        self._admin = AdminClient(settings)
        self._consumer = Consumer(
            {
                **settings,
                "group.id": group,  # whose committed offsets are asked for
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",  # of records that have expired, the first that is left counts
                "isolation.level": "read_uncommitted",  # what an open transaction holds back waits as well
                "fetch.message.max.bytes": _FETCH_BYTES,
                "queued.max.messages.kbytes": 1_024,
                "fetch.wait.max.ms": 10,
            }
        )

    def ends(self) -> dict[int, PartitionEnd]:
        """Return where each partition ends; nothing if there is no such topic."""
        try:
            metadata = self._admin.list_topics(TOUCHPOINTS, _ANSWER_S).topics[TOUCHPOINTS]
            partitions = [] if metadata.error is not None else list(metadata.partitions)
            ends = self._offsets(partitions, IsolationLevel.READ_UNCOMMITTED)
            readable = self._offsets(partitions, IsolationLevel.READ_COMMITTED)
        except (KafkaException, TimeoutError) as error:
            raise self._unavailable(error) from None
        return {number: PartitionEnd(ends[number], readable[number]) for number in partitions}

    def _offsets(self, partitions: Iterable[int], isolation: IsolationLevel) -> dict[int, int]:
        wanted = {TopicPartition(TOUCHPOINTS, number): OffsetSpec.latest() for number in partitions}
        if not wanted:
            return {}
        answers = self._admin.list_offsets(wanted, isolation_level=isolation, request_timeout=_ANSWER_S)
        return {tp.partition: future.result(_ANSWER_S).offset for tp, future in answers.items()}

    def committed(self, partitions: Iterable[int]) -> dict[int, int]:
        """Return the group's committed offsets; 0 for a partition that has none."""
        try:
            offsets = self._consumer.committed([TopicPartition(TOUCHPOINTS, n) for n in partitions], _ANSWER_S)
        except KafkaException as error:
            raise self._unavailable(error) from None
        return {each.partition: max(0, each.offset) for each in offsets}

    def first_appended(self, partition: int, offset: int) -> float | None:
        """Return when the first record at or after an offset was appended (epoch seconds); None if there is none."""
        self._consumer.assign([TopicPartition(TOUCHPOINTS, partition, offset)])
        try:
            deadline = time.monotonic() + _ANSWER_S
            while time.monotonic() < deadline:
                message = self._consumer.poll(0.5)
                if message is None:
                    continue
                error = message.error()
                if error is None:
                    return float(message.timestamp()[1]) / 1000
                if error.code() == KafkaError._PARTITION_EOF:
                    return None
                raise self._unavailable(KafkaException(error))
        except KafkaException as failed:
            raise self._unavailable(failed) from None
        finally:
            self._consumer.unassign()
        raise Unavailable(f"Kafka does not give the record at {TOUCHPOINTS}/{partition} offset {offset:,}.")

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()

    def _unavailable(self, error: BaseException) -> Unavailable:
        said = error.args[0].str() if isinstance(error, KafkaException) else "no answer in time"
        return Unavailable(self._errors.last or said)
