"""Reads contacts that were answered, with their signals, in bounded memory: some hundred bytes an answer."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b

import numpy as np
from sqlalchemy import Connection

from pipeline.cli.progress import progress
from pipeline.errors import InvalidInput
from pipeline.fitting.expected import AnsweredContacts
from pipeline.journey.step import Step
from pipeline.queries.contacts import begun_by_customer, journeys, usual_waits
from pipeline.scores.satisfaction.contacts import Signals, Usual, contacts
from pipeline.scores.satisfaction.model import DAY_MS


def read_contacts(
    connection: Connection, until: datetime | None
) -> tuple[AnsweredContacts, Sequence[str], dict[str, float]]:
    """Return all contacts that were answered up to `until`, the names of their touchpoints, and the usual waits (ms).

    They are in order of customers, then of time, whatever order they are read in.
    """
    usual = Usual(usual_waits(connection), begun_by_customer)
    found, names = contacts_between(connection, usual, None, until)
    if not len(found.days):
        raise InvalidInput("No contact was answered yet: no answer is about a touchpoint of its journey.")
    return found, names, dict(usual.waits)


def contacts_between(
    connection: Connection, usual: Usual, since: datetime | None, until: datetime | None
) -> tuple[AnsweredContacts, Sequence[str]]:
    """Return the contacts that were answered up to `until`, of journeys from `since` on, and their touchpoints."""
    with progress("Reading journeys with answers", None) as shown:
        read = journeys(connection, since=since, until=until, answered=True, progress=shown)
        found, names = of_journeys(read, usual)
    if until is not None:
        found = found.where(found.days <= until.timestamp() * 1000 / DAY_MS)
    return found, names


def of_journeys(read: Iterable[tuple[str, Sequence[Step]]], usual: Usual) -> tuple[AnsweredContacts, Sequence[str]]:
    """Return the contacts of journeys that were answered, in order, and the names of their touchpoints."""
    numbers: dict[str, int] = {}
    who, about, keys, values = array("Q"), array("q"), array("Q"), array("d")
    for customer, steps in read:
        number = int.from_bytes(blake2b(customer.encode(), digest_size=8).digest(), "big")
        for contact in contacts(steps, usual):
            answer = contact.answer
            if answer is None:
                continue
            assert answer.measures is not None and answer.measures.score is not None
            who.append(number)
            about.append(numbers.setdefault(contact.touchpoint, len(numbers)))
            keys.append(int.from_bytes(answer.key, "big"))
            values.extend((answer.at / DAY_MS, answer.measures.score, *contact.signals))
    names = sorted(numbers)
    # Numbers follow from the names, not from the order in which they were read.
    renumbered = np.argsort(np.argsort(list(numbers))) if names else np.empty(0, np.int64)
    table = np.frombuffer(values).reshape(-1, 2 + len(Signals._fields))
    order = np.lexsort((np.frombuffer(keys, np.uint64), table[:, 0], np.frombuffer(who, np.uint64)))
    _, customers = np.unique(np.frombuffer(who, np.uint64), return_inverse=True)
    days, scores, signals = table[:, 0], table[:, 1], table[:, 2:]
    touchpoints = renumbered[np.frombuffer(about, np.int64)]
    return AnsweredContacts(customers[order], days[order], scores[order], touchpoints[order], signals[order]), names
