"""The topic up to the cut: each partition from its beginning to its position, a chunk of records at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.errors import InvalidInput, PipelineError
from pipeline.topics import EXCHANGE, TOUCHPOINTS

_ANSWER_S = 5.0
#: A broker that sends nothing for this long counts as unreachable.
_SILENCE_S = 60.0
_FETCHED_KIB = 16_384
_CHUNK = 5_000
#: Maximum time that the client waits for a chunk to fill.
_PATIENCE_S = 0.1


class Stretch(NamedTuple):
    """The offsets to be read of a partition: from `low` (the first that exists) to before `end`."""

    partition: int
    low: int
    end: int


class Topic:
    """Reads `touchpoints.v1` without a group: it commits no offsets.

    Every method raises Unavailable when the broker does not answer.
    """

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka, self._errors = kafka, ClientErrors()
        self._consumer = Consumer(
            {
                **kafka.client_settings(self._errors),
                "group.id": "pipeline-audit",  # the client asks for a name; nothing is committed under it
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": _FETCHED_KIB,
            }
        )

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def stretches(self, next_offsets: Mapping[int, int]) -> tuple[int, list[Stretch]]:
        """Return the number of the topic's partitions, and what is to be read of those that have a position.

        Raises InvalidInput when the topic is missing, or ends before a position.
        """
        try:
            metadata = self._consumer.list_topics(TOUCHPOINTS, _ANSWER_S).topics[TOUCHPOINTS]
            if metadata.error is not None:
                raise InvalidInput(f"Kafka has no topic {TOUCHPOINTS}. Run `pipeline init`.")
            stretches = []
            for number in sorted(next_offsets.keys() & metadata.partitions.keys()):
                low, high = self._consumer.get_watermark_offsets(TopicPartition(TOUCHPOINTS, number), _ANSWER_S)
                if next_offsets[number] > high:
                    raise InvalidInput(
                        f"The tables are at offset {next_offsets[number]:,} of {TOUCHPOINTS}/{number}, and the topic "
                        f"ends at {high:,}: it was made anew, or the database belongs to another Kafka."
                    )
                stretches.append(Stretch(number, low, max(low, next_offsets[number])))
            return len(metadata.partitions), stretches
        except KafkaException as error:
            raise self._unavailable(error.args[0]) from None

    def read(self, stretch: Stretch) -> Iterator[list[Message]]:
        """Yield the records of a stretch in chunks, in order."""
        if stretch.low >= stretch.end:
            return
        self._consumer.assign([TopicPartition(TOUCHPOINTS, stretch.partition, stretch.low)])
        at, heard_at = stretch.low, time.monotonic()
        try:
            while True:
                fetched = self._consumer.consume(min(_CHUNK, stretch.end - at), _PATIENCE_S)
                records, done = self._sort(fetched, stretch)
                if records:
                    yield records
                    at, heard_at = (records[-1].offset() or 0) + 1, time.monotonic()
                elif time.monotonic() - heard_at > _SILENCE_S:
                    raise self._unavailable(f"nothing came for {_SILENCE_S:.0f} seconds")
                if done:
                    return
        except KafkaException as error:
            raise self._unavailable(error.args[0]) from None
        finally:
            self._consumer.unassign()

    def exchanged(self, offsets: Mapping[int, int]) -> Iterator[tuple[str | None, bytes]]:
        """Yield key and value of the exchange topic's records from offsets on, up to their ends now."""
        try:
            there = self._consumer.list_topics(EXCHANGE, _ANSWER_S).topics[EXCHANGE].partitions
            for number, offset in offsets.items():
                if number not in there:
                    continue
                place = TopicPartition(EXCHANGE, number, offset)
                low, high = self._consumer.get_watermark_offsets(place, _ANSWER_S)
                place.offset = max(low, offset)
                yield from self._values(place, high)
        except KafkaException as error:
            raise self._unavailable(error.args[0]) from None
        finally:
            self._consumer.unassign()

    def _values(self, place: TopicPartition, end: int) -> Iterator[tuple[str | None, bytes]]:
        if place.offset >= end:
            return
        self._consumer.assign([place])
        heard_at = time.monotonic()
        while time.monotonic() - heard_at < _SILENCE_S:
            for message in self._consumer.consume(_CHUNK, _PATIENCE_S):
                heard_at = time.monotonic()
                error = message.error()
                if error is None:
                    key = message.key()
                    yield key.decode() if isinstance(key, bytes) else key, message.value() or b""
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
                elif not error.retriable():
                    raise KafkaException(error)

    def _sort(self, fetched: list[Message], stretch: Stretch) -> tuple[list[Message], bool]:
        """Return the records that belong to the stretch, and whether these were the last."""
        records: list[Message] = []
        for message in fetched:
            error = message.error()
            if error is None:
                if (message.offset() or 0) >= stretch.end:
                    return records, True
                records.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                if (message.offset() or 0) < stretch.end:
                    raise PipelineError(
                        f"{TOUCHPOINTS}/{stretch.partition} can be read up to offset {message.offset():,} only, and "
                        f"the tables are at {stretch.end:,}: a producer's transaction is open. Run the audit again."
                    )
                return records, True
            elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                raise PipelineError(
                    f"{TOUCHPOINTS}/{stretch.partition} dropped records while they were being read (its retention). "
                    "Run the audit again."
                )
            elif error.code() not in (KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT) and not error.retriable():
                raise self._unavailable(error)
        return records, bool(records) and (records[-1].offset() or 0) >= stretch.end - 1

    def _unavailable(self, why: object) -> Exception:
        said = why.str() if isinstance(why, KafkaError) else str(why)
        return self._kafka.unreachable(said, self._consumer, self._errors)
