"""Contacts of a journey with what went before them, and which of them were answered.

A contact is a step that customers are asked about, such as a call that ended. What is known of it without asking are
signals, of the journey up to the contact and no later:

- `wait`: ln(1 + wait / the touchpoint's usual wait), of the contact itself or the last one before it on its channel;
- `failed`, `abandoned`: 1 if the contact's own outcome is that;
- `failures`, `abandonments`: ln(1 + number of earlier steps with that outcome);
- `repeats`: ln(1 + number of earlier steps of the same touchpoint);
- `switches`: ln(1 + number of times that the customer went on on another channel);
- `lateness`: ln(1 + hours) by which the last thing that was due came late.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from math import log1p
from typing import NamedTuple

from pipeline.journey.step import Step, StepType

#: Kinds by which customers are asked for an answer; catalogued in `schemas/catalogue.toml`.
ASKING = frozenset({"survey_sent"})
_HOUR_MS = 3_600_000


class Signals(NamedTuple):
    """What is known of a contact without asking; see the module. None is negative."""

    wait: float = 0.0
    failed: float = 0.0
    abandoned: float = 0.0
    failures: float = 0.0
    abandonments: float = 0.0
    repeats: float = 0.0
    switches: float = 0.0
    lateness: float = 0.0


class Contact(NamedTuple):
    """A contact; `answer` is the step that judges it, None if nobody did.

    `is_asked` says that the customer was asked after it, which is known where a step of a kind of `ASKING` follows.
    """

    step: Step
    touchpoint: str
    signals: Signals
    is_asked: bool = False
    answer: Step | None = None


class Usual(NamedTuple):
    """What contacts are compared with: the mean waits of touchpoints (ms), and whether the customer begins a step."""

    waits: Mapping[str, float]
    is_begun_by_customer: Callable[[StepType], bool]


def touchpoint(step: Step) -> str:
    """Return a step's touchpoint, as CHANNEL/KIND."""
    return f"{step.type.channel}/{step.type.kind}"


def contacts(steps: Sequence[Step], usual: Usual, judged: Collection[str] | None = None) -> list[Contact]:
    """Return the contacts among a journey's steps, which are in order; of touchpoints of `judged`, if it is given.

    An answer belongs to the last earlier step of the touchpoint that it is about, or to the step that carries it. A
    customer is taken to be asked about the last contact before. One that was answered was asked.
    """
    found: list[Contact] = []
    latest: dict[str, int] = {}
    so_far = _SoFar(usual)
    for step in steps:
        name = touchpoint(step)
        signals = so_far.add(step, name)
        measures = step.measures
        about = None if measures is None else measures.about
        if about is not None and about in latest:
            place = latest[about]
            found[place] = found[place]._replace(answer=step, is_asked=True)
        elif step.type.kind in ASKING and found:
            found[-1] = found[-1]._replace(is_asked=True)
        if about is None and step.type.kind not in ASKING and (judged is None or name in judged):
            latest[name] = len(found)
            is_answer = measures is not None and measures.score is not None
            found.append(Contact(step, name, signals, is_answer, step if is_answer else None))
    return found


class _SoFar:
    """Counts what went before, step by step."""

    def __init__(self, usual: Usual) -> None:
        self._usual = usual
        self._failures = self._abandonments = self._switches = 0
        self._late_ms = 0
        self._channel: str | None = None
        self._times: dict[str, int] = {}
        self._waits: dict[str, float] = {}

    def add(self, step: Step, name: str) -> Signals:
        """Return the signals of a step, and count it."""
        self._measure(step, name)
        channel, outcome = step.type.channel, step.type.outcome
        signals = Signals(
            wait=self._waits.get(channel, 0.0),
            failed=float(outcome == "failed"),
            abandoned=float(outcome == "abandoned"),
            failures=log1p(self._failures),
            abandonments=log1p(self._abandonments),
            repeats=log1p(self._times.get(name, 0)),
            switches=log1p(self._switches),
            lateness=log1p(self._late_ms / _HOUR_MS),
        )
        self._failures += outcome == "failed"
        self._abandonments += outcome == "abandoned"
        self._times[name] = self._times.get(name, 0) + 1
        return signals

    def _measure(self, step: Step, name: str) -> None:
        channel, measures = step.type.channel, step.measures
        if self._usual.is_begun_by_customer(step.type):
            self._switches += self._channel not in (None, channel)
            self._channel = channel
        if measures is None:
            return
        usual = self._usual.waits.get(name, 0.0)
        if measures.wait_ms is not None and usual > 0:
            self._waits[channel] = log1p(measures.wait_ms / usual)
        if measures.late_ms is not None:
            self._late_ms = max(0, measures.late_ms)
