"""Putting single touchpoints into journeys, for tests of sessionizing."""

from __future__ import annotations

from pipeline.journey.journey import Journey
from pipeline.journey.sessionize import Joined, find_duplicates, join
from pipeline.journey.step import Step


def place(journeys: list[Journey], customer: str, step: Step, until: int, signs: int) -> Joined | None:
    """Put a touchpoint into its journey; None when it is a duplicate. `journeys` are changed in place."""
    if find_duplicates(journeys, [step], until):
        return None
    return join(journeys, customer, [step], until, signs)
