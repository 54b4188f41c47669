"""The transactional producer of a worker: records together with the number of the commit that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.failpoint import Reached
from pipeline.ledger.positions import Position
from pipeline.publishing.publisher import Interrupted
from pipeline.publishing.records import OutgoingRecord
from pipeline.topics import EXCHANGE, TOUCHPOINTS

#: Seconds after which the broker ends an open transaction by itself. Until then, consumers that read only what is
#: committed wait for it. A successor ends it at once.
_TIMEOUT_S = 30
#: Seconds that the broker has to answer.
_ANSWER_S = 10.0


class TransactionalProducer:
    """Produces records in Kafka transactions. All methods block; only `put` may be called from the event loop's thread.

    Every transaction commits, along with its records, an offset for each partition of touchpoints.v1 that they come
    from, in a consumer group of its own (`<group>.published`). The offset's metadata is the commit's number in the
    ledger, so that after a crash it is known exactly what was published.
    """

    def __init__(self, kafka: KafkaConnection, group: str, max_message_bytes: int, reached: Reached) -> None:
        self._kafka, self._group, self._reached = kafka, group, reached
        self._errors = ClientErrors()
        self._max_bytes = max_message_bytes
        self._producer: Producer | None = None
        self._open = self._forwards = self._exchanges = False
        consumer = self._consumer()
        self._group_metadata = consumer.consumer_group_metadata()
        consumer.close()

    def begin(self, instance: str) -> None:
        """Begin to produce as `instance`; open transactions of any other producer of that name are aborted by this.

        Raises Unavailable when the broker does not answer.
        """
        self.drop()
        self._producer = self._initialise(instance)

    def fence(self, instance: str) -> None:
        """Abort the transaction that another worker has open; it has to begin anew. Raises Unavailable."""
        self._initialise(instance)

    def drop(self) -> None:
        """Let go of the producer, and of what it has not sent."""
        producer, self._producer = self._producer, None
        self._open = self._forwards = self._exchanges = False
        if producer is not None:
            producer.purge()

    def published(self, positions: Iterable[Position]) -> dict[int, int]:
        """Return for each partition the number of the last commit that is published; 0 for none of this ledger.

        To be asked between transactions. Raises Unavailable.
        """
        wanted = {position.partition: position for position in positions}
        self._write_and_abort(next(iter(wanted)))
        consumer = self._consumer()
        try:
            committed = consumer.committed(
                [TopicPartition(TOUCHPOINTS, number) for number in wanted], timeout=_ANSWER_S
            )
        except KafkaException as error:
            raise self._unavailable(error) from None
        finally:
            consumer.close()
        return {each.partition: _commit_number(each.metadata, wanted[each.partition]) for each in committed}

    def _write_and_abort(self, partition: int) -> None:
        """Write an offset to the group, and take it back.

        A group coordinator that has started without reading its log notices it at the next write, and not when it is
        asked (docs/operations.md).
        """
        producer = self._open_transaction()
        try:
            offset = TopicPartition(TOUCHPOINTS, partition, 0)
            producer.send_offsets_to_transaction([offset], self._group_metadata, _ANSWER_S)
            producer.abort_transaction(_ANSWER_S)
        except KafkaException as error:
            raise self._interrupted(error) from None
        self._open = False

    def put(self, records: Iterable[OutgoingRecord]) -> Iterable[OutgoingRecord]:
        """Add records to the transaction; return those that did not fit in before the queue was full."""
        producer = self._open_transaction()
        records = iter(records)
        for record in records:
            topic, key, value, headers, partition = record
            try:
                producer.produce(topic, value, key, partition, headers=headers)
            except BufferError:
                return [record, *records]
            except KafkaException as error:
                raise self._interrupted(error) from None
            if topic == TOUCHPOINTS:
                self._forwards = True
            elif topic == EXCHANGE:
                self._exchanges = True
        return ()

    def make_room(self) -> None:
        """Wait a moment for the queue to empty."""
        if self._producer is not None:
            self._producer.poll(0.1)

    def end(self, marks: Mapping[int, Position]) -> None:
        """Commit the transaction, and with it up to which commit of the ledger each partition is published.

        Raises Interrupted when the transaction is void, or not known to be committed; `published` tells after `begin`.
        """
        producer = self._open_transaction()
        offsets = [
            TopicPartition(TOUCHPOINTS, mark.partition, mark.next_offset, metadata=f"{mark.lineage} {mark.commits}")
            for mark in marks.values()
        ]
        try:
            if producer.flush(_ANSWER_S):
                raise Interrupted(f"Kafka at {self._kafka} does not accept the records to be published.")
            self._reached("while_publishing")
            if self._forwards:
                self._reached("forwarding")
            if self._exchanges:
                self._reached("exchanging")
            producer.send_offsets_to_transaction(offsets, self._group_metadata, _ANSWER_S)
            producer.commit_transaction(_ANSWER_S)
        except KafkaException as error:
            raise self._interrupted(error) from None
        self._open = self._forwards = self._exchanges = False
        self._reached("after_publish")

    def _open_transaction(self) -> Producer:
        if self._producer is None:
            raise Interrupted("Publishing has not begun.")
        if not self._open:
            try:
                self._producer.begin_transaction()
            except KafkaException as error:
                raise self._interrupted(error) from None
            self._open = True
            self._reached("before_publish")
        return self._producer

    def _initialise(self, instance: str) -> Producer:
        try:
            producer = Producer(
                {
                    **self._kafka.client_settings(self._errors),
                    "client.id": "touchpoint-pipeline-worker",
                    "transactional.id": f"{self._group}/{instance}",
                    "transaction.timeout.ms": _TIMEOUT_S * 1000,
                    "compression.type": "zstd",
                    "partitioner": "murmur2_random",
                    "linger.ms": 5,
                    # "rebootstrap" forgets a broker that restarts, and then send_offsets_to_transaction waits for it
                    # (librdkafka's issue 5511)
                    "metadata.recovery.strategy": "none",
                    "reconnect.backoff.max.ms": 1000,
                    "retry.backoff.ms": 10,  # a transaction soon after another one is told to try again
                    "message.max.bytes": self._max_bytes,
                    "queue.buffering.max.messages": 500_000,
                    "queue.buffering.max.kbytes": 262_144,
                }
            )
            producer.init_transactions(_ANSWER_S)
        except KafkaException as error:
            raise self._unavailable(error) from None
        return producer

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **self._kafka.client_settings(self._errors),
                "group.id": f"{self._group}.published",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )

    def _unavailable(self, error: KafkaException) -> Exception:
        return self._kafka.unreachable(error, None, self._errors)

    def _interrupted(self, error: KafkaException) -> Interrupted:
        return Interrupted(f"Kafka at {self._kafka} ended a transaction: {error.args[0].str()}.")


def _commit_number(metadata: str | None, position: Position) -> int:
    """Return the commit number in an offset's metadata; 0 if it is of another ledger, or higher than the position's."""
    lineage, _, number = (metadata or "").partition(" ")
    if lineage != position.lineage or not number.isdecimal() or int(number) > position.commits:
        return 0
    return int(number)
