"""Versions of the churn model as fits and checks apply them to many customers at once."""

from __future__ import annotations

from sqlalchemy import Connection

from pipeline import settings
from pipeline.fitting.counting import Counting
from pipeline.fitting.covariates import Foreteller
from pipeline.journey import policy
from pipeline.queries.lately import Weighing, weighing
from pipeline.queries.models import StoredModel
from pipeline.scores.churn.model import ChurnModel


def live_model(stored: StoredModel) -> ChurnModel:
    """Return a version of the churn model as scores are made with it."""
    return ChurnModel.from_parameters(stored.version, stored.source, stored.parameters)


def weighed(connection: Connection, half_life_days: float) -> Weighing:
    """Return how what happened beyond visits is weighed, by the policy that the workers have."""
    return weighing(connection, policy.read(settings.load(needs=()).policy_file), half_life_days)


def foreteller(stored: StoredModel) -> Foreteller:
    """Return a version of the churn model as it foretells many customers at once."""
    known = live_model(stored)
    counting = Counting(known.r, known.alpha_days, known.a, known.b, known.leaves_after_first)
    return Foreteller(counting, known.covariates)
