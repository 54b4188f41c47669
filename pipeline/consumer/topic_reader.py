"""Looks at the topics beside the work: ends, committed offsets, and when a waiting record was appended."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.consumer.lag import PartitionEnd
from pipeline.errors import Unavailable

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
        self._settings = {
            **settings,
            "group.id": group,  # whose committed offsets are asked for
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",  # of records that have expired, the first that is left counts
            "fetch.message.max.bytes": _FETCH_BYTES,
            "queued.max.messages.kbytes": 1_024,
            "fetch.wait.max.ms": 10,
        }
        self._consumer = Consumer({**self._settings, "isolation.level": "read_committed"})
        #: Made once a transaction that is open holds something back, which is seldom.
        self._uncommitted: Consumer | None = None

    def ends(self, topic: str) -> dict[int, PartitionEnd]:
        """Return where each partition of a topic ends; nothing if there is no such topic."""
        try:
            metadata = self._admin.list_topics(topic, _ANSWER_S).topics[topic]
            partitions = [] if metadata.error is not None else list(metadata.partitions)
            ends = self._offsets(topic, partitions, IsolationLevel.READ_UNCOMMITTED)
            readable = self._offsets(topic, partitions, IsolationLevel.READ_COMMITTED)
        except (KafkaException, TimeoutError) as error:
            raise self._unavailable(error) from None
        return {number: PartitionEnd(ends[number], readable[number]) for number in partitions}

    def _offsets(self, topic: str, partitions: Iterable[int], isolation: IsolationLevel) -> dict[int, int]:
        wanted = {TopicPartition(topic, number): OffsetSpec.latest() for number in partitions}
        if not wanted:
            return {}
        answers = self._admin.list_offsets(wanted, isolation_level=isolation, request_timeout=_ANSWER_S)
        return {tp.partition: future.result(_ANSWER_S).offset for tp, future in answers.items()}

    def committed(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        """Return the group's committed offsets; 0 for a partition that has none."""
        try:
            offsets = self._consumer.committed([TopicPartition(topic, n) for n in partitions], _ANSWER_S)
        except KafkaException as error:
            raise self._unavailable(error) from None
        return {each.partition: max(0, each.offset) for each in offsets}

    def first_appended(self, topic: str, partition: int, offset: int, read_uncommitted: bool) -> float | None:
        """Return when the first record at or after an offset was appended (epoch seconds); None if there is none.

        Records of transactions that are open or were aborted count if it is to `read_uncommitted`.
        """
        consumer = self._reading_uncommitted() if read_uncommitted else self._consumer
        consumer.assign([TopicPartition(topic, partition, offset)])
        try:
            deadline = time.monotonic() + _ANSWER_S
            while time.monotonic() < deadline:
                message = consumer.poll(0.5)
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
            consumer.unassign()
        raise Unavailable(f"Kafka does not give the record at {topic}/{partition} offset {offset:,}.")

    def _reading_uncommitted(self) -> Consumer:
        if self._uncommitted is None:
            self._uncommitted = Consumer({**self._settings, "isolation.level": "read_uncommitted"})
        return self._uncommitted

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()
        if self._uncommitted is not None:
            self._uncommitted.close()

    def _unavailable(self, error: BaseException) -> Unavailable:
        said = error.args[0].str() if isinstance(error, KafkaException) else "no answer in time"
        return Unavailable(self._errors.last or said)
