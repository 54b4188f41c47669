"""One audit: cut, read, rebuild, compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from pipeline.audit import facts as reading
from pipeline.audit.compare import compare
from pipeline.audit.facts import SKEW_MS, Rules
from pipeline.audit.identity.records import Correction
from pipeline.audit.owners import BEGINNING, END, find_owners
from pipeline.audit.reference import SCALES, Reference
from pipeline.audit.snapshot import EXPORTS, Snapshot
from pipeline.audit.topic import Stretch, Topic
from pipeline.audit.unsettled import add_owners, find_unsettled
from pipeline.audit.workspace import Appender, Workspace
from pipeline.contract.registry import Registry
from pipeline.contract.validate import AHEAD_MS
from pipeline.contract.writers import KnownWriters
from pipeline.topics import TOUCHPOINTS

#: Shows progress: takes the name of the work and its total, and returns a function that takes how much is done.
Show = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]


class Difference(NamedTuple):
    """A value that differs between tables and topic; `column` is (row) for a row that is missing or extra."""

    table: str
    key: dict[str, Any]
    column: str
    expected: str | None
    found: str | None


class Compared(NamedTuple):
    """The numbers of rows compared, rows left out, and differences of one table."""

    table: str
    rows: int
    left_out: int
    differences: int


class Outcome(NamedTuple):
    """The result of an audit.

    `expired` maps each partition whose beginning the topic no longer holds to the time from which journeys were
    compared. `overdue` counts open journeys that event time has passed; a running worker closes them within about a
    second.
    """

    taken_at: datetime
    records: int
    tables: list[Compared]
    expired: dict[int, datetime]
    overdue: int

    @property
    def differences(self) -> int:
        """Return the number of differences."""
        return sum(table.differences for table in self.tables)


def audit(
    workspace: Workspace, cut: Snapshot, topic: Topic, registry: Registry, reference: Reference, show: Show
) -> Outcome:
    """Compare the tables of `cut`, whose files are in the workspace's folder, with the topic up to their positions.

    Raises Unavailable when Kafka or the registry does not answer, InvalidInput when topic and tables can't belong
    together. `differences` returns them.
    """
    prepare(workspace, reference)
    for table in EXPORTS:
        workspace.load(f"found_{table}", workspace.folder / f"{table}.csv")
    find_unsettled(workspace, topic, cut.exchange_offsets, cut.ledger)
    records, corrections, partitions = _read(workspace, cut, topic, registry, reference, show)
    with show("Rebuilding and comparing", 4) as done:
        rebuild(workspace, corrections, reference, partitions)
        add_owners(workspace)
        done(2)
        workspace.run(
            "expected",
            grace_ms=reference.grace_ms,
            half_life_ms=cut.half_life_ms,
            churn_half_life_ms=cut.churn_half_life_ms,
        )
        workspace.run("expected_identity", beginning=BEGINNING, end=END)
        done(3)
        compare(workspace)
        done(4)
    return _outcome(workspace, cut, records, reference.grace_ms)


def differences(workspace: Workspace, most: int | None = None) -> Iterator[Difference]:
    """Yield at most `most` differences, ordered by table and key."""
    query = 'SELECT * FROM difference ORDER BY "table", key, "column"' + ("" if most is None else f" LIMIT {most}")
    for table, key, column, expected, found in workspace.rows(query):
        yield Difference(table, json.loads(key), column, expected, found)


def prepare(workspace: Workspace, reference: Reference) -> None:
    """Create the tables, and fill those that the rebuild needs besides the touchpoints."""
    workspace.run("schema")
    for table, rows in (
        ("gap", reference.gaps), ("known_kind", reference.kinds), ("known_channel", reference.channels),
        ("activity", reference.activity), ("case_stage", reference.cases.stages),
        ("case_type", reference.cases.types), ("hand_over", reference.cases.hand_overs),
        ("scale", SCALES),
    ):  # fmt: skip
        workspace.insert(table, rows)


def rebuild(workspace: Workspace, corrections: Iterable[Correction], reference: Reference, partitions: int) -> None:
    """Compute owners, journeys and scores from the tables `record` and `naming`, and corrections."""
    workspace.run("touchpoints")
    find_owners(workspace, corrections, reference.identity, partitions)
    workspace.run("journeys")
    workspace.run("cases", contact_gap_ms=reference.cases.contact_gap_ms)
    workspace.execute("CREATE TABLE exact_beyond (id INTEGER, evidence VARCHAR, activity_weight VARCHAR)")
    with Appender(workspace, "exact_beyond") as appender:
        for beyond in _sums_beyond(workspace):
            appender.add(beyond)
    workspace.execute("CREATE TABLE exact (id INTEGER, weight VARCHAR, weighted VARCHAR, about VARCHAR)")
    with Appender(workspace, "exact") as appender:
        for sums in _sums(workspace):
            appender.add(sums)


def _sums(workspace: Workspace) -> Iterator[tuple[int, str, str, str]]:
    """Yield each customer's sums of answers as of 1990, which take more bits than SQL has.

    The last one has the sums of weights by what the answers are about.
    """
    rows = workspace.rows("SELECT id, about, half_lives, weight, weighted FROM answered ORDER BY id, about")
    for customer, parts in groupby(rows, itemgetter(0)):
        weights: dict[str, int] = {}
        weighted = 0
        for _, about, half_lives, part, part_weighted in parts:
            weights[about] = weights.get(about, 0) + (part << half_lives)
            weighted += part_weighted << half_lives
        shown = ",".join([f"{about} {weight}" for about, weight in sorted(weights.items())])
        yield customer, str(sum(weights.values())), str(weighted), shown


_EVIDENCE = ("help", "complaints", "failures", "bad_answers", "answers", "points")


def _sums_beyond(workspace: Workspace) -> Iterator[tuple[int, str | None, str]]:
    """Yield each customer's sums of evidence as of 1990, by name in order, and that of activities."""
    columns = ", ".join((*_EVIDENCE, "activity"))
    rows = workspace.rows(f"SELECT id, half_lives, {columns} FROM noted ORDER BY id")
    for customer, of_customer in groupby(rows, key=lambda row: int(row[0])):
        totals = [0] * (len(_EVIDENCE) + 1)
        for _, half_lives, *parts in of_customer:
            totals = [total + (int(part) << half_lives) for total, part in zip(totals, parts, strict=True)]
        named = sorted((name, total) for name, total in zip(_EVIDENCE, totals, strict=False) if total)
        yield customer, ",".join(f"{name}={total}" for name, total in named) or None, str(totals[-1])


def _read(
    workspace: Workspace, cut: Snapshot, topic: Topic, registry: Registry, reference: Reference, show: Show
) -> tuple[int, list[Correction], int]:
    writers = KnownWriters(registry, TOUCHPOINTS)
    partitions, stretches = topic.stretches(cut.next_offsets)
    rules = Rules(
        writers, partitions, cut.taken_at, cut.half_life_ms, cut.churn_half_life_ms, reference.nobody, reference.trusts
    )
    records, corrections = 0, []
    total = sum(stretch.end - stretch.low for stretch in stretches)
    since: list[tuple[int, int, int | None]] = []
    with (
        show(f"Reading {TOUCHPOINTS}", total) as done,
        Appender(workspace, "record") as appender,
        Appender(workspace, "naming") as links,
    ):
        for stretch in stretches:
            first: int | None = None
            for messages in topic.read(stretch):
                first = messages[0].timestamp()[1] if first is None else first
                writers.learn([message.value() for message in messages])
                for message in messages:
                    row, namings, correction = reading.facts(message, rules)
                    if row is not None:
                        appender.add(row)
                    if correction is not None:
                        corrections.append(correction)
                    for naming in namings:
                        links.add(naming)
                records += len(messages)
                done(records)
            since.append((stretch.partition, stretch.low, _since(stretch, first, cut)))
    workspace.insert("stretch", since)
    return records, corrections, partitions


def _since(stretch: Stretch, first_append: int | None, cut: Snapshot) -> int | None:
    """Return the time (epoch ms) from which no touchpoint of a partition can have expired; None if none has.

    What expired was appended before the first record that is left, and lay less than a day ahead of that.
    """
    if not stretch.low:
        return None
    return (cut.taken_at if first_append is None else first_append) + AHEAD_MS + SKEW_MS


def _outcome(workspace: Workspace, cut: Snapshot, records: int, grace_ms: int) -> Outcome:
    tables = [
        Compared(*row)
        for row in workspace.rows(
            'SELECT "table", "rows", skipped, (SELECT count(*) FROM difference AS d WHERE d."table" = c."table") '
            "FROM compared AS c ORDER BY 1"
        )
    ]
    expired = {
        int(partition): _moment(since)
        for partition, since in workspace.rows(
            "SELECT partition, since FROM stretch WHERE since IS NOT NULL ORDER BY 1"
        )
    }
    overdue = workspace.one(
        "SELECT count(*) FROM found_journey AS j JOIN found_position AS p USING (partition) "
        f"WHERE j.status = 'open' AND j.covers_until + {grace_ms} < p.watermark"
    )
    return Outcome(_moment(cut.taken_at), records, tables, expired, int(overdue))


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
