"""Gives a fit its visits, from the tables or from a file."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from pipeline.cli.fit.visit_file import read_visits
from pipeline.cli.progress import progress
from pipeline.errors import InvalidInput
from pipeline.fitting.histories import Followed, follow
from pipeline.fitting.spend import Spending, spending
from pipeline.fitting.value import Bought
from pipeline.fitting.value import bought as bought_in
from pipeline.ledger.moments import moment, ms
from pipeline.queries.lately import Weighing
from pipeline.queries.payments import bought
from pipeline.queries.visits import followed, visits_between


class Amounts(NamedTuple):
    """Holds what was spent, in the smallest unit of `currency`, or of a file's amounts as they are (None)."""

    amounts: Spending
    currency: str | None


class Purchases(NamedTuple):
    """Holds what customers bought; amounts are as in `Amounts`."""

    bought: Bought
    currency: str | None


class History(Protocol):
    """Gives visits, wherever they come from."""

    def between(self) -> tuple[datetime, datetime]:
        """Return when the first and the last visit were."""

    def followed(self, until: datetime, end: datetime) -> Followed:
        """Return visits up to `until`, and who came after that up to `end`."""

    def spending(self, until: datetime) -> Amounts | None:
        """Return what was spent up to `until`, if anything is known."""

    def purchases(self, until: datetime, end: datetime) -> Purchases | None:
        """Return what the customers of `followed` bought up to `until`, and spent after that up to `end`, if known."""


class FromTables:
    """Visits in the tables; `named` leaves out who is not known by number.

    `weighing` says what touchpoints mean. With `with_beyond`, histories know what happened beyond visits.
    """

    def __init__(self, connection: Connection, named: bool, weighing: Weighing, with_beyond: bool) -> None:
        self._connection, self._named, self._weighing = connection, named, weighing
        self._beyond = weighing if with_beyond else None

    def between(self) -> tuple[datetime, datetime]:
        """Return when the first and the last visit were. Raises InvalidInput if there are none."""
        return self._between

    @cached_property
    def _between(self) -> tuple[datetime, datetime]:
        found = visits_between(self._connection)
        if found is None:
            raise InvalidInput("The tables hold no visits yet.")
        return found

    def followed(self, until: datetime, end: datetime) -> Followed:
        """Return visits up to `until`, and who came after that up to `end`."""
        with progress("Reading customers", None) as shown:
            return followed(self._connection, until, end, named=self._named, beyond=self._beyond, progress=shown)

    def spending(self, until: datetime) -> Amounts | None:
        """Return all purchases up to `until`, in the currency in which most customers bought."""
        found = self.purchases(until, until)
        return None if found is None else Amounts(found.bought.spending, found.currency)

    def purchases(self, until: datetime, end: datetime) -> Purchases | None:
        """Return what the customers of `followed` bought up to `until`, and spent after that up to `end`."""
        with progress("Reading purchases", None) as shown:
            found = bought(self._connection, self._weighing, until, end, named=self._named, progress=shown)
        return None if found is None else Purchases(*found)


class FromFile:
    """Visits in a CSV file; see `visit_file`."""

    def __init__(self, path: Path) -> None:
        self._visits = read_visits(path)

    def between(self) -> tuple[datetime, datetime]:
        """Return when the first and the last visit were."""
        at = self._visits.at_ms
        return moment(int(at.min())), moment(int(at.max()))

    def followed(self, until: datetime, end: datetime) -> Followed:
        """Return visits up to `until`, and who came after that up to `end`."""
        return follow(self._visits.customers, self._visits.at_ms, ms(until), ms(end))

    def spending(self, until: datetime) -> Amounts | None:
        """Return what was spent at repeat visits up to `until`, if the file has amounts."""
        customers, at_ms, amounts = self._visits
        return None if amounts is None else Amounts(spending(customers, at_ms, amounts, ms(until)), None)

    def purchases(self, until: datetime, end: datetime) -> Purchases | None:
        """Return what was bought up to `until`, the first time included, and spent after that up to `end`."""
        customers, at_ms, amounts = self._visits
        return None if amounts is None else Purchases(bought_in(customers, at_ms, amounts, ms(until), ms(end)), None)
