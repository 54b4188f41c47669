"""Creating the topics."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.scores.registry import SCORES
from pipeline.topics import CASES, DEAD_LETTERS, EXCHANGE, IDENTITIES, JOURNEYS, TOUCHPOINTS

_WEEK_MS = 7 * 86_400_000
#: Replicas that must have a record before it counts as written, where topics have three replicas or more: one may be
#: away then, and nothing that was acknowledged is lost with another.
_MIN_IN_SYNC = {"min.insync.replicas": "2"}
_COMPACTED = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.5"}

#: Compaction keeps the latest revision of each journey or case; for a week all revisions can be read.
_REVISIONS = {
    "cleanup.policy": "compact,delete",
    "retention.ms": str(52 * _WEEK_MS),
    "min.compaction.lag.ms": str(_WEEK_MS),
}

#: topic → its configuration. Retention goes by append time everywhere: an event's own time never makes it vanish.
CONFIGURATION: dict[str, dict[str, str]] = {
    TOUCHPOINTS: {"cleanup.policy": "delete", "retention.ms": str(4 * _WEEK_MS)},
    JOURNEYS: _REVISIONS,
    CASES: _REVISIONS,
    IDENTITIES: _COMPACTED,
    **{score.topic: _COMPACTED for score in SCORES if score.topic is not None},
    # What waits for other partitions is read within moments; a worker that was away for long still needs it.
    EXCHANGE: {"cleanup.policy": "delete", "retention.ms": str(4 * _WEEK_MS)},
    # A dead letter is its record and headers beside it.
    DEAD_LETTERS: {"cleanup.policy": "delete", "retention.ms": str(4 * _WEEK_MS), "max.message.bytes": "4194304"},
}


def configuration(topic: str, replication: int) -> dict[str, str]:
    """Return the configuration of a new topic with a number of replicas."""
    common = {"message.timestamp.type": "LogAppendTime", **(_MIN_IN_SYNC if replication >= 3 else {})}
    return {**common, **CONFIGURATION[topic]}


def create_topics(kafka: KafkaConnection, partitions: int, replication: int) -> list[str]:
    """Create the topics that are missing; return their names.

    Raises Unavailable when the broker does not answer, InvalidInput when it refuses.
    """
    errors = ClientErrors()
    admin = AdminClient(kafka.client_settings(errors))
    created = []
    try:
        there = admin.list_topics(timeout=10).topics
        new = [
            NewTopic(name, partitions, replication, config=configuration(name, replication))
            for name in CONFIGURATION
            if name not in there
        ]
        for name, future in (admin.create_topics(new) if new else {}).items():
            try:
                future.result(30)
                created.append(name)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
    except KafkaException as error:
        raise kafka.unreachable(error, admin, errors) from None
    return created
