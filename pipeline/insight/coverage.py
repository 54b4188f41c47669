"""Who is asked what they think: of the contacts of a touchpoint, how many were asked, reached and answered.

Contacts, askings and answers are those of `scores.satisfaction.contacts`. Of channels that report what became of a
message, an asking has reached the customer where a report, or an opening, says so before the next message; on others,
such as the web or the phone, who is asked is reached. Who answered was reached.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from pipeline.insight.shares import answers_needed, of_so_many
from pipeline.journey.step import Step
from pipeline.scores.satisfaction.contacts import ASKING, Usual, contacts, touchpoint
from pipeline.scores.satisfaction.share import satisfied_share

#: A report of delivery that comes later than this after the asking is about another message.
_DELIVERY_MS = 3_600_000
#: Half of the interval for which answers are counted: five points.
HALF_WIDTH = 0.05


class Reports(NamedTuple):
    """The kinds by which a channel reports what became of a message."""

    delivered: frozenset[str]
    opened: frozenset[str]


#: Kinds are those of `schemas/catalogue.toml`. What else the company begins there is another message, or says that
#: this one has not come.
REPORTS: Mapping[str, Reports] = {
    "email": Reports(frozenset({"email_delivered", "email_auto_opened"}), frozenset({"email_opened", "email_clicked"})),
    "sms": Reports(frozenset({"sms_delivered"}), frozenset({"sms_clicked"})),
    "push": Reports(frozenset({"push_delivered"}), frozenset({"push_opened"})),
}


class Covered(NamedTuple):
    """Contacts, and those asked about, reached and answered; answered ≤ reached ≤ asked ≤ contacts."""

    contacts: int = 0
    asked: int = 0
    reached: int = 0
    answered: int = 0


class Needed(NamedTuple):
    """How many answers a 95 % interval of ± 5 points needs: of the touchpoint as such, and of so many contacts alone.

    `to_ask` is how many more have to be asked for the latter if as many answer as now; None if nobody did.
    """

    answers: int
    of_contacts: int
    to_ask: int | None


class Seen(NamedTuple):
    """A contact of a journey, and what became of asking."""

    touchpoint: str
    is_asked: bool
    is_reached: bool
    is_answered: bool


class Coverage:
    """Counts contacts by touchpoint (CHANNEL/KIND), journey by journey.

    `judged` are touchpoints that answers are about: an asking is about the last contact of one of them. Of the others,
    which nobody is known to be asked about, contacts are what customers begin, but for `answering` kinds.
    """

    def __init__(self, usual: Usual, judged: Collection[str], answering: Collection[str]) -> None:
        self._usual, self._judged, self._answering = usual, judged, answering
        self.touchpoints: dict[str, Covered] = {}
        #: Askings that follow no contact of a judged touchpoint in their journey.
        self.unplaced = 0

    def add(self, steps: Sequence[Step]) -> list[Seen]:
        """Count a journey, and return its contacts; of the judged touchpoints first."""
        known = contacts(steps, self._usual, self._judged)
        places = {contact.step.key: place for place, contact in enumerate(known)}
        last: int | None = None
        reached: set[int] = set()
        seen: list[Seen] = []
        for number, step in enumerate(steps):
            name = touchpoint(step)
            if step.type.kind in ASKING:
                if last is None:
                    self.unplaced += 1
                elif self._is_reached(steps[number:]):
                    reached.add(last)
            elif step.key in places:
                last = places[step.key]
            elif name not in self._judged and self._is_eligible(step):
                seen.append(Seen(name, False, False, False))
        judged = [
            Seen(each.touchpoint, each.is_asked, each.answer is not None or place in reached, each.answer is not None)
            for place, each in enumerate(known)
        ]
        for each in (*judged, *seen):
            counted = self.touchpoints.get(each.touchpoint, Covered())
            self.touchpoints[each.touchpoint] = Covered(
                counted.contacts + 1,
                counted.asked + each.is_asked,
                counted.reached + each.is_reached,
                counted.answered + each.is_answered,
            )
        return [*judged, *seen]

    def _is_eligible(self, step: Step) -> bool:
        return step.type.kind not in self._answering and self._usual.is_begun_by_customer(step.type)

    def _is_reached(self, steps: Sequence[Step]) -> bool:
        """Return whether the first of the steps, an asking, is known to have reached the customer."""
        asking = steps[0]
        reports = REPORTS.get(asking.type.channel)
        if reports is None:
            return True
        for step in steps[1:]:
            if step.type.channel != asking.type.channel:
                continue
            if step.type.kind in reports.opened:
                return True
            if step.type.kind in reports.delivered:
                return step.at - asking.at <= _DELIVERY_MS
            if not self._usual.is_begun_by_customer(step.type):
                return False
        return False


def needed(covered: Covered, satisfied: int, judged: int) -> Needed:
    """Return how many answers are needed, where `satisfied` of `judged` answers are known.

    The share is taken for the one nearest to one half in its interval, which needs the most.
    """
    known = satisfied_share(satisfied, judged)
    share = 0.5 if known is None else min(max(0.5, known.low), known.high)
    answers = answers_needed(share, HALF_WIDTH)
    here = of_so_many(answers, covered.contacts)
    missing = max(0, here - covered.answered)
    if not missing:
        return Needed(answers, here, 0)
    return Needed(answers, here, -(-missing * covered.asked // covered.answered) if covered.answered else None)
