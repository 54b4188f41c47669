"""What every ledger does: cases that run on an empty one, in Postgres or in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from memory import ACTIVE_SCORES, DAY, MINUTE, NOW, POLICY, T0, WRITERS, Record, record

from pipeline import catalogue
from pipeline.cases import types as case_types
from pipeline.cases.case import changed_case
from pipeline.cases.rules import CaseRules
from pipeline.flow.admission import Admission
from pipeline.flow.advance import advance, customers_to_load
from pipeline.flow.exchange import ExchangeRecord, Named
from pipeline.flow.identity_effects import DirectMessage, IdentityChanges
from pipeline.flow.slices import Slice
from pipeline.flow.state import Partition
from pipeline.flow.values import AdmittedSlice, Batch
from pipeline.identity.segments import BEGINNING
from pipeline.ledger.commit import Commit
from pipeline.ledger.positions import Fenced, Position
from pipeline.ledger.protocol import Ledger
from pipeline.scores.churn.model import DEFAULT as CHURN_MODEL
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Feedback, Touchpoint

GRACE_MS = POLICY.grace_ms
TOPIC = TOUCHPOINTS


def touchpoint(event_id: str, minute: float = 0, customer: str = "1", **fields: Any) -> Touchpoint:
    given: dict[str, Any] = {"channel": "web", "kind": "page_viewed", "customer_id": customer, **fields}
    return Touchpoint(event_id, "shop", T0 + int(minute * MINUTE), **given)


async def batch_of(
    ledger: Ledger, position: Position, touchpoints: Sequence[Touchpoint], *, state: Partition | None = None
) -> Batch:
    """A batch of touchpoints on the only partition of a topic, by a worker that knows nothing but the ledger."""
    begin = position.next_offset
    records = [record(each, begin + n) for n, each in enumerate(touchpoints)]
    return await batch_of_records(ledger, position, records, state=state)


async def batch_of_records(
    ledger: Ledger, position: Position, records: Sequence[Record], *, state: Partition | None = None
) -> Batch:
    state = state or Partition(position.partition, position.next_offset, position.watermark)
    given = Slice(position.partition, position.next_offset, position.next_offset + len(records), records)
    [admitted] = Admission(catalogue.load(), POLICY, 1).admit([given], WRITERS, NOW)
    return await advanced(ledger, state, admitted)


async def advanced(ledger: Ledger, state: Partition, admitted: AdmittedSlice, now_ms: int = NOW) -> Batch:
    state.customers |= await ledger.load_customers(customers_to_load(state, admitted))
    return advance(state, admitted, now_ms=now_ms, grace_ms=GRACE_MS, scores=ACTIVE_SCORES)


async def take(ledger: Ledger, partitions: Sequence[int] = (0,), owner: str = "one") -> list[Position]:
    positions, _ = await ledger.take_partitions(TOPIC, partitions, owner)
    return positions


async def commit(ledger: Ledger, position: Position, *touchpoints: Touchpoint) -> Position:
    [after] = await ledger.commit([Commit(position, await batch_of(ledger, position, touchpoints))])
    return after


async def taking_a_partition_raises_its_epoch_and_tells_who_may_still_publish(ledger: Ledger) -> None:
    [first], others = await ledger.take_partitions(TOPIC, [0], "one")
    assert (first.partition, first.epoch, first.commits, first.next_offset, first.watermark) == (0, 1, 0, 0, 0)
    assert others == set()
    [second], others = await ledger.take_partitions(TOPIC, [0], "two")
    assert (second.epoch, second.lineage) == (2, first.lineage)
    assert others == {"one"}
    await ledger.set_sole_publisher([second])
    [again], others = await ledger.take_partitions(TOPIC, [0], "two")
    assert (again.epoch, others) == (3, set())


async def who_is_no_longer_the_owner_cannot_say_that_others_have_stopped_publishing(ledger: Ledger) -> None:
    [first] = await take(ledger, owner="one")
    await take(ledger, owner="two")
    await ledger.set_sole_publisher([first])
    _, others = await ledger.take_partitions(TOPIC, [0], "three")
    assert others == {"one", "two"}


async def a_commit_moves_the_position_and_what_it_wrote_is_loaded(ledger: Ledger) -> None:
    [position] = await take(ledger)
    answer = touchpoint("b", 5, kind="survey_answered", feedback=Feedback("csat", 5))
    after = await commit(ledger, position, touchpoint("a"), answer)
    assert (after.commits, after.next_offset, after.epoch) == (1, 2, position.epoch)
    assert after.watermark == T0 + 5 * MINUTE
    assert await ledger.current_position(after) == after
    customer = (await ledger.load_customers({"customer:1": T0}))["customer:1"]
    [journey] = customer.journeys
    assert (journey.revision, journey.status, journey.started_at, journey.ended_at) == (1, "open", T0, T0 + 5 * MINUTE)
    assert journey.channels == {"web": 2}
    assert [step.type.kind for step in journey.steps] == ["page_viewed", "survey_answered"]
    assert [step.measures and step.measures.score for step in journey.steps] == [None, 100.0]
    assert customer.scores["satisfaction"].answered == 1
    churn = customer.scores["churn_risk"]
    assert (churn.visits, churn.first_active_at, churn.last_seen_at) == (1, T0, T0 + 5 * MINUTE)


async def a_commit_writes_cases_which_are_loaded_by_customer_and_subject_and_named_by_the_outbox(
    ledger: Ledger,
) -> None:
    [position] = await take(ledger)
    about = {"subject": "order-1", "due_at": T0, "feedback": Feedback("csat", 4), "wait_ms": 5}
    batch = await batch_of(ledger, position, [touchpoint("a", 1, kind="purchase", **about), touchpoint("b", 2)])
    [change] = batch.case_changes
    assert (change.customer, change.subject, len(change.added)) == ("customer:1", "order-1", 1)
    row = changed_case(None, change, CaseRules(catalogue.load(), case_types.load(), {}))
    assert row is not None
    [after] = await ledger.commit([Commit(position, batch._replace(cases=[row]))])
    assert await ledger.load_cases([("customer:1", "order-1"), ("customer:1", "x"), ("customer:2", "order-1")]) == {
        ("customer:1", "order-1"): row
    }
    assert await ledger.load_cases([]) == {}
    unpublished = await ledger.load_unpublished(after, 0)
    assert unpublished is not None
    assert unpublished.cases == [row]
    later = row._replace(revision=2, status="moved", late_ms=None, due_at=None, satisfaction=None, first_channel=None)
    batch = await batch_of(ledger, after, [touchpoint("c", 3)])
    await ledger.commit([Commit(after, batch._replace(cases=[later]))])
    assert await ledger.load_cases([("customer:1", "order-1")]) == {("customer:1", "order-1"): later}


async def customers_that_are_not_known_are_loaded_empty(ledger: Ledger) -> None:
    await take(ledger)
    customer = (await ledger.load_customers({"customer:new": T0}))["customer:new"]
    assert (customer.journeys, customer.scores, customer.known_from) == ([], {}, BEGINNING)
    assert await ledger.load_customers({}) == {}


async def of_a_customers_journeys_those_are_loaded_that_reach_the_given_time(ledger: Ledger) -> None:
    [position] = await take(ledger)
    await commit(ledger, position, touchpoint("a"), touchpoint("b", 60), touchpoint("c", 120))
    for minute, expected in ((0, 3), (30, 3), (61, 2), (120, 1), (150, 1)):
        customer = (await ledger.load_customers({"customer:1": T0 + minute * MINUTE}))["customer:1"]
        reaching = [each for each in customer.journeys if each.covers_until >= T0 + minute * MINUTE]
        assert len(reaching) == expected, minute
        assert customer.journeys == sorted(customer.journeys, key=lambda each: each.started_at)


async def a_batch_of_an_earlier_owner_is_refused_and_nothing_of_it_is_written(ledger: Ledger) -> None:
    [zero, one] = await take(ledger, [0, 1])
    await take(ledger, [1], "two")
    batches = [await batch_of(ledger, zero, [touchpoint("a")]), Batch(1, 7, 0)]
    with pytest.raises(Fenced):
        await ledger.commit([Commit(zero, batches[0]), Commit(one, batches[1])])
    assert await ledger.current_position(zero) == zero
    with pytest.raises(Fenced):
        await ledger.current_position(one)
    assert (await ledger.load_customers({"customer:1": T0}))["customer:1"].journeys == []


async def commits_come_one_after_the_other(ledger: Ledger) -> None:
    [position] = await take(ledger)
    after = await commit(ledger, position, touchpoint("a"))
    other = await commit(ledger, after, touchpoint("b", 1))
    with pytest.raises(Fenced):
        await commit(ledger, position, touchpoint("c", 2))
    assert await ledger.current_position(other) == other


async def what_is_not_published_is_read_as_it_is_now(ledger: Ledger) -> None:
    [position] = await take(ledger)
    assert await ledger.load_unpublished(position, 0) is None
    assert await ledger.first_unpublished(position) is None
    first = await commit(ledger, position, touchpoint("a"))
    assert await ledger.first_unpublished(position) == 1
    second = await commit(ledger, first, touchpoint("b", 1), touchpoint("x", customer="2"))
    rest = await ledger.load_unpublished(second, 0)
    assert rest is not None
    assert rest.commit == 2
    revisions = sorted([(row.customer, row.revision, row.touchpoints) for row in rest.journeys])
    assert revisions == [("customer:1", 2, 2), ("customer:2", 1, 1)]
    assert sorted(row.customer for row in rest.scores["churn_risk"]) == ["customer:1", "customer:2"]
    later = await ledger.load_unpublished(second, 1)
    assert later is not None
    assert len(later.journeys) == 2
    await ledger.clear_outbox(second, 2)
    assert await ledger.load_unpublished(second, 0) is None


async def many_unpublished_commits_are_read_one_part_after_the_other(ledger: Ledger) -> None:
    [position] = await take(ledger)
    for number in range(1, 46):
        position = await commit(ledger, position, touchpoint(f"e{number}", number, customer=str(number)))
    read, published = [], 0
    while (rest := await ledger.load_unpublished(position, published)) is not None:
        assert rest.commit > published
        read += [row.customer for row in rest.journeys]
        published = rest.commit
    assert published == position.commits
    assert sorted(read) == sorted(f"customer:{number}" for number in range(1, 46))


async def a_commit_deletes_the_outbox_of_what_is_published(ledger: Ledger) -> None:
    [position] = await take(ledger)
    first = await commit(ledger, position, touchpoint("a"))
    batch = await batch_of(ledger, first, [touchpoint("b", 1)])
    [second] = await ledger.commit([Commit(first, batch, published=1)])
    rest = await ledger.load_unpublished(second, 0)
    assert rest is not None
    assert [row.revision for row in rest.journeys] == [2]
    assert await ledger.first_unpublished(second) == 2
    await ledger.clear_outbox(second, 2)
    assert await ledger.load_unpublished(second, 0) is None


async def refused_and_forwarded_records_are_in_the_outbox(ledger: Ledger) -> None:
    [position] = await take(ledger)
    records = [Record(0, b"k", b"\x07bad", headers=[("h", b"1")]), record(touchpoint("a"), 1, key=b"wrong")]
    [after] = await ledger.commit([Commit(position, await batch_of_records(ledger, position, records))])
    rest = await ledger.load_unpublished(after, 0)
    assert rest is not None
    [refused] = rest.refused
    assert (refused.offset, refused.key, refused.value, refused.reason) == (0, b"k", b"\x07bad", "bad_magic")
    assert refused.headers == [("h", b"1")]
    [forwarded] = rest.forwarded
    assert (forwarded.key, forwarded.value) == (b"customer:1", records[1].value)


async def what_was_told_directly_is_in_the_outbox_until_it_is_delivered(ledger: Ledger) -> None:
    zero, one = await take(ledger, [0, 1])
    [zero] = await ledger.commit([Commit(zero, _telling(0, _told("before"), []))])
    there = DirectMessage(1, Named("device:1", []), [_told("directly")])
    first, one = await ledger.commit(
        [Commit(zero, _telling(0, _told("by topic"), [there])), Commit(one, Batch(1, 0, 0))]
    )
    rest = await ledger.load_unpublished(first, 0)
    assert rest is not None
    assert [record.value for record in rest.exchanged] == [b'"before"', b'"by topic"', b'"directly"']
    second, one = await ledger.commit(
        [Commit(first, _telling(0, _told("after"), []), 0, undelivered_since=2), Commit(one, Batch(1, 0, 0))]
    )
    rest = await ledger.load_unpublished(second, 0)
    assert rest is not None
    assert [record.value for record in rest.exchanged] == [b'"before"', b'"by topic"', b'"after"']
    assert await ledger.load_unpublished(one, 0) is None


async def what_was_told_directly_stays_in_the_outbox_if_the_commit_that_delivers_it_is_refused(ledger: Ledger) -> None:
    zero, one = await take(ledger, [0, 1])
    there = DirectMessage(1, Named("device:1", []), [_told("directly")])
    [first] = await ledger.commit([Commit(zero, _telling(0, _told("by topic"), [there]))])
    await take(ledger, [1], "two")
    with pytest.raises(Fenced):
        await ledger.commit([Commit(first, Batch(0, 0, 0), 0, undelivered_since=1), Commit(one, Batch(1, 0, 0))])
    rest = await ledger.load_unpublished(first, 0)
    assert rest is not None
    assert [record.value for record in rest.exchanged] == [b'"by topic"', b'"directly"']


def _told(text: str) -> ExchangeRecord:
    return ExchangeRecord(b"device:1", f'"{text}"'.encode())


def _telling(partition: int, record: ExchangeRecord, direct: Sequence[DirectMessage]) -> Batch:
    changes = IdentityChanges({}, {}, (), (), [record], direct, 0, 0, {})
    return Batch(partition, 0, 0, identity=changes)


async def journeys_are_due_when_event_time_has_passed_their_cover_and_the_grace(ledger: Ledger) -> None:
    [position] = await take(ledger)
    await commit(ledger, position, touchpoint("a"), touchpoint("b", 10), touchpoint("c", 10, "2"))
    passed = T0 + 40 * MINUTE + GRACE_MS
    assert await ledger.due_customers({0: passed}, GRACE_MS, 100) == {}
    assert await ledger.due_customers({1: passed + 1}, GRACE_MS, 100) == {}
    due = await ledger.due_customers({0: passed + 1}, GRACE_MS, 100)
    assert due == {0: {"customer:1": T0, "customer:2": T0 + 10 * MINUTE}}
    assert await ledger.count_open_journeys([0]) == 2
    assert await ledger.count_open_journeys([1]) == 0


async def journeys_that_only_close_are_closed(ledger: Ledger) -> None:
    [position] = await take(ledger)
    after = await commit(ledger, position, touchpoint("a"))
    due = await ledger.due_customers({0: NOW}, GRACE_MS, 100)
    state = Partition(0, after.next_offset, after.watermark)
    batch = await advanced(ledger, state, AdmittedSlice(0, after.next_offset, due=due[0], is_idle=True))
    assert batch.only_closed == {row.journey_id for row in batch.journeys}
    await ledger.commit([Commit(after, batch)])
    assert await ledger.count_open_journeys([0]) == 0
    [journey] = (await ledger.load_customers({"customer:1": T0}))["customer:1"].journeys
    assert (journey.status, journey.revision, len(journey.steps)) == ("closed", 2, 1)


async def silence_moves_a_customer_into_another_band(ledger: Ledger) -> None:
    [position] = await take(ledger)
    visits = [touchpoint(f"v{n}", n * 24 * 60) for n in range(10)]
    await commit(ledger, position, *visits)
    soon, late = T0 + 10 * DAY, T0 + 100 * DAY
    assert await ledger.band_changes([0], soon, CHURN_MODEL, ["customer:1"]) == {}
    assert await ledger.band_changes([0], late, CHURN_MODEL, ["customer:other"]) == {}
    assert await ledger.band_changes([1], late, CHURN_MODEL, ["customer:1"]) == {}
    [row] = (await ledger.band_changes([0], late, CHURN_MODEL, ["customer:1"]))[0]
    assert (row.customer, row.band, row.as_of, row.visits) == ("customer:1", "high", late, 10)


CASES = [
    taking_a_partition_raises_its_epoch_and_tells_who_may_still_publish,
    who_is_no_longer_the_owner_cannot_say_that_others_have_stopped_publishing,
    a_commit_moves_the_position_and_what_it_wrote_is_loaded,
    customers_that_are_not_known_are_loaded_empty,
    of_a_customers_journeys_those_are_loaded_that_reach_the_given_time,
    a_batch_of_an_earlier_owner_is_refused_and_nothing_of_it_is_written,
    commits_come_one_after_the_other,
    what_is_not_published_is_read_as_it_is_now,
    many_unpublished_commits_are_read_one_part_after_the_other,
    a_commit_deletes_the_outbox_of_what_is_published,
    refused_and_forwarded_records_are_in_the_outbox,
    what_was_told_directly_is_in_the_outbox_until_it_is_delivered,
    what_was_told_directly_stays_in_the_outbox_if_the_commit_that_delivers_it_is_refused,
    journeys_are_due_when_event_time_has_passed_their_cover_and_the_grace,
    journeys_that_only_close_are_closed,
    silence_moves_a_customer_into_another_band,
]
