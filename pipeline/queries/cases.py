"""Cases: orders, tickets, complaints over all journeys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, text


class Case(NamedTuple):
    """A case as of a moment.

    `status` is open, lapsed (nothing more came), closed or overfull. `late_ms` is by how much it was first closed later
    than it was due, or has been due by now; None where it was not due. `satisfaction` is 0 to 100. `stages` are objects
    of `stage` and `at`, in the order in which they were first reached.
    """

    customer: str
    subject: str
    type: str
    status: str
    opened_at: datetime | None
    last_at: datetime | None
    closed_at: datetime | None
    due_at: datetime | None
    late_ms: int | None
    is_late: bool
    touchpoints: int
    contacts: int
    repeats: int
    hand_overs: int
    reopened: int
    first_channel: str | None
    channels: Mapping[str, int]
    stages: Sequence[Mapping[str, Any]]
    waits: int
    wait_ms: int
    outcome: str
    answers: int
    satisfaction: float | None
    revision: int


class CaseJourney(NamedTuple):
    """A journey that a case went through."""

    journey_id: str
    started_at: datetime
    ended_at: datetime
    status: str
    outcome: str


class CaseDetails(NamedTuple):
    """A case with its touchpoints (objects as the column `steps` holds them) and the journeys that it went through."""

    case: Case
    steps: Sequence[Mapping[str, Any]]
    journeys: Sequence[CaseJourney]


class CaseShare(NamedTuple):
    """A share of cases with its 95 % interval, 0 to 1: `n` of `cases`; `channel` None stands for all channels."""

    type: str
    channel: str | None
    measure: str
    n: int
    cases: int
    share: float
    low: float
    high: float


class StageTime(NamedTuple):
    """How long cases took from a stage to the next one: median with a 95 % interval, and the 90th percentile."""

    type: str
    stage: str
    next_stage: str
    cases: int
    median: timedelta
    low: timedelta
    high: timedelta
    p90: timedelta


_COLUMNS = ", ".join(Case._fields)
_LIST = text(f"""
    SELECT {_COLUMNS} FROM customer_case_at(CAST(:at AS timestamptz))
    WHERE (CAST(:type AS text) IS NULL OR type = :type)
      AND (CAST(:customer AS text) IS NULL OR customer = :customer)
      AND (NOT :open OR status = 'open') AND (NOT :late OR is_late)
    ORDER BY CASE WHEN :late THEN late_ms END DESC, last_at DESC NULLS LAST, customer, subject
    LIMIT :most
""")
_ONE = text(f"""
    SELECT {_COLUMNS} FROM customer_case_at(CAST(:at AS timestamptz))
    WHERE customer = :customer AND subject = :subject
""")
_STEPS = text("SELECT steps FROM customer_case WHERE customer = :customer AND subject = :subject")
_JOURNEYS = text("""
    SELECT journey_id::text AS journey_id, started_at, ended_at, status, outcome FROM case_journey
    WHERE customer = :customer AND subject = :subject ORDER BY started_at
""")
_SHARES = text("""
    SELECT type, channel, measure, n, cases, share, low, high
    FROM case_shares(coalesce(CAST(:since AS timestamptz), '-infinity'),
                     coalesce(CAST(:until AS timestamptz), 'infinity'), CAST(:at AS timestamptz))
""")
_STAGE_SHARES = text("""
    SELECT type, channel, stage AS measure, n, cases, share, low, high
    FROM case_stage_shares(coalesce(CAST(:since AS timestamptz), '-infinity'),
                           coalesce(CAST(:until AS timestamptz), 'infinity'))
""")
_TIMES = text("""
    SELECT type, stage, next_stage, cases, median, low, high, p90
    FROM case_stage_times(coalesce(CAST(:since AS timestamptz), '-infinity'),
                          coalesce(CAST(:until AS timestamptz), 'infinity'))
""")


def cases(
    connection: Connection,
    at: datetime,
    *,
    type: str | None = None,
    customer: str | None = None,
    is_open: bool = False,
    is_late: bool = False,
    limit: int | None = None,
) -> list[Case]:
    """Return cases as of a moment, those with the latest touchpoint first; with `is_late`, the latest ones first."""
    values = {"at": at, "type": type, "customer": customer, "open": is_open, "late": is_late, "most": limit}
    return [Case(**row._mapping) for row in connection.execute(_LIST, values)]


def case(connection: Connection, at: datetime, customer: str, subject: str) -> CaseDetails | None:
    """Return a case with all that is known of it; None if there is none."""
    key = {"customer": customer, "subject": subject}
    row = connection.execute(_ONE, {"at": at, **key}).one_or_none()
    if row is None:
        return None
    steps = connection.execute(_STEPS, key).scalar_one()
    journeys = [CaseJourney(**each._mapping) for each in connection.execute(_JOURNEYS, key)]
    return CaseDetails(Case(**row._mapping), steps, journeys)


def shares(
    connection: Connection, at: datetime, since: datetime | None = None, until: datetime | None = None
) -> list[CaseShare]:
    """Return shares of the cases opened within a time: resolved at the first contact, reopened, promise kept."""
    values = {"at": at, "since": since, "until": until}
    return [CaseShare(**row._mapping) for row in connection.execute(_SHARES, values)]


def stage_shares(
    connection: Connection, since: datetime | None = None, until: datetime | None = None
) -> list[CaseShare]:
    """Return the shares of the cases opened within a time that reached each stage, which is the `measure`."""
    values = {"since": since, "until": until}
    return [CaseShare(**row._mapping) for row in connection.execute(_STAGE_SHARES, values)]


def stage_times(
    connection: Connection, since: datetime | None = None, until: datetime | None = None
) -> list[StageTime]:
    """Return how long the cases opened within a time took from each stage to the next."""
    return [StageTime(**row._mapping) for row in connection.execute(_TIMES, {"since": since, "until": until})]
