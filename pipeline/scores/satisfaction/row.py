"""The row of a customer's satisfaction."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pipeline.rows import FLOAT, INTEGER, INTERNAL, MOMENT, NUMERIC, TEXT, WEIGHTS, Table


class SatisfactionRow(NamedTuple):
    """A customer's satisfaction as of their last answer; see `estimate.Estimate` and `estimate.Answers`."""

    customer: Annotated[str, TEXT]
    score: Annotated[float, FLOAT]
    low: Annotated[float, FLOAT]
    high: Annotated[float, FLOAT]
    answers: Annotated[float, FLOAT]
    answered: Annotated[int, INTEGER]
    as_of: Annotated[int, MOMENT]
    weight: Annotated[int, NUMERIC, INTERNAL]
    weighted: Annotated[int, NUMERIC, INTERNAL]
    about: Annotated[tuple[tuple[str, int], ...], WEIGHTS, INTERNAL]
    model: Annotated[str, TEXT]


TABLE = Table("satisfaction", SatisfactionRow, key=("customer",))
