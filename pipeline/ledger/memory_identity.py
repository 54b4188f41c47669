"""Who is who, in memory: the part of `memory.MemoryLedger` that holds the identity tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.flow.identity_effects import IdentityChanges
from pipeline.flow.identity_needs import AsidePoint, Concerned, Span
from pipeline.flow.identity_rows import (
    ASIDE,
    CORRECTION,
    MORE_FOLLOWING,
    NAMING,
    OMITTED,
    OWNER,
    RESTATEMENT,
    STRETCH,
    TABLES,
    AsideRow,
    NamingRow,
    OwnerRow,
    RestatementRow,
)
from pipeline.flow.state import Customer
from pipeline.identity.correction import Correction
from pipeline.identity.key_identity import KeyIdentity
from pipeline.identity.segments import OVERFULL


class MemoryIdentity:
    """The identity tables; `tables` has the rows of each by partition and key."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], tuple[int, Any]]] = {table.name: {} for table in TABLES}

    def write(self, partition: int, changes: IdentityChanges) -> None:
        """Write what a batch changes."""
        for name, keys in changes.deleted.items():
            for key in keys:
                self.tables[name].pop(self._key(name, partition, key), None)
        for name, rows in changes.written.items():
            table = next(table for table in TABLES if table.name == name)
            for row in rows:
                key = tuple([getattr(row, column) for column in table.key if column != "partition"])
                self.tables[name][self._key(name, partition, key)] = partition, row
        namings = self.tables[NAMING.name]
        for key in [key for key, (_, row) in namings.items() if row.key in changes.forgotten]:
            del namings[key]

    def restore(self, customers: dict[str, Customer]) -> None:
        """Give customers what is known of whose their keys are."""
        for customer in customers.values():
            key = customer.key
            stretches = tuple(sorted([row.stretch for row in self._rows(STRETCH.name) if row.key == key]))
            corrections = [row.correction for row in self._rows(CORRECTION.name) if row.key == key]
            is_overfull = any(row.key == key and row.why == OVERFULL for row in self._rows(OWNER.name))
            if stretches or corrections or is_overfull:
                customer.identity = KeyIdentity(key, stretches, corrections, is_overfull)
            for row in self._rows(ASIDE.name):
                if row.key == key:
                    customer.put_aside(row.at)
            customer.has_foreign = any(step.via is not None for journey in customer.journeys for step in journey.steps)

    def corrections(self, partitions: Iterable[int]) -> dict[int, list[Correction]]:
        """Return, by partition, the corrections that can concern any key."""
        rows = self.tables[CORRECTION.name].values()
        return {
            number: [row.correction for partition, row in rows if partition == number and not row.key]
            for number in partitions
        }

    def restatements(self, partitions: Iterable[int]) -> dict[int, list[RestatementRow]]:
        """Return, by partition, what is to be restated."""
        rows = self.tables[RESTATEMENT.name].values()
        return {number: [row for partition, row in rows if partition == number] for number in partitions}

    def aside(self, points: Sequence[AsidePoint], spans: Sequence[Span]) -> list[AsideRow]:
        """Return touchpoints that journeys don't show."""
        return [
            row
            for row in self._rows(ASIDE.name)
            if (row.key, row.at, row.keys) in points
            or any(row.key == span.key and span.since <= row.at <= span.until for span in spans)
        ]

    def times_aside(self, span: Span) -> list[int]:
        """Return the times of touchpoints that journeys don't show, in order."""
        key, since, until = span
        return sorted([row.at for row in self._rows(ASIDE.name) if row.key == key and since <= row.at <= until])

    def following(self, key: str, after: int, until: int) -> list[AsideRow]:
        """Return the touchpoints after a moment that long journeys leave out."""
        rows = [row for row in self._rows(ASIDE.name) if row.key == key and row.place == OMITTED and row.at > after]
        rows.sort(key=lambda row: row.step.place)
        up_to = [row for row in rows if row.at <= until]
        return rows[: len(up_to) + MORE_FOLLOWING]

    def namings(self, keys: Sequence[str]) -> tuple[list[NamingRow], list[OwnerRow]]:
        """Return all namings of keys, and who holds them."""
        return (
            [row for row in self._rows(NAMING.name) if row.key in keys],
            [row for row in self._rows(OWNER.name) if row.key in keys],
        )

    def concerned(self, partition: int, concerned: Concerned) -> set[str]:
        """Return the partition's keys that these events have named or corrected, or that were named with customers."""
        events, customers = set(concerned.events), set(concerned.customers)
        return {
            row.key
            for name in (NAMING.name, CORRECTION.name, STRETCH.name)
            for number, row in self.tables[name].values()
            if number == partition
            and row.key
            and (row.target in customers if name == STRETCH.name else (row.source, row.event_id) in events)
        }

    def _rows(self, name: str) -> list[Any]:
        return [row for _, row in self.tables[name].values()]

    def _key(self, name: str, partition: int, key: tuple[Any, ...]) -> tuple[Any, ...]:
        return (partition, *key) if name == CORRECTION.name else key
