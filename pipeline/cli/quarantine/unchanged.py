"""Replays records unchanged."""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from dataclasses import replace

from sqlalchemy import Connection

from pipeline.cli.progress import progress
from pipeline.cli.quarantine.result import Result
from pipeline.client.replayer import Replay, Replayer, again
from pipeline.contract.registry import Registry
from pipeline.contract.writers import KnownWriters
from pipeline.journey import policy
from pipeline.queries.connection import writing
from pipeline.queries.quarantine import Contents, Place, Selection, claimed, clock, mark_replayed
from pipeline.settings import Settings
from pipeline.topics import TOUCHPOINTS

#: Number of records in one transaction; a record has up to a megabyte.
_AT_ONCE = 200


def replay_unchanged(settings: Settings, selection: Selection) -> Result:
    """Send the selected records again, and mark those that the broker has confirmed.

    Records that are refused again in the meantime are not sent a second time.
    Stops after the first records that can't be delivered.
    """
    result = Result()
    replayer = Replayer(settings.kafka)
    writers = KnownWriters(Registry(settings.registry), TOUCHPOINTS)
    nobody = policy.read(settings.policy_file).identity.nobody
    with writing(settings.database_url) as connection, progress("Replaying", None) as show:
        with connection.begin():
            selection = replace(selection, until=clock(connection))
        after = Place(-1, -1)
        while not result.undelivered:
            with connection.begin():
                batch = claimed(connection, selection, after, _AT_ONCE)
                if not batch:
                    break
                _send(connection, batch, replayer, writers, nobody, result)
            after = batch[-1].entry.place
            show(result.replayed)
    return result


def _send(
    connection: Connection,
    batch: Sequence[Contents],
    replayer: Replayer,
    writers: KnownWriters,
    nobody: Set[str],
    result: Result,
) -> None:
    writers.learn(one.value for one in batch)
    records = [_prepared(one, writers, nobody) for one in batch]
    undelivered = {place: why for place, why in replayer.deliver(records).items() if why is not None}
    result.undelivered |= undelivered
    delivered = [(one, record) for one, record in zip(batch, records, strict=True) if record.place not in undelivered]
    result.replayed += mark_replayed(connection, [one.entry.place for one, _ in delivered])
    for _, record in delivered:
        if record.wrong is not None:
            result.still_wrong[record.wrong.reason] = result.still_wrong.get(record.wrong.reason, 0) + 1


def _prepared(one: Contents, writers: KnownWriters, nobody: Set[str]) -> Replay:
    now_ms = time.time_ns() // 1_000_000
    return again(str(one.entry.place), one.key, one.value, one.headers, writers, now_ms, nobody)
