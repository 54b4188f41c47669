"""Names on each simulated event what its channel knew of the customer at that moment."""

from __future__ import annotations

from random import Random

from pipeline.simulate.keys import Keys, Visit
from pipeline.simulate.people import Person
from pipeline.simulate.sessions import Sessions
from pipeline.simulate.story import SECOND, Story
from pipeline.touchpoint import CUSTOMER_MERGED, IDENTITY_ENDED, MERGED_CUSTOMER, Identifier, Touchpoint

_AUTHENTICATED = 0.4  # of the calls from a number of which it is known whose it is
_CARD_SHOWN = 0.85  # of the visits of those who have one
_AT_THE_TABLET = 0.7  # of the other visits: people check in at a tablet
_TICKET_FIRST = 0.25  # of those: they draw the ticket before they say who they are


class Naming:
    """Names the keys of each event; without keys of their own, people have the same names on all channels."""

    def __init__(self, story: Story, people: list[Person], seed: int) -> None:
        """Send the corrections of the company's CRM ahead, each at its time."""
        self._story = story
        self._rng = Random(f"naming {seed}")
        self._sessions = Sessions(story, self._rng)
        self._seed = seed
        for person in people:
            keys = person.keys
            if keys is not None and keys.second_account is not None:
                merged = {MERGED_CUSTOMER: keys.second_account}
                story.add(person, keys.merged_at, "unknown", CUSTOMER_MERGED, attributes=merged)
            if keys is not None and keys.phone_ended_at is not None:
                story.add(person, keys.phone_ended_at, "unknown", IDENTITY_ENDED)

    def named(self, person: Person, told: Touchpoint) -> Touchpoint | None:
        """Return the touchpoint with the keys that its channel knew; None if it did not take place.

        Must be called in order of time; adds what follows, such as a sign-out, to the story.
        """
        keys = person.keys
        if keys is None:
            return told
        if told.channel == "web":
            return self._sessions.named(person, keys, told)
        if told.channel == "email":
            if told.kind == "email_clicked":
                keys.clicked_at = told.occurred_at
            return _by(told, keys.email)
        if told.channel == "call_centre":
            return self._calling(keys, told)
        if told.channel == "branch":
            return self._visiting(person, keys, told)
        return told if told.kind == CUSTOMER_MERGED else _by(told, keys.phone)

    def _calling(self, keys: Keys, told: Touchpoint) -> Touchpoint:
        """Name the phone number; the customer's, too, once they have said it, as all do in their first call."""
        phone = keys.phone_at(told.occurred_at)
        if told.kind == "call_queued":
            keys.authenticated = False
        elif told.kind == "call_answered" and keys.registered:
            keys.authenticated = keys.told_on != phone or self._rng.random() < _AUTHENTICATED
            keys.told_on = phone
        if told.kind == "account_closed":
            return _closing(keys, told, phone)
        known = keys.authenticated and told.kind in ("call_answered", "call_ended")
        return _by(told, phone, customer_id=keys.account if known else None)

    def _visiting(self, person: Person, keys: Keys, told: Touchpoint) -> Touchpoint:
        """Name a card, the tablet and the customer's number, or the address under which a guest has ordered."""
        if told.kind == "account_closed":
            return _closing(keys, told)
        if told.kind == "visit_started":
            keys.visit = self._visit(keys, told)
            if keys.visit.by_number and keys.visit.identifiers and self._rng.random() < _TICKET_FIRST:
                return _by(told, *keys.visit.identifiers)
        visit = keys.visit or Visit((), by_number=True)
        if told.kind == "counter_served" and keys.loyalty and not keys.card_issued and keys.registered:
            keys.card_issued = True
            keys.visit = Visit((keys.loyalty,), by_number=True)
            self._story.add(person, told.occurred_at + SECOND, "branch", "loyalty_joined")
        return _by(told, *visit.identifiers, customer_id=keys.account if visit.by_number else None)

    def _visit(self, keys: Keys, told: Touchpoint) -> Visit:
        if not keys.registered:
            return Visit((keys.email,), by_number=False)
        if keys.card_issued and keys.loyalty and self._rng.random() < _CARD_SHOWN:
            return Visit((keys.loyalty,), by_number=False)
        if self._rng.random() < _AT_THE_TABLET:
            tablet = f"tablet-{self._seed}-{told.attributes['branch']}"
            return Visit((Identifier("device", tablet),), by_number=True)
        return Visit((), by_number=True)


def _by(told: Touchpoint, *identifiers: Identifier, customer_id: str | None = None) -> Touchpoint:
    return told._replace(customer_id=customer_id, anonymous_id=None, identifiers=identifiers)


def _closing(keys: Keys, told: Touchpoint, *identifiers: Identifier) -> Touchpoint:
    """Name an account that is closed, or the address of a guest who wants to be forgotten."""
    if keys.registered:
        return _by(told, *identifiers, customer_id=keys.account)
    return _by(told, keys.email, *identifiers)
