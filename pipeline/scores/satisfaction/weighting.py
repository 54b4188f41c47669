"""Who answers is not everybody: answers weighted by how likely they were to be given.

The response propensity of a touchpoint and outcome is the share of contacts that were answered: of those whose
customers were asked, where that is known, else of all. An answer is weighted by its inverse, as in a survey where some
are asked less often (Horvitz and Thompson 1952, JASA 47, 663–685; response classes: Little 1986, International
Statistical Review 54, 139–157), at most by `CAP`, so that few answers do not stand for nearly everybody. Within a
touchpoint and outcome, those who answer are taken to be like those who do not.

Weighted figures are less certain than as many answers: intervals are those of n answers, with Kish's (1965, Survey
Sampling) effective number n = (Σ w)² / Σ w².
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pipeline.scales import SCALES
from pipeline.scores.satisfaction.contacts import Contact
from pipeline.scores.satisfaction.figures import NPS_DETRACTOR, Interval, Tally, standard

#: The largest weight of an answer.
CAP = 20.0
ASSUMPTION = (
    "Weighted: an answer counts for as many contacts as it stands for, by the share of its touchpoint and outcome that "
    f"answered (of those asked, where that is known), at most for {CAP:g}. This takes those who do not answer to "
    "be like those who do, within a touchpoint and outcome."
)


class Response(NamedTuple):
    """Contacts, those of them whose customers were asked, and those that were answered; answered ≤ asked ≤ contacts."""

    contacts: int = 0
    asked: int = 0
    answered: int = 0

    def add(self, other: Response) -> Response:
        """Return both together."""
        return Response(self.contacts + other.contacts, self.asked + other.asked, self.answered + other.answered)


#: A touchpoint (CHANNEL/KIND) and an outcome.
Cell = tuple[str, str]


class Responses:
    """Counts responses by touchpoint and outcome, and weights answers by them."""

    def __init__(self) -> None:
        self.cells: dict[Cell, Response] = {}
        self.touchpoints: dict[str, Response] = {}
        #: The cell of each answer, by its step's key.
        self._of_answers: dict[bytes, Cell] = {}

    def add(self, contacts: Iterable[Contact]) -> None:
        """Count contacts."""
        for contact in contacts:
            cell = (contact.touchpoint, contact.step.type.outcome)
            one = Response(1, int(contact.is_asked), int(contact.answer is not None))
            self.cells[cell] = self.cells.get(cell, Response()).add(one)
            self.touchpoints[contact.touchpoint] = self.touchpoints.get(contact.touchpoint, Response()).add(one)
            if contact.answer is not None:
                self._of_answers[contact.answer.key] = cell

    def weight(self, answer: bytes, touchpoint: str) -> float:
        """Return the weight of an answer, 1 to `CAP`, by its step's key and the touchpoint that it is about.

        An answer whose contact is not known has the weight of its touchpoint; 1 if nothing is known of that, either.
        """
        whole = self.touchpoints.get(touchpoint, Response())
        cell = self._of_answers.get(answer)
        response = whole if cell is None else self.cells[cell]
        if not response.answered:
            return 1.0
        # Asking is known where more were asked than have answered: who answered counts as asked.
        of = response.asked if whole.asked > whole.answered else response.contacts
        return min(CAP, of / response.answered)


class WeightedTally:
    """Sums up answers on one instrument with their weights."""

    def __init__(self, instrument: str) -> None:
        self._instrument = instrument
        self._weight = self._squares = self._satisfied = self._dissatisfied = 0.0

    def add(self, score: float, weight: float) -> None:
        """Add an answer on the instrument's own scale."""
        scale = SCALES[self._instrument]
        worst = NPS_DETRACTOR if self._instrument == "nps" else scale.dissatisfied
        self._weight += weight
        self._squares += weight * weight
        self._satisfied += weight * (score >= scale.satisfied)
        self._dissatisfied += weight * (worst is not None and score <= worst)

    @property
    def effective(self) -> float:
        """Return how many answers of the same weight would be as certain."""
        return self._weight * self._weight / self._squares

    def figure(self) -> Interval | None:
        """Return the instrument's standard figure; None if all answers are neutral."""
        scale = self.effective / self._weight
        tally = Tally(self.effective, self._satisfied * scale, self._dissatisfied * scale, 0.0, 0.0)
        return standard(self._instrument, tally)
