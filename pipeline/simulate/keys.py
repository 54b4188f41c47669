"""What identifies a simulated person to the channels, and how far the channels have come with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.touchpoint import Identifier


@dataclass(slots=True)
class Computer:
    """A computer that a household shares: its cookie, who used it last (a person's number), and when (epoch ms)."""

    cookie: str
    user: int | None = None
    used_at: int = 0


@dataclass(slots=True)
class Session:
    """A visit to the site with one cookie; `computer` is a household's, if it is one."""

    cookie: str
    computer: Computer | None
    signed_in: bool
    last_at: int


@dataclass(slots=True)
class Visit:
    """A visit to a branch: by which identifier, and whether by the customer's number, too."""

    identifiers: tuple[Identifier, ...]
    by_number: bool


@dataclass(slots=True)
class Keys:
    """The keys of a person who is a customer, or becomes one. Times are epoch milliseconds."""

    account: str
    #: The cookies of their own devices.
    cookies: tuple[str, str]
    email: Identifier
    phone: Identifier
    loyalty: Identifier | None
    #: When a guest registers, at the next visit to the site. A guest has no account yet.
    guest_until: int | None = None
    #: A second account of the same person, which they use on the site until it is merged.
    second_account: str | None = None
    merged_at: int = 0
    #: The number that takes the place of `phone`, and when `phone` is nobody's any more.
    next_phone: Identifier | None = None
    next_phone_at: int = 0
    phone_ended_at: int | None = None
    computer: Computer | None = None

    #: The visit to the site that goes on, or the last one; None after signing out.
    session: Session | None = None
    #: The cookies with which they have signed in, which the site may remember.
    remembered: set[str] = field(default_factory=set)
    #: When they last followed a link in a mail.
    clicked_at: int = 0
    #: The number on which they have said who they are, and whether they have done so in this call.
    told_on: Identifier | None = None
    authenticated: bool = False
    card_issued: bool = False
    visit: Visit | None = None

    @property
    def registered(self) -> bool:
        """Return whether they have an account."""
        return self.guest_until is None

    def account_on_the_web(self, at: int) -> str:
        """Return the account with which they sign in on the site."""
        return self.second_account if self.second_account and at < self.merged_at else self.account

    def phone_at(self, at: int) -> Identifier:
        """Return the number from which they call."""
        return self.next_phone if self.next_phone and at >= self.next_phone_at else self.phone
