"""Loading what the ledger holds of who is who."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.flow.identity_effects import aside_key
from pipeline.flow.identity_needs import AsidePoint, Concerned, Span
from pipeline.flow.identity_rows import (
    ASIDE,
    CORRECTION,
    MORE_FOLLOWING,
    NAMING,
    OMITTED,
    OWNER,
    RESTATEMENT,
    STRETCH,
    AsideRow,
    CorrectionRow,
    NamingRow,
    OwnerRow,
    RestatementRow,
    StretchRow,
)
from pipeline.flow.state import Customer
from pipeline.identity.correction import Correction
from pipeline.identity.key_identity import KeyIdentity
from pipeline.identity.segments import OVERFULL
from pipeline.ledger.column_types import postgres_type
from pipeline.ledger.moments import sql_moment, sql_ms
from pipeline.ledger.reload import load_row, select_list
from pipeline.rows import Table

# As in `customers`: OFFSET 0 makes Postgres run a subquery for each row before it, through its index.


def _of_keys(table: Table[Any]) -> str:
    return f"""
        SELECT {select_list(table)}
        FROM json_array_elements_text(CAST(:keys AS json)) AS wanted (name)
        CROSS JOIN LATERAL (SELECT * FROM {table.name} WHERE key = wanted.name OFFSET 0) AS known
    """


_NAMINGS, _OWNERS = text(_of_keys(NAMING)), text(_of_keys(OWNER))


def _rows_json(table: Table[Any]) -> str:
    """Return a subquery for a key's rows as a JSON list, each a list of the columns; they are texts and moments."""
    columns = ", ".join([postgres_type(column).select(column.name) for column in table.columns])
    return f"(SELECT json_agg(json_build_array({columns})) FROM {table.name} WHERE key = wanted.name)"


# All of it in one statement, of the keys of which there is anything. Nobody names a customer's key. The last touchpoint
# is in the order of the index, which is taken then even if one key has nearly all rows.
_IDENTITY = text(f"""
    SELECT * FROM (
        SELECT name,
               CASE WHEN is_weaker THEN {_rows_json(STRETCH)} END AS stretches,
               CASE WHEN is_weaker THEN {_rows_json(CORRECTION)} END AS corrections,
               is_weaker AND EXISTS (
                   SELECT FROM identity_owner WHERE key = wanted.name AND why = '{OVERFULL}'
               ) AS is_overfull,
               (SELECT {sql_ms("at")} FROM identity_touchpoint
                WHERE key = wanted.name ORDER BY key DESC, at DESC LIMIT 1) AS aside_until
        FROM (
            SELECT name, NOT starts_with(name, 'customer:') AS is_weaker
            FROM json_array_elements_text(CAST(:keys AS json)) AS given (name)
        ) AS wanted
        OFFSET 0
    ) AS known
    WHERE stretches IS NOT NULL OR corrections IS NOT NULL OR is_overfull OR aside_until IS NOT NULL
""")
_POINTS = text(f"""
    SELECT {select_list(ASIDE)}
    FROM json_to_recordset(CAST(:points AS json)) AS wanted (name text, moment bigint, touchpoint text)
    CROSS JOIN LATERAL (
        SELECT * FROM identity_touchpoint
        WHERE key = wanted.name AND at = {sql_moment("wanted.moment")}
          AND identity_touchpoint.keys = decode(wanted.touchpoint, 'hex')
        OFFSET 0
    ) AS known
""")
_SPANS = text(f"""
    SELECT {select_list(ASIDE)}
    FROM json_to_recordset(CAST(:spans AS json)) AS wanted (name text, earliest bigint, latest bigint)
    CROSS JOIN LATERAL (
        SELECT * FROM identity_touchpoint
        WHERE key = wanted.name AND at >= {sql_moment("wanted.earliest")} AND at <= {sql_moment("wanted.latest")}
        OFFSET 0
    ) AS known
""")
_FOLLOWING = text(f"""
    (SELECT {select_list(ASIDE)} FROM identity_touchpoint
     WHERE key = :key AND place = '{OMITTED}'
       AND at > {sql_moment("CAST(:after AS bigint)")} AND at <= {sql_moment("CAST(:until AS bigint)")})
    UNION ALL
    (SELECT {select_list(ASIDE)} FROM identity_touchpoint
     WHERE key = :key AND place = '{OMITTED}'
       AND at > {sql_moment("greatest(CAST(:after AS bigint), CAST(:until AS bigint))")}
     ORDER BY at, coalesce((steps -> 0 ->> 'sequence')::bigint, 0), identity_touchpoint.keys
     LIMIT :more)
""")
_OF_ALL = text(f"""
    SELECT partition, {select_list(CORRECTION)} FROM identity_correction
    WHERE key = '' AND partition = ANY(:partitions)
""")
_WAITING = text(f"""
    SELECT partition, {select_list(RESTATEMENT)} FROM identity_restatement WHERE partition = ANY(:partitions)
""")
_CONCERNED = text("""
    SELECT key FROM identity_naming
    WHERE partition = :partition AND (event_id, source) IN (
        SELECT id, system FROM json_to_recordset(CAST(:events AS json)) AS event (system text, id text))
    UNION
    SELECT key FROM identity_correction
    WHERE partition = :partition AND key <> '' AND (event_id, source) IN (
        SELECT id, system FROM json_to_recordset(CAST(:events AS json)) AS event (system text, id text))
    UNION
    SELECT key FROM identity_stretch WHERE partition = :partition AND target = ANY(:customers)
""")


async def restore_identity(connection: AsyncConnection, customers: Mapping[str, Customer]) -> None:
    """Give customers that were just loaded what is known of whose their keys are."""
    for known in await connection.execute(_IDENTITY, {"keys": orjson.dumps(list(customers)).decode()}):
        customer = customers[known.name]
        if known.aside_until is not None:
            customer.put_aside(known.aside_until)
        if known.stretches or known.corrections or known.is_overfull:
            stretches = tuple(sorted([StretchRow(*each).stretch for each in known.stretches or ()]))
            corrections = [CorrectionRow(*each).correction for each in known.corrections or ()]
            customer.identity = KeyIdentity(customer.key, stretches, corrections, known.is_overfull)
    for customer in customers.values():
        customer.has_foreign = any(step.via is not None for journey in customer.journeys for step in journey.steps)


async def load_corrections(connection: AsyncConnection, partitions: Iterable[int]) -> dict[int, list[Correction]]:
    """Return, by partition, the corrections that can concern any key."""
    found: dict[int, list[Correction]] = {}
    for each in await connection.execute(_OF_ALL, {"partitions": list(partitions)}):
        found.setdefault(each.partition, []).append(load_row(CORRECTION, each).correction)
    return found


async def load_restatements(connection: AsyncConnection, partitions: Iterable[int]) -> dict[int, list[RestatementRow]]:
    """Return, by partition, what is to be restated."""
    found: dict[int, list[RestatementRow]] = {}
    for each in await connection.execute(_WAITING, {"partitions": list(partitions)}):
        found.setdefault(each.partition, []).append(load_row(RESTATEMENT, each))
    return found


async def load_aside(
    connection: AsyncConnection, points: Sequence[AsidePoint], spans: Sequence[Span]
) -> list[AsideRow]:
    """Return the touchpoints that journeys don't show, of certain touchpoints and of spans of time, each once."""
    found: dict[Any, AsideRow] = {}
    if points:
        wanted = [{"name": p.key, "moment": p.at, "touchpoint": p.event_key.hex()} for p in points]
        for each in await connection.execute(_POINTS, {"points": orjson.dumps(wanted).decode()}):
            row = load_row(ASIDE, each)
            found[aside_key(row)] = row
    if spans:
        wanted_spans = [{"name": s.key, "earliest": s.since, "latest": s.until} for s in spans]
        for each in await connection.execute(_SPANS, {"spans": orjson.dumps(wanted_spans).decode()}):
            row = load_row(ASIDE, each)
            found[aside_key(row)] = row
    return list(found.values())


async def load_following(connection: AsyncConnection, key: str, after: int, until: int) -> list[AsideRow]:
    """Return the touchpoints after a moment that long journeys leave out: up to another moment, and some more."""
    wanted = {"key": key, "after": after, "until": until, "more": MORE_FOLLOWING}
    return [load_row(ASIDE, each) for each in await connection.execute(_FOLLOWING, wanted)]


async def load_namings(connection: AsyncConnection, keys: Sequence[str]) -> tuple[list[NamingRow], list[OwnerRow]]:
    """Return all namings of keys, and who holds them as the table says."""
    wanted = {"keys": orjson.dumps(list(keys)).decode()}
    namings = [load_row(NAMING, each) for each in await connection.execute(_NAMINGS, wanted)]
    return namings, await load_owners(connection, keys)


async def load_owners(connection: AsyncConnection, keys: Sequence[str]) -> list[OwnerRow]:
    """Return who holds keys over time."""
    if not keys:
        return []
    wanted = {"keys": orjson.dumps(list(keys)).decode()}
    return [load_row(OWNER, each) for each in await connection.execute(_OWNERS, wanted)]


async def concerned_keys(connection: AsyncConnection, partition: int, concerned: Concerned) -> list[str]:
    """Return the partition's keys for which events and customers change something."""
    events = [{"system": source, "id": event_id} for source, event_id in concerned.events]
    found = await connection.execute(
        _CONCERNED,
        {
            "partition": partition,
            "events": orjson.dumps(events).decode(),
            "customers": list(concerned.customers),
        },
    )
    return sorted({each.key for each in found})
