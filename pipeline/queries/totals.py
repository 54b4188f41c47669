"""The totals of all tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, text


class Totals(NamedTuple):
    """What was processed, and the results. `crossing` counts journeys on more than one channel."""

    processed: int
    duplicates: int
    quarantined: int
    customers: int
    journeys: int
    crossing: int
    open: int
    #: channel → touchpoints, the busiest first.
    channels: Mapping[str, int]


_POSITIONS = text("""
    SELECT coalesce(sum(processed), 0) AS processed, coalesce(sum(duplicates), 0) AS duplicates,
           coalesce(sum(quarantined), 0) AS quarantined
    FROM position
""")
_OFFSETS = text("SELECT coalesce(sum(next_offset), 0) FROM position")
_JOURNEYS = text("""
    SELECT count(DISTINCT customer) AS customers, count(*) AS journeys,
           count(*) FILTER (WHERE channels - (SELECT min(name) FROM jsonb_object_keys(channels) AS name) <> '{}')
               AS crossing,
           count(*) FILTER (WHERE status = 'open') AS open
    FROM journey WHERE merged_into IS NULL AND moved_to IS NULL
""")
_CHANNELS = text("SELECT channel, sum(events) AS n FROM touchpoint_score GROUP BY channel ORDER BY n DESC, channel")


def totals(connection: Connection) -> Totals:
    """Return the totals as they are now; reads every journey."""
    positions = connection.execute(_POSITIONS).one()
    journeys = connection.execute(_JOURNEYS).one()
    return Totals(
        processed=int(positions.processed),
        duplicates=int(positions.duplicates),
        quarantined=int(positions.quarantined),
        customers=journeys.customers,
        journeys=journeys.journeys,
        crossing=journeys.crossing,
        open=journeys.open,
        channels={row.channel: int(row.n) for row in connection.execute(_CHANNELS)},
    )


def count_handled(connection: Connection) -> int:
    """Return the number of records that were taken from the topic, whatever became of each."""
    return int(connection.execute(_OFFSETS).scalar_one())
