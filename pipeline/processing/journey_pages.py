"""Reads all of a customer's journeys, a page at a time, however many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from pipeline.flow.identity_needs import Span
from pipeline.flow.identity_rows import OMITTED, AsideRow
from pipeline.identity.segments import BEGINNING
from pipeline.journey.journey import Journey
from pipeline.ledger.protocol import Ledger

#: Number of a customer's journeys that are in memory at once.
_PAGE = 500


async def journey_pages(ledger: Ledger, customer: str) -> AsyncIterator[tuple[Sequence[Journey], Sequence[AsideRow]]]:
    """Yield a customer's journeys in order of time, with the touchpoints that long ones among them leave out."""
    after = BEGINNING
    while journeys := await ledger.load_page(customer, after, _PAGE):
        spans = [Span(customer, each.started_at, each.ended_at) for each in journeys if each.omitted]
        omitted = await ledger.load_aside([], spans) if spans else []
        yield journeys, [row for row in omitted if row.place == OMITTED]
        after = journeys[-1].started_at
