"""Admitting many records at once: those in which nothing is unusual, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from pipeline.contract.decode import Writers
from pipeline.contract.encode import HEADER_BYTES, MAGIC
from pipeline.contract.plain import Plain, plain
from pipeline.flow.homes import Homes
from pipeline.flow.values import Admitted, Answer, Received
from pipeline.flow.words import NO_WORD, Words
from pipeline.journey.step import Step, event_keys

#: The attribute of feedback that judges another touchpoint: <channel>/<kind>.
ABOUT = "about"
#: Fewer records are decoded one by one, which is quicker then.
MANY = 64
#: So many are decoded at once: what they take stays in the processor's cache.
_AT_ONCE = 8_192
#: Larger records are decoded one by one, which bounds the memory for many.
_PLAIN_BYTES = 4_096


def admit_plain(
    records: Sequence[Received],
    partitions: Sequence[int],
    writers: Writers,
    now_ms: int,
    words: Words,
    homes: Homes,
    most_bytes: int,
) -> list[Admitted | None]:
    """Of each record the event, or None: those have to be looked at one by one, which says what is unusual.

    `partitions` are those of the records, in turn. `most_bytes` is the size up to which records are taken at all,
    `now_ms` the clock.
    """
    found: list[Admitted | None] = [None] * len(records)
    for header, places in _by_header(records, min(most_bytes, _PLAIN_BYTES)):
        writer = writers.get(header[len(MAGIC) :])
        if writer is None or writer.layout is None or not header.startswith(MAGIC) or len(places) < MANY:
            continue
        columns = plain([records[place].value or b"" for place in places], writer, now_ms, ABOUT)
        keys = [records[places[row]].key for row in columns.rows]
        names = homes.named(columns.customer, keys, [partitions[places[row]] for row in columns.rows])
        for row, name, event in zip(columns.rows, names, _events(columns, names, words), strict=True):
            if name is not None and event.traits is not NO_WORD:
                found[places[row]] = event
    return found


def _by_header(records: Sequence[Received], most_bytes: int) -> Iterator[tuple[bytes, list[int]]]:
    """The places of records that may be plain, by what their values begin with."""
    by_header: dict[bytes, list[int]] = {}
    for place, record in enumerate(records):
        value = record.value
        if value is not None and HEADER_BYTES < len(value) <= most_bytes:
            by_header.setdefault(value[:HEADER_BYTES], []).append(place)
    for header, places in by_header.items():
        for first in range(0, len(places), _AT_ONCE):
            yield header, places[first : first + _AT_ONCE]


def _events(columns: Plain, names: list[str | None], words: Words) -> Iterator[Admitted]:
    """Of each plain touchpoint the event, which is none if it has no name or `NO_WORD`; a name goes where a NUL shows.

    Tuples are made by `map`, without a call of Python for each.
    """
    traits = list(map(words.unchecked, zip(columns.channel, columns.kind, columns.stage, strict=True)))
    if b"\0" in b"".join(columns.source) or b"\0" in b"".join(columns.event_id):
        for place, texts in enumerate(zip(columns.source, columns.event_id, strict=True)):
            if b"\0" in texts[0] + texts[1]:
                names[place] = None
    answers: list[Answer | None] = [None] * len(names)
    scores: list[float | None] = [None] * len(names)
    for place, (feedback, about) in columns.answers.items():
        answer = answers[place] = words.answer(feedback, about, traits[place])
        scores[place] = answer.millipoints / 1000
    ats = columns.occurred_at
    steps = map(
        tuple.__new__,
        repeat(Step),
        zip(
            ats,
            event_keys(columns.source, columns.event_id, ats),
            columns.channel,
            [each.kind for each in traits],
            [each.stage for each in traits],
            columns.outcome,
            columns.wait_ms,
            columns.duration_ms,
            scores,
            columns.amount_minor,
            columns.currency,
            strict=True,
        ),
    )
    until = [at + each.gap_ms for at, each in zip(ats, traits, strict=True)]
    return map(tuple.__new__, repeat(Admitted), zip(names, until, steps, traits, answers, strict=True))
