"""What partitions tell each other of who is who, and the touchpoints that they transfer: records of the exchange topic.

A record's key is the key that it is for, so that it is on that key's partition; corrections that can concern any key go
to all partitions. Values are JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import orjson

from pipeline.identity.correction import Correction
from pipeline.identity.naming import Naming
from pipeline.journey.step import KEY_BYTES, NOT_MEASURED, Step, StepType, measured

#: Number of touchpoints, or namings, in a record.
MAX_ITEMS = 500
#: Number of values of a step in the second form, which has `sequence`, `begun_by` and `late_ms` besides, in the third,
#: which has `about`, too, and in the fourth, which has `subject`.
_SECOND_FORM, _THIRD_FORM, _FOURTH_FORM = 15, 16, 17
#: Stands in barriers instead of the id of tables.
_NO_LEDGER = "barrier"


class Named(NamedTuple):
    """`key` was named by events."""

    key: str
    namings: Sequence[Naming]


class Corrected(NamedTuple):
    """A correction that concerns `key`, or all keys (None)."""

    key: str | None
    correction: Correction


class Transferred(NamedTuple):
    """Touchpoints of `sender` that `key` holds now. `Step.via` is set in all of them."""

    key: str
    sender: str
    steps: Sequence[Step]


class Place(NamedTuple):
    """Which touchpoint: when, its key, and its own customer's key."""

    at: int
    event_key: bytes
    via: str


class Withdrawn(NamedTuple):
    """Touchpoints that `sender` has transferred to `key`, and that `key` does not hold any more."""

    key: str
    sender: str
    places: Sequence[Place]


Message: TypeAlias = Named | Corrected | Transferred | Withdrawn


class Barrier(NamedTuple):
    """A mark that comes after all that the partition `sender` has told before; `token` tells it from others."""

    sender: int
    token: str


class ExchangeRecord(NamedTuple):
    """A record of the exchange topic; without a key it goes to `partition`."""

    key: bytes | None
    value: bytes
    partition: int | None = None


def write(message: Message, partitions: int, ledger: str) -> Iterable[ExchangeRecord]:
    """Yield the records of a message: several where it is long, or for all partitions.

    `ledger` is the id of the tables that it belongs to.
    """
    record = _Writer(ledger).record
    if isinstance(message, Named):
        for part in _parts(message.namings):
            yield record(message.key, {"named": part})
    elif isinstance(message, Corrected):
        for partition in range(partitions) if message.key is None else [None]:
            yield record(message.key, {"corrected": message.correction}, partition)
    elif isinstance(message, Transferred):
        for part in _parts(message.steps):
            yield record(message.key, {"transferred": [*map(_step, part)], "sender": message.sender})
    else:
        for part in _parts(message.places):
            places = [(place.at, place.event_key.hex(), place.via) for place in part]
            yield record(message.key, {"withdrawn": places, "sender": message.sender})


def write_barrier(barrier: Barrier, partition: int, ledger: str) -> ExchangeRecord:
    """Return the record of a barrier for a partition.

    Earlier versions pass over it, as over what belongs to other tables.
    """
    value = orjson.dumps({"ledger": _NO_LEDGER, "of": ledger, "barrier": barrier}, default=tuple)
    return ExchangeRecord(None, value, partition)


def read(key: bytes | None, value: bytes, ledger: str) -> Message | Barrier | None:
    """Return the message or barrier of a record; None if it belongs to other tables than those of this ledger.

    Raises ValueError, KeyError or TypeError for what is none.
    """
    document = orjson.loads(value)
    if document["ledger"] == _NO_LEDGER and document["of"] == ledger:
        return Barrier(*document["barrier"])
    if document["ledger"] != ledger:
        return None
    if "corrected" in document:
        own, keys, *rest = document["corrected"]
        return Corrected(key.decode() if key else None, Correction(own, tuple(keys), *rest))
    if key is None:
        raise ValueError("a record of the exchange topic has no key")
    name = key.decode()
    if "named" in document:
        return Named(name, [Naming(*naming) for naming in document["named"]])
    if "transferred" in document:
        sender = document["sender"]
        return Transferred(name, sender, [_read_step(step, sender) for step in document["transferred"]])
    places = [Place(at, bytes.fromhex(event_key), via) for at, event_key, via in document["withdrawn"]]
    return Withdrawn(name, document["sender"], places)


class _Writer(NamedTuple):
    ledger: str

    def record(self, key: str | None, document: dict[str, Any], partition: int | None = None) -> ExchangeRecord:
        value = orjson.dumps({"ledger": self.ledger, **document}, default=tuple)
        return ExchangeRecord(None if key is None else key.encode(), value, partition)


def _parts(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for first in range(0, len(items), MAX_ITEMS):
        yield items[first : first + MAX_ITEMS]


def _step(step: Step) -> list[Any]:
    """Return a step as a list: in the first form that says all of it, so that earlier versions read it, too.

    Of a step in a later form an earlier version finds too many values, instead of reading it wrongly.
    """
    channel, kind, stage, outcome, begun_by = step.type
    first = [step.at, step.key.hex(), channel, kind, stage, outcome]
    measures = step.measures
    late_ms, about = (None, None) if measures is None else (measures.late_ms, measures.about)
    if step.sequence or begun_by is not None or late_ms is not None or about is not None or step.subject is not None:
        later: list[Any] = [step.sequence, begun_by, late_ms]
        if step.subject is not None:
            later += [about, step.subject]
        elif about is not None:
            later.append(about)
        return [*first, *(measures or NOT_MEASURED)[:-2], step.via, *later]
    if measures is not None:
        return [*first, *measures[:-2], step.via]
    return [*first, step.via]


def _read_step(values: list[Any], sender: str) -> Step:
    sequence, begun_by, late_ms, about, subject = 0, None, None, None, None
    if len(values) == _SECOND_FORM:
        *values, sequence, begun_by, late_ms = values
    elif len(values) == _THIRD_FORM:
        *values, sequence, begun_by, late_ms, about = values
    elif len(values) == _FOURTH_FORM:
        *values, sequence, begun_by, late_ms, about, subject = values
    at, event_key, channel, kind, stage, outcome, *given, via = values
    measures = None
    if given:
        wait_ms, duration_ms, score, amount_minor, currency = given
        measures = measured(wait_ms, duration_ms, score, amount_minor, currency, late_ms, about)
    key = bytes.fromhex(event_key)
    if len(key) != KEY_BYTES:
        raise ValueError("a touchpoint's key has another length")
    return Step(
        at=at,
        sequence=sequence,
        key=key,
        type=StepType(channel, kind, stage, outcome, begun_by),
        measures=measures,
        via=via,
        sender=sender if sender != via else None,
        subject=subject,
    )
