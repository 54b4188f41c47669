"""The scores: a new one is added here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.scores.churn.score import CHURN_RISK
from pipeline.scores.protocol import Score
from pipeline.scores.satisfaction.score import SATISFACTION

SCORES: Sequence[Score[Any, Any]] = (
    SATISFACTION,
    CHURN_RISK,
)
