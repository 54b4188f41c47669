"""The ledger in memory: for tests, of this package and of others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import uuid4

from pipeline.cases.row import CaseRow
from pipeline.flow.count_row import TOUCHPOINT_COUNT, TouchpointCountRow
from pipeline.flow.exchange import ExchangeRecord
from pipeline.flow.feedback import FeedbackRow
from pipeline.flow.identity_needs import AsidePoint, Concerned, Span
from pipeline.flow.identity_rows import AsideRow, NamingRow, OwnerRow, RestatementRow
from pipeline.flow.portions import LastJourney, portion_end
from pipeline.flow.state import LATEST, Customer
from pipeline.flow.values import Batch, Refused
from pipeline.identity.correction import Correction
from pipeline.identity.segments import END
from pipeline.journey.journey import Journey
from pipeline.journey.row import JourneyRow
from pipeline.ledger.commit import Commit
from pipeline.ledger.customers import restore_journey
from pipeline.ledger.memory_identity import MemoryIdentity
from pipeline.ledger.outbox import RefusedRow, Unpublished
from pipeline.ledger.positions import Fenced, Position
from pipeline.ledger.risk_sweep import RiskReading
from pipeline.scores.churn.model import ChurnModel
from pipeline.scores.churn.row import ChurnRow
from pipeline.scores.churn.score import CHURN_RISK
from pipeline.scores.protocol import ActiveScore, Score


class _Owner(NamedTuple):
    """Which worker has taken a partition, and which others may still be publishing for it."""

    name: str
    publishers: tuple[str, ...]


class MemoryLedger:
    """Implements `protocol.Ledger`, with the rows open to be looked at."""

    def __init__(self, scores: Sequence[Score[Any, Any]]) -> None:
        self._scores = scores
        #: The active model of each score.
        self.active = [ActiveScore(score, score.default_model) for score in scores]
        #: journey_id → row
        self.journeys: dict[str, JourneyRow] = {}
        #: table → customer → row
        self.scores: dict[str, dict[str, Any]] = {score.table.name: {} for score in scores}
        #: (partition, stage, channel, kind) → row
        self.feedback: dict[tuple[str, int, bytes], FeedbackRow] = {}
        self.verbatims: dict[tuple[str, int, bytes], str] = {}
        self.counts: dict[tuple[int, str, str, str], TouchpointCountRow] = {}
        #: (customer, subject) → row
        self.cases: dict[tuple[str, str], CaseRow] = {}
        #: (partition, offset) → record and reason
        self.quarantine: dict[tuple[int, int], Refused] = {}
        #: partition → commit number → batch
        self.outbox: dict[int, dict[int, Batch]] = {}
        #: partition → position
        self.positions: dict[int, Position] = {}
        self.identity = MemoryIdentity()
        self._owners: dict[int, _Owner] = {}
        self._partition_of: dict[str, int] = {}

    async def take_partitions(
        self, topic: str, partitions: Iterable[int], owner: str
    ) -> tuple[list[Position], set[str]]:
        """Take partitions; see `protocol.Ledger`."""
        publishers: set[str] = set()
        taken = sorted(partitions)
        for number in taken:
            before = self.positions.get(number)
            self.positions[number] = (
                Position(topic, number, 1, 0, 0, 0, str(uuid4()), 0)
                if before is None
                else before._replace(epoch=before.epoch + 1)
            )
            earlier = self._owners[number].publishers if number in self._owners else ()
            names = (*[name for name in earlier if name != owner], owner)
            self._owners[number] = _Owner(owner, names)
            publishers.update(names)
        return [self.positions[number] for number in taken], publishers - {owner}

    async def set_sole_publisher(self, positions: Sequence[Position]) -> None:
        """Note that earlier owners cannot publish any more."""
        for position in positions:
            if self.positions[position.partition].epoch == position.epoch:
                name = self._owners[position.partition].name
                self._owners[position.partition] = _Owner(name, (name,))

    async def current_position(self, position: Position) -> Position:
        """Return a partition's position as it is now. Raises Fenced."""
        now = self.positions.get(position.partition)
        if now is None or now.epoch != position.epoch:
            raise Fenced(f"partition {position.partition} was taken by another worker")
        return now

    async def active_scores(self) -> list[ActiveScore]:
        """Return the scores with the models that are active now."""
        return self.active

    async def load_customers(self, wanted: Mapping[str, int]) -> dict[str, Customer]:
        """Return customers with their scores, and with their journeys from the given times on."""
        customers = {name: Customer(name, since) for name, since in wanted.items()}
        for row in sorted(self.journeys.values(), key=lambda row: row.started_at):
            customer = customers.get(row.customer)
            if customer is not None and _is_there(row):
                if customer.known_from == END:
                    del customer.journeys[: len(customer.journeys) - LATEST + 1]
                elif row.started_at < customer.known_from:
                    customer.journeys.clear()  # of those that begin before, the last is enough
                customer.journeys.append(restore_journey(row, customer.key))
        for customer in customers.values():
            customer.note_loaded()
        for score in self._scores:
            for name, row in self.scores[score.table.name].items():
                if name in customers:
                    customers[name].scores[score.table.name] = score.restore(row)
        self.identity.restore(customers)
        return customers

    async def load_windows(self, windows: Sequence[Span]) -> dict[str, list[Journey]]:
        """Return the journeys of customers that meet spans of time."""
        found: dict[str, list[Journey]] = {}
        for key, since, until in windows:
            for row in self._journeys_of(key):
                if row.started_at <= until and row.covers_until >= since:
                    found.setdefault(key, []).append(restore_journey(row, key))
        return found

    async def load_page(self, customer: str, after: int, limit: int) -> list[Journey]:
        """Return a customer's journeys that start after a moment."""
        rows = [row for row in self._journeys_of(customer) if row.started_at > after]
        return [restore_journey(row, customer) for row in rows[:limit]]

    def _journeys_of(self, customer: str) -> list[JourneyRow]:
        rows = [row for row in self.journeys.values() if row.customer == customer and _is_there(row)]
        return sorted(rows, key=lambda row: row.started_at)

    async def load_cases(self, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], CaseRow]:
        """Return cases by customer and subject, as far as there are any."""
        return {key: self.cases[key] for key in wanted if key in self.cases}

    async def load_corrections(self, partitions: Iterable[int]) -> dict[int, list[Correction]]:
        """Return, by partition, the corrections that can concern any key."""
        return self.identity.corrections(partitions)

    async def load_restatements(self, partitions: Iterable[int]) -> dict[int, list[RestatementRow]]:
        """Return, by partition, what is to be restated."""
        return self.identity.restatements(partitions)

    async def portion_ends(self, rows: Sequence[RestatementRow], touchpoints: int) -> dict[str, int]:
        """Return until when each restatement goes if it ends with so many touchpoints."""
        return {row.key: self._portion_end(row, touchpoints) for row in rows}

    def _portion_end(self, row: RestatementRow, touchpoints: int) -> int:
        journeys = [each for each in self._journeys_of(row.key) if row.since <= each.ended_at]
        totals = accumulate([each.touchpoints for each in journeys])
        last = [
            LastJourney(each.started_at, each.ended_at, each.steps_omitted)
            for each, total in zip(journeys, totals, strict=True)
            if total >= touchpoints and each.started_at <= row.until
        ]
        aside = self.identity.times_aside(Span(row.key, row.since, row.until))[touchpoints - 1 : touchpoints]
        return portion_end(row.until, last[0] if last else None, aside[0] if aside else None)

    async def load_aside(self, points: Sequence[AsidePoint], spans: Sequence[Span]) -> list[AsideRow]:
        """Return touchpoints that journeys don't show."""
        return self.identity.aside(points, spans)

    async def load_following(self, key: str, after: int, until: int) -> list[AsideRow]:
        """Return the touchpoints after a moment that long journeys leave out."""
        return self.identity.following(key, after, until)

    async def load_namings(self, keys: Sequence[str]) -> tuple[list[NamingRow], list[OwnerRow]]:
        """Return all namings of keys, and who holds them."""
        return self.identity.namings(keys)

    async def concerned_keys(self, partition: int, concerned: Concerned) -> list[str]:
        """Return the partition's keys for which events and customers change something."""
        return sorted(self.identity.concerned(partition, concerned))

    async def due_customers(
        self, watermarks: Mapping[int, int], grace_ms: int, limit: int
    ) -> dict[int, dict[str, int]]:
        """Return customers with open journeys that event time has passed."""
        due: dict[int, dict[str, int]] = {}
        for row in [row for row in self.journeys.values() if row.status == "open"][:limit]:
            partition = self._partition_of[row.journey_id]
            if partition in watermarks and row.covers_until < watermarks[partition] - grace_ms:
                starts = due.setdefault(partition, {})
                starts[row.customer] = min(row.started_at, starts.get(row.customer, row.started_at))
        return due

    async def count_open_journeys(self, partitions: Iterable[int]) -> int:
        """Return the number of open journeys in partitions."""
        numbers = set(partitions)
        return sum(
            row.status == "open" and self._partition_of[row.journey_id] in numbers for row in self.journeys.values()
        )

    async def commit(self, commits: Sequence[Commit]) -> list[Position]:
        """Write batches, all or none."""
        for position, *_ in commits:
            now = self.positions.get(position.partition)
            if now is None or (now.epoch, now.commits) != (position.epoch, position.commits):
                raise Fenced(f"of the partition {position.partition} another worker has taken, or committed")
        return [self._write(*commit) for commit in commits]

    def _write(
        self, position: Position, batch: Batch, published: int = 0, undelivered_since: int | None = None
    ) -> Position:
        number = position.partition
        if undelivered_since is not None:
            outbox = self.outbox[number]
            for commit in [each for each in outbox if each >= undelivered_since]:
                outbox[commit] = _delivered(outbox[commit])
        for row in batch.journeys:
            self.journeys[row.journey_id] = row
            self._partition_of[row.journey_id] = number
        for name, rows in batch.scores.items():
            self.scores[name] |= {row.customer: row for row in rows}
        for name, customers in batch.removed_scores.items():
            for customer in customers:
                self.scores[name].pop(customer, None)
        if batch.identity is not None:
            self.identity.write(number, batch.identity)
        self.feedback |= {(row.key, row.at, row.touchpoint): row for row in batch.feedback.answers}
        self.verbatims |= {(row.key, row.at, row.touchpoint): row.verbatim for row in batch.feedback.verbatims}
        self.cases |= {(row.customer, row.subject): row for row in batch.cases}
        for counts in batch.counts:
            key = (number, counts.stage, counts.channel, counts.kind)
            before = self.counts.get(key)
            self.counts[key] = counts if before is None else _added(before, counts)
        for refused in batch.refused:
            self.quarantine[number, refused.record.offset] = refused
        outbox = self.outbox.setdefault(number, {})
        outbox[position.commits + 1] = batch
        for commit in [commit for commit in outbox if commit <= published]:
            del outbox[commit]
        after = self.positions[number] = position._replace(
            commits=position.commits + 1,
            next_offset=batch.next_offset,
            next_exchange_offset=(
                position.next_exchange_offset if batch.next_exchange_offset is None else batch.next_exchange_offset
            ),
            watermark=batch.watermark,
        )
        return after

    async def clear_outbox(self, position: Position, published: int) -> None:
        """Delete outbox rows up to commit number `published`."""
        outbox = self.outbox.get(position.partition, {})
        for commit in [commit for commit in outbox if commit <= published]:
            del outbox[commit]

    async def first_unpublished(self, position: Position) -> int | None:
        """Return the number of a partition's first commit in the outbox."""
        batches = self.outbox.get(position.partition, {})
        return min([commit for commit, batch in batches.items() if _publishes(batch)], default=None)

    async def load_unpublished(self, position: Position, published: int) -> Unpublished | None:
        """Return what was committed after commit number `published`: each row as it is now."""
        batches = {c: b for c, b in self.outbox.get(position.partition, {}).items() if c > published and _publishes(b)}
        if not batches:
            return None
        ids = dict.fromkeys(row.journey_id for batch in batches.values() for row in batch.journeys)
        return Unpublished(
            commit=max(batches),
            journeys=[self.journeys[journey_id] for journey_id in ids],
            scores={
                name: [rows[customer] for customer in _scored(batches.values(), name) if customer in rows]
                for name, rows in self.scores.items()
            },
            removed_scores={
                name: [customer for customer in _scored(batches.values(), name) if customer not in rows]
                for name, rows in self.scores.items()
            },
            refused=[
                RefusedRow(r.offset, r.key, r.value, list(r.headers), why.reason, why.detail)
                for batch in batches.values()
                for r, why in batch.refused
            ],
            forwarded=[forwarded for batch in batches.values() for forwarded in batch.forwarded],
            exchanged=[record for batch in batches.values() for record in _exchanged(batch)],
            cases=[
                self.cases[key]
                for key in dict.fromkeys((row.customer, row.subject) for b in batches.values() for row in b.cases)
            ],
            owners=self.identity.namings(
                [key for batch in batches.values() if batch.identity for key in batch.identity.owners]
            )[1],
        )

    async def band_changes(
        self, partitions: Sequence[int], now_ms: int, model: ChurnModel, customers: Sequence[str]
    ) -> dict[int, list[ChurnRow]]:
        """Return the new churn risk of those customers whose band at `now_ms` is not the stored one."""
        changes: dict[int, list[ChurnRow]] = {}
        for partition, row in self._changed_bands(partitions, now_ms, model):
            if row.customer in customers:
                changes.setdefault(partition, []).append(row)
        return changes

    async def read_risks(self, partitions: Sequence[int], now_ms: int, version: str, limit: int) -> RiskReading:
        """Return what a risk sweep reads; see `risk_sweep.RiskReader`."""
        [model] = [each.model for each in self.active if each.score is CHURN_RISK]
        assert model.version == version
        changed = [row.customer for _, row in self._changed_bands(partitions, now_ms, model)]
        return RiskReading(changed[:limit], {}, {})

    def _changed_bands(
        self, partitions: Sequence[int], now_ms: int, model: ChurnModel
    ) -> Iterable[tuple[int, ChurnRow]]:
        partition_of = {row.customer: self._partition_of[row.journey_id] for row in self.journeys.values()}
        for customer, row in self.scores[CHURN_RISK.table.name].items():
            if partition_of[customer] in partitions and row.as_of < now_ms:
                state = CHURN_RISK.restore(row)._replace(as_of=now_ms)
                changed = CHURN_RISK.row(customer, state, model)
                if changed.band != row.band:
                    yield partition_of[customer], changed

    async def close(self) -> None:
        """Nothing to let go of."""


def _is_there(row: JourneyRow) -> bool:
    return row.merged_into is None and row.moved_to is None


def _added(before: TouchpointCountRow, counts: TouchpointCountRow) -> TouchpointCountRow:
    return before._replace(**{name: getattr(before, name) + getattr(counts, name) for name in TOUCHPOINT_COUNT.added})


def _exchanged(batch: Batch) -> Iterable[ExchangeRecord]:
    if batch.identity is not None:
        yield from batch.identity.records
        for message in batch.identity.direct:
            yield from message.records


def _delivered(batch: Batch) -> Batch:
    return batch if batch.identity is None else batch._replace(identity=batch.identity._replace(direct=()))


def _scored(batches: Iterable[Batch], name: str) -> Iterable[str]:
    """Return the customers whose rows of a score were written or deleted."""
    return dict.fromkeys(
        customer
        for batch in batches
        for customer in (*[row.customer for row in batch.scores.get(name, ())], *batch.removed_scores.get(name, ()))
    )


def _publishes(batch: Batch) -> bool:
    return bool(
        batch.journeys
        or any(batch.scores.values())
        or any(batch.removed_scores.values())
        or batch.refused
        or batch.forwarded
        or batch.identity
    )
