"""Computes what contacts that nobody answered are expected to get, when it is read; never mixed with answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from pipeline.errors import InvalidInput
from pipeline.ledger.moments import moment
from pipeline.queries.contacts import begun_by_customer, journeys
from pipeline.queries.models import StoredModel, active_model
from pipeline.scores.satisfaction.contacts import Usual, contacts
from pipeline.scores.satisfaction.expected import ExpectedModel


class ExpectedContact(NamedTuple):
    """A contact that nobody answered; `expected` is 0 to 100, and no answer."""

    at: datetime
    touchpoint: str
    outcome: str
    expected: float


class ExpectedOfTouchpoint(NamedTuple):
    """Contacts of a touchpoint: those that were answered with their mean (0 to 100), and the silent ones.

    `expected` is the mean of what is expected of the silent ones, `expected_of_answered` of the others, to compare
    their answers with. Both are None where there are no such contacts.
    """

    touchpoint: str
    answered: int
    mean: float | None
    expected_of_answered: float | None
    silent: int
    expected: float | None


def expected_model(connection: Connection) -> ExpectedModel:
    """Return the active model. Raises InvalidInput if there is none, or if it foretells nothing beyond chance."""
    active = active_model(connection, ExpectedModel.NAME)
    if active is None:
        raise InvalidInput(
            "No model says what those who did not answer are expected to think. Fit one with "
            "`pipeline fit satisfaction --expected --activate`."
        )
    if not _has_skill(active):
        raise InvalidInput(
            f"{active.name} {active.version} foretells answers no better than what touchpoints usually get, so nothing "
            f"expected is shown; see `pipeline models show {active.name} {active.version}`."
        )
    return ExpectedModel.from_parameters(active.version, active.parameters)


def shown_model(connection: Connection) -> ExpectedModel | None:
    """Return the active model; None if there is none that foretells anything."""
    active = active_model(connection, ExpectedModel.NAME)
    if active is None or not _has_skill(active):
        return None
    return ExpectedModel.from_parameters(active.version, active.parameters)


def expected_by_touchpoint(
    connection: Connection,
    model: ExpectedModel,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> list[ExpectedOfTouchpoint]:
    """Return what contacts get by touchpoint, of journeys from `since` to `until` (exclusive); the lowest first.

    Reads all journeys of that time, one after the other.
    """
    usual, sums = Usual(model.usual_waits, begun_by_customer), dict[str, _Sums]()
    for _, steps in journeys(connection, since=since, until=until, progress=progress):
        for contact in contacts(steps, usual, model.levels):
            of = sums.setdefault(contact.touchpoint, _Sums())
            expected = model.expected(contact)
            measures = None if contact.answer is None else contact.answer.measures
            if measures is None or measures.score is None:
                of.silent += 1
                of.expected += expected
            else:
                of.answered += 1
                of.scores += measures.score
                of.expected_of_answered += expected
    found = [of.result(touchpoint) for touchpoint, of in sums.items()]
    return sorted(found, key=lambda each: (each.expected is None, each.expected, each.touchpoint))


def expected_of_customer(
    connection: Connection, model: ExpectedModel, customer: str, most: int
) -> Sequence[ExpectedContact]:
    """Return the latest contacts of a customer that nobody answered, the latest first."""
    usual = Usual(model.usual_waits, begun_by_customer)
    silent = [
        contact
        for _, steps in journeys(connection, customer=customer)
        for contact in contacts(steps, usual, model.levels)
        if contact.answer is None
    ]
    silent.sort(key=lambda contact: contact.step.place, reverse=True)
    return [
        ExpectedContact(moment(each.step.at), each.touchpoint, each.step.type.outcome, model.expected(each))
        for each in silent[:most]
    ]


def _has_skill(model: StoredModel) -> bool:
    return model.fit is not None and bool(model.fit.get("has_skill"))


class _Sums:
    def __init__(self) -> None:
        self.answered = self.silent = 0
        self.scores = self.expected_of_answered = self.expected = 0.0

    def result(self, touchpoint: str) -> ExpectedOfTouchpoint:
        return ExpectedOfTouchpoint(
            touchpoint=touchpoint,
            answered=self.answered,
            mean=self.scores / self.answered if self.answered else None,
            expected_of_answered=self.expected_of_answered / self.answered if self.answered else None,
            silent=self.silent,
            expected=self.expected / self.silent if self.silent else None,
        )
