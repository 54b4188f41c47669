"""How Postgres holds the columns of rows: what is sent for them, how they are selected, and how they are read back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from pipeline.cases.row import StageReached
from pipeline.journey.steps import Steps
from pipeline.ledger import arrays
from pipeline.ledger.arrays import ArrayType, written
from pipeline.ledger.moments import moment, ms, sql_ms
from pipeline.ledger.steps import parse_steps, steps_text
from pipeline.rows import (
    BIGINT,
    BOOLEAN,
    BYTES,
    CHANNEL_COUNTS,
    FLOAT,
    INTEGER,
    MOMENT,
    NUMBERS,
    NUMERIC,
    REASONS,
    STAGES,
    STEPS,
    TEXT,
    UUID,
    WEIGHTS,
    Column,
)
from pipeline.scores.reason import Reason

#: Number of texts that are remembered; when there are more, all are forgotten.
_MEMO = 20_000


class PostgresType(NamedTuple):
    """How values of a column type are sent, selected (`select` makes SQL of a column's name) and read back.

    `load` is given the value and the whole row that it stands in. `sent_nullable` sends values of which some are None.
    """

    sent: ArrayType
    sent_nullable: ArrayType | None = None
    select: Callable[[str], str] = str
    load: Callable[[Any, Any], Any] | None = None


@lru_cache(_MEMO)
def _reasons_json(reasons: tuple[Reason, ...]) -> str:
    return orjson.dumps([reason._asdict() for reason in reasons]).decode()


def _stages_json(stages: tuple[StageReached, ...]) -> str:
    told = [{"stage": each.stage, "at": moment(each.at)} for each in stages]
    return orjson.dumps(told, option=orjson.OPT_UTC_Z).decode()


def _load_stages(stages: list[dict[str, str]], _row: Any) -> tuple[StageReached, ...]:
    return tuple([StageReached(each["stage"], ms(datetime.fromisoformat(each["at"]))) for each in stages])


def _channels_json(channels: Mapping[str, int]) -> str:
    return orjson.dumps(channels).decode()


@lru_cache(_MEMO)
def _quoted(name: str) -> str:
    return json.dumps(name)


def _weights_json(weights: tuple[tuple[str, int], ...]) -> str:
    # orjson takes no whole numbers beyond 64 bits, and json is slow
    return "{" + ",".join([f"{_quoted(name)}:{weight}" for name, weight in weights]) + "}"


def _numbers_json(numbers: Mapping[str, int]) -> str:
    if not numbers:
        return "{}"
    try:
        return orjson.dumps(numbers).decode()
    except orjson.JSONEncodeError:  # it takes no whole numbers beyond 64 bits
        return json.dumps(numbers)


def _load_numbers(text: str, _row: Any) -> Mapping[str, int]:
    numbers: Mapping[str, int] = json.loads(text)
    return numbers


def _as_text(name: str) -> str:
    return f"{name}::text"


def _load_steps(text: str, row: Any) -> Steps:
    return Steps(parse_steps(text, row.keys))


def _load_reasons(reasons: list[dict[str, str]], _row: Any) -> tuple[Reason, ...]:
    return tuple([Reason(**reason) for reason in reasons])


def _load_weights(text: str, _row: Any) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(json.loads(text).items()))


_TYPES = {
    TEXT: PostgresType(arrays.TEXT, arrays.TEXT_OR_NULL),
    UUID: PostgresType(arrays.UUID, arrays.UUID_OR_NULL, select=_as_text),
    INTEGER: PostgresType(arrays.INTEGER),
    BIGINT: PostgresType(arrays.BIGINT, arrays.BIGINT_OR_NULL),
    NUMERIC: PostgresType(arrays.NUMERIC, select=_as_text, load=lambda text, _row: int(text)),
    FLOAT: PostgresType(arrays.FLOAT8, arrays.FLOAT8_OR_NULL),
    BOOLEAN: PostgresType(arrays.BOOLEAN),
    MOMENT: PostgresType(arrays.MOMENT, arrays.MOMENT_OR_NULL, select=sql_ms),
    BYTES: PostgresType(arrays.BYTEA),
    CHANNEL_COUNTS: PostgresType(written("jsonb", _channels_json)),
    NUMBERS: PostgresType(written("jsonb", _numbers_json), select=_as_text, load=_load_numbers),
    STEPS: PostgresType(written("jsonb", steps_text), select=_as_text, load=_load_steps),
    WEIGHTS: PostgresType(written("jsonb", _weights_json), select=_as_text, load=_load_weights),
    STAGES: PostgresType(written("jsonb", _stages_json), load=_load_stages),
    REASONS: PostgresType(written("jsonb", _reasons_json), load=_load_reasons),
}


def postgres_type(column: Column) -> PostgresType:
    """Return how Postgres holds a column; an enumeration is a text."""
    return _TYPES[TEXT] if column.type.symbols else _TYPES[column.type]


def array_type(column: Column) -> ArrayType:
    """Return how a column's values are sent."""
    known = postgres_type(column)
    if not column.is_nullable:
        return known.sent
    assert known.sent_nullable is not None, column
    return known.sent_nullable
