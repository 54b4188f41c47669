"""What customers answered: each instrument's figures over a period, by what it is about and by time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from pipeline.scales import SCALES
from pipeline.scores.satisfaction.figures import NPS_DETRACTOR, Figures, Tally, figures

#: Number of answers that are fetched at once.
_FETCHED = 20_000
#: What figures are divided by → the columns.
GROUPS = {
    "touchpoint": ("stage", "channel", "kind"),
    "channel": ("channel",),
    "stage": ("stage",),
    "all": (),
}
#: Periods → when the one begins that a moment is in. Weeks begin on Mondays, all times are in UTC.
PERIODS = {
    "day": "date_trunc('day', at, 'UTC')",
    "week": "date_trunc('week', at, 'UTC')",
    "28d": "date_bin('28 days', at, '1970-01-05 00:00:00+00')",
}
#: Answers of a period, each once, whatever keys it came by; `begins` is when the period began that it is in.
ONCE = """
    SELECT DISTINCT ON (touchpoint, at) {begins} AS begins, touchpoint, instrument, score,
           coalesce(shown, stage) AS stage, channel, kind
    FROM feedback LEFT JOIN touchpoint_place USING (stage, channel, kind)
    WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR at < :until)
      AND (CAST(:instrument AS text) IS NULL OR instrument = :instrument)
    ORDER BY touchpoint, at, starts_with(key, 'customer:') DESC, key
"""


class Answered(NamedTuple):
    """The figures of one instrument. `group` has the values of the columns of `GROUPS`; `begins` is the period's."""

    instrument: str
    group: Sequence[str]
    begins: datetime | None
    answers: int
    figures: Figures


class CustomerAnswer(NamedTuple):
    """A customer's answer on the instrument's own scale, and what it is about, as CHANNEL/KIND."""

    customer: str
    at: datetime
    instrument: str
    score: float
    about: str


def answered(
    connection: Connection,
    *,
    by: str = "touchpoint",
    every: str | None = None,
    instrument: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Answered]:
    """Return the figures of answers from `since` (inclusive) to `until` (exclusive), the most answers first.

    `by` is of `GROUPS`, `every` of `PERIODS`; without it there is one period, and with it, periods are in order. Stages
    are those under which `touchpoint_score` shows the answers.
    """
    columns = GROUPS[by]
    begins = PERIODS[every] if every else "NULL::timestamptz"
    limits = " ".join(f"WHEN '{name}' THEN {scale.satisfied}::float8" for name, scale in SCALES.items())
    bad = " ".join(
        f"WHEN '{name}' THEN {NPS_DETRACTOR if name == 'nps' else scale.dissatisfied}::float8"
        for name, scale in SCALES.items()
        if name == "nps" or scale.dissatisfied is not None
    )
    grouped = ", ".join(["instrument", "begins", *columns])
    rows = connection.execute(
        text(f"""
            SELECT {grouped}, count(*) AS answers,
                   count(*) FILTER (WHERE score >= CASE instrument {limits} END) AS satisfied,
                   count(*) FILTER (WHERE score <= CASE instrument {bad} END) AS dissatisfied,
                   sum(score) AS total, sum(score * score) AS squares
            FROM ({ONCE.format(begins=begins)}) AS once
            GROUP BY {grouped}
            ORDER BY begins NULLS FIRST, answers DESC, {grouped}
        """),
        {"since": since, "until": until, "instrument": instrument},
    )
    found = []
    for row in rows:
        known, period, *rest = row
        group, sums = rest[: len(columns)], rest[len(columns) :]
        found.append(Answered(known, group, period, sums[0], figures(known, Tally(*sums))))
    return found


def last_answer(connection: Connection) -> datetime | None:
    """Return when the last answer was given; None without any."""
    at: datetime | None = connection.execute(text("SELECT max(at) FROM feedback")).scalar()
    return at


def answers_of_customers(
    connection: Connection, until: datetime | None, progress: Callable[[int], None] = lambda _done: None
) -> Iterator[CustomerAnswer]:
    """Yield all answers up to `until`, by customer, then by time.

    `progress` is told how many are read.
    """
    rows = connection.execute(
        text("""
            SELECT customer, at, instrument, score, channel || '/' || kind
            FROM customer_feedback
            WHERE CAST(:until AS timestamptz) IS NULL OR at <= :until
            ORDER BY customer, at, touchpoint
        """),
        {"until": until},
        execution_options={"yield_per": _FETCHED},
    )
    read = 0
    for some in rows.partitions():
        yield from [CustomerAnswer(*row) for row in some]
        read += len(some)
        progress(read)
