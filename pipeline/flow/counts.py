"""count: how many touchpoints of each stage, channel and kind there are, and how they went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pipeline.flow.count_row import TouchpointCountRow
from pipeline.journey.admitted import Admitted, Traits
from pipeline.journey.step import StepType


class _Sums:
    """The sums of one touchpoint while they are made."""

    __slots__ = (
        "abandoned", "answers", "duration_ms_sum", "durations", "events", "failures", "neutral", "satisfied",
        "score_sum", "wait_ms_sum", "waits",
    )  # fmt: skip

    def __init__(self) -> None:
        self.events = self.answers = self.satisfied = self.neutral = self.score_sum = 0
        self.failures = self.abandoned = self.waits = self.durations = 0
        self.wait_ms_sum = self.duration_ms_sum = 0

    def row(self, traits: Traits) -> TouchpointCountRow:
        return TouchpointCountRow(
            stage=traits.stage,
            channel=traits.channel,
            kind=traits.kind,
            catalogued=traits.catalogued,
            events=self.events,
            answers=self.answers,
            satisfied=self.satisfied,
            score_sum=self.score_sum,
            failures=self.failures,
            abandoned=self.abandoned,
            waits=self.waits,
            wait_ms_sum=self.wait_ms_sum,
            durations=self.durations,
            duration_ms_sum=self.duration_ms_sum,
            neutral=self.neutral,
        )


class _Tally:
    """The sums by stage, channel and kind; equal traits can be there twice."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str], tuple[Traits, _Sums]] = {}

    def of(self, traits: Traits) -> _Sums:
        key = (traits.stage, traits.channel, traits.kind)
        known = self._sums.get(key)
        if known is None:
            known = self._sums[key] = (traits, _Sums())
        return known[1]

    def rows(self) -> list[TouchpointCountRow]:
        return [sums.row(traits) for traits, sums in self._sums.values()]


def count_types(events: Iterable[Admitted]) -> Counter[StepType]:
    """Return the number of touchpoints of each type."""
    return Counter([event.step.type for event in events])


def count_channels(by_type: Mapping[StepType, int]) -> Counter[str]:
    """Return the number of touchpoints of each channel."""
    channels: Counter[str] = Counter()
    for step_type, times in by_type.items():
        channels[step_type.channel] += times
    return channels


def count_touchpoints(events: Sequence[Admitted], by_type: Mapping[StepType, int]) -> Sequence[TouchpointCountRow]:
    """Return what admitted touchpoints, without duplicates, add to the counts; a row a stage, channel and kind.

    `by_type` are the numbers of `count_types`.
    """
    tally = _Tally()
    traits_of = {event.step.type: event.traits for event in events}
    for step_type, times in by_type.items():
        sums = tally.of(traits_of[step_type])
        sums.events += times
        if step_type.outcome == "failed":
            sums.failures += times
        elif step_type.outcome == "abandoned":
            sums.abandoned += times
    for event in events:
        measures = event.step.measures
        if measures is None:
            continue  # an answer has a score
        if measures.wait_ms is not None:
            sums = tally.of(event.traits)
            sums.waits += 1
            sums.wait_ms_sum += measures.wait_ms
        if measures.duration_ms is not None:
            sums = tally.of(event.traits)
            sums.durations += 1
            sums.duration_ms_sum += measures.duration_ms
        answer = event.answer
        if answer is not None:
            judged = tally.of(answer.about)
            judged.answers += 1
            judged.satisfied += answer.is_satisfied is True
            judged.neutral += answer.is_satisfied is None
            judged.score_sum += answer.millipoints
    return tally.rows()
