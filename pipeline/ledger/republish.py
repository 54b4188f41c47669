"""Journeys that are to be published anew, with revisions above all that were sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from sqlalchemy import Connection, TextClause, text

from pipeline.journey.row import JOURNEY, JourneyRow
from pipeline.ledger.reload import load_row, select_list

_PAGE = text(f"""
    SELECT {select_list(JOURNEY)}, partition FROM journey
    WHERE journey_id > CAST(:after AS uuid) ORDER BY journey_id LIMIT :limit
""")
_FIRST = "00000000-0000-0000-0000-000000000000"


def all_journeys(connection: Connection, page: int = 1_000) -> Iterator[list[JourneyRow]]:
    """Yield all journeys, in pages."""
    after = _FIRST
    while rows := [load_row(JOURNEY, each) for each in connection.execute(_PAGE, {"after": after, "limit": page})]:
        yield rows
        after = rows[-1].journey_id


@cache
def _put(score_tables: tuple[str, ...]) -> TextClause:
    names = "".join([f", {name}" for name in score_tables])
    nothing = ", '{}'" * len(score_tables)
    return text(f"""
        WITH new AS (
            SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:revisions AS integer[])) AS new (journey_id, revision)
        ),
        raised AS (
            UPDATE journey SET revision = new.revision FROM new WHERE journey.journey_id = new.journey_id
            RETURNING journey.partition, journey.journey_id
        ),
        grouped AS (SELECT partition, array_agg(journey_id) AS journeys FROM raised GROUP BY partition),
        moved AS (
            UPDATE position AS p SET commits = p.commits + 1 FROM grouped
            WHERE p.topic = :topic AND p.partition = grouped.partition
            RETURNING p.partition, p.commits
        )
        INSERT INTO outbox (topic, partition, commit, journeys{names}, quarantined, forwards)
        SELECT :topic, partition, commits, journeys{nothing}, '{{}}', '[]'
        FROM grouped JOIN moved USING (partition)
    """)


def put_into_outbox(
    connection: Connection, topic: str, revisions: Sequence[tuple[str, int]], score_tables: Sequence[str]
) -> None:
    """Set the revisions of journeys (by id), and put them into the outbox; workers publish them as they start.

    No worker may run meanwhile: it would not know of the revisions.
    """
    parameters = {
        "topic": topic,
        "ids": [journey_id for journey_id, _ in revisions],
        "revisions": [revision for _, revision in revisions],
    }
    connection.execute(_put(tuple(score_tables)), parameters)
