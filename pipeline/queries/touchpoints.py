"""Touchpoints with their counts, satisfaction, failures and waits."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, text


class TouchpointView(NamedTuple):
    """One touchpoint. Shares are 0 to 1; `score` is the share satisfied with `low` and `high`, its 95 % interval.

    `hurt` is the least number of its events that went badly (see `HURT`); `hurt_by` is the main cause:
    `dissatisfied`, `failed` or `abandoned`, None if nothing is known to go badly.
    """

    stage: str
    channel: str
    kind: str
    catalogued: bool
    events: int
    score: float | None
    low: float | None
    high: float | None
    answers: int
    satisfied: int
    failures: int
    failed_share: float
    abandoned: int
    abandoned_share: float
    waits: int
    wait_ms_mean: float | None
    duration_ms_mean: float | None
    hurt: float
    hurt_by: str | None


#: How much a touchpoint hurts: its volume × the largest of three shares, each at the lower end of Wilson's 95 %
#: interval, so that a handful of bad experiences does not outweigh what is known about thousands. The shares are: not
#: satisfied, of those who answered; failed; abandoned. It is the largest and not the sum, since they are mostly of the
#: same customers.
HURT = (
    "events × the largest of the shares not satisfied, failed and given up, each at the lower end of its 95 % interval"
)

_SCORED = """
    WITH bad AS (
        SELECT *, failures / events::double precision AS failed_share,
               abandoned / events::double precision AS abandoned_share,
               coalesce(1 - high, 0) AS dissatisfied_least,
               wilson_low(failures, events) AS failed_least,
               wilson_low(abandoned, events) AS abandoned_least
        FROM touchpoint_score WHERE events > 0
    ), scored AS (
        SELECT *, events * greatest(dissatisfied_least, failed_least, abandoned_least) AS hurt,
               CASE greatest(dissatisfied_least, failed_least, abandoned_least)
                   WHEN 0 THEN NULL
                   WHEN abandoned_least THEN 'abandoned'
                   WHEN failed_least THEN 'failed'
                   ELSE 'dissatisfied'
               END AS hurt_by
        FROM bad
    )
"""

#: name → ORDER BY. Shares are sorted by their lower bounds, so that few events do not come first by chance.
SORTS = {
    "hurt": "hurt DESC, events DESC",
    "volume": "events DESC",
    "satisfaction": "high NULLS LAST, events DESC",
    "failed": "failed_least DESC, events DESC",
    "abandoned": "abandoned_least DESC, events DESC",
    "wait": "wait_ms_mean DESC NULLS LAST, events DESC",
}


def touchpoints(
    connection: Connection,
    *,
    sort: str = "hurt",
    stage: str | None = None,
    channel: str | None = None,
    limit: int | None = None,
) -> list[TouchpointView]:
    """Return touchpoints in the order of `SORTS[sort]`, optionally only those of a stage or channel."""
    rows = connection.execute(
        text(f"""
            {_SCORED} SELECT {", ".join(TouchpointView._fields)} FROM scored
            WHERE (CAST(:stage AS text) IS NULL OR stage = :stage)
              AND (CAST(:channel AS text) IS NULL OR channel = :channel)
            ORDER BY {SORTS[sort]}, stage, channel, kind LIMIT :limit
        """),
        {"stage": stage, "channel": channel, "limit": limit},
    )
    return [TouchpointView(**row._mapping) for row in rows]
