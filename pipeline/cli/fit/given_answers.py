"""Reads the answers in the tables, in bounded memory."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from pipeline.cli.progress import progress
from pipeline.fitting.satisfaction import Answers, answers_of
from pipeline.ledger.moments import ms
from pipeline.queries.feedback import answers_of_customers
from pipeline.scales import millipoints
from pipeline.scores.satisfaction.model import DAY_MS


def given_answers(connection: Connection, until: datetime | None) -> Answers | None:
    """Return all answers up to `until`, on the common scale of 0 to 100; None without any."""
    with progress("Reading answers", None) as shown:
        return answers_of(
            (customer, ms(at) / DAY_MS, millipoints(instrument, score) / 1000, about)
            for customer, at, instrument, score, about in answers_of_customers(connection, until, shown)
        )
