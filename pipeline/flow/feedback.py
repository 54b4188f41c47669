"""keep answers: what customers said in an admitted slice, as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple

from pipeline.journey.admitted import Admitted
from pipeline.rows import BYTES, FLOAT, MOMENT, TEXT, Table


class FeedbackRow(NamedTuple):
    """An answer. `key` is the event's own, `touchpoint` that of its step; both name it together with `at`.

    `score` is on the instrument's own scale. Stage, channel and kind are those of what it is about. Times are epoch
    milliseconds.
    """

    key: Annotated[str, TEXT]
    at: Annotated[int, MOMENT]
    touchpoint: Annotated[bytes, BYTES]
    instrument: Annotated[str, TEXT]
    score: Annotated[float, FLOAT]
    stage: Annotated[str, TEXT]
    channel: Annotated[str, TEXT]
    kind: Annotated[str, TEXT]
    subject: Annotated[str, TEXT]


class VerbatimRow(NamedTuple):
    """The customer's own words with an answer."""

    key: Annotated[str, TEXT]
    at: Annotated[int, MOMENT]
    touchpoint: Annotated[bytes, BYTES]
    verbatim: Annotated[str, TEXT]


_KEY = ("key", "at", "touchpoint")
FEEDBACK = Table("feedback", FeedbackRow, key=_KEY)
VERBATIM = Table("feedback_verbatim", VerbatimRow, key=_KEY)


class Feedbacks(NamedTuple):
    """The answers of a slice, and what was said with them."""

    answers: Sequence[FeedbackRow]
    verbatims: Sequence[VerbatimRow]


NO_FEEDBACK = Feedbacks((), ())


def feedback_of(events: Iterable[Admitted]) -> Feedbacks:
    """Return the answers of admitted touchpoints, without duplicates."""
    answers, verbatims = [], []
    for event in events:
        answer = event.answer
        if answer is None or answer.said is None:
            continue
        said, about, step = answer.said, answer.about, event.step
        answers.append(
            FeedbackRow(
                key=event.customer,
                at=step.at,
                touchpoint=step.key,
                instrument=said.instrument,
                score=said.score,
                stage=about.stage,
                channel=about.channel,
                kind=about.kind,
                subject=_storable(said.subject or ""),
            )
        )
        if said.verbatim:
            verbatims.append(VerbatimRow(event.customer, step.at, step.key, _storable(said.verbatim)))
    return Feedbacks(answers, verbatims)


def _storable(text: str) -> str:
    """Return a text without what Postgres can't hold."""
    return text.replace("\0", "\ufffd")
