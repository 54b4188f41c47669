"""Visits of customers who behave as the BG/NBD model says, as CSV: `python -m bench.visits 1000000 > visits.csv`.

Rates are drawn from a gamma distribution with r = 0.5 and α = 60 days, the chances to leave after a repeat visit from a
beta distribution with a = 0.9 and b = 2.5. Customers first come in the course of a year, and are followed for two.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

R, ALPHA_DAYS, A, B = 0.5, 60.0, 0.9, 2.5
FIRST, DAYS = datetime(2024, 1, 1, tzinfo=UTC), 730.0


def main() -> None:
    """Write a line for each visit; the same number of customers gives the same lines."""
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        sys.exit(f"{__doc__}\nIt takes the number of customers.")
    customers, rng = int(sys.argv[1]), np.random.default_rng(1)
    rate, leaves = rng.gamma(R, 1 / ALPHA_DAYS, customers), rng.beta(A, B, customers)
    who, at = np.arange(customers), rng.uniform(0, DAYS / 2, customers)
    print("customer,at")
    stays = np.ones(customers, np.bool_)  # after the first visit
    while len(who):
        for customer, day in zip(who.tolist(), at.tolist(), strict=True):
            print(f"{customer},{FIRST + timedelta(seconds=round(day * 86_400)):%Y-%m-%dT%H:%M:%SZ}")
        at = at + rng.exponential(1 / rate[who])
        kept = stays & (at < DAYS)
        who, at = who[kept], at[kept]
        stays = rng.random(len(who)) >= leaves[who]


if __name__ == "__main__":
    main()
