"""Tables, migrations and Avro schemas say the same as the rows' declarations, from which none of them is made."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Engine, text

from pipeline.cases.row import CASE
from pipeline.contract.schema import parse_safely, schema_text
from pipeline.flow.count_row import TOUCHPOINT_COUNT
from pipeline.journey.row import JOURNEY
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
    Table,
)
from pipeline.scores.registry import SCORES, published
from pipeline.topics import CASES, JOURNEYS

TABLES: list[Table[Any]] = [JOURNEY, CASE, TOUCHPOINT_COUNT, *[score.table for score in SCORES]]
POSTGRES = {
    TEXT: "text", UUID: "uuid", INTEGER: "integer", BIGINT: "bigint", NUMERIC: "numeric", FLOAT: "double precision",
    BOOLEAN: "boolean", MOMENT: "timestamp with time zone", BYTES: "bytea", CHANNEL_COUNTS: "jsonb", STEPS: "jsonb",
    REASONS: "jsonb", WEIGHTS: "jsonb", NUMBERS: "jsonb", STAGES: "jsonb",
}  # fmt: skip
AVRO = {
    TEXT: "string", UUID: "string", INTEGER: "int", BIGINT: "long", FLOAT: "double", BOOLEAN: "boolean", MOMENT: "long",
    CHANNEL_COUNTS: "map", STEPS: "array", REASONS: "array", STAGES: "array",
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_has_the_declared_columns(table: Table[Any], initialised: Engine) -> None:
    with initialised.connect() as connection:
        columns = connection.execute(
            text(
                "SELECT column_name, data_type, is_nullable = 'YES' FROM information_schema.columns "
                "WHERE table_schema = 'public' AND table_name = :name"
            ),
            {"name": table.name},
        )
        stored = {tuple(column) for column in columns}
        key = connection.execute(
            text("SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey) "
                 "WHERE indisprimary AND indrelid = CAST(:name AS regclass)"),
            {"name": table.name},
        ).scalars()  # fmt: skip
        assert set(key) == set(table.key)
    declared = {(c.name, "text" if c.type.symbols else POSTGRES[c.type], c.is_nullable) for c in table.columns}
    assert stored == declared | {("partition", "integer", False)}


def avro_type(column: Column) -> Any:
    name = "enum" if column.type.symbols else AVRO[column.type]
    return ["null", name] if column.is_nullable else name


def plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [plain(branch) for branch in schema]
    return plain(schema["type"]) if isinstance(schema, dict) else schema


REVISED: list[tuple[Table[Any], str]] = [(JOURNEY, schema_text(JOURNEYS)), (CASE, schema_text(CASES))]
SCHEMAS = [*REVISED, *[(score.table, score.schema_text or "") for score in published()]]


@pytest.mark.parametrize(("table", "schema"), SCHEMAS, ids=[table.name for table, _ in SCHEMAS])
def test_a_topics_schema_has_the_published_columns_in_their_order(table: Table[Any], schema: str) -> None:
    fields = [(field["name"], plain(field["type"])) for field in json.loads(schema)["fields"]]
    assert fields == [(column.name, avro_type(column)) for column in table.published]


@pytest.mark.parametrize(("table", "schema"), REVISED, ids=[table.name for table, _ in REVISED])
def test_the_symbols_of_enumerations_are_those_of_the_schema(table: Table[Any], schema: str) -> None:
    fields = {field["name"]: field["type"] for field in parse_safely(schema)["fields"]}
    for column in table.published:
        if column.type.symbols:
            assert tuple(fields[column.name]["symbols"]) == column.type.symbols
