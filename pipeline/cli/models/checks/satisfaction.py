"""Checks whether the active satisfaction model still holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from pipeline.cli.fit.given_answers import given_answers
from pipeline.cli.fit.satisfaction_learning import moment_text, prior_of
from pipeline.cli.models.checks.answered import compared, in_days, require_enough, since
from pipeline.cli.models.checks.verdict import NotCheckable, drift_since
from pipeline.fitting.drift import inputs_of_answers
from pipeline.fitting.satisfaction import foretell
from pipeline.queries.models import StoredModel
from pipeline.scores.satisfaction.model import SatisfactionModel


def check_satisfaction(
    connection: Connection, active: StoredModel, until: datetime | None, seed: int
) -> dict[str, Any]:
    """Return how the active version foretells the next answers of customers who had answered before.

    Each is foretold from what was known when it was given. Raises NotCheckable where there are too few since the fit.
    """
    answers = given_answers(connection, until)
    if answers is None:
        raise NotCheckable("The tables hold no answers yet.")
    end = float(answers.days.max()) if until is None else in_days(until)
    after = since(active.fit, end)
    model = SatisfactionModel.from_parameters(active.version, active.source, active.parameters)
    prior = prior_of(model, answers.names)
    foretold = foretell(answers, prior, model.half_life_days)
    asked = (answers.days > after) & ~np.isnan(foretold.at)
    require_enough(int(asked.sum()), "Answers of customers who had answered before", after)
    later = answers.where(asked)
    return {
        "until": moment_text(end),
        "since": moment_text(after),
        **compared(
            foretold.at[asked],
            prior.usual(later.about),
            later.scores,
            later.customers,
            active.fit,
            drift_since(active.fit, inputs_of_answers(answers, prior, asked)),
            "pipeline fit satisfaction",
            seed,
        ),
    }
