"""Records of touchpoints.v1 through the core: decode, check, admit, advance, and the statement's arguments."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import psycopg
from fuzz import schemas, touchpoints
from fuzz.mutate import damaged
from fuzz.target import must
from fuzz.touchpoints import NOW_MS
from psycopg.adapt import Transformer
from psycopg.pq import Format

from pipeline import catalogue
from pipeline.contract.decode import Writer, decode
from pipeline.contract.encode import Encoder
from pipeline.contract.reject import REASONS, Rejected
from pipeline.contract.validate import check
from pipeline.flow.admission import Admission
from pipeline.flow.advance import advance, customers_to_load
from pipeline.flow.slices import Slice
from pipeline.flow.state import Customer, Partition, forget_customers
from pipeline.flow.values import Batch
from pipeline.journey import policy
from pipeline.ledger.arrays import Array
from pipeline.ledger.commit import Commit, CommitStatement
from pipeline.ledger.positions import Position
from pipeline.scores.protocol import ActiveScore
from pipeline.scores.registry import SCORES
from pipeline.topics import FORWARDED_HEADER
from pipeline.touchpoint import own_key

ACTIVE_SCORES = [ActiveScore(score, score.default_model) for score in SCORES]
_TEXTS = schemas.texts()
WRITERS = {number.to_bytes(4, "big"): Writer(text) for number, text in enumerate(_TEXTS, 1)}
_ENCODERS = [Encoder(number, text) for number, text in enumerate(_TEXTS, 1)]
_MOST_CUSTOMERS = 300
#: JSON's escape of NUL; not a backslash's, followed by u0000.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
#: Parameters of the statement that are arrays of JSON.
_OF_JSON = {"journey.channels", "journey.steps", "churn_risk.reasons"}
_POSITION = Position("t", 0, 1, 0, 0, 0, "")
_STATEMENT = CommitStatement(SCORES)


@dataclass
class Record:
    """A record as Kafka gives it."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = NOW_MS
    headers: Sequence[tuple[str, bytes]] = ()


def valid(random: Random) -> bytes:
    """A value that follows one of the schemas; what is in it may well be out of bounds."""
    return random.choice(_ENCODERS).encode(touchpoints.record(random))


def value(random: Random) -> bytes:
    """A valid value as it is, damaged, or with another schema's number."""
    data = valid(random)
    chance = random.random()
    if chance < 0.3:
        return data
    if chance < 0.4:
        return b"\0" + random.choice((1, 2, 3, 4, 2**32 - 1)).to_bytes(4, "big") + data[5:]
    return damaged(data, random, valid(random))


@contextmanager
def records() -> Iterator[Records]:
    """The target."""
    yield Records()


class Records:
    """One partition, one record a slice."""

    def __init__(self) -> None:
        self._policy = policy.read(None)
        self._admission = Admission(catalogue.load(), self._policy, 1)
        self._state = Partition(0, 0, 0)

    def make(self, random: Random) -> bytes:
        """The value of a record."""
        return value(random)

    def take(self, data: bytes) -> str:
        """Put a record with this value through the core."""
        found = decode(data, WRITERS)
        wrong = found if isinstance(found, Rejected) else check(found, NOW_MS)
        key = b"" if isinstance(found, Rejected) else (own_key(found) or "").encode()
        # The way of one that came with a wrong key is as good as any other's: chosen by the bytes, to be repeatable.
        way = zlib.crc32(data) % 32
        state = self._state
        record = Record(
            state.next_offset,
            key if way > 1 else b"wrong",
            data,
            headers=[(FORWARDED_HEADER, b"0/0")] if way == 1 else (),
        )
        begin = state.next_offset
        [admitted] = self._admission.admit([Slice(0, begin, begin + 1, [record])], WRITERS, NOW_MS)
        for name, since in customers_to_load(state, admitted).items():
            state.customers[name] = Customer(name, since)
        batch = advance(state, admitted, now_ms=NOW_MS, grace_ms=self._policy.grace_ms, scores=ACTIVE_SCORES)
        forget_customers([state], _MOST_CUSTOMERS)

        outcomes = batch.processed + batch.duplicates + len(batch.refused) + len(batch.forwarded)
        must(outcomes == 1, f"one record had {outcomes} outcomes")
        must(len(state.customers) <= _MOST_CUSTOMERS, "more customers are kept than may be")
        for _, why in batch.refused:
            must(why.reason in REASONS, f"{why.reason} is no reason")
            must(way == 1 or why == wrong, "admission refuses for another reason than the checks")
            must(len(why.detail) < 500 and "\0" not in why.detail, "the detail is too long, or can't be stored")
            why.detail.encode()
        must(wrong is None or batch.refused, "what the checks refuse was admitted")
        _send(batch)
        if batch.refused:
            return batch.refused[0].why.reason
        return "sent on" if batch.forwarded else "processed" if batch.processed else "duplicate"


def _send(batch: Batch) -> None:
    """Write what goes to Postgres: it must not hold what JSON or the database can't."""
    for name, value in _STATEMENT.arguments([Commit(_POSITION, batch)]).items():
        if (dumps := getattr(value, "dumps", None)) is not None:
            must(not _NUL.search(dumps(value.obj)), "a text that goes to the database holds a NUL")
        elif isinstance(value, Array):
            texts = [text.encode() for text in read(value) if isinstance(text, str)]
            must(not any(b"\0" in text for text in texts), f"a text of {name} holds a NUL")
            must(name not in _OF_JSON or not any(map(_NUL.search, texts)), f"JSON of {name} holds a NUL")


def read(array: Array) -> list[Any]:
    """An array's values, as the database's driver reads them."""
    [element] = struct.unpack_from(">I", array, 8)
    return Transformer().get_loader(psycopg.postgres.types[element].array_oid, Format.BINARY).load(array)
