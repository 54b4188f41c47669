"""The active models, as the table `model` holds them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from pipeline.churn.model import ChurnModel
from pipeline.errors import InvalidInput
from pipeline.flow.advance import Models
from pipeline.ledger.tables import model
from pipeline.satisfaction.model import SatisfactionModel


def active_models(connection: Connection) -> Models:
    """The models that scores are made with; raises InvalidInput when one is missing or no model."""
    rows = {
        row.name: row
        for row in connection.execute(
            select(model.c.name, model.c.version, model.c.source, model.c.parameters).where(model.c.active)
        )
    }
    try:
        satisfaction, churn = rows[SatisfactionModel.NAME], rows[ChurnModel.NAME]
        return Models(
            SatisfactionModel.from_parameters(satisfaction.version, satisfaction.source, satisfaction.parameters),
            ChurnModel.from_parameters(churn.version, churn.source, churn.parameters),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidInput(f"The table model lacks an active model or holds one that can't be used: {error}") from None
