"""Lag: exact where it may be old, and right while servers are away and after a restart."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.consumer.lag import Lag, LagEstimator, PartitionEnd
from pipeline.consumer.lag_monitor import LagMonitor
from pipeline.errors import Unavailable
from pipeline.observe.health import Health
from pipeline.observe.metrics import Metrics
from pipeline.topics import EXCHANGE, TOUCHPOINTS

NOW = 1_790_000_000.0


class Topic:
    """In place of the broker: ends, committed offsets, and the append times of records, by offset.

    `uncommitted` are the offsets of records of transactions that are open or were aborted.
    """

    def __init__(
        self,
        ends: dict[int, PartitionEnd],
        committed: dict[int, int],
        appended: dict[int, float],
        uncommitted: Sequence[int] = (),
    ) -> None:
        self.end_of, self._committed, self._appended, self._uncommitted = ends, committed, appended, uncommitted
        self.is_away = False
        self.asked = 0

    def ends(self, topic: str) -> dict[int, PartitionEnd]:
        if self.is_away:
            raise Unavailable("connection refused")
        return self.end_of if topic == TOUCHPOINTS else {number: PartitionEnd(2, 2) for number in self.end_of}

    def committed(self, topic: str, partitions: Sequence[int]) -> dict[int, int]:
        return {number: self._committed[number] if topic == TOUCHPOINTS else 0 for number in partitions}

    def first_appended(self, topic: str, partition: int, offset: int, read_uncommitted: bool) -> float | None:
        self.asked += 1
        if topic == EXCHANGE:
            return NOW - 70
        seen = {place: at for place, at in self._appended.items() if read_uncommitted or place not in self._uncommitted}
        return min((at for place, at in seen.items() if place >= offset), default=None)

    def close(self) -> None:
        pass


def value(metrics: Metrics, name: str, partition: int = 0) -> float | None:
    return metrics.registry.get_sample_value(f"pipeline_{name}", {"partition": str(partition)})


class Monitored:
    def __init__(
        self,
        topic: Topic,
        own: dict[int, int] | None = None,
        own_exchange: dict[int, int] | None = None,
        topics: Sequence[str] = (TOUCHPOINTS,),
    ) -> None:
        self.metrics, self.health = Metrics(), Health()
        self.own, own_exchange = own or {}, own_exchange or {}
        self._monitor = LagMonitor(lambda: topic, self.metrics, self.health, topics)
        self._monitor.follow(
            lambda: {
                **{(TOUCHPOINTS, number): offset for number, offset in self.own.items()},
                **{(EXCHANGE, number): offset for number, offset in own_exchange.items()},
            }
        )
        self._lags = self._monitor.lags(topic)

    def look(self, now: float, **processed_at: float) -> None:
        if processed_at:
            self._monitor.note_processed(TOUCHPOINTS, 0, int(processed_at["processed_at"] * 1000))
        self._monitor.look(self._lags, now)


def test_a_worker_that_has_no_partition_yet_shows_the_lag_from_its_first_look() -> None:
    topic = Topic({0: PartitionEnd(10, 10)}, {0: 4}, {offset: NOW - 300 + offset for offset in range(10)})
    it = Monitored(topic)
    it.look(NOW)
    assert value(it.metrics, "lag_records") == 6
    assert value(it.metrics, "lag_seconds") == 296
    assert value(it.metrics, "next_offset") == 4
    assert it.health.lag_seconds == 0, "what is nobody's does not make a worker unready"


def test_a_restarted_worker_knows_how_old_its_oldest_record_is() -> None:
    topic = Topic({0: PartitionEnd(10, 10)}, {0: 0}, {9: NOW - 500})
    it = Monitored(topic, own={0: 9})
    it.look(NOW)
    assert value(it.metrics, "lag_seconds") == 500
    assert it.health.lag_seconds == 500
    it.look(NOW + 2)
    assert value(it.metrics, "lag_seconds") == 502
    assert topic.asked == 1, "the same record is looked up once"


def test_a_worker_that_keeps_up_is_not_slowed_down_by_look_ups() -> None:
    topic = Topic({0: PartitionEnd(10, 10)}, {0: 0}, {})
    it = Monitored(topic, own={0: 8})
    it.look(NOW, processed_at=NOW - 1.5)
    assert (value(it.metrics, "lag_records"), value(it.metrics, "lag_seconds")) == (2, 1.5)
    assert topic.asked == 0


def test_offsets_without_a_record_at_the_end_are_no_lag() -> None:
    topic = Topic({0: PartitionEnd(12, 12)}, {0: 0}, {3: NOW - 100})
    it = Monitored(topic, own={0: 10})
    it.look(NOW)
    it.look(NOW + 60)
    assert (value(it.metrics, "lag_records"), value(it.metrics, "lag_seconds")) == (0, 0)
    assert topic.asked <= 2


def test_what_an_open_transaction_holds_back_is_lag() -> None:
    topic = Topic({0: PartitionEnd(17, 10)}, {0: 0}, {11: NOW - 3}, uncommitted=[11])
    it = Monitored(topic, own={0: 10})
    it.look(NOW)
    assert (value(it.metrics, "lag_records"), value(it.metrics, "held_back_records")) == (7, 7)
    assert value(it.metrics, "lag_seconds") == 3


def test_what_was_aborted_waits_for_nobody() -> None:
    topic = Topic({0: PartitionEnd(17, 10)}, {0: 0}, {11: NOW - 3}, uncommitted=[11])
    it = Monitored(topic, own={0: 10})
    it.look(NOW)
    topic.end_of = {0: PartitionEnd(18, 18)}
    it.look(NOW + 10)
    assert (value(it.metrics, "lag_records"), value(it.metrics, "lag_seconds")) == (0, 0)


def test_what_was_aborted_does_not_come_and_go_as_lag() -> None:
    topic = Topic({0: PartitionEnd(12, 12)}, {0: 0}, {10: NOW - 100}, uncommitted=[10])
    it = Monitored(topic, own={0: 10})
    it.look(NOW)
    for seconds in range(2, 30, 2):
        it.look(NOW + seconds)
        assert (value(it.metrics, "lag_records"), value(it.metrics, "lag_seconds")) == (0, 0)
    topic.end_of = {0: PartitionEnd(13, 13)}
    it.look(NOW + 30)
    assert value(it.metrics, "lag_records") == 3, "a record that came since is lag"


def test_the_exchange_topic_has_a_lag_of_its_own_which_does_not_make_a_worker_unready() -> None:
    topic = Topic({0: PartitionEnd(10, 10)}, {0: 0}, {})
    it = Monitored(topic, own={0: 10}, own_exchange={0: 1}, topics=(TOUCHPOINTS, EXCHANGE))
    it.look(NOW)
    assert (value(it.metrics, "lag_records"), value(it.metrics, "lag_seconds")) == (0, 0)
    assert (value(it.metrics, "exchange_lag_records"), value(it.metrics, "exchange_lag_seconds")) == (1, 70)
    assert value(it.metrics, "next_offset") == 10
    assert it.health.lag_seconds == 0
    topic.is_away = True
    it.look(NOW + 5)
    assert value(it.metrics, "exchange_lag_seconds") == 75


def test_a_worker_without_identity_shows_no_lag_of_the_exchange_topic() -> None:
    it = Monitored(Topic({0: PartitionEnd(10, 10)}, {0: 0}, {}), own={0: 10})
    it.look(NOW)
    assert value(it.metrics, "exchange_lag_records") is None


def test_while_the_broker_is_away_what_waits_grows_older_and_the_worker_is_not_ready() -> None:
    topic = Topic({0: PartitionEnd(10, 10), 1: PartitionEnd(5, 5)}, {}, {9: NOW - 20})
    it = Monitored(topic, own={0: 9, 1: 5})
    it.look(NOW)
    topic.is_away = True
    it.look(NOW + 30)
    it.look(NOW + 60)
    assert (value(it.metrics, "lag_records"), value(it.metrics, "lag_seconds")) == (1, 80)
    assert value(it.metrics, "lag_seconds", 1) == 0
    assert it.health.away["broker"].why == "connection refused"
    topic.is_away = False
    it.look(NOW + 62)
    assert it.health.away == {}


def test_partitions_that_are_taken_away_are_not_shown_any_more() -> None:
    topic = Topic({0: PartitionEnd(10, 10), 1: PartitionEnd(5, 5)}, {}, {})
    it = Monitored(topic, own={0: 10, 1: 5})
    it.look(NOW)
    del it.own[1]
    it.look(NOW + 2)
    assert value(it.metrics, "lag_records", 1) is None
    assert value(it.metrics, "next_offset", 1) is None


def test_the_age_of_what_comes_after_a_quiet_spell_counts_from_its_end() -> None:
    estimator = LagEstimator(lambda *_: NOW - 2)
    assert estimator.estimate(0, PartitionEnd(10, 10), 10, NOW - 900, NOW - 4) == Lag()
    assert estimator.estimate(0, PartitionEnd(11, 11), 10, NOW - 900, NOW) == Lag(1, 4.0)
