"""What is published, as bytes of the schemas in `schemas/`: journey.avsc, satisfaction.avsc, churn-risk.avsc.

The order of the parts is that of the schema's fields; a test holds every function against fastavro's reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice

from pipeline.churn.reasons import Reason
from pipeline.contract.wire import NULL, SOME, double, long, optional_long, optional_text, text, times
from pipeline.flow.values import ChurnRow, JourneyRow, SatisfactionRow
from pipeline.journey.step import Step
from pipeline.touchpoint import CHANNELS

_STATUS = {word: long(place) for place, word in enumerate(("open", "closed", "merged"))}
_OUTCOME = {word: long(place) for place, word in enumerate(("none", "succeeded", "failed", "abandoned"))}
_CHANNEL = {word: text(word) for word in CHANNELS}
_BOOLEAN = (b"\0", b"\1")
_END = b"\0"
_NO_NUMBERS = (None,) * 5
_NULLS = NULL * 5
#: Rows whose times and steps are written together.
_AT_ONCE = 1_000
#: More distinct words than this are forgotten and put together anew; it bounds memory against made-up kinds.
_MEMO = 20_000


class Journeys:
    """Records of journeys.v1; remembers what channel, kind, stage and outcome of a step look like together."""

    def __init__(self) -> None:
        self._words: dict[tuple[str, ...], bytes] = {}

    def encode(self, rows: Iterable[JourneyRow]) -> Iterator[bytes]:
        """A record a row. Many rows at once are quicker: their times and steps are written together."""
        rows = iter(rows)
        while some := list(islice(rows, _AT_ONCE)):
            moments = iter(times([at for row in some for at in (row.started_at, row.ended_at, row.covers_until)]))
            steps = iter(self._steps([step for row in some for step in row.steps]))
            for row in some:
                yield _journey(row, islice(moments, 3), islice(steps, len(row.steps)))

    def _steps(self, steps: list[Step]) -> list[bytes]:
        """The items of the array `steps`, of all journeys; written out, since it is done most often of all."""
        known, spell = self._words.get, self._spell
        return [
            at + (known(words) or spell(words)) + (_NULLS if numbers == _NO_NUMBERS else _numbers(*numbers))
            for at, words, numbers in zip(
                times([step[0] for step in steps]),
                [step[2:6] for step in steps],
                [step[6:] for step in steps],
                strict=True,
            )
        ]

    def _spell(self, words: tuple[str, ...]) -> bytes:
        if len(self._words) >= _MEMO:
            self._words.clear()
        found = self._words[words] = b"".join(map(text, words))
        return found


def _numbers(
    wait_ms: int | None, duration_ms: int | None, score: float | None, amount_minor: int | None, currency: str | None
) -> bytes:
    return b"".join(
        (
            optional_long(wait_ms),
            optional_long(duration_ms),
            NULL if score is None else SOME + double(score),
            optional_long(amount_minor),
            optional_text(currency),
        )
    )


def _journey(row: JourneyRow, moments: Iterable[bytes], steps: Iterable[bytes]) -> bytes:
    head = [
        text(row.journey_id),
        long(row.revision),
        _STATUS[row.status],
        text(row.customer),
        *moments,
        long(row.touchpoints),
    ]
    if row.channels:
        head.append(long(len(row.channels)))
        for channel, count in row.channels.items():
            head += (_CHANNEL.get(channel) or text(channel), long(count))
    head += (
        _END,
        _OUTCOME[row.outcome],
        long(row.failures),
        long(row.abandoned),
        _BOOLEAN[row.begun_by_customer],
    )
    if row.steps:
        head.append(long(len(row.steps)))
        head += steps
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


def churn_risks(rows: Iterable[ChurnRow]) -> Iterator[bytes]:
    """A record of churn-risk.v1 a row. Many rows at once are quicker: their times are written together."""
    rows = iter(rows)
    while some := list(islice(rows, _AT_ONCE)):
        moments = iter(
            times([at for r in some for at in (r.as_of, r.first_active_at, r.last_active_at, r.last_seen_at)])
        )
        for row in some:
            yield b"".join(
                (
                    text(row.customer),
                    double(row.probability),
                    _band(row.band, row.horizon_days),
                    next(moments),
                    long(row.visits),
                    next(moments),
                    next(moments),
                    optional_long(row.account_closed_at),
                    next(moments),
                    _reasons(row.reasons, row.model),
                )
            )


@lru_cache(_MEMO)
def _band(band: str, horizon_days: int) -> bytes:
    return text(band) + long(horizon_days)


@lru_cache(_MEMO)
def _reasons(reasons: tuple[Reason, ...], model: str) -> bytes:
    parts = [text(part) for reason in reasons for part in reason]
    return b"".join((*([long(len(reasons)), *parts] if parts else ()), _END, text(model)))
