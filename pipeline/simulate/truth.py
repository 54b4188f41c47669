"""Whose each simulated touchpoint is, and whether that can be known, as lines of JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import orjson

from pipeline import catalogue
from pipeline.contract.times import format_rfc3339
from pipeline.identity.policy import IdentityPolicy
from pipeline.simulate.knowable import whys
from pipeline.simulate.population import Simulated
from pipeline.touchpoint import Touchpoint


def noted(made: Iterable[Simulated], told: list[Simulated]) -> Iterator[Touchpoint]:
    """Yield the touchpoints, and append all to `told`."""
    for each in made:
        told.append(each)
        yield each.touchpoint


def lines(told: Sequence[Simulated]) -> Iterator[bytes]:
    """Yield a line for each touchpoint, which it names as its own JSON Lines do; none for corrections.

    What can be known goes by the catalogue, and by the policy that holds where no file says otherwise.
    """
    for (touchpoint, person), why in zip(told, whys(told, catalogue.load(), IdentityPolicy()), strict=True):
        if person is None:
            continue
        record = {
            "source": touchpoint.source,
            "event_id": touchpoint.event_id,
            "occurred_at": format_rfc3339(touchpoint.occurred_at),
            "person": person,
            "known": why is None,
        }
        yield orjson.dumps(record | ({"why": why} if why else {}), option=orjson.OPT_APPEND_NEWLINE)
