"""The names of the topics, on which others rely."""

from __future__ import annotations

from typing import TypeAlias

TOUCHPOINTS = "touchpoints.v1"
JOURNEYS = "journeys.v1"
CASES = "cases.v1"
IDENTITIES = "identities.v1"
SATISFACTION = "satisfaction.v1"
CHURN_RISK = "churn-risk.v1"
DEAD_LETTERS = "touchpoints.v1.dlq"
#: What partitions tell each other of who is who.
EXCHANGE = "touchpoints.v1.exchange"

#: topic → file of its value's schema under schemas/; each score names its own (`scores.registry.topic_schemas`).
SCHEMA_FILES = {
    TOUCHPOINTS: "touchpoint.avsc",
    JOURNEYS: "journey.avsc",
    CASES: "case.avsc",
    IDENTITIES: "identity.avsc",
}


#: The header of a record that a worker sent on with the right key: the partition and offset that it came from.
FORWARDED_HEADER = "pipeline-forwarded-from"


#: A topic's name and the number of one of its partitions.
TopicPartition: TypeAlias = tuple[str, int]


def subject(topic: str) -> str:
    """Return the registry's subject of a topic's values."""
    return f"{topic}-value"
