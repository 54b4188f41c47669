"""Commands that must not run beside workers."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.cli import formatting
from pipeline.connections.kafka import ClientErrors, KafkaConnection
from pipeline.errors import InvalidInput

_ANSWER_S = 10.0


def refuse_running_workers(kafka: KafkaConnection, group: str, why: str) -> None:
    """Raise InvalidInput, which says `why`, while the workers' group has members."""
    errors = ClientErrors()
    admin = AdminClient(kafka.client_settings(errors))
    try:
        described = admin.describe_consumer_groups([group], request_timeout=_ANSWER_S)[group].result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return
        raise kafka.unreachable(error, admin, errors) from None
    if described.members:
        raise InvalidInput(
            f"{formatting.plural(len(described.members), 'worker')} of the group {group} run, and {why}. Stop them, "
            "and try again (one that was killed is a member for ten seconds more)."
        )
