"""score: what has changed for a customer is folded into their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.flow.state import Customer
from pipeline.scores.protocol import ActiveScore, CustomerChange, NotReversible


class Scoring:
    """Folds changes into customers' scores; each customer's once.

    `rows` has the rows of each score that changed, by its table's name, `removed` the customers that have none any
    more.
    """

    def __init__(self, scores: Sequence[ActiveScore]) -> None:
        self._rows: dict[str, list[Any]] = {active.name: [] for active in scores}
        self._removed: dict[str, list[str]] = {active.name: [] for active in scores}
        self._scores = [(active.name, active.score, active.model, self._rows[active.name]) for active in scores]

    @property
    def rows(self) -> Mapping[str, Sequence[Any]]:
        """Return the rows made so far."""
        return self._rows

    @property
    def removed(self) -> Mapping[str, Sequence[str]]:
        """Return the customers whose rows are to be deleted."""
        return self._removed

    def score(self, customer: Customer, change: CustomerChange) -> None:
        """Fold what has changed for a customer into each score; the change has the customer's own `scores`."""
        states = customer.scores
        for name, score, model, rows in self._scores:
            before = states.get(name)
            state = score.fold(before, change, model)
            if state is not before and state is not None:
                states[name] = state
                rows.append(score.row(customer.key, state, model))

    def rescore(self, customer: Customer, removed: CustomerChange, added: CustomerChange | None) -> bool:
        """Take a change out of each score, and fold another one in. Both have the customer's own `scores`.

        Returns whether this was possible; a score that can't tell what is left stays as it is, and has to be made anew.
        """
        is_exact = True
        for name, score, model, _ in self._scores:
            state = customer.scores.get(name)
            try:
                if state is not None:
                    state = score.unfold(state, removed, model)
            except NotReversible:
                is_exact = False
                continue
            if added is not None:
                state = score.fold(state, added, model)
            self._replace(customer, name, state, score, model)
        return is_exact

    def replace(self, customer: Customer, states: Mapping[str, Any]) -> None:
        """Replace each score by the state that was made anew, if there is one."""
        for name, score, model, _ in self._scores:
            self._replace(customer, name, states.get(name), score, model)

    def _replace(self, customer: Customer, name: str, state: Any, score: Any, model: Any) -> None:
        before = customer.scores.get(name)
        if state == before:
            return
        if state is None:
            del customer.scores[name]
            self._removed[name].append(customer.key)
        else:
            customer.scores[name] = state
            self._rows[name].append(score.row(customer.key, state, model))
