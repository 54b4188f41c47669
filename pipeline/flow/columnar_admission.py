"""Columnar admission: admitting many records at once, field by field, as far as nothing about them is unusual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from pipeline.contract.columnar_touchpoints import TouchpointColumns, decode_columns
from pipeline.contract.decode import Writer, Writers
from pipeline.contract.encode import HEADER_BYTES, MAGIC
from pipeline.flow.naming import NamingResolver
from pipeline.flow.partitioner import Partitioner
from pipeline.flow.traits import NO_TRAITS, TraitsResolver
from pipeline.flow.values import Received
from pipeline.identity.naming import EventNaming
from pipeline.journey.admitted import Admitted, Answer
from pipeline.journey.step import NOT_MEASURED, Step, event_keys, measured
from pipeline.touchpoint import case_subject

#: The attribute of feedback that is about another touchpoint: <channel>/<kind>.
ABOUT = "about"
#: Fewer records are decoded one by one, which is faster for few.
MIN_RECORDS = 64
#: Number of records decoded at once: their columns stay in the processor's cache.
_CHUNK = 8_192
#: Larger records are decoded one by one, which bounds the memory.
_MAX_BYTES = 4_096


class ColumnarAdmission:
    """Admits records in which nothing is unusual. The others have to be admitted one by one, which says what it is."""

    def __init__(
        self, traits: TraitsResolver, namings: NamingResolver, partitioner: Partitioner, max_record_bytes: int
    ) -> None:
        self._traits, self._namings, self._partitioner = traits, namings, partitioner
        self._max_bytes = min(max_record_bytes, _MAX_BYTES)

    def admit(
        self, records: Sequence[Received], partitions: Sequence[int], writers: Writers, now_ms: int
    ) -> list[Admitted | None]:
        """Return for each record the touchpoint, or None where it has to be admitted by itself.

        `partitions` are those of the records, in the same order. `now_ms` is the clock.
        """
        admitted: list[Admitted | None] = [None] * len(records)
        for header, places in self._chunks(records):
            writer = writers.get(header[len(MAGIC) :])
            if not isinstance(writer, Writer) or not header.startswith(MAGIC) or len(places) < MIN_RECORDS:
                continue
            if writer.columnar is None:
                continue
            columns = decode_columns([records[place].value or b"" for place in places], writer, now_ms, ABOUT)
            places = [places[row] for row in columns.rows]
            customers = self._partitioner.routed_customers(
                columns.own_key, [records[place].key for place in places], [partitions[place] for place in places]
            )
            for place, customer, event in zip(places, customers, self._events(columns, customers), strict=True):
                if customer is not None and event.traits is not NO_TRAITS:
                    admitted[place] = event
        return admitted

    def _chunks(self, records: Sequence[Received]) -> Iterator[tuple[bytes, list[int]]]:
        """Yield the indexes of records that columns may hold, by the header that their values begin with."""
        by_header: dict[bytes, list[int]] = {}
        for place, record in enumerate(records):
            value = record.value
            if value is not None and HEADER_BYTES < len(value) <= self._max_bytes:
                by_header.setdefault(value[:HEADER_BYTES], []).append(place)
        for header, places in by_header.items():
            for first in range(0, len(places), _CHUNK):
                yield header, places[first : first + _CHUNK]

    def _events(self, columns: TouchpointColumns, customers: list[str | None]) -> Iterator[Admitted]:
        """Yield a touchpoint for each row; it is not valid where its customer is None or its traits are `NO_TRAITS`.

        Sets the customer to None where `source` or `event_id` holds a NUL. Tuples are made by `map`, without a call of
        Python for each.
        """
        _drop_nul(columns, customers)
        traits = list(
            map(
                self._traits.unchecked_traits,
                zip(columns.channel, columns.kind, columns.stage, columns.begun_by, strict=True),
            )
        )
        answers: list[Answer | None] = [None] * len(customers)
        scores: list[float | None] = [None] * len(customers)
        abouts: list[str | None] = [None] * len(customers)
        for place, (feedback, about) in columns.answers.items():
            subject = columns.subjects.get(place)
            answer = answers[place] = self._traits.answer(feedback, about, traits[place], subject)
            scores[place] = answer.millipoints / 1000
            abouts[place] = answer.judged_by(traits[place])
        namings: list[EventNaming | None] = [None] * len(customers)
        for place, weaker in columns.weaker_keys.items():
            source, event_id = columns.source[place].decode(), columns.event_id[place].decode()
            namings[place] = self._namings.naming(weaker, traits[place], source, event_id)
        times = columns.occurred_at
        types = [each.types[outcome or "none"] for each, outcome in zip(traits, columns.outcome, strict=True)]
        values = zip(
            columns.wait_ms, columns.duration_ms, scores, columns.amount_minor, columns.currency, columns.late_ms,
            abouts, strict=True,
        )  # fmt: skip
        measures = [None if some == NOT_MEASURED else measured(*some) for some in values]
        keys = event_keys(columns.source, columns.event_id, times)
        no_origin = [None] * len(times)
        subjects: list[str | None] = [None] * len(times)
        for place, text in columns.subjects.items():
            subjects[place] = case_subject(text)
        values_of_steps = zip(
            times, columns.sequence, keys, types, measures, no_origin, no_origin, subjects, strict=True
        )
        steps = map(tuple.__new__, repeat(Step), values_of_steps)
        until = [at + each.gap_ms for at, each in zip(times, traits, strict=True)]
        return map(tuple.__new__, repeat(Admitted), zip(customers, until, steps, traits, answers, namings, strict=True))


def _drop_nul(columns: TouchpointColumns, customers: list[str | None]) -> None:
    if b"\0" in b"".join(columns.source) or b"\0" in b"".join(columns.event_id):
        for place, texts in enumerate(zip(columns.source, columns.event_id, strict=True)):
            if b"\0" in texts[0] + texts[1]:
                customers[place] = None
