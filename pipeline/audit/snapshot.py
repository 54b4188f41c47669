"""The cut: positions, tables and models as of one moment, streamed into files, so that the transaction is short."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Connection

from pipeline.errors import InvalidInput
from pipeline.topics import TOUCHPOINTS


def _ms(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000)::bigint AS {column}"


def _numbers(column: str) -> str:
    """Return whole numbers by name as a text, in the order of their names."""
    return (
        f"(SELECT coalesce(string_agg(key || '=' || value, ',' ORDER BY key COLLATE \"C\"), '') "
        f"FROM jsonb_each_text({column})) AS {column}"
    )


def _sums(column: str) -> str:
    """Return the same of fading sums, as of 1990; a row has them as of `base` half-lives later."""
    total = f"trim_scale(value::numeric * power(2::numeric, coalesce(({column} ->> 'base')::integer, 0)))"
    return (
        f"(SELECT coalesce(string_agg(key || '=' || {total}, ',' ORDER BY key COLLATE \"C\"), '') "
        f"FROM jsonb_each_text({column}) WHERE key <> 'base') AS {column}"
    )


#: The query of each table. Long values that are only compared for equality are read as digests.
EXPORTS = {
    "journey": f"""
        SELECT journey_id::text, customer, partition, revision, status, {_ms("started_at")}, {_ms("ended_at")},
               {_ms("covers_until")}, touchpoints, channels::text, outcome, failures, abandoned, begun_by_customer,
               is_visit, steps::text, steps_omitted, merged_into::text, moved_to, length(keys) AS key_bytes,
               encode(sha256(convert_to(encode(keys, 'hex'), 'UTF8')), 'hex') AS keys
        FROM journey""",
    "satisfaction": f"""
        SELECT customer, partition, score, low, high, answers, answered, {_ms("as_of")},
               trim_scale(weight)::text AS weight, trim_scale(weighted)::text AS weighted,
               (SELECT string_agg(key || ' ' || trim_scale(value::numeric), ',' ORDER BY key COLLATE "C")
                FROM jsonb_each_text(about)) AS about, model
        FROM satisfaction""",
    "churn_risk": f"""
        SELECT customer, partition, probability, band, horizon_days, {_ms("as_of")}, visits, {_ms("first_active_at")},
               {_ms("last_active_at")}, {_ms("account_closed_at")}, {_ms("last_seen_at")}, model,
               {_sums("evidence")}, activities,
               trim_scale(activity_weight)::text AS activity_weight, {_numbers("payments")}, {_numbers("paid")}
        FROM churn_risk""",
    "customer_evidence": f"SELECT customer, partition, {_sums('evidence')} FROM customer_evidence",
    "customer_case": f"""
        SELECT customer, subject, partition, revision, type, status, {_ms("opened_at")}, {_ms("last_at")},
               {_ms("closed_at")}, {_ms("closes_at")}, {_ms("due_at")}, late_ms, touchpoints, contacts, repeats,
               hand_overs, reopened, first_channel, {_numbers("channels")},
               (SELECT coalesce(string_agg(concat(reached ->> 'stage', '@',
                                                  (extract(epoch FROM (reached ->> 'at')::timestamptz) * 1000)::bigint),
                                           ',' ORDER BY place), '')
                FROM jsonb_array_elements(stages) WITH ORDINALITY AS each (reached, place)) AS stages,
               waits, wait_ms, outcome, answers, satisfaction, steps::text,
               encode(sha256(convert_to(encode(keys, 'hex'), 'UTF8')), 'hex') AS keys
        FROM customer_case""",
    "touchpoint_count": """
        SELECT partition, stage, channel, kind, catalogued, events, answers, satisfied, score_sum, failures, abandoned,
               waits, wait_ms_sum, durations, duration_ms_sum, neutral
        FROM touchpoint_count""",
    "feedback": f"""
        SELECT partition, key, {_ms("at")}, encode(touchpoint, 'hex') AS touchpoint, instrument, score, stage, channel,
               kind, CASE WHEN subject <> '' THEN encode(sha256(convert_to(subject, 'UTF8')), 'hex') END AS subject
        FROM feedback""",
    "feedback_verbatim": f"""
        SELECT partition, key, {_ms("at")}, encode(touchpoint, 'hex') AS touchpoint,
               encode(sha256(convert_to(verbatim, 'UTF8')), 'hex') AS verbatim
        FROM feedback_verbatim""",
    "quarantine": f"""
        SELECT partition, "offset", reason, encode(sha256(key), 'hex') AS key, encode(sha256(raw), 'hex') AS raw,
               {_ms("appended_at")}
        FROM quarantine WHERE topic = '{TOUCHPOINTS}'""",
    "position": f"""
        SELECT partition, next_offset, {_ms("watermark")}, processed, duplicates, quarantined, forwarded
        FROM position WHERE topic = '{TOUCHPOINTS}'""",
    "identity_owner": f"SELECT partition, key, {_ms('since')}, {_ms('until')}, owner, why FROM identity_owner",
    "identity_naming": f"SELECT key, target, trust, {_ms('at')}, source, event_id FROM identity_naming",
    "identity_restatement": "SELECT key FROM identity_restatement",
    "exchanged": f"""
        SELECT each ->> 'to' AS topic_key, each ->> 'exchanged' AS value
        FROM outbox CROSS JOIN LATERAL jsonb_array_elements(forwards) AS each
        WHERE topic = '{TOUCHPOINTS}' AND each ? 'exchanged'""",
    "model": "SELECT name, version, parameters::text, active FROM model",
}


class Snapshot(NamedTuple):
    """The facts that are needed before the files are read: `taken_at` in epoch ms, and the next offset by partition.

    `exchange_offsets` are those of the exchange topic; `ledger` is the id of the tables.
    """

    taken_at: int
    next_offsets: dict[int, int]
    half_life_ms: int
    churn_half_life_ms: int
    exchange_offsets: dict[int, int]
    ledger: str


def take(connection: Connection, folder: Path, step: Callable[[int], None]) -> Snapshot:
    """Write the tables to `folder`/TABLE.csv, as of one moment.

    `connection` is in a transaction that is read only and repeatable. `step` gets the number of tables that are done.
    """
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    with raw.cursor() as cursor:
        taken_at = _one(cursor, "SELECT (extract(epoch FROM now()) * 1000)::bigint")
        half_life, churn_half_life = _half_life_ms(cursor, "satisfaction", None), _half_life_ms(cursor, "churn", 30.0)
        cursor.execute(
            "SELECT partition, next_offset, next_exchange_offset FROM position WHERE topic = %s", (TOUCHPOINTS,)
        )
        positions = cursor.fetchall()
        next_offsets = {int(partition): int(offset) for partition, offset, _ in positions}
        exchange_offsets = {int(partition): int(offset) for partition, _, offset in positions}
        ledger = str(_one(cursor, "SELECT id FROM ledger"))
        for number, (table, query) in enumerate(EXPORTS.items(), 1):
            with (
                (folder / f"{table}.csv").open("wb") as file,
                cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT csv)") as rows,
            ):
                for block in rows:
                    file.write(block)
            step(number)
    return Snapshot(int(taken_at), next_offsets, half_life, churn_half_life, exchange_offsets, ledger)


def _half_life_ms(cursor: psycopg.Cursor[Any], name: str, default: float | None) -> int:
    """Return the half-life of the active model of a name; `default` (days) is that of one that does not say."""
    days = _one(cursor, f"SELECT (parameters ->> 'half_life_days')::float8 FROM model WHERE name = '{name}' AND active")
    days = default if days is None else days
    if days is None:
        raise InvalidInput(f"The table model has no active model of {name}. Run `pipeline init`.")
    return round(days * 86_400_000)


def _one(cursor: psycopg.Cursor[Any], query: str) -> Any:
    row = cursor.execute(query.encode()).fetchone()
    return row[0] if row else None
