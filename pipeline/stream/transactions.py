"""Kafka transactions of one worker: records together with the number of the commit that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from pipeline.errors import Unavailable
from pipeline.failpoint import Reached
from pipeline.ledger.positions import Claim
from pipeline.stream.records import Outgoing
from pipeline.topics import TOUCHPOINTS

#: After so long without an end the broker ends a transaction by itself; until then, whoever reads only what is
#: committed waits for it. A successor ends it at once.
_TIMEOUT_S = 30
_ANSWER_S = 10.0
#: librdkafka says on standard error what its errors say as well, and fatal ones at any level. A logger of Python's is
#: no way out: the client calls it with an exception pending, which ends in a SystemError. And without a callback, a
#: fatal error would be raised from wherever the client is polled next.
_SILENT: dict[str, Any] = {"log_level": 0, "error_cb": lambda _error: None}


class Interrupted(Unavailable):
    """The transaction is void, and what was in it: another worker has fenced this one off, or the broker ended it."""


class Transactions:
    """A transactional producer. All methods block, and none but `put` may be called from the event loop's thread.

    Every transaction commits, along with its records, an offset for each partition of touchpoints.v1 that they come
    from, in a consumer group of its own (`<group>.published`). The offset's metadata is the commit's number in the
    ledger: so it is known after a crash what was published, exactly.
    """

    def __init__(self, bootstrap_servers: str, group: str, max_message_bytes: int, reached: Reached) -> None:
        self._servers, self._group, self._reached = bootstrap_servers, group, reached
        self._most_bytes = max_message_bytes
        self._producer: Producer | None = None
        self._open = self._forwards = False
        consumer = self._consumer()
        self._group_metadata = consumer.consumer_group_metadata()
        consumer.close()

    def begin(self, instance: str) -> None:
        """Become the one that publishes as `instance`: open transactions of any other such are aborted by this.

        Raises Unavailable when the broker does not answer.
        """
        self.drop()
        self._producer = self._initialised(instance)

    def fence(self, instance: str) -> None:
        """Abort what another worker has open; it has to begin anew. Raises Unavailable."""
        self._initialised(instance)

    def drop(self) -> None:
        """Forget the producer, and what it has not sent."""
        producer, self._producer = self._producer, None
        self._open = self._forwards = False
        if producer is not None:
            producer.purge()

    def published(self, claims: Iterable[Claim]) -> dict[int, int]:
        """Partition → number of the last commit whose records are published; 0 for none of this ledger."""
        wanted = {claim.partition: claim for claim in claims}
        consumer = self._consumer()
        try:
            found = consumer.committed([TopicPartition(TOUCHPOINTS, number) for number in wanted], timeout=_ANSWER_S)
        except KafkaException as error:
            raise self._unavailable(error) from None
        finally:
            consumer.close()
        return {place.partition: _commit(place.metadata, wanted[place.partition]) for place in found}

    def put(self, records: Iterable[Outgoing]) -> Iterable[Outgoing]:
        """Add records to the transaction; returns the ones that did not fit in before the queue was full."""
        producer = self._begun()
        records = iter(records)
        for record in records:
            topic, key, value, headers = record
            try:
                producer.produce(topic, value, key, headers=headers)
            except BufferError:
                return [record, *records]
            except KafkaException as error:
                raise self._interrupted(error) from None
            if topic == TOUCHPOINTS:
                self._forwards = True
        return ()

    def make_room(self) -> None:
        """Wait a moment for the queue to empty."""
        if self._producer is not None:
            self._producer.poll(0.1)

    def end(self, marks: Mapping[int, Claim]) -> None:
        """Commit the transaction, and with it up to which commit of the ledger each partition is published.

        Raises Interrupted when it is void, or not known to be committed; `published` knows after `begin`.
        """
        producer = self._begun()
        places = [
            TopicPartition(TOUCHPOINTS, claim.partition, claim.next_offset, metadata=f"{claim.lineage} {claim.commits}")
            for claim in marks.values()
        ]
        try:
            if producer.flush(_ANSWER_S):
                raise Interrupted(f"Kafka at {self._servers} does not take what is to be published.")
            self._reached("while_publishing")
            if self._forwards:
                self._reached("forwarding")
            producer.send_offsets_to_transaction(places, self._group_metadata, _ANSWER_S)
            producer.commit_transaction(_ANSWER_S)
        except KafkaException as error:
            raise self._interrupted(error) from None
        self._open = self._forwards = False
        self._reached("after_publish")

    def _begun(self) -> Producer:
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

    def _initialised(self, instance: str) -> Producer:
        try:
            producer = Producer(
                {
                    "bootstrap.servers": self._servers,
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
                    "message.max.bytes": self._most_bytes,
                    "queue.buffering.max.messages": 500_000,
                    "queue.buffering.max.kbytes": 262_144,
                    **_SILENT,
                }
            )
            producer.init_transactions(_ANSWER_S)
        except KafkaException as error:
            raise self._unavailable(error) from None
        return producer

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": f"{self._group}.published",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                **_SILENT,
            }
        )

    def _unavailable(self, error: KafkaException) -> Unavailable:
        return Unavailable(f"Kafka at {self._servers} does not answer for publishing: {error.args[0].str()}.")

    def _interrupted(self, error: KafkaException) -> Interrupted:
        return Interrupted(f"Kafka at {self._servers} ended a transaction: {error.args[0].str()}.")


def _commit(metadata: str | None, claim: Claim) -> int:
    """The commit's number that an offset's metadata names, if it is of the claim's ledger and not from its future."""
    lineage, _, number = (metadata or "").partition(" ")
    if lineage != claim.lineage or not number.isdecimal() or int(number) > claim.commits:
        return 0
    return int(number)
