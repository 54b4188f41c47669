"""The content of the tables after the demonstration."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from pipeline.queries.abandonment import AbandonmentPoint, abandonment_points
from pipeline.queries.at_risk import AtRisk, at_risk, bands
from pipeline.queries.connection import reading
from pipeline.queries.customers import JourneyView, example_journey
from pipeline.queries.identity_totals import IdentityTotals, identity_totals
from pipeline.queries.joined_journeys import JoinedJourney, joined_journey
from pipeline.queries.quarantine import Entry, Selection, entries
from pipeline.queries.totals import Totals, totals
from pipeline.queries.touchpoints import TouchpointView, touchpoints
from pipeline.settings import Settings

#: The numbers of steps of the example journey, which has to fit on a screen.
_LEAST, _MOST = 8, 18
_MOST_JOINED = 24
_TOUCHPOINTS, _ABANDONMENT_POINTS, _AT_RISK, _REFUSED = 6, 4, 6, 6


class Findings(NamedTuple):
    """The tables as of a moment; `journey` is an example of `customer`; both are None if no journey fits.

    `joined` is a journey whose channels knew the customer by different keys; None if there is none.
    """

    as_of: datetime
    totals: Totals
    customer: str | None
    journey: JourneyView | None
    touchpoints: Sequence[TouchpointView]
    abandonment: Sequence[AbandonmentPoint]
    bands: dict[str, int]
    at_risk: Sequence[AtRisk]
    refused: Sequence[Entry]
    identity: IdentityTotals
    joined: JoinedJourney | None


def find(settings: Settings, seed: int) -> Findings:
    """Return the content, with a journey of one of the customers simulated with `seed`."""
    at = datetime.now(UTC)
    with reading(settings.database_url) as connection:
        prefix = f"customer:{seed}-"
        customer, journey = example_journey(connection, prefix, _LEAST, _MOST) or (None, None)
        return Findings(
            as_of=at,
            totals=totals(connection),
            customer=customer,
            journey=journey,
            touchpoints=touchpoints(connection, limit=_TOUCHPOINTS),
            abandonment=abandonment_points(connection)[:_ABANDONMENT_POINTS],
            bands=bands(connection, at),
            at_risk=at_risk(connection, at, bands=("high", "medium"), named=True, limit=_AT_RISK),
            refused=entries(connection, Selection(statuses=("new",)), _REFUSED),
            identity=identity_totals(connection),
            joined=joined_journey(connection, prefix, _MOST_JOINED),
        )
