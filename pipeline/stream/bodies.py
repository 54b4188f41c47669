"""What is published, as bytes of the schemas in `schemas/`: journey.avsc, satisfaction.avsc, churn-risk.avsc.

The order of the parts is that of the schema's fields; a test holds every function against fastavro's reading.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.contract.wire import (
    BITS,
    LAST,
    MASK,
    NULL,
    PAIR,
    SOME,
    double,
    long,
    optional_long,
    optional_text,
    text,
)
from pipeline.flow.values import ChurnRow, JourneyRow, SatisfactionRow
from pipeline.journey.step import Step

_STATUS = {word: long(place) for place, word in enumerate(("open", "closed", "merged"))}
_OUTCOME = {word: long(place) for place, word in enumerate(("none", "succeeded", "failed", "abandoned"))}
#: The bits of a number that its first four bytes hold.
_FOUR_BYTES = 2 * BITS
_BOOLEAN = (b"\0", b"\1")
_END = b"\0"
_NULLS = NULL * 5
#: More distinct words than this are forgotten and put together anew; it bounds memory against made-up kinds.
_MEMO = 20_000


class Steps:
    """Steps as bytes; remembers what channel, kind, stage and outcome look like together."""

    def __init__(self) -> None:
        self._words: dict[tuple[str, ...], bytes] = {}

    def extend(self, out: list[bytes], steps: Iterable[Step]) -> None:
        """Add the items of the array `steps` to what is to be joined."""
        known = self._words.get
        for step in steps:  # written out, since it is done most often of all
            words = known(step[2:6]) or self._spell(step[2:6])
            rest = step[0] << 1
            if rest >> _FOUR_BYTES <= MASK:  # as all times are, until 2039
                out += (PAIR[rest & MASK], PAIR[rest >> BITS & MASK], LAST[rest >> _FOUR_BYTES], words)
            else:
                out += (long(step[0]), words)
            if step[6] is None and step[7] is None and step[8] is None and step[9] is None:
                out.append(_NULLS)
                continue
            wait_ms, duration_ms, score, amount_minor, currency = step[6:]
            out += (
                optional_long(wait_ms),
                optional_long(duration_ms),
                NULL if score is None else SOME + double(score),
                optional_long(amount_minor),
                optional_text(currency),
            )

    def _spell(self, words: tuple[str, ...]) -> bytes:
        if len(self._words) >= _MEMO:
            self._words.clear()
        found = self._words[words] = b"".join(map(text, words))
        return found


def journey(row: JourneyRow, steps: Steps) -> bytes:
    """A record of journeys.v1."""
    head = [
        text(row.journey_id),
        long(row.revision),
        _STATUS[row.status],
        text(row.customer),
        long(row.started_at),
        long(row.ended_at),
        long(row.covers_until),
        long(row.touchpoints),
    ]
    if row.channels:
        head.append(long(len(row.channels)))
        for channel, count in row.channels.items():
            head += (text(channel), long(count))
    head += (
        _END,
        _OUTCOME[row.outcome],
        long(row.failures),
        long(row.abandoned),
        _BOOLEAN[row.begun_by_customer],
    )
    if row.steps:
        head.append(long(len(row.steps)))
        steps.extend(head, row.steps)
    head += (_END, long(row.steps_omitted), optional_text(row.merged_into))
    return b"".join(head)


def satisfaction(row: SatisfactionRow) -> bytes:
    """A record of satisfaction.v1."""
    return b"".join(
        (
            text(row.customer),
            double(row.score),
            double(row.low),
            double(row.high),
            double(row.answers),
            long(row.answered),
            long(row.as_of),
            text(row.model),
        )
    )


def churn_risk(row: ChurnRow) -> bytes:
    """A record of churn-risk.v1."""
    reasons = [text(part) for reason in row.reasons for part in reason]
    return b"".join(
        (
            text(row.customer),
            double(row.probability),
            text(row.band),
            long(row.horizon_days),
            long(row.as_of),
            long(row.visits),
            long(row.first_active_at),
            long(row.last_active_at),
            optional_long(row.account_closed_at),
            long(row.last_seen_at),
            *([long(len(row.reasons)), *reasons] if reasons else ()),
            _END,
            text(row.model),
        )
    )
