"""score: what has changed for a customer is folded into their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.flow.state import Customer
from pipeline.scores.protocol import ActiveScore, CustomerChange


class Scoring:
    """Folds changes into customers' scores. `rows` has the rows of each score that changed, by its table's name."""

    def __init__(self, scores: Sequence[ActiveScore]) -> None:
        self._rows: dict[str, list[Any]] = {active.name: [] for active in scores}
        self._scores = [(active.name, active.score, active.model, self._rows[active.name]) for active in scores]

    @property
    def rows(self) -> Mapping[str, Sequence[Any]]:
        """Return the rows made so far."""
        return self._rows

    def score(self, customer: Customer, change: CustomerChange) -> None:
        """Fold what has changed for a customer into each score."""
        states = customer.scores
        for name, score, model, rows in self._scores:
            before = states.get(name)
            state = score.fold(before, change, model)
            if state is not before and state is not None:
                states[name] = state
                rows.append(score.row(customer.key, state, model))
