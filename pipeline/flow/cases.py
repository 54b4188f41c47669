"""follow cases: which touchpoints came to cases, and which went, in a slice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.cases.case import CaseChange
from pipeline.journey.admitted import Admitted
from pipeline.journey.step import Step
from pipeline.scores.protocol import CustomerChange


class JoinedChange(NamedTuple):
    """What left the journeys of a customer who holds other keys, or is held, and what came into them."""

    customer: str
    removed: CustomerChange | None
    added: CustomerChange | None


def case_changes(fresh: Iterable[Admitted], joined: Sequence[JoinedChange]) -> list[CaseChange]:
    """Return what changes in cases: by touchpoints that are no duplicates, and by the changes of joined customers.

    The own touchpoints of a joined customer are among the latter, as far as they are still theirs.
    """
    added: dict[tuple[str, str], list[Step]] = {}
    removed: dict[tuple[str, str], list[Step]] = {}
    about = [(event.customer, event.step) for event in fresh if event.step.subject is not None]
    if joined:
        names = {each.customer for each in joined}
        about = [(customer, step) for customer, step in about if customer not in names]
        for each in joined:
            about += _about(each.customer, each.added)
            for customer, step in _about(each.customer, each.removed):
                removed.setdefault((customer, step.subject or ""), []).append(step)
    for customer, step in about:
        added.setdefault((customer, step.subject or ""), []).append(step)
    return [
        CaseChange(customer, subject, added.get((customer, subject), ()), removed.get((customer, subject), ()))
        for customer, subject in dict.fromkeys([*added, *removed])
    ]


def _about(customer: str, change: CustomerChange | None) -> list[tuple[str, Step]]:
    if change is None:
        return []
    return [(customer, event.step) for event in change.events if event.step.subject is not None]
