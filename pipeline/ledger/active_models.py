"""The active models, as the table `model` holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from pipeline.errors import InvalidInput
from pipeline.scores.protocol import ActiveScore, Score

_ACTIVE = text("SELECT name, version, source, parameters FROM model WHERE active")


def active_scores(connection: Connection, scores: Sequence[Score[Any, Any]]) -> list[ActiveScore]:
    """Return scores with the models they are made with. Raises InvalidInput when one is missing or is no model."""
    return _with_models(connection.execute(_ACTIVE), scores)


async def load_active_scores(connection: AsyncConnection, scores: Sequence[Score[Any, Any]]) -> list[ActiveScore]:
    """Return the same, for a worker that runs."""
    return _with_models(await connection.execute(_ACTIVE), scores)


def _with_models(found: Iterable[Row[Any]], scores: Sequence[Score[Any, Any]]) -> list[ActiveScore]:
    rows = {row.name: row for row in found}
    try:
        return [
            ActiveScore(score, score.model(row.version, row.source, row.parameters))
            for score in scores
            for row in [rows[score.default_model.NAME]]
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidInput(f"The table model lacks an active model or holds one that can't be used: {error}") from None
