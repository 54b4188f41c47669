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
    NamingRow,
    OwnerRow,
    RestatementRow,
    StretchRow,
)
from pipeline.flow.state import Customer
from pipeline.identity.correction import Correction
from pipeline.identity.key_identity import KeyIdentity
from pipeline.identity.segments import OVERFULL
from pipeline.ledger.moments import sql_moment
from pipeline.ledger.reload import load_row, select_list
from pipeline.rows import Table

# As in `customers`: OFFSET 0 makes Postgres run a subquery for each row before it, through its index.


def _of_keys(table: Table[Any], condition: str = "true") -> str:
    return f"""
        SELECT {select_list(table)}
        FROM json_array_elements_text(CAST(:keys AS json)) AS wanted (name)
        CROSS JOIN LATERAL (SELECT * FROM {table.name} WHERE key = wanted.name AND {condition} OFFSET 0) AS known
    """


_STRETCHES, _CORRECTIONS, _NAMINGS = text(_of_keys(STRETCH)), text(_of_keys(CORRECTION)), text(_of_keys(NAMING))
_OWNERS = text(_of_keys(OWNER))
_OVERFULL = text(_of_keys(OWNER, f"why = '{OVERFULL}'"))
# In the order of the index, which is taken then even if one key has nearly all rows.
_HAVE_ASIDE = text("""
    SELECT name FROM json_array_elements_text(CAST(:keys AS json)) AS wanted (name)
    CROSS JOIN LATERAL (
        SELECT at FROM identity_touchpoint WHERE key = wanted.name ORDER BY key, at LIMIT 1
    ) AS first
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
     ORDER BY at, identity_touchpoint.keys
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
    weaker = orjson.dumps([key for key in customers if not key.startswith("customer:")]).decode()
    stretches: dict[str, list[StretchRow]] = {}
    corrections: dict[str, list[Correction]] = {}
    if weaker != "[]":
        for each in await connection.execute(_STRETCHES, {"keys": weaker}):
            row = load_row(STRETCH, each)
            stretches.setdefault(row.key, []).append(row)
        for each in await connection.execute(_CORRECTIONS, {"keys": weaker}):
            correction = load_row(CORRECTION, each)
            corrections.setdefault(correction.key, []).append(correction.correction)
        overfull = {each.key for each in await connection.execute(_OVERFULL, {"keys": weaker})}
        for key in {*stretches, *corrections, *overfull}:
            known = tuple(sorted([row.stretch for row in stretches.get(key, ())]))
            customers[key].identity = KeyIdentity(key, known, corrections.get(key, ()), key in overfull)
    for each in await connection.execute(_HAVE_ASIDE, {"keys": orjson.dumps(list(customers)).decode()}):
        customers[each.name].has_aside = True
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
