"""The row of a case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pipeline.journey.steps import Steps
from pipeline.rows import (
    BIGINT,
    BYTES,
    CHANNEL_COUNTS,
    FLOAT,
    INTEGER,
    INTERNAL,
    MOMENT,
    STAGES,
    STEPS,
    TEXT,
    Table,
    enumeration,
)
from pipeline.touchpoint import OUTCOMES

OPEN, CLOSED, OVERFULL, MOVED = STATUSES = ("open", "closed", "overfull", "moved")


class StageReached(NamedTuple):
    """A stage of a case, and when it was first reached (epoch milliseconds)."""

    stage: str
    at: int


class CaseRow(NamedTuple):
    """A revision of a case, to be committed and published. Times are epoch milliseconds.

    All but `revision` is a function of the set of its touchpoints; docs/cases.md says what each column means. Of an
    `overfull` case only touchpoints and channels are known; a `moved` one has none of its touchpoints any more.
    """

    customer: Annotated[str, TEXT]
    subject: Annotated[str, TEXT]
    revision: Annotated[int, INTEGER]
    type: Annotated[str, TEXT]
    status: Annotated[str, enumeration(*STATUSES)]
    opened_at: Annotated[int | None, MOMENT]
    last_at: Annotated[int | None, MOMENT]
    closed_at: Annotated[int | None, MOMENT]
    #: When silence closes it.
    closes_at: Annotated[int | None, MOMENT]
    due_at: Annotated[int | None, MOMENT]
    late_ms: Annotated[int | None, BIGINT]
    touchpoints: Annotated[int, INTEGER]
    contacts: Annotated[int, INTEGER]
    repeats: Annotated[int, INTEGER]
    hand_overs: Annotated[int, INTEGER]
    reopened: Annotated[int, INTEGER]
    first_channel: Annotated[str | None, TEXT]
    channels: Annotated[Mapping[str, int], CHANNEL_COUNTS]
    stages: Annotated[tuple[StageReached, ...], STAGES]
    waits: Annotated[int, INTEGER]
    wait_ms: Annotated[int, BIGINT]
    outcome: Annotated[str, enumeration(*OUTCOMES)]
    answers: Annotated[int, INTEGER]
    satisfaction: Annotated[float | None, FLOAT]
    steps: Annotated[Steps, STEPS, INTERNAL]
    keys: Annotated[bytes, BYTES, INTERNAL]


CASE = Table("customer_case", CaseRow, key=("customer", "subject"))
