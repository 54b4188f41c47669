"""CDNOW: 2,357 customers who first bought at a music shop in early 1997, in their first 39 weeks and the 39 after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

from datasets import dataset

#: Days of the first 39 weeks, from 1 January 1997 to 30 September.
UNTIL = date(1997, 9, 30)
#: The days until 30 June 1998.
HORIZON_DAYS = 273


def purchases() -> Mapping[str, Mapping[date, float]]:
    """Return what each customer spent on which day, in dollars."""
    spent: dict[str, dict[date, float]] = defaultdict(lambda: defaultdict(float))
    for line in dataset("cdnow", "CDNOW_sample.txt").read_text().splitlines():
        _, customer, day, _, dollars = line.split()
        spent[customer][date.fromisoformat(day)] += float(dollars)
    return spent
