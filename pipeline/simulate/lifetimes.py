"""Customers who come, leave, spend and answer as the models say, drawn from stated distributions.

What a fit has to find is known of them: it shows whether models are fitted rightly. They do the least that models learn
from, on the web alone; `population` has people who behave more like people.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from heapq import merge
from random import Random
from typing import NamedTuple

import orjson

from pipeline.contract.times import format_rfc3339
from pipeline.simulate.story import DAY, MINUTE, SECOND
from pipeline.touchpoint import NO_ATTRIBUTES, Feedback, Touchpoint

DEFAULT_CUSTOMERS, DEFAULT_DAYS = 1_000, 730.0

#: As in the BG/NBD model (`scores.churn.model`): visits a day come from a gamma distribution of shape R and rate
#: ALPHA_DAYS, chances to leave after each repeat visit from Beta(A, B).
R, ALPHA_DAYS, A, B = 0.5, 60.0, 0.9, 2.5
#: What customers think, on 0 to 100: Normal(MEAN, BETWEEN). Their answers scatter about it by WITHIN.
MEAN, BETWEEN, WITHIN = 60.0, 10.0, 12.0
#: As in the gamma-gamma model (`fitting.spend`): euros of a purchase come from a gamma distribution of shape P and a
#: rate of the customer's own, which comes from one of shape Q and rate GAMMA.
P, Q, GAMMA = 6.25, 3.74, 15.44
#: Shares of visits with a purchase, a failed checkout, a look into the help, a complaint, an answer.
BUYS, FAILS, GETS_HELP, COMPLAINS, ANSWERS = 0.5, 0.1, 0.15, 0.06, 0.3


class Lifetime(NamedTuple):
    """What is true of a customer; `left_at` (epoch ms) is their last visit if they left after it, `why` what made them.

    `visits_a_day`, `leaves` (0 to 1), `thinks` (0 to 100) and `spends` (euros a purchase) are their own parameters.
    """

    customer_id: str
    visits_a_day: float
    leaves: float
    thinks: float
    spends: float
    left_at: int | None
    why: str | None

    def line(self) -> bytes:
        """Return it as a line of JSON."""
        left_at = None if self.left_at is None else format_rfc3339(self.left_at)
        return orjson.dumps(
            self._replace(left_at=None)._asdict() | {"left_at": left_at}, option=orjson.OPT_APPEND_NEWLINE
        )


class Lifetimes:
    """Customers, by number; the same arguments give the same ones, and the same touchpoints.

    They first come in the first half of the `days` up to `end_ms`. With the chance `after_complaint` a customer leaves
    for good after a complaint, which the churn model does not know of.
    """

    def __init__(self, *, seed: int, customers: int, days: float, end_ms: int, after_complaint: float = 0.0) -> None:
        self._seed, self._customers, self._end_ms = seed, customers, end_ms
        self._span_ms = days * DAY
        self._after_complaint = after_complaint
        told = f"lifetimes {seed} {customers} {days} {end_ms} {after_complaint}"
        self._run = blake2b(told.encode(), digest_size=4).hexdigest()

    def touchpoints(self) -> Iterator[Touchpoint]:
        """Yield all touchpoints, in order of time. Memory holds those of one visit of each customer."""
        of_each = map(self._touchpoints_of, range(self._customers))
        return merge(*of_each, key=lambda touchpoint: touchpoint.occurred_at)

    def truth(self) -> Iterator[Lifetime]:
        """Yield what is true of each customer."""
        for number in range(self._customers):
            customer = _Customer(self._seed, number, self._run)
            left_at = why = None
            for at, _, reason in self._visits(customer):
                left_at, why = (at, reason) if reason else (None, None)
            yield Lifetime(
                customer.id, customer.visits_a_day, customer.leaves, customer.thinks, customer.spends, left_at, why
            )

    def _touchpoints_of(self, number: int) -> Iterator[Touchpoint]:
        customer = _Customer(self._seed, number, self._run)
        for _, touchpoints, _ in self._visits(customer):
            yield from (each for each in touchpoints if each.occurred_at <= self._end_ms)

    def _visits(self, customer: _Customer) -> Iterator[tuple[int, list[Touchpoint], str | None]]:
        """Yield when each visit was, its touchpoints, and why the customer has left after it, if so."""
        rng = customer.rng
        at = self._end_ms - self._span_ms + rng.random() * self._span_ms / 2
        is_first, why = True, None
        while at <= self._end_ms and why is None:
            touchpoints, complains = customer.visit(int(at))
            by_nature, by_complaint, waits = rng.random(), rng.random(), rng.expovariate(customer.visits_a_day / DAY)
            if complains and by_complaint < self._after_complaint:
                why = "complaint"
            elif not is_first and by_nature < customer.leaves:
                why = "visit"
            yield int(at), touchpoints, why
            at, is_first = at + waits, False


class _Customer:
    """One customer, and what they do on a visit; `run` goes into every event_id."""

    def __init__(self, seed: int, number: int, run: str) -> None:
        rng = self.rng = Random(f"lifetime {seed} {number}")
        self.id = f"l{seed}-{number:06d}"
        self._events = f"{run}-{number:x}"
        # Of a rate of 0 the next visit would never come.
        self.visits_a_day = max(rng.gammavariate(R, 1 / ALPHA_DAYS), 1e-12)
        self.leaves = rng.betavariate(A, B)
        self.thinks = min(100.0, max(0.0, rng.gauss(MEAN, BETWEEN)))
        self._price = rng.gammavariate(Q, 1 / GAMMA)
        self.spends = P / self._price
        self._told = 0

    def visit(self, at: int) -> tuple[list[Touchpoint], bool]:
        """Return the touchpoints of a visit that begins at `at`, and whether there is a complaint among them."""
        random = self.rng.random
        buys, fails, gets_help, complains, answers = (
            random() < share for share in (BUYS, FAILS, GETS_HELP, COMPLAINS, ANSWERS)
        )
        cents = max(1, round(100 * self.rng.gammavariate(P, 1 / self._price)))
        felt = min(10.0, max(0.0, self.rng.gauss(self.thinks, WITHIN) / 10))
        did = [self._touchpoint(at, "page_viewed")]
        if fails:
            did.append(self._touchpoint(at + 20 * SECOND, "checkout_failed")._replace(outcome="failed"))
        if buys:
            bought = self._touchpoint(at + 40 * SECOND, "purchase")
            did.append(bought._replace(outcome="succeeded", amount_minor=cents, currency="EUR"))
        if gets_help:
            did.append(self._touchpoint(at + MINUTE, "help_viewed"))
        if complains:
            did.append(self._touchpoint(at + 2 * MINUTE, "complaint_opened"))
        if answers:
            answer = self._touchpoint(at + 3 * MINUTE, "survey_answered")
            about = "web/purchase" if buys else "web/page_viewed"
            did.append(answer._replace(feedback=Feedback("nps", float(round(felt))), attributes={"about": about}))
        return did, complains

    def _touchpoint(self, at: int, kind: str) -> Touchpoint:
        self._told += 1
        return Touchpoint(
            f"{self._events}-{self._told:x}", "web-shop", at, channel="web", kind=kind, customer_id=self.id,
            attributes=NO_ATTRIBUTES,
        )  # fmt: skip
