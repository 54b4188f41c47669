"""sessionize: a customer's new touchpoints are put into their journeys."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.flow.state import Customer
from pipeline.journey.admitted import Admitted
from pipeline.journey.journey import Journey
from pipeline.journey.sessionize import join
from pipeline.journey.step import Step
from pipeline.scores.protocol import CustomerChange


def sessionize(customer: Customer, events: Sequence[Admitted], changed: list[Journey], salt: int = 0) -> CustomerChange:
    """Put touchpoints, in order of time and without duplicates, into the customer's journeys; return what changed.

    Touchpoints whose covers meet are joined first, and then with the journeys that they meet. Journeys that have
    changed are added to `changed`. `salt` is that of new journeys' ids.
    """
    first, visits = events[0], 0
    run, until, signs = [first.step], first.until, first.traits.signs
    for _, covers_until, step, traits, _, _ in events[1:]:
        if step.at > until:
            visits += _join_run(customer, run, until, signs, changed, salt)
            run, until, signs = [step], covers_until, traits.signs
            continue
        run.append(step)
        if covers_until > until:
            until = covers_until
        signs |= traits.signs
    visits += _join_run(customer, run, until, signs, changed, salt)
    return CustomerChange(events, visits, customer.last_seen_at, customer.scores)


def _join_run(customer: Customer, run: list[Step], until: int, signs: int, changed: list[Journey], salt: int) -> int:
    journey, absorbed, visits = join(customer.journeys, customer.key, run, until, signs, salt)
    mark_changed(journey, changed)
    for other in absorbed:
        mark_changed(other, changed)
    return visits


def mark_changed(journey: Journey, changed: list[Journey]) -> None:
    """Add a journey to those that get a revision, once."""
    if not journey.is_changed:
        journey.is_changed = True
        changed.append(journey)
