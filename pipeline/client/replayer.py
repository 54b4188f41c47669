"""Sends refused records again, unchanged."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from functools import partial
from typing import NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.contract.decode import Writers, decode
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.errors import InvalidInput
from pipeline.topics import FORWARDED_HEADER, TOUCHPOINTS
from pipeline.touchpoint import Touchpoint, own_key

#: The header of a record that was sent again: the partition and offset at which it was refused.
REPLAYED_HEADER = "pipeline-replayed-from"
#: Headers that are not carried over: a record that was sent on once may be sent on again.
_DROPPED = (REPLAYED_HEADER, FORWARDED_HEADER)
_ANSWER_S = 10.0
_DELIVERY_TIMEOUT_MS = 30_000
#: The broker's limit applies, not the producer's.
_MAX_MESSAGE_BYTES = 64 * 1024 * 1024


class Replay(NamedTuple):
    """A record to be sent again; `wrong` is why it would be refused again, None if it would be accepted."""

    place: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    wrong: Rejected | None


def again(
    place: str,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes]],
    writers: Writers,
    now_ms: int,
    nobody: Set[str] = frozenset(),
) -> Replay:
    """Return the record to be sent for a refused one: with the customer's key if it can be decoded, else with its own.

    `place` is where it was refused, as PARTITION/OFFSET; `now_ms` the clock in epoch milliseconds.
    `nobody` are the policy's values that name nobody.
    """
    decoded = decode(value, writers)
    kept = [(name, said) for name, said in headers if name not in _DROPPED]
    kept.append((REPLAYED_HEADER, place.encode()))
    if isinstance(decoded, Touchpoint):
        named = own_key(decoded, nobody)
        return Replay(place, key if named is None else named.encode(), value, kept, check(decoded, now_ms, nobody))
    return Replay(place, key, value, kept, decoded)


class Replayer:
    """Sends records to touchpoints.v1 and waits for each one's delivery.

    Raises Unavailable when the broker does not answer, InvalidInput when `pipeline init` has not made the topic.
    """

    def __init__(self, kafka: KafkaConnection, *, delivery_timeout_ms: int = _DELIVERY_TIMEOUT_MS) -> None:
        self._delivery_timeout_ms = delivery_timeout_ms
        errors = ClientErrors()
        self._producer = Producer(
            {
                **kafka.client_settings(errors),
                "client.id": "touchpoint-pipeline-replay",
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "zstd",
                "linger.ms": 5,
                "partitioner": "murmur2_random",
                "delivery.timeout.ms": delivery_timeout_ms,
                "message.max.bytes": _MAX_MESSAGE_BYTES,
            }
        )
        try:
            topics = self._producer.list_topics(timeout=_ANSWER_S).topics
        except KafkaException as error:
            raise kafka.unreachable(error, self._producer, errors) from None
        if TOUCHPOINTS not in topics:
            raise InvalidInput(f"Kafka at {kafka} has no topic {TOUCHPOINTS}. Run `pipeline init`.")

    def deliver(self, records: Sequence[Replay]) -> dict[str, str | None]:
        """Send records. Return by place why a record was not delivered; None for those that the broker confirmed."""
        said: dict[str, str | None] = {record.place: "the broker did not confirm it in time" for record in records}
        for record in records:
            self._produce(record, partial(_note, said, record.place))
        self._producer.flush(self._delivery_timeout_ms / 1000 + 5)
        return said

    def _produce(self, record: Replay, told: Callable[[KafkaError | None, Message], None]) -> None:
        while True:
            try:
                self._producer.produce(TOUCHPOINTS, record.value, record.key, headers=record.headers, on_delivery=told)
                return
            except BufferError:
                self._producer.poll(0.1)


def _note(said: dict[str, str | None], place: str, error: KafkaError | None, _message: Message) -> None:
    said[place] = None if error is None else error.str()
