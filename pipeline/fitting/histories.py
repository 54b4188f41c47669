"""Histories of visits, a customer each, as arrays."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]

_DAY_MS = 86_400_000


class Histories:
    """Holds what the counting models need of each customer: arrays of one length, times in days.

    `repeats` (x) are the visits after the first, whole numbers from 0; `last` (t_x) is when the last one was, since the
    first visit, 0 without repeats; `age` (T) is how long the customer was followed since then. 0 ≤ last ≤ age.
    `beyond` has a column for each feature beyond visits (`scores.churn.beyond`), if they are known.
    Raises ValueError for what is out of range.
    """

    def __init__(self, repeats: Array, last: Array, age: Array, beyond: Array | None = None) -> None:
        if not len(repeats) == len(last) == len(age):
            raise ValueError("histories have arrays of different lengths")
        wrong = (repeats < 0) | (last < 0) | (last > age) | ((repeats == 0) & (last > 0))
        if wrong.any():
            raise ValueError(f"customer number {int(np.argmax(wrong)) + 1} has no history of visits")
        self.repeats, self.last, self.age, self.beyond = repeats, last, age, beyond

    def __len__(self) -> int:
        return len(self.repeats)

    @cached_property
    def distinct(self) -> tuple[Array, NDArray[np.intp]]:
        """Return the different numbers of repeat visits, few, and the place of each customer's among them."""
        values, places = np.unique(self.repeats, return_inverse=True)
        return values, places


class Followed(NamedTuple):
    """Histories up to a moment, and who came after it while they were followed."""

    histories: Histories
    came: NDArray[np.bool_]


def follow(customers: NDArray[np.int64], at_ms: NDArray[np.int64], until_ms: int, followed_ms: int) -> Followed:
    """Return the histories of visits up to `until_ms` (inclusive), and who came after it up to `followed_ms`.

    `customers` (whole numbers from 0) and `at_ms` (epoch milliseconds) have an entry for each visit, in any order;
    those of a customer at the same moment are one. Customers who first came later are left out.
    """
    visits = np.unique(np.stack([customers, at_ms]), axis=1)
    before, after = visits[:, visits[1] <= until_ms], visits[:, visits[1] > until_ms]
    known, starts, counts = np.unique(before[0], return_index=True, return_counts=True)
    first, last = before[1][starts], before[1][starts + counts - 1]
    of_customers = (counts - 1, (last - first) / _DAY_MS, (until_ms - first) / _DAY_MS)
    came = np.isin(known, after[0][after[1] <= followed_ms])
    return Followed(Histories(*(np.asarray(each, np.float64) for each in of_customers)), came)
