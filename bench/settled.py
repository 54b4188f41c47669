"""Waiting until partitions have nothing left to do, and nothing to tell each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.rig import Meter, Rig
from pipeline.topics import EXCHANGE, TOUCHPOINTS

_LOOK_EVERY_S = 0.2
#: A worker that commits nothing for so long is stuck.
_PATIENCE_S = 600.0
_ANSWER_S = 10.0
_WAITING = "(SELECT count(*) FROM identity_restatement)"


class Settling:
    """Tells whether everything is in the tables, published, and nothing waits to be restated.

    `group` is the workers' consumer group.
    """

    def __init__(self, own: Rig, group: str) -> None:
        self._own = own
        self._consumer = Consumer(
            {
                "bootstrap.servers": own.settings.kafka.bootstrap_servers,
                "group.id": f"{group}.published",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "log_level": 0,
            }
        )

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def waiting(self) -> int:
        """Return how many keys wait to be restated."""
        [found] = self._own.ledger.execute(f"SELECT {_WAITING}").fetchone() or (0,)
        return int(found)

    def commits(self) -> int:
        """Return how many commits there were."""
        [found] = self._own.ledger.execute("SELECT coalesce(sum(commits), 0)::bigint FROM position").fetchone() or (0,)
        return int(found)

    def is_settled(self, exchanges: bool = True) -> bool:
        """Return whether nothing is left; without `exchanges` the exchange topic is not looked at.

        What is looked at first can only grow by what is looked at later.
        """
        rows = self._own.ledger.execute(
            f"SELECT partition, next_offset, next_exchange_offset, commits, {_WAITING} FROM position"
        ).fetchall()
        if not rows or rows[0][-1]:
            return False
        read = {partition: offset for partition, offset, *_ in rows}
        exchanged = {partition: offset for partition, _, offset, *_ in rows}
        committed = {partition: commits for partition, _, _, commits, _ in rows}
        with suppress(KafkaException):
            return (
                self._is_read(read) and self._is_published(committed) and not (exchanges and self._has_more(exchanged))
            )
        return False

    def _is_read(self, offsets: Mapping[int, int]) -> bool:
        """Return whether touchpoints.v1 ends there; its producers use no transactions, so that each offset counts."""
        return all(
            self._consumer.get_watermark_offsets(TopicPartition(TOUCHPOINTS, number), _ANSWER_S)[1] <= offset
            for number, offset in offsets.items()
        )

    def _is_published(self, commits: Mapping[int, int]) -> bool:
        """Return whether the worker's transactions have reached these commits, as their offsets' metadata says."""
        places = [TopicPartition(TOUCHPOINTS, number) for number, commit in commits.items() if commit]
        found = self._consumer.committed(places, timeout=_ANSWER_S) if places else []
        return all(int((each.metadata or "0").split()[-1]) >= commits[each.partition] for each in found)

    def _has_more(self, offsets: Mapping[int, int]) -> bool:
        """Return whether the exchange topic has records from these offsets on."""
        self._consumer.assign([TopicPartition(EXCHANGE, number, offset) for number, offset in offsets.items()])
        try:
            left, end = set(offsets), time.monotonic() + _ANSWER_S
            while left and time.monotonic() < end:
                for message in self._consumer.consume(100, 0.1):
                    error = message.error()
                    if error is None:
                        return True
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    left.discard(message.partition())
            return bool(left)
        finally:
            self._consumer.unassign()


@contextmanager
def settling(own: Rig, group: str) -> Iterator[Settling]:
    """Give one, which is closed at the end."""
    found = Settling(own, group)
    try:
        yield found
    finally:
        found.close()


def settle(
    own: Rig,
    meter: Meter,
    group: str,
    *,
    events: int = 0,
    exchanges: bool = True,
    sample: Callable[[], None] = lambda: None,
) -> None:
    """Wait until `events` are accounted for and nothing is left; `sample` is called every second.

    Raises PipelineError when the worker ends, or commits nothing for ten minutes.
    """
    with settling(own, group) as state:
        commits, moved_at, sampled_at = -1, time.monotonic(), 0.0
        while True:
            meter.look()
            now = time.monotonic()
            if now - sampled_at >= 1:
                sampled_at = now
                sample()
            if sum(own.accounted().values()) >= events and state.is_settled(exchanges):
                break
            if (found := state.commits()) != commits:
                commits, moved_at = found, now
            if now - moved_at > _PATIENCE_S:
                meter.fail(f"Nothing was committed for {_PATIENCE_S:.0f} s; {state.waiting():,} keys wait.")
            time.sleep(_LOOK_EVERY_S)
    meter.look()


def forget_exchanged(own: Rig) -> None:
    """Delete the exchange topic's records, so that the next worker need not pass over those of earlier tables."""
    admin = AdminClient({"bootstrap.servers": own.settings.kafka.bootstrap_servers, "log_level": 0})
    partitions = admin.list_topics(EXCHANGE, 10).topics[EXCHANGE].partitions
    places = [TopicPartition(EXCHANGE, number, -1) for number in partitions]  # to their ends
    for future in admin.delete_records(places, request_timeout=30).values():
        future.result()
