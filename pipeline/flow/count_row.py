"""The row of a touchpoint's counts: plain sums, so that those of several partitions add up."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pipeline.rows import BIGINT, BOOLEAN, NUMERIC, TEXT, Table


class TouchpointCountRow(NamedTuple):
    """What is added to the counts of a touchpoint. `score_sum` is in thousandths of a point on 0 to 100.

    `neutral` are the answers that are neither satisfied nor unsatisfied.
    """

    stage: Annotated[str, TEXT]
    channel: Annotated[str, TEXT]
    kind: Annotated[str, TEXT]
    catalogued: Annotated[bool, BOOLEAN]
    events: Annotated[int, BIGINT]
    answers: Annotated[int, BIGINT]
    satisfied: Annotated[int, BIGINT]
    score_sum: Annotated[int, BIGINT]
    failures: Annotated[int, BIGINT]
    abandoned: Annotated[int, BIGINT]
    waits: Annotated[int, BIGINT]
    wait_ms_sum: Annotated[int, NUMERIC]
    durations: Annotated[int, BIGINT]
    duration_ms_sum: Annotated[int, NUMERIC]
    neutral: Annotated[int, BIGINT]


_KEY = ("stage", "channel", "kind")

TOUCHPOINT_COUNT = Table(
    "touchpoint_count",
    TouchpointCountRow,
    key=("partition", *_KEY),
    added=tuple([name for name in TouchpointCountRow._fields if name not in (*_KEY, "catalogued")]),
)
