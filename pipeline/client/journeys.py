"""Consumes journeys: the latest revision of each, as it changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from fastavro import schemaless_reader

from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.connections.registry import RegistryConnection
from pipeline.contract.encode import HEADER_BYTES, MAGIC
from pipeline.contract.registry import Registry
from pipeline.contract.schema import parse_safely, schema_text
from pipeline.errors import InvalidInput, PipelineError
from pipeline.topics import JOURNEYS

#: Number of records fetched at once, and seconds that a fetch waits for the first.
_BATCH, _WAIT_S = 1_000, 1.0
#: Number of journeys whose revision is remembered, to leave out records that come again.
_REMEMBERED = 100_000
_ANSWER_S = 10.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JourneyStep(NamedTuple):
    """A touchpoint of a journey; `score` is 0 to 100, `amount_minor` in the currency's smallest unit.

    `late_ms` is by how much it came later than it was due. `begun_by` is customer or company where the event says so.
    `sequence` is the source's order of touchpoints of the same moment; `steps` are sorted by it. `about` is the
    touchpoint (CHANNEL/KIND) that the score judges, where that is another one. `subject` is the order, case or ticket.
    """

    at: datetime
    channel: str
    kind: str
    stage: str
    outcome: str
    wait_ms: int | None
    duration_ms: int | None
    score: float | None
    amount_minor: int | None
    currency: str | None
    via: str | None
    late_ms: int | None = None
    begun_by: str | None = None
    sequence: int = 0
    about: str | None = None
    subject: str | None = None


class JourneyRevision(NamedTuple):
    """A revision of a journey; it replaces all revisions with a lower number as a whole. Times are in UTC.

    A journey that is `merged` has no touchpoints any more; they are in `merged_into`. One that is `moved` has none,
    either; they belong to the key `moved_to`.
    """

    journey_id: str
    revision: int
    status: str
    customer: str
    started_at: datetime
    ended_at: datetime
    covers_until: datetime
    touchpoints: int
    channels: Mapping[str, int]
    outcome: str
    failures: int
    abandoned: int
    begun_by_customer: bool
    steps: Sequence[JourneyStep]
    steps_omitted: int
    merged_into: str | None
    moved_to: str | None


class JourneyConsumer:
    """Reads journeys.v1 as a member of a consumer group, each revision after it is committed.

    An iterator and an async iterator over revisions; of several of a journey that are fetched together, it yields the
    last. `kafka` and `registry` are connections, or plain addresses: HOST:PORT and a URL. It begins at the topic's
    beginning, or where `group` has been before. A revision counts as processed when the next one is asked for, so
    that after a crash, or when a loop is left in the middle, some come again: keep the highest revision of each
    journey. With `until_end` it stops at the end of the topic instead of waiting for more.

    Raises Unavailable when Kafka or the registry does not answer, and InvalidInput for credentials or certificates that
    do not fit, or when the topic does not exist.
    """

    def __init__(
        self,
        kafka: KafkaConnection | str,
        registry: RegistryConnection | str,
        *,
        group: str,
        until_end: bool = False,
    ) -> None:
        self._kafka = KafkaConnection.of(kafka)
        self._decoder = _Decoder(Registry(RegistryConnection.of(registry)))
        self._until_end = until_end
        self._errors = ClientErrors()
        self._ended: set[int] = set()
        self._revisions: OrderedDict[str, int] = OrderedDict()
        self._consumer = Consumer(
            {
                **self._kafka.client_settings(self._errors),
                "client.id": "touchpoint-pipeline-journeys",
                "group.id": group,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
            }
        )
        self._subscribe()

    def close(self) -> None:
        """Commit how far the group is, and leave it."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[JourneyRevision]:
        while (messages := self._fetch()) is not None:
            for message, journey in self._latest(messages):
                yield journey
                self._consumer.store_offsets(message)

    async def __aiter__(self) -> AsyncIterator[JourneyRevision]:
        while (messages := await asyncio.to_thread(self._fetch)) is not None:
            for message, journey in await asyncio.to_thread(self._latest, messages):
                yield journey
                self._consumer.store_offsets(message)

    def _subscribe(self) -> None:
        try:
            metadata = self._consumer.list_topics(JOURNEYS, _ANSWER_S).topics[JOURNEYS]
        except KafkaException as error:
            raise self._kafka.unreachable(error, self._consumer, self._errors) from None
        if metadata.error is not None:
            raise InvalidInput(f"Kafka at {self._kafka} has no topic {JOURNEYS}. Run `pipeline init`.")
        self._consumer.subscribe([JOURNEYS], on_assign=lambda *_: self._ended.clear())

    def _fetch(self) -> list[Message] | None:
        """Return the next records, possibly none; None at the end."""
        try:
            fetched = self._consumer.consume(_BATCH, _WAIT_S)
        except KafkaException as error:
            raise self._kafka.unreachable(error, self._consumer, self._errors) from None
        messages = []
        for message in fetched:
            wrong = message.error()
            if wrong is None:
                self._ended.discard(message.partition() or 0)
                messages.append(message)
            elif wrong.code() == KafkaError._PARTITION_EOF:
                self._ended.add(message.partition() or 0)
            elif not wrong.retriable():
                raise self._kafka.unreachable(wrong.str(), self._consumer, self._errors)
        if not messages and self._until_end and self._is_at_end():
            return None
        return messages

    def _is_at_end(self) -> bool:
        assigned = {each.partition for each in self._consumer.assignment()}
        return bool(assigned) and assigned <= self._ended

    def _latest(self, messages: Sequence[Message]) -> list[tuple[Message, JourneyRevision]]:
        """Return the last revision of each journey among records, without those that came before."""
        latest: dict[str, tuple[Message, JourneyRevision]] = {}
        for message in messages:
            journey = self._decoder.decode(message)
            if journey is None or journey.revision <= self._revisions.get(journey.journey_id, 0):
                continue
            latest.pop(journey.journey_id, None)
            latest[journey.journey_id] = message, journey
            self._revisions[journey.journey_id] = journey.revision
            self._revisions.move_to_end(journey.journey_id)
        while len(self._revisions) > _REMEMBERED:
            self._revisions.popitem(last=False)
        return list(latest.values())


class _Decoder:
    """Decodes records by their writers' schemas, which the registry has."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._reader = parse_safely(schema_text(JOURNEYS))
        self._writers: dict[int, Any] = {}

    def decode(self, message: Message) -> JourneyRevision | None:
        """Return the revision; None for a record without a value. Raises PipelineError for one that can't be read."""
        value = message.value()
        if value is None:
            return None
        assert isinstance(value, bytes)
        if not value.startswith(MAGIC) or len(value) <= HEADER_BYTES:
            raise PipelineError(f"{JOURNEYS}/{message.partition()} has no journey at offset {message.offset()}.")
        writer = self._writer(int.from_bytes(value[len(MAGIC) : HEADER_BYTES], "big"))
        fields: Any = schemaless_reader(BytesIO(value[HEADER_BYTES:]), writer, self._reader)
        for name in ("started_at", "ended_at", "covers_until"):
            fields[name] = _moment(fields[name])
        for step in fields["steps"]:
            step["at"] = _moment(step["at"])
        fields["steps"] = [JourneyStep(**step) for step in fields["steps"]]
        return JourneyRevision(**fields)

    def _writer(self, schema_id: int) -> Any:
        if schema_id not in self._writers:
            self._writers[schema_id] = parse_safely(self._registry.writer_schema(schema_id, JOURNEYS))
        return self._writers[schema_id]


def _moment(at_ms: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at_ms)
