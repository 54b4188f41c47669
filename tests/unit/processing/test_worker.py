"""The worker without servers: rebalances, fencing, retries, poison records, idle partitions, shutdown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest
from contracts.ledger import touchpoint
from memory import DAY, NOW, T0, partition_for
from worker_in_memory import InMemory, slice_of

from pipeline.cases.row import CaseRow
from pipeline.errors import Unavailable
from pipeline.flow.values import Batch
from pipeline.identity.correction import MERGED, Correction
from pipeline.identity.policy import IdentityPolicy
from pipeline.ledger.commit import Commit
from pipeline.ledger.memory import MemoryLedger
from pipeline.ledger.positions import Position
from pipeline.processing.poison import MAX_POISON_RECORDS
from pipeline.publishing import outbox
from pipeline.publishing.memory import MemoryPublisher
from pipeline.publishing.outbox import Unpublishable
from pipeline.scores.registry import SCORES
from pipeline.topics import CASES, CHURN_RISK, DEAD_LETTERS, TOUCHPOINTS
from pipeline.touchpoint import Touchpoint

MINUTE = 60_000


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await asyncio.wait_for(test(), 30)

    asyncio.run(main())


async def until(happened: Callable[[], bool]) -> None:
    while not happened():
        await asyncio.sleep(0.001)


def of_partition(partition: int, count: int, partitions: int = 2) -> list[Touchpoint]:
    """Touchpoints of customers that belong to a partition."""
    belonging: list[Touchpoint] = []
    number = 0
    while len(belonging) < count:
        each = touchpoint(f"e{number}", number, customer=f"c{number}")
        if partition_for(each, partitions) == partition:
            belonging.append(each)
        number += 1
    return belonging


def test_a_slice_is_committed_and_soon_published() -> None:
    async def test() -> None:
        it = InMemory()
        assert await it.take(0) == {0: 0}
        assert await it.process(slice_of(0, 0, [touchpoint("a"), touchpoint("b", 1), touchpoint("c", 2, "2")])) == [
            True
        ]
        assert [row.touchpoints for row in it.ledger.journeys.values()] == [2, 1]
        assert it.value("pipeline_events_total", channel="web") == 3
        await until(lambda: it.worker._publishing is not None and it.worker._publishing.done())
        await it.publisher.settle()
        assert (it.published(), it.published(CHURN_RISK)) == (2, 2)

    run(test)


def test_slices_that_arrived_together_are_committed_together_and_acknowledged_in_turn() -> None:
    async def test() -> None:
        it = InMemory(partitions=2)
        await it.take(0, 1)
        zero, one = slice_of(0, 0, of_partition(0, 3)), slice_of(1, 0, of_partition(1, 2))
        assert await it.process(zero, one) == [True, True]
        assert it.value("pipeline_batch_seconds_count") == 1
        assert {number: each.position.next_offset for number, each in it.worker.assigned.items()} == {0: 3, 1: 2}

    run(test)


def test_what_was_processed_before_is_acknowledged_and_not_processed_again() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        first = slice_of(0, 0, [touchpoint("a"), touchpoint("b", 1)])
        await it.process(first)
        assert await it.process(first) == [True]
        overlapping = slice_of(0, 0, [touchpoint("a"), touchpoint("b", 1), touchpoint("c", 2)])
        assert await it.process(overlapping) == [True]
        assert it.value("pipeline_events_total", channel="web") == 3
        assert it.value("pipeline_duplicates_total") == 0

    run(test)


def test_a_lost_slice_is_read_again() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        assert await it.process(slice_of(0, 5, [touchpoint("f", 5)])) == [False]
        assert it.source.rewound == [(0, 0)]
        assert it.ledger.journeys == {}

    run(test)


def test_records_that_the_topic_deleted_before_they_were_read_are_counted() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        it.source.first_offset = 4
        late = slice_of(0, 4, [touchpoint("e")])._replace(begin=0)
        assert await it.process(late) == [True]
        assert it.value("pipeline_expired_records_total") == 4

    run(test)


def test_a_slice_of_a_partition_that_is_not_assigned_is_left_alone() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take()
        assert await it.process(slice_of(0, 0, [touchpoint("a")])) == [False]
        assert it.ledger.journeys == {}

    run(test)


def test_a_rebalance_keeps_what_is_known_of_partitions_that_stay() -> None:
    async def test() -> None:
        it = InMemory(partitions=2)
        await it.take(0, 1)
        await it.process(slice_of(0, 0, of_partition(0, 3)), slice_of(1, 0, of_partition(1, 2)))
        stays = it.worker.assigned[0]
        assert await it.take(0) == {0: 3}
        assert list(it.worker.assigned) == [0]
        assert it.worker.assigned[0] is stays
        assert stays.position.epoch == 2
        assert len(stays.state.customers) == 3
        assert await it.take(0, 1) == {0: 3, 1: 2}
        assert it.worker.assigned[1].state.customers == {}
        assert it.value("pipeline_assigned_partitions") == 2

    run(test)


def test_a_partition_that_another_worker_had_in_between_is_begun_anew() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        other = InMemory(it.ledger, it.publisher, owner="two")
        assert await other.take(0) == {0: 1}
        await other.process(slice_of(0, 1, [touchpoint("b", 1)]))
        assert await it.take(0) == {0: 2}
        assert it.worker.assigned[0].state.customers == {}
        await it.process(slice_of(0, 2, [touchpoint("c", 2)]))
        [row] = it.ledger.journeys.values()
        assert (row.touchpoints, row.revision) == (3, 3)

    run(test)


def test_a_partition_is_not_assigned_before_its_corrections_are_known() -> None:
    merge = Correction("customer:b", ("customer:b",), MERGED, T0, "crm", "1", other="customer:a")

    class Slow(MemoryLedger):
        asked = asyncio.Event()

        async def load_corrections(self, partitions: Iterable[int]) -> dict[int, list[Correction]]:
            if not self.asked.is_set():
                self.asked.set()
                await asyncio.Event().wait()
            return {number: [merge] for number in partitions}

    async def test() -> None:
        ledger = Slow(SCORES)
        it = InMemory(ledger, identity=IdentityPolicy())
        taking = asyncio.create_task(it.take(0))
        await ledger.asked.wait()
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert dict(it.worker.assigned) == {}
        await it.take(0)
        assert it.worker.assigned[0].state.log.survivors == {"customer:a": "customer:b"}

    run(test)


def test_a_worker_that_was_fenced_off_writes_nothing_and_lets_go() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        await it.ledger.take_partitions(TOUCHPOINTS, [0], "two")
        assert await it.process(slice_of(0, 0, [touchpoint("a")])) == [False]
        assert (it.ledger.journeys, dict(it.worker.assigned)) == ({}, {})
        assert it.value("pipeline_fenced_total") == 1
        assert not it.health.assigned

    run(test)


def test_partitions_of_the_same_transaction_as_a_fenced_one_are_dropped_without_being_called_fenced() -> None:
    async def test() -> None:
        it = InMemory(partitions=2)
        await it.take(0, 1)
        await it.ledger.take_partitions(TOUCHPOINTS, [1], "two")
        zero, one = slice_of(0, 0, of_partition(0, 3)), slice_of(1, 0, of_partition(1, 2))
        assert await it.process(zero, one) == [False, False]
        assert it.ledger.journeys == {}
        assert it.value("pipeline_fenced_total") == 1
        assert await it.take(0) == {0: 0}

    run(test)


def test_cases_that_cannot_be_loaded_leave_no_state_ahead_of_the_ledger() -> None:
    class Away(MemoryLedger):
        async def load_cases(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], CaseRow]:
            raise Unavailable("The database does not answer.")

    async def test() -> None:
        it = InMemory(Away(SCORES))
        await it.take(0)
        with pytest.raises(Unavailable):
            await it.process(slice_of(0, 0, [touchpoint("a", subject="order-1")]))
        assert dict(it.worker.assigned) == {}
        assert it.ledger.journeys == {}

    run(test)


def test_cases_are_published_by_revision_and_what_names_no_subject_asks_for_none() -> None:
    class Asked(MemoryLedger):
        loads = 0

        async def load_cases(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], CaseRow]:
            self.loads += 1
            return await super().load_cases(wanted)

    async def test() -> None:
        ledger = Asked(SCORES)
        it = InMemory(ledger)
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        assert ledger.loads == 0
        await it.process(slice_of(0, 1, [touchpoint("b", 1, subject="order-1")]))
        await it.process(slice_of(0, 2, [touchpoint("c", 2, subject="order-1"), touchpoint("b", 1, subject="order-1")]))
        [row] = ledger.cases.values()
        assert (row.revision, row.touchpoints, row.subject) == (2, 2, "order-1")
        await it.worker.close()
        assert [record.key for record in it.publisher.records if record.topic == CASES] == [b"customer:1/order-1"] * 2

    run(test)


@pytest.mark.parametrize("is_fenced", [True, False])
def test_what_a_failed_commit_has_advanced_is_forgotten_even_if_it_is_cancelled_again_and_again(
    is_fenced: bool,
) -> None:
    class Slow(MemoryLedger):
        asked = asyncio.Event()

        async def commit(self, commits: Sequence[Commit]) -> list[Position]:
            if is_fenced:
                return await super().commit(commits)
            self.asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0.01)
            raise AssertionError

        async def current_position(self, position: Position) -> Position:
            if not self.asked.is_set() and position.partition == 0:
                self.asked.set()
                await asyncio.Event().wait()
            return await super().current_position(position)

    async def test() -> None:
        ledger = Slow(SCORES)
        it = InMemory(ledger, partitions=2)
        ledger.asked.set()
        await it.take(0, 1)
        ledger.asked.clear()
        if is_fenced:
            await ledger.take_partitions(TOUCHPOINTS, [1], "two")
        zero, one = slice_of(0, 0, of_partition(0, 3)), slice_of(1, 0, of_partition(1, 2))
        processing = asyncio.create_task(it.process(zero, one))
        await ledger.asked.wait()
        for _ in range(3):
            processing.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await processing
        assert dict(it.worker.assigned) == {}

    run(test)


def test_a_worker_that_is_closed_meanwhile_takes_nothing() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        closing, taking = asyncio.create_task(it.worker.close()), asyncio.create_task(it.take(0))
        await closing
        assert await taking == {}
        assert dict(it.worker.assigned) == {}
        assert await it.ledger.current_position(it.ledger.positions[0]._replace(epoch=1))

    run(test)


def test_who_takes_over_publishes_what_was_committed_and_not_published_once() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a"), touchpoint("b", 1, "2")]))
        other = InMemory(it.ledger, MemoryPublisher(), owner="two")
        await other.take(0)
        await other.publisher.settle()
        assert other.publisher.fenced == ["one"]
        assert other.published() == 2
        await other.take(0)
        await other.publisher.settle()
        assert other.published() == 2

    run(test)


def test_after_an_interruption_publishing_begins_anew_with_what_is_missing() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        await until(lambda: it.worker._publishing is not None and it.worker._publishing.done())
        it.publisher.interrupt()
        assert await it.process(slice_of(0, 1, [touchpoint("b", 100)])) == [True]
        await it.worker.tick()
        await until(lambda: it.worker._publishing is None or it.worker._publishing.done())
        await it.publisher.settle()
        assert [row.revision for row in it.ledger.journeys.values()] == [2, 1]  # the first was closed by the second
        assert it.published() == 2

    run(test)


def test_what_another_worker_took_during_an_interruption_is_dropped() -> None:
    async def test() -> None:
        it = InMemory(partitions=2)
        await it.take(0, 1)
        await it.ledger.take_partitions(TOUCHPOINTS, [1], "two")
        it.publisher.interrupt()
        await it.worker.tick()
        assert list(it.worker.assigned) == [0]
        assert not it.publisher.interrupted

    run(test)


def test_a_broker_that_is_away_for_a_moment_is_asked_again() -> None:
    class Away(MemoryPublisher):
        failures = 2

        async def ready(self) -> bool:
            if self.failures:
                self.failures -= 1
                raise Unavailable("away")
            return await super().ready()

    async def test() -> None:
        it = InMemory(publisher=Away())
        assert await it.take(0) == {0: 0}
        assert not it.publisher.interrupted

    run(test)


class Forgetful(MemoryPublisher):
    """Its first answers know of nothing that was published, as a group coordinator's that has not read its log."""

    empty_answers = 0

    async def published(self, positions: Iterable[Position]) -> dict[int, int]:
        told = await super().published(positions)
        if not self.empty_answers:
            return told
        self.empty_answers -= 1
        return dict.fromkeys(told, 0)


async def published_and_known(publisher: MemoryPublisher) -> InMemory:
    """Two commits, of which the first is known to be published, so that its outbox row is gone."""
    it = InMemory(publisher=publisher)
    await it.take(0)
    await it.process(slice_of(0, 0, [touchpoint("a")]))
    await until(lambda: it.worker._publishing is not None and it.worker._publishing.done())
    await publisher.settle()
    await it.process(slice_of(0, 1, [touchpoint("b", 1)]))
    await until(lambda: it.worker._publishing is not None and it.worker._publishing.done())
    await publisher.settle()
    assert (it.published(), list(it.ledger.outbox[0])) == (2, [2])
    return it


def test_a_broker_that_does_not_know_yet_what_was_published_is_not_believed() -> None:
    async def test() -> None:
        it = await published_and_known(publisher := Forgetful())
        publisher.interrupt()
        publisher.empty_answers = 2
        await it.worker.tick()
        await publisher.settle()
        assert (it.published(), publisher.empty_answers) == (2, 0)

    run(test)


def test_who_takes_over_does_not_believe_it_either() -> None:
    async def test() -> None:
        it = await published_and_known(publisher := Forgetful())
        other = InMemory(it.ledger, publisher, owner="two")
        publisher.interrupt()
        publisher.empty_answers = 2
        await other.take(0)
        await publisher.settle()
        assert (it.published(), publisher.empty_answers) == (2, 0)

    run(test)


def test_what_the_broker_has_forgotten_for_good_is_published_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_COORDINATOR_LOADS_S", 0.02)

    async def test() -> None:
        it = await published_and_known(publisher := Forgetful())
        other = InMemory(it.ledger, publisher, owner="two")
        publisher.interrupt()
        publisher.empty_answers = 1_000_000
        await other.take(0)
        await publisher.settle()
        assert it.published() == 3

    run(test)


class Poisoned(MemoryLedger):
    """Cannot write a journey with a touchpoint of this kind."""

    attempts = 0

    async def commit(self, commits: Sequence[Commit]) -> list[Position]:
        self.attempts += 1
        if any(step.type.kind == "poison" for each in commits for row in each.batch.journeys for step in row.steps):
            raise ValueError("poison")
        return await super().commit(commits)


def test_a_poison_record_is_found_and_refused_and_all_others_are_processed() -> None:
    async def test() -> None:
        it = InMemory(Poisoned(SCORES))
        await it.take(0)
        kinds = ["page_viewed"] * 20
        kinds[13] = "poison"
        touchpoints = [touchpoint(f"e{n}", n, customer=f"{n % 3 + 1}", kind=kind) for n, kind in enumerate(kinds)]
        assert await it.process(slice_of(0, 0, touchpoints)) == [True]
        [((_, offset), refused)] = it.ledger.quarantine.items()
        assert (offset, refused.why.reason, refused.why.detail) == (13, "unprocessable", "ValueError")
        assert sum(row.touchpoints for row in it.ledger.journeys.values()) == 19
        assert it.ledger.positions[0].next_offset == 20
        await it.worker.tick()
        await it.publisher.settle()
        assert it.published(DEAD_LETTERS) == 1

    run(test)


def test_a_worker_that_meets_too_many_poison_records_ends() -> None:
    async def test() -> None:
        it = InMemory(Poisoned(SCORES))
        await it.take(0)
        poison = [touchpoint(f"e{n}", n, kind="poison") for n in range(MAX_POISON_RECORDS + 1)]
        with pytest.raises(ValueError, match="poison"):
            await it.process(slice_of(0, 0, poison))
        assert len(it.ledger.quarantine) == MAX_POISON_RECORDS

    run(test)


def test_an_error_that_no_record_causes_ends_the_worker_and_nothing_counts_twice() -> None:
    class Broken(MemoryLedger):
        async def commit(self, commits: Sequence[Commit]) -> list[Position]:
            raise ConnectionError("gone")

    async def test() -> None:
        it = InMemory(Broken(SCORES))
        await it.take(0)
        with pytest.raises(ConnectionError):
            await it.process(slice_of(0, 0, [touchpoint("a")]))
        assert dict(it.worker.assigned) == {}
        assert it.ledger.quarantine == {}

    run(test)


def test_what_cannot_be_serialized_ends_the_worker_and_refuses_no_record() -> None:
    class Unwilling(MemoryPublisher):
        async def send(self, position: Position, records: Any) -> None:
            raise ValueError("no")

    async def test() -> None:
        it = InMemory(publisher=Unwilling())
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        with pytest.raises(Unpublishable):
            await it.process(slice_of(0, 1, [touchpoint("b", 1)]))
        assert it.ledger.quarantine == {}

    run(test)


def test_a_failure_of_publishing_beside_the_work_ends_the_worker_with_the_next_tick() -> None:
    class Unwilling(MemoryPublisher):
        async def send(self, position: Position, records: Any) -> None:
            raise ValueError("no")

    async def test() -> None:
        it = InMemory(publisher=Unwilling())
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        await until(lambda: it.worker._publishing is not None and it.worker._publishing.done())
        with pytest.raises(Unpublishable):
            await it.worker.tick()

    run(test)


def test_journeys_that_event_time_has_passed_are_closed_by_a_tick() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a"), touchpoint("b", 200, "2")]))
        await it.worker.tick()
        statuses = {row.customer: row.status for row in it.ledger.journeys.values()}
        assert statuses == {"customer:1": "closed", "customer:2": "open"}

    run(test)


def test_an_idle_partition_follows_the_clock_once_it_has_caught_up() -> None:
    async def test() -> None:
        it = InMemory(idle_s=0.0)
        await it.take(0)
        it.source.ends[0] = 5
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        await it.worker.tick()
        assert await it.worker.has_work()
        assert [row.status for row in it.ledger.journeys.values()] == ["open"]
        it.source.ends[0] = 1
        assert await it.worker.has_work()
        await it.worker.tick()
        assert [row.status for row in it.ledger.journeys.values()] == ["closed"]
        assert await it.worker.has_work()  # what was not published a moment ago may have been sent on to the topic
        assert not await it.worker.has_work()
        assert it.published() == 2  # an idle worker waits until all is published …
        assert it.ledger.outbox[0] == {}  # … and says so in the ledger

    run(test)


def test_what_was_published_since_the_ends_were_asked_is_work() -> None:
    async def test() -> None:
        it = InMemory()
        it.clock_ms = T0
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        await it.worker._outbox.settle()
        assert await it.worker.has_work()  # it may have been records that are to be read
        assert not await it.worker.has_work()

    run(test)


def test_silence_is_published_by_a_sweep() -> None:
    async def test() -> None:
        it = InMemory(sweeps=True)
        it.clock_ms = T0 + 10 * DAY
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint(f"v{n}", n * 24 * 60) for n in range(10)]))
        before = it.ledger.scores["churn_risk"]["customer:1"]
        it.clock_ms = T0 + 200 * DAY
        await it.worker.sweep()
        after = it.ledger.scores["churn_risk"]["customer:1"]
        assert (before.band, after.band, after.as_of) == ("low", "high", T0 + 200 * DAY)
        state = it.worker.assigned[0].state.customers["customer:1"].scores["churn_risk"]
        assert state.as_of == after.as_of
        await it.worker.sweep()
        assert it.ledger.positions[0].commits == 2

    run(test)


def test_a_tick_publishes_what_a_sweep_has_found() -> None:
    async def test() -> None:
        it = InMemory(sweeps=True)
        it.clock_ms = T0 + 10 * DAY
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint(f"v{n}", n * 24 * 60) for n in range(10)]))
        it.clock_ms = T0 + 200 * DAY
        for _ in range(5):
            await it.worker.tick()
            await asyncio.sleep(0)
        assert it.ledger.scores["churn_risk"]["customer:1"].band == "high"
        await it.worker.close()

    run(test)


def test_a_sweep_of_a_partition_that_another_worker_has_by_now_lets_go_of_it() -> None:
    async def test() -> None:
        it = InMemory(sweeps=True)
        it.clock_ms = T0 + 10 * DAY
        await it.take(0)
        inform = touchpoint("mail")._replace(channel="email", kind="email_delivered")
        await it.process(slice_of(0, 0, [inform]))
        assert "churn_risk" not in it.worker.assigned[0].state.customers["customer:1"].scores
        other = InMemory(it.ledger, MemoryPublisher(), owner="two")
        await other.take(0)
        await other.process(slice_of(0, 1, [touchpoint(f"v{n}", n * 24 * 60) for n in range(10)]))
        it.clock_ms = T0 + 200 * DAY
        await it.worker.sweep()
        assert not it.worker.assigned

    run(test)


def test_a_worker_that_closes_has_published_everything_and_says_so() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a"), touchpoint("b", 1, "2")]))
        await it.worker.close()
        assert it.published() == 2
        assert it.ledger.outbox[0] == {}
        assert dict(it.worker.assigned) == {}

    run(test)


def test_a_worker_that_closes_while_publishing_is_interrupted_leaves_the_rest_in_the_outbox() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        await it.process(slice_of(0, 0, [touchpoint("a")]))
        it.publisher.interrupt()
        await it.worker.close()
        assert it.published() == 0
        assert [batch.processed for batch in it.ledger.outbox[0].values()] == [1]

    run(test)


def test_one_operation_at_a_time() -> None:
    async def test() -> None:
        it = InMemory()
        await it.take(0)
        running, most = 0, 0
        original = it.ledger.commit

        async def slow(commits: Sequence[Commit]) -> list[Position]:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.002)
            running -= 1
            return await original(commits)

        it.ledger.commit = slow  # type: ignore[method-assign]
        slices = [slice_of(0, n, [touchpoint(f"e{n}", n)]) for n in range(5)]
        operations = [it.process(each) for each in slices]
        await asyncio.gather(*operations, it.worker.tick(), it.take(0), it.worker.has_work(), it.worker.tick())
        assert most == 1
        assert it.ledger.positions[0].next_offset == 5

    run(test)


def test_an_empty_batch_is_committed_without_an_outbox_row_to_publish() -> None:
    async def test() -> None:
        ledger = MemoryLedger(SCORES)
        [position], _ = await ledger.take_partitions(TOUCHPOINTS, [0], "one")
        [after] = await ledger.commit([Commit(position, Batch(0, 3, NOW))])
        assert await ledger.load_unpublished(after, 0) is None

    run(test)
