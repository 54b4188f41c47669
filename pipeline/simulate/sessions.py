"""Visits to the site, and what it knows of the visitor: a cookie, an address, an account."""

from __future__ import annotations

from random import Random

from pipeline.simulate.keys import Computer, Keys, Session
from pipeline.simulate.people import Person
from pipeline.simulate.story import MINUTE, SECOND, Story
from pipeline.touchpoint import IDENTITY_ENDED, Touchpoint

#: Silence after which a visit is over, and after which somebody at a household's computer has signed out.
_OVER, _SIGNED_OUT = 30 * MINUTE, 5 * MINUTE
#: Time for which a household's computer stands still before the other one takes it.
_COMPUTER_FREE = 40 * MINUTE
#: From a click in a mail to the page that it leads to, at the longest.
_LANDING = 5 * SECOND

_AT_THE_COMPUTER = 0.6  # of a household's visits
_ON_FIRST_DEVICE = 0.75  # of other visits
_STILL_SIGNED_IN = 0.25  # of visits
_SIGN_IN_AT_ONCE = 0.3  # of those that are not
_SIGN_IN_TO_BUY = 0.7  # of those who fill a cart and are not; the others buy as guests
#: Kinds for which somebody who is not signed in types in their address.
_WITH_ADDRESS = ("checkout_started", "checkout_failed", "purchase", "account_closed")
#: Kinds at which the site looks up the address of the account.
_WITH_ACCOUNTS_ADDRESS = ("signed_in", "account_opened", "purchase")


class Sessions:
    """Names visitors to the site as it knows them, and lets them sign in, register, and sign out."""

    def __init__(self, story: Story, rng: Random) -> None:
        self._story = story
        self._rng = rng

    def named(self, person: Person, keys: Keys, told: Touchpoint) -> Touchpoint | None:
        """Return the touchpoint with the keys that the site knew; None if it did not take place.

        Must be called in order of time.
        """
        at, kind = told.occurred_at, told.kind
        if kind == IDENTITY_ENDED:
            return self._signed_out(person, keys, told)
        session = keys.session
        if session is None or not -_OVER < at - session.last_at < _OVER:
            session = keys.session = self._begun(person, keys, at)
        session.last_at = at
        if session.computer is not None:
            session.computer.used_at = at
        if kind in ("signed_in", "account_opened"):
            if session.signed_in:
                return None
            session.signed_in, keys.guest_until = True, None
            keys.remembered.add(session.cookie)
        elif (
            kind == "cart_added" and not session.signed_in and keys.registered and self._rng.random() < _SIGN_IN_TO_BUY
        ):
            self._story.add(person, at + 15 * SECOND, "web", "signed_in")
        landed = 0 <= at - keys.clicked_at <= _LANDING
        by_number = session.signed_in or (kind == "account_closed" and keys.registered)
        by_address = landed or kind in (_WITH_ACCOUNTS_ADDRESS if by_number else _WITH_ADDRESS)
        return told._replace(
            customer_id=keys.account_on_the_web(at) if by_number else None,
            anonymous_id=session.cookie,
            identifiers=(keys.email,) if by_address else (),
        )

    def _begun(self, person: Person, keys: Keys, at: int) -> Session:
        rng, story = self._rng, self._story
        computer = keys.computer if keys.registered and rng.random() < _AT_THE_COMPUTER else None
        if computer is not None and _is_free(computer, person, at):
            computer.user = person.number
            story.add(person, at + 2 * SECOND, "web", "signed_in")
            story.add(person, at + _SIGNED_OUT + MINUTE, "web", IDENTITY_ENDED)
            return Session(computer.cookie, computer, signed_in=False, last_at=at)
        cookie = keys.cookies[rng.random() >= _ON_FIRST_DEVICE]
        signed_in = keys.registered and cookie in keys.remembered and rng.random() < _STILL_SIGNED_IN
        if keys.guest_until is not None and at >= keys.guest_until:
            story.add(person, at + 3 * SECOND, "web", "account_opened")
        elif keys.registered and not signed_in and rng.random() < _SIGN_IN_AT_ONCE:
            story.add(person, at + 2 * SECOND, "web", "signed_in")
        return Session(cookie, None, signed_in=signed_in, last_at=at)

    def _signed_out(self, person: Person, keys: Keys, told: Touchpoint) -> Touchpoint | None:
        """Return the end of a session at a household's computer; None, and look again later, while it goes on."""
        session = keys.session
        if session is None or session.computer is None:
            return None
        if told.occurred_at - session.last_at < _SIGNED_OUT:
            self._story.add(person, session.last_at + _SIGNED_OUT + MINUTE, "web", IDENTITY_ENDED)
            return None
        keys.session = None
        return told._replace(customer_id=None, anonymous_id=session.cookie)


def _is_free(computer: Computer, person: Person, at: int) -> bool:
    return computer.user in (None, person.number) or at - computer.used_at > _COMPUTER_FREE
