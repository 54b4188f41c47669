"""Making a customer's scores anew, from all of their touchpoints, a part of them at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.flow.joined_customer import Readmit
from pipeline.journey.journey import Journey
from pipeline.journey.step import Step
from pipeline.scores.protocol import ActiveScore, CustomerChange


class Refold:
    """Folds a customer's journeys into scores that begin with nothing."""

    def __init__(self, customer: str, scores: Sequence[ActiveScore], readmit: Readmit) -> None:
        self._customer, self._scores, self._readmit = customer, scores, readmit
        self._states: dict[str, Any] = {}

    def add(self, journeys: Sequence[Journey], omitted: Mapping[bytes, Step]) -> None:
        """Add journeys that come after those added so far, with the steps that long ones leave out, by their keys."""
        steps = [step for journey in journeys for step in journey.steps]
        steps += [omitted[key] for journey in journeys for key in journey.omitted]
        steps.sort()
        events = [self._readmit(self._customer, step) for step in steps]
        visits = sum([journey.is_visit for journey in journeys])
        change = CustomerChange(events, visits, journeys[-1].ended_at, self._states)
        for name, score, model in [(active.name, active.score, active.model) for active in self._scores]:
            state = score.fold(self._states.get(name), change, model)
            if state is not None:
                self._states[name] = state

    @property
    def states(self) -> Mapping[str, Any]:
        """Return the state of each score that there is, by its table's name."""
        return self._states
