"""What a batch changes in who is who, and what it tells other partitions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.contract.partition import partitions_of
from pipeline.flow.exchange import Corrected, ExchangeRecord, Message, Named, Place, Transferred, Withdrawn, write
from pipeline.flow.identity_rows import (
    TABLES,
    AsideRow,
    NamingRow,
    OwnerRow,
    RestatementRow,
    StretchRow,
    correction_row,
    owner_rows,
)
from pipeline.identity.correction import Correction
from pipeline.identity.naming import Naming
from pipeline.identity.segments import END, Segment
from pipeline.identity.stretches import Stretch
from pipeline.journey.step import Step

#: The key of a row in its table.
RowKey = tuple[Any, ...]


class DirectMessage(NamedTuple):
    """A message for a partition that need not go through the exchange topic, and the records that it would be there."""

    partition: int
    message: Message
    records: Sequence[ExchangeRecord]


class IdentityChanges(NamedTuple):
    """Rows to be written, and rows to be deleted by their keys, by the table's name; keys of which all namings go.

    `owners` are the keys whose rows of `identity_owner` are written anew. `records` are for the exchange topic,
    `direct` are messages for partitions of the same worker. `transferred` and `withdrawn` count touchpoints, `by_trust`
    namings.
    """

    written: Mapping[str, Sequence[Any]]
    deleted: Mapping[str, Sequence[RowKey]]
    forgotten: Sequence[str]
    owners: Sequence[str]
    records: Sequence[ExchangeRecord]
    direct: Sequence[DirectMessage]
    transferred: int
    withdrawn: int
    by_trust: Mapping[str, int]


class IdentityEffects:
    """Collects what a batch changes; of changes of the same row the last one counts."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[RowKey, Any]] = {table.name: {} for table in TABLES}
        self._messages: dict[str, list[Message]] = {}
        self._namings: dict[str, Sequence[Naming]] = {}
        self._forgotten: list[str] = []
        self._owners: list[str] = []
        self._corrections: list[Message] = []
        self._transferred = self._withdrawn = 0
        self._by_trust: dict[str, int] = {}

    def tell_namings(self, key: str, namings: Sequence[Naming]) -> None:
        """Tell a key's partition that events have named it."""
        self._namings[key] = namings

    def count_namings(self, namings: Iterable[Naming]) -> None:
        """Count namings that a key's partition has been told."""
        for naming in namings:
            self._by_trust[naming.trust] = self._by_trust.get(naming.trust, 0) + 1

    def tell_correction(self, correction: Correction) -> None:
        """Tell the partitions that a correction concerns."""
        keys = (None,) if correction.concerns_all else correction.keys
        self._corrections += [Corrected(key, correction) for key in keys]

    def transfer(self, holder: str, sender: str, step: Step) -> None:
        """Tell the partition of a key's holder that the touchpoint is the holder's now."""
        if step.via is None:
            step = step.with_via(sender)
        else:
            step = step._replace(sender=sender if sender != step.via else None)
        self._transferred += 1
        told = self._messages.setdefault(holder, [])
        if told and isinstance(last := told[-1], Transferred) and last.sender == sender:
            assert isinstance(last.steps, list)
            last.steps.append(step)
        else:
            told.append(Transferred(holder, sender, [step]))

    def withdraw(self, holder: str, sender: str, step: Step) -> None:
        """Tell the partition of a holder that a touchpoint is not the holder's any more."""
        place = Place(step.at, step.key, step.via or sender)
        self._withdrawn += 1
        told = self._messages.setdefault(holder, [])
        if told and isinstance(last := told[-1], Withdrawn) and last.sender == sender:
            assert isinstance(last.places, list)
            last.places.append(place)
        else:
            told.append(Withdrawn(holder, sender, [place]))

    def put_aside(self, row: AsideRow) -> None:
        """Write the row of a touchpoint that its key's journeys don't show."""
        self._put("identity_touchpoint", aside_key(row), row)

    def drop_aside(self, row: AsideRow) -> None:
        """Delete such a row."""
        self._put("identity_touchpoint", aside_key(row), None)

    def put_correction(self, key: str, correction: Correction) -> None:
        """Write a correction that concerns a key, or all (an empty key)."""
        row = correction_row(key, correction)
        self._put("identity_correction", (key, row.source, row.event_id, row.at, row.kind), row)

    def put_namings(self, key: str, namings: Iterable[Naming]) -> None:
        """Write a key's namings."""
        rows = self._rows["identity_naming"]
        for target, trust, at, source, event_id in namings:
            rows[event_id, source, key, target, at] = NamingRow(key, target, trust, at, source, event_id)

    def forget_namings(self, key: str) -> None:
        """Delete all namings of a key."""
        namings = self._rows["identity_naming"]
        self._rows["identity_naming"] = {each: row for each, row in namings.items() if row.key != key}
        self._forgotten.append(key)

    def put_stretches(self, key: str, before: Sequence[Stretch], after: Sequence[Stretch]) -> None:
        """Write what has changed in a key's stretches."""
        if before is after:
            return
        old, new = set(before), set(after)
        for each in old - new:
            self._put("identity_stretch", (key, each.target, each.trust, each.started_at), None)
        for each in new - old:
            self._put("identity_stretch", (key, each.target, each.trust, each.started_at), StretchRow(key, *each))

    def put_owners(self, key: str, before: Iterable[OwnerRow], after: Sequence[Segment]) -> None:
        """Write who holds a key, if that is not what the rows say that are there."""
        old = {row.since: row for row in before}
        new = {row.since: row for row in owner_rows(key, after, END)}
        if old == new:
            return
        self._owners.append(key)
        for since in old.keys() - new.keys():
            self._put("identity_owner", (key, since), None)
        for since, row in new.items():
            self._put("identity_owner", (key, since), row)

    def put_restatement(self, row: RestatementRow) -> None:
        """Write what is to be restated."""
        self._put("identity_restatement", (row.key,), row)

    def drop_restatement(self, key: str) -> None:
        """Delete what was to be restated of a key."""
        self._put("identity_restatement", (key,), None)

    def changes(self, partitions: int, ledger: str, direct_to: Collection[int] = ()) -> IdentityChanges | None:
        """Return what was collected; None if nothing was.

        The topics have so many partitions; `ledger` is the id of these tables. Messages for the partitions `direct_to`
        are not for the exchange topic.
        """
        named: list[Message] = [Named(key, namings) for key, namings in self._namings.items()]
        messages = [*named, *self._corrections, *[each for told in self._messages.values() for each in told]]
        if not messages and not any(self._rows.values()) and not self._forgotten:
            return None
        records, direct = _addressed(messages, partitions, ledger, direct_to)
        return IdentityChanges(
            written={table: [row for row in rows.values() if row is not None] for table, rows in self._rows.items()},
            deleted={table: [key for key, row in rows.items() if row is None] for table, rows in self._rows.items()},
            forgotten=self._forgotten,
            owners=self._owners,
            records=records,
            direct=direct,
            transferred=self._transferred,
            withdrawn=self._withdrawn,
            by_trust=self._by_trust,
        )

    def _put(self, table: str, key: RowKey, row: Any) -> None:
        self._rows[table][key] = row


def _addressed(
    messages: Sequence[Message], partitions: int, ledger: str, direct_to: Collection[int]
) -> tuple[list[ExchangeRecord], list[DirectMessage]]:
    """Return the records of messages for the exchange topic, and the messages for the partitions `direct_to`."""
    if not direct_to:
        return [record for message in messages for record in write(message, partitions, ledger)], []
    records: list[ExchangeRecord] = []
    direct: list[DirectMessage] = []
    numbers = partitions_of([(message.key or "").encode() for message in messages], partitions)
    for message, number in zip(messages, numbers, strict=True):
        written = write(message, partitions, ledger)
        if message.key is not None:
            if number in direct_to:
                direct.append(DirectMessage(number, message, [*written]))
            else:
                records += written
            continue
        for record in written:  # one for each partition
            assert record.partition is not None
            if record.partition in direct_to:
                direct.append(DirectMessage(record.partition, message, [record]))
            else:
                records.append(record)
    return records, direct


def aside_key(row: AsideRow) -> RowKey:
    """Return the key of a row of `identity_touchpoint`."""
    return row[:5]
