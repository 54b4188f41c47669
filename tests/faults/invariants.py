"""What has to hold after a run, whatever was killed when: pure functions that say where it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from faults.ownership import (
    each_touchpoint_is_in_one_journey_of_its_owner,
    identities_tell_who_holds_each_key,
    what_has_ended_stays_so,
    what_keys_have_given_is_at_the_holders,
)
from faults.recovery import by_partition
from faults.world import PublishedScore, World

#: Says, of a world, each thing that is wrong.
Invariant = Callable[[World], Iterator[str]]


def each_accepted_record_is_accounted_for_once(world: World) -> Iterator[str]:
    """accepted = processed + duplicates + quarantined + corrections."""
    sums = [sum(each) for each in zip(*(p[2:] for p in world.positions), strict=True)] or [0, 0, 0, 0]
    processed, duplicates, quarantined, _ = sums
    corrections = sum(world.corrections.values())
    if world.accepted != (total := processed + duplicates + quarantined + corrections):
        yield (
            f"{world.accepted:,} accepted, but {processed:,} processed + {duplicates:,} duplicates + "
            f"{quarantined:,} quarantined + {corrections:,} corrections = {total:,}"
        )
    own = sum(record.forwarded_from is None for record in world.records)
    if own != world.accepted:
        yield f"the broker acknowledged {world.accepted:,} records, and the topic holds {own:,} of producers"


def each_partition_is_accounted_for(world: World) -> Iterator[str]:
    """Records in a partition = processed + duplicates + quarantined + sent on + corrections."""
    there = Counter(record.partition for record in world.records)
    there.subtract(world.corrections)
    booked = {p.partition: p.processed + p.duplicates + p.quarantined + p.forwarded for p in world.positions}
    for number in sorted(there.keys() | booked.keys()):
        if there[number] != booked.get(number, 0):
            yield (
                f"partition {number} holds {there[number]:,} records that are no corrections, and "
                f"{booked.get(number, 0):,} are accounted for"
            )


def what_is_sent_on_arrives_once(world: World) -> Iterator[str]:
    """Each record that was sent on is in the topic once more, and no other is."""
    copies = Counter(record.forwarded_from for record in world.records if record.forwarded_from is not None)
    originals = {f"{record.partition}/{record.offset}" for record in world.records}
    for origin, times in copies.items():
        if times > 1:
            yield f"{origin} was sent on {times} times"
        if origin not in originals:
            yield f"{origin} was sent on, and is not in the topic"
    if sum(copies.values()) != (sent := sum(p.forwarded for p in world.positions)):
        yield f"{sent:,} records were sent on by the positions, and {sum(copies.values()):,} arrived"


def no_lag_is_left(world: World) -> Iterator[str]:
    """No record lies at or behind a position, the outbox is empty, and nothing waits to be restated."""
    ends = {p.partition: p.next_offset for p in world.positions}
    left = Counter(record.partition for record in world.records if record.offset >= ends.get(record.partition, 0))
    for number, records in sorted(left.items()):
        yield f"partition {number} has {records:,} unprocessed records from {ends.get(number, 0):,} on"
    if world.outbox:
        yield f"{world.outbox:,} commits are in the outbox, not known to be published"
    if world.unread:
        yield f"{world.unread:,} records of the exchange topic are not read"
    if world.waiting:
        yield f"{world.waiting:,} keys are still to be restated"


def positions_never_go_back(world: World) -> Iterator[str]:
    """Of each partition offsets, epochs and sums never fall; a commit is one more, and nothing else moves them."""
    for number, own in by_partition(world.changes).items():
        for last, now in pairwise(own):
            for name in ("epoch", "commits", "next_offset", "accounted"):
                if getattr(now, name) < getattr(last, name):
                    yield f"partition {number}: {name} went back from {getattr(last, name):,} to {getattr(now, name):,}"
            if now.commits > last.commits + 1:
                yield f"partition {number}: commit {now.commits:,} after {last.commits:,}"
            if now.commits == last.commits and now.next_offset != last.next_offset:
                yield f"partition {number}: moved to {now.next_offset:,} without a commit"


def one_worker_owns_a_partition(world: World) -> Iterator[str]:
    """Every commit was made by the worker that took the partition last, under the epoch of that taking."""
    for number, own in by_partition(world.changes).items():
        if own[0].by != own[0].owner:
            yield f"partition {number}: {own[0].by} took it for {own[0].owner}"
        for last, now in pairwise(own):
            if now.epoch == last.epoch:
                if now.by != now.owner or now.owner != last.owner:
                    yield (
                        f"partition {number}: {now.by} wrote commit {now.commits:,} under epoch {now.epoch:,}, "
                        f"which is {last.owner}'s"
                    )
            elif now.commits != last.commits:
                yield f"partition {number}: epoch {now.epoch:,} began with a commit"
            elif now.by != now.owner:
                yield f"partition {number}: {now.by} took it for {now.owner} (epoch {now.epoch:,})"


def revisions_ascend_and_come_once(world: World) -> Iterator[str]:
    """On journeys.v1, read_committed, in the order of offsets."""
    latest: dict[str, int] = {}
    place: dict[str, int] = {}
    for told in sorted(world.journeys, key=lambda told: (told.partition, told.offset)):
        before = latest.get(told.journey_id)
        where = f"journeys.v1 {told.partition}/{told.offset:,}: journey {told.journey_id}"
        if before is not None and told.revision == before:
            yield f"{where} revision {told.revision} comes twice"
        elif before is not None and told.revision < before:
            yield f"{where} revision {told.revision} comes after {before}"
        if place.setdefault(told.journey_id, told.partition) != told.partition:
            yield f"{where} is on partition {place[told.journey_id]}, too"
        latest[told.journey_id] = max(told.revision, before or 0)


def the_latest_revision_is_the_table(world: World) -> Iterator[str]:
    """The last record of each journey says what its row says, and there is one for each row."""
    latest = {
        told.journey_id: (told.revision, told.says)
        for told in sorted(world.journeys, key=lambda told: (told.partition, told.offset))
    }
    yield from _differences("journeys.v1", latest, world.journey_rows)


def the_latest_scores_are_the_tables(world: World) -> Iterator[str]:
    """The same for satisfaction.v1 and churn-risk.v1, of each customer."""
    for topic, told, rows in (
        ("satisfaction.v1", world.satisfaction, world.satisfaction_rows),
        ("churn-risk.v1", world.churn_risk, world.churn_risk_rows),
    ):
        yield from _differences(topic, _latest(told), rows)


def each_quarantined_record_is_a_dead_letter_once(world: World) -> Iterator[str]:
    """With the same bytes."""
    letters = Counter(world.letters)
    for (number, offset, _), times in letters.items():
        if times > 1:
            yield f"{number}/{offset:,} is {times} dead letters"
    for number, offset, _ in set(world.quarantined) - set(letters):
        yield f"{number}/{offset:,} is in quarantine and no dead letter"
    for number, offset, _ in set(letters) - set(world.quarantined):
        yield f"{number}/{offset:,} is a dead letter and not in quarantine"


def the_tables_are_those_of_an_undisturbed_run(world: World) -> Iterator[str]:
    """One worker over the same records; but for ids and revisions, which depend on batches."""
    for name in sorted(world.tables.keys() | world.undisturbed.keys()):
        here, there = world.tables.get(name, Counter()), world.undisturbed.get(name, Counter())
        for row in here - there:
            yield f"{name}, only in the disturbed run: {row[:300]}"
        for row in there - here:
            yield f"{name}, only in the undisturbed run: {row[:300]}"


INVARIANTS: Sequence[Invariant] = (
    each_accepted_record_is_accounted_for_once,
    each_partition_is_accounted_for,
    what_is_sent_on_arrives_once,
    no_lag_is_left,
    positions_never_go_back,
    one_worker_owns_a_partition,
    revisions_ascend_and_come_once,
    the_latest_revision_is_the_table,
    the_latest_scores_are_the_tables,
    each_quarantined_record_is_a_dead_letter_once,
    each_touchpoint_is_in_one_journey_of_its_owner,
    what_keys_have_given_is_at_the_holders,
    identities_tell_who_holds_each_key,
    what_has_ended_stays_so,
    the_tables_are_those_of_an_undisturbed_run,
)


def title(invariant: Invariant) -> str:
    """An invariant's name as a sentence."""
    return invariant.__name__.replace("_", " ")


def check(world: World) -> dict[str, list[str]]:
    """Each invariant's title, and what violates it."""
    return {title(invariant): list(invariant(world)) for invariant in INVARIANTS}


def _latest(told: Sequence[PublishedScore]) -> dict[str, Any]:
    latest = {each.customer: each.says for each in sorted(told, key=lambda each: (each.partition, each.offset))}
    return {customer: says for customer, says in latest.items() if says is not None}


def _differences(topic: str, latest: Mapping[str, Any], rows: Mapping[str, Any]) -> Iterator[str]:
    """Keys are customers or journeys of made-up people."""
    for key in sorted(latest.keys() | rows.keys()):
        if key not in rows:
            yield f"{topic} has {key}, and the table does not"
        elif key not in latest:
            yield f"the table has {key}, and {topic} does not"
        elif latest[key] != rows[key]:
            yield f"{key}: {topic} says {latest[key]}, the table {rows[key]}"
