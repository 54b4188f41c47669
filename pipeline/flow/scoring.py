"""score: what has changed for customers is folded into their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.flow.state import Customer
from pipeline.scores.protocol import ActiveScore, CustomerChange


def score(
    changes: Sequence[tuple[Customer, CustomerChange]], scores: Sequence[ActiveScore]
) -> Mapping[str, Sequence[Any]]:
    """Fold changes into the customers' scores; return the rows of each score that changed, by its table's name."""
    return {active.name: _score_customers(changes, active) for active in scores}


def _score_customers(changes: Sequence[tuple[Customer, CustomerChange]], active: ActiveScore) -> list[Any]:
    name, kind, model = active.name, active.score, active.model
    rows = []
    for customer, change in changes:
        before = customer.scores.get(name)
        state = kind.fold(before, change, model)
        if state is not before and state is not None:
            customer.scores[name] = state
            rows.append(kind.row(customer.key, state, model))
    return rows
