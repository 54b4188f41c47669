"""The scores: a new one is added to `SCORES`, after those that it rests on, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.contract.schema import schema_text
from pipeline.scores.churn.score import CHURN_RISK
from pipeline.scores.evidence.score import EVIDENCE
from pipeline.scores.protocol import Score
from pipeline.scores.satisfaction.score import SATISFACTION
from pipeline.topics import SCHEMA_FILES

SCORES: Sequence[Score[Any, Any]] = (
    SATISFACTION,
    EVIDENCE,
    CHURN_RISK,
)


def topic_schemas(scores: Sequence[Score[Any, Any]] = SCORES) -> Mapping[str, str]:
    """Return the Avro schemas of all topics that have one, by topic."""
    own = {topic: schema_text(topic) for topic in SCHEMA_FILES}
    return own | {score.topic: score.schema_text for score in scores if score.topic and score.schema_text}


def published(scores: Iterable[Score[Any, Any]] = SCORES) -> list[Score[Any, Any]]:
    """Return the scores that have a topic."""
    return [score for score in scores if score.topic is not None]
