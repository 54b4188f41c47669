"""Chooses the answers that checks of models of answers look at, and tells how predictions did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.cli.fit.satisfaction_learning import figure_record, moment_text, validation_record
from pipeline.cli.models.checks.verdict import Limit, NotCheckable, findings, lowest, than_when_fitted
from pipeline.fitting.histories import Array
from pipeline.fitting.satisfaction import difference, validate

#: Number of days that a version is checked on which was not fitted: as many as a fit foretells.
_HORIZON_DAYS = 90.0
#: With fewer answers, chance alone moves figures and inputs far.
FEWEST = 100
#: Seconds of a day.
DAY_S = 86_400


def in_days(moment: datetime) -> float:
    """Return a moment in days since 1970."""
    return moment.timestamp() / DAY_S


def since(fit: Mapping[str, Any] | None, end: float) -> float:
    """Return after when answers are looked at, in days since 1970: a horizon before the end, and after the fit's."""
    if fit is None:
        return end - _HORIZON_DAYS
    learned_until, fitted_until = (in_days(datetime.fromisoformat(fit[name])) for name in ("learned_until", "until"))
    # What is stored leaves out parts of a second.
    return max(end - (fitted_until - learned_until), fitted_until + 1 / DAY_S)


def require_enough(answers: int, what: str, after: float) -> None:
    """Raise NotCheckable if answers are too few to tell anything; `after` is since when they were given."""
    if answers < FEWEST:
        raise NotCheckable(f"{what} since {moment_text(after)[:10]}: {answers or 'none'}; {FEWEST} are needed.")


def compared(
    predicted: Array,
    usual: Array,
    scores: Array,
    customers: NDArray[np.int64],
    fit: Mapping[str, Any] | None,
    drift: Mapping[str, float] | None,
    command: str,
    seed: int,
) -> dict[str, Any]:
    """Return how predictions of answers did beside what the touchpoint usually gets, now and in the fit's validation.

    A model does not hold if it is worse than what the touchpoint usually gets, or than when it was fitted, by more than
    chance; then `command` is to be run.
    """
    found = validate(predicted, scores, customers, seed)
    beside = validate(usual, scores, customers, seed)
    apart = difference(predicted, usual, scores, customers, seed)
    worse = beside.error.value + apart.value - apart.low  # reached if the whole interval of the difference is above 0
    limits = [Limit(worse, "It foretells worse than what the touchpoint usually gets")]
    if fit is not None:
        limits.append(than_when_fitted(found.error, fit["validation"]["error"]))
    return {
        "answers": len(scores),
        "validation": validation_record(found),
        "usual": validation_record(beside),
        "difference": figure_record(apart),
        "then": None if fit is None else {name: fit.get(name) for name in ("validation", "usual")},
        "drift": drift,
        "error_limit": lowest(limits),
        "findings": list(findings(found.error.value, limits, drift, command)),
    }
