"""Looks at records of a topic: one by its place, or all since a time. It joins no consumer group."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.errors import InvalidInput, Unavailable

#: Seconds that the broker has to answer, and to give records.
_ANSWER_S, _RECORDS_S = 10.0, 30.0
_CHUNK = 10_000


class TopicRecords:
    """Reads what is committed. Raises Unavailable when Kafka does not answer, InvalidInput for no such topic."""

    def __init__(self, kafka: KafkaConnection, topic: str) -> None:
        self._kafka, self._topic = kafka, topic
        self._errors = ClientErrors()
        self._consumer = Consumer(
            {
                **kafka.client_settings(self._errors),
                "client.id": "touchpoint-pipeline-look",
                "group.id": "touchpoint-pipeline-look",  # librdkafka wants a name; nothing is committed under it
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
            }
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Return for each partition the first offset that the topic still has, and the one after the last."""
        try:
            metadata = self._consumer.list_topics(self._topic, _ANSWER_S).topics[self._topic]
            if metadata.error is not None:
                raise InvalidInput(f"Kafka at {self._kafka} has no topic {self._topic}. Run `pipeline init`.")
            return {
                number: self._consumer.get_watermark_offsets(TopicPartition(self._topic, number), _ANSWER_S)
                for number in sorted(metadata.partitions)
            }
        except KafkaException as error:
            raise self._unavailable(error) from None

    def read(self, partition: int, offset: int) -> Message | None:
        """Return the record at an offset; None if there is none (any more, yet, or at all)."""
        self._consumer.assign([TopicPartition(self._topic, partition, offset)])
        for message in self._consume({partition: offset + 1}, at_most=1):
            return message if message.offset() == offset else None
        return None

    def scan(self, since_ms: int | None = None) -> Iterator[Message]:
        """Yield all records up to the present end, or those appended since a time (epoch milliseconds)."""
        bounds = self.bounds()
        begins = {number: low for number, (low, _) in bounds.items()}
        if since_ms is not None:
            wanted = [TopicPartition(self._topic, number, since_ms) for number in begins]
            try:
                found = self._consumer.offsets_for_times(wanted, _ANSWER_S)
            except KafkaException as error:
                raise self._unavailable(error) from None
            begins = {each.partition: each.offset for each in found if each.offset >= 0}
        ends = {number: bounds[number][1] for number, begin in begins.items() if begin < bounds[number][1]}
        self._consumer.assign([TopicPartition(self._topic, number, begins[number]) for number in ends])
        yield from self._consume(ends)

    def _consume(self, ends: Mapping[int, int], at_most: int = _CHUNK) -> Iterator[Message]:
        """Yield records before the ends, until each partition is there."""
        left = dict(ends)
        heard_at = time.monotonic()
        while left:
            try:
                messages = self._consumer.consume(at_most, 1.0)
            except KafkaException as error:
                raise self._unavailable(error) from None
            for message in messages:
                number, offset, wrong = message.partition() or 0, message.offset() or 0, message.error()
                if wrong is None:
                    if number in left and offset < left[number]:
                        yield message
                    if offset >= left.get(number, 0) - 1:
                        left.pop(number, None)
                elif wrong.code() == KafkaError._PARTITION_EOF:
                    left.pop(number, None)
                elif not wrong.retriable():
                    raise self._kafka.unreachable(wrong.str(), self._consumer, self._errors)
            if messages:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > _RECORDS_S:
                raise Unavailable(f"Kafka at {self._kafka} gives no more records of {self._topic}.")

    def _unavailable(self, error: KafkaException) -> Exception:
        return self._kafka.unreachable(error, self._consumer, self._errors)
