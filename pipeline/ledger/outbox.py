"""The outbox: what was committed and is not known to be published. It is read when publishing begins anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.cases.row import CaseRow
from pipeline.flow.exchange import ExchangeRecord
from pipeline.flow.identity_rows import OwnerRow
from pipeline.flow.values import Forwarded
from pipeline.journey.row import JOURNEY, JourneyRow
from pipeline.ledger.cases import load_cases
from pipeline.ledger.identity import load_owners
from pipeline.ledger.positions import Position
from pipeline.ledger.reload import load_row, select_list
from pipeline.rows import Table
from pipeline.scores.protocol import Score
from pipeline.scores.registry import published as published_scores

_JOURNEYS = text(f"""
    SELECT {select_list(JOURNEY)} FROM journey
    WHERE journey_id = ANY(CAST(CAST(:ids AS text[]) AS uuid[]))
""")
_REFUSED = text("""
    SELECT "offset", key, raw, headers, reason, detail FROM quarantine
    WHERE topic = :topic AND partition = :partition AND "offset" = ANY(:offsets) ORDER BY "offset"
""")

_FIRST = text("SELECT min(commit) FROM outbox WHERE topic = :topic AND partition = :partition")

_OTHER_COLUMNS = ("quarantined", "forwards", "identities", "cases")
#: Number of commits that are read at once, so that memory is bounded however many there are.
_MAX_COMMITS = 20


class RefusedRow(NamedTuple):
    """A record in quarantine, as it is to be sent to the dead-letter topic."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    reason: str
    detail: str


class Unpublished(NamedTuple):
    """What is to be published of a partition's commits up to number `commit`: each row as it is now.

    `scores` has the rows of each score by its table's name, `removed_scores` the customers whose row was deleted.
    `owners` are all rows of the keys whose holders have changed.
    """

    commit: int
    journeys: Sequence[JourneyRow]
    scores: Mapping[str, Sequence[Any]]
    refused: Sequence[RefusedRow]
    forwarded: Sequence[Forwarded]
    removed_scores: Mapping[str, Sequence[str]] = {}
    exchanged: Sequence[ExchangeRecord] = ()
    owners: Sequence[OwnerRow] = ()
    cases: Sequence[CaseRow] = ()


@cache
def _unpublished_commits(score_tables: tuple[str, ...]) -> TextClause:
    columns = ", ".join(["commit", "journeys::text[] AS journeys", *score_tables, *_OTHER_COLUMNS])
    return text(f"""
        SELECT {columns} FROM outbox
        WHERE topic = :topic AND partition = :partition AND commit > :published ORDER BY commit LIMIT {_MAX_COMMITS}
    """)


@cache
def _score_rows(table: Table[Any]) -> TextClause:
    return text(f"SELECT {select_list(table)} FROM {table.name} WHERE customer = ANY(:customers)")


async def load_unpublished(
    connection: AsyncConnection, position: Position, published: int, scores: Sequence[Score[Any, Any]]
) -> Unpublished | None:
    """Return what was committed of a partition after commit number `published`; None if there is nothing to publish.

    The first commits of many: what is left is after its `commit`.
    """
    place = {"topic": position.topic, "partition": position.partition}
    tables = [score.table for score in published_scores(scores)]
    statement = _unpublished_commits(tuple([table.name for table in tables]))
    commits = (await connection.execute(statement, {**place, "published": published})).all()
    if not commits:
        return None
    journeys = await connection.execute(_JOURNEYS, {"ids": _union(commits, "journeys")})
    score_rows, removed = {}, {}
    for table in tables:
        customers = _union(commits, table.name)
        selected = await connection.execute(_score_rows(table), {"customers": customers})
        rows = score_rows[table.name] = [load_row(table, each) for each in selected]
        there = {row.customer for row in rows}
        removed[table.name] = [customer for customer in customers if customer not in there]
    refused = await connection.execute(_REFUSED, {**place, "offsets": _union(commits, "quarantined")})
    return Unpublished(
        commit=commits[-1].commit,
        journeys=[load_row(JOURNEY, each) for each in journeys],
        scores=score_rows,
        refused=[
            RefusedRow(row.offset, row.key, row.raw, _headers(row.headers), row.reason, row.detail) for row in refused
        ],
        forwarded=[
            Forwarded(bytes.fromhex(f["key"]), bytes.fromhex(f["value"]), _headers(f["headers"]))
            for row in commits
            for f in row.forwards
            if "value" in f
        ],
        removed_scores=removed,
        owners=await load_owners(connection, _union(commits, "identities")),
        cases=list((await load_cases(connection, _cases(commits))).values()),
        exchanged=[
            ExchangeRecord(None if f["to"] is None else f["to"].encode(), f["exchanged"].encode(), f["partition"])
            for row in commits
            for f in row.forwards
            if "exchanged" in f
        ],
    )


async def first_unpublished(connection: AsyncConnection, position: Position) -> int | None:
    """Return the number of a partition's first commit in the outbox; None if it has none."""
    place = {"topic": position.topic, "partition": position.partition}
    first: int | None = (await connection.execute(_FIRST, place)).scalar()
    return first


def _union(commits: Any, column: str) -> list[Any]:
    return list(dict.fromkeys(item for row in commits for item in getattr(row, column)))


def _cases(commits: Any) -> list[tuple[str, str]]:
    return list(dict.fromkeys((customer, subject) for row in commits for customer, subject in row.cases))


def _headers(stored: list[list[str]]) -> list[tuple[str, bytes]]:
    return [(name, bytes.fromhex(value)) for name, value in stored]
