"""Simulated customers: their habits, patience and readiness to answer and to leave."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from random import Random

from pipeline.simulate.keys import Keys
from pipeline.touchpoint import Identifier

#: Shares of people known by a cookie only, and by an e-mail address only.
VISITORS, SUBSCRIBERS = 0.10, 0.05
#: Share of known customers who are there from the start; the others come within the first two thirds of the time.
THERE_FROM_THE_START = 0.7
_LATEST_ARRIVAL = 2 / 3
#: Share that leaves over the whole time, in an ordinary mood.
LEAVERS = 0.18
_MOST_LIKELY_TO_LEAVE = 0.12

#: Habits: how often each channel is chosen to begin an episode, as (weight, web, email, call_centre, branch).
_HABITS = (
    (0.45, 0.70, 0.18, 0.08, 0.04),  # at home on the web
    (0.20, 0.35, 0.45, 0.15, 0.05),  # reads mails
    (0.20, 0.25, 0.10, 0.50, 0.15),  # calls
    (0.15, 0.15, 0.10, 0.20, 0.55),  # comes in person
)
_DAYPARTS = ((0.5, 13.0, 4.0), (0.3, 20.0, 2.0), (0.2, 8.5, 2.0))  # (weight, hour most active, spread in hours)


@dataclass(slots=True)
class Person:
    """One simulated person. `mood`, 0 (angry) to 1 (delighted), and `gone` change over time."""

    number: int
    customer_id: str | None
    anonymous_id: str | None
    identifiers: tuple[Identifier, ...]
    #: Frequency of visits, relative to the others.
    weight: float
    #: When they become customers (0 to 1 of the simulated time).
    arrives: float
    #: Probability of a visit, by hour of the day.
    hours: tuple[float, ...]
    #: Cumulative probabilities of beginning on the web, by e-mail, by phone; the rest goes to a branch.
    habit: tuple[float, float, float]
    #: Maximum wait, on the phone or in a branch, before they give up.
    patience_ms: int
    #: Probability of answering a survey.
    answers: float
    #: Added to their rating of an experience.
    leniency: float
    #: Probability of leaving after an episode, in an ordinary mood.
    leaves: float
    mood: float = 0.7
    gone: bool = False
    #: What each channel knows them by, where a simulation has that; else it is the three fields above, on all channels.
    keys: Keys | None = None


def make(rng: Random, number: int, seed: int, episodes_each: float) -> Person:
    """Generate person `number`. `episodes_each` is the mean number of episodes per person in the simulated time."""
    kind = rng.random()
    customer_id = anonymous_id = None
    identifiers: tuple[Identifier, ...] = ()
    if kind < VISITORS:
        anonymous_id = f"visitor-{seed}-{number:06d}"
        shares: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0)
    elif kind < VISITORS + SUBSCRIBERS:
        identifiers = (Identifier("email", sha256(f"person{number}@{seed}.example".encode()).hexdigest()),)
        shares = (0.0, 1.0, 0.0, 0.0)
    else:
        customer_id = f"{seed}-{number:06d}"
        shares = rng.choices([habit[1:] for habit in _HABITS], [habit[0] for habit in _HABITS])[0]
    total = sum(shares)
    web, email, call = (share / total for share in shares[:3])
    arrives = 0.0 if rng.random() < THERE_FROM_THE_START else rng.uniform(0, _LATEST_ARRIVAL)
    return Person(
        number=number,
        customer_id=customer_id,
        anonymous_id=anonymous_id,
        identifiers=identifiers,
        weight=rng.gammavariate(1.4, 1 / 1.4) + 0.05,
        arrives=arrives,
        hours=_hours(rng),
        habit=(web, web + email, web + email + call),
        patience_ms=int(rng.lognormvariate(12.35, 0.75)),  # median 3.8 minutes
        answers=rng.betavariate(1.2, 3.2),
        leniency=rng.gauss(0, 0.12),
        leaves=min(_MOST_LIKELY_TO_LEAVE, LEAVERS / max(episodes_each, 1.0)),
    )


def _hours(rng: Random) -> tuple[float, ...]:
    (_, peak, spread) = rng.choices(_DAYPARTS, [part[0] for part in _DAYPARTS])[0]
    peak += rng.gauss(0, 1)
    return tuple([_willing((hour + 0.5 - peak + 12) % 24 - 12, spread) for hour in range(24)])


def _willing(distance: float, spread: float) -> float:
    return max(0.02, 1 - (distance / (2 * spread)) ** 2)
