"""The row of a journey's revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pipeline.journey.steps import Steps
from pipeline.rows import (
    BOOLEAN,
    BYTES,
    CHANNEL_COUNTS,
    INTEGER,
    INTERNAL,
    MOMENT,
    STEPS,
    TEXT,
    UUID,
    Table,
    enumeration,
)
from pipeline.touchpoint import OUTCOMES

STATUSES = ("open", "closed", "merged", "moved")


class JourneyRow(NamedTuple):
    """A revision of a journey, to be committed and published. Times are epoch milliseconds."""

    journey_id: Annotated[str, UUID]
    revision: Annotated[int, INTEGER]
    status: Annotated[str, enumeration(*STATUSES)]
    customer: Annotated[str, TEXT]
    started_at: Annotated[int, MOMENT]
    ended_at: Annotated[int, MOMENT]
    covers_until: Annotated[int, MOMENT]
    touchpoints: Annotated[int, INTEGER]
    channels: Annotated[Mapping[str, int], CHANNEL_COUNTS]
    outcome: Annotated[str, enumeration(*OUTCOMES)]
    failures: Annotated[int, INTEGER]
    abandoned: Annotated[int, INTEGER]
    begun_by_customer: Annotated[bool, BOOLEAN]
    steps: Annotated[Steps, STEPS]
    steps_omitted: Annotated[int, INTEGER]
    merged_into: Annotated[str | None, UUID]
    moved_to: Annotated[str | None, TEXT]
    #: Whether one of the touchpoints counts as activity of the customer.
    is_visit: Annotated[bool, BOOLEAN, INTERNAL]
    #: The keys of all touchpoints: first those of the steps, in their order, then those of steps left out, sorted.
    keys: Annotated[bytes, BYTES, INTERNAL]


JOURNEY = Table("journey", JourneyRow, key=("journey_id",))
