"""Touchpoints of customers who come once each, on chosen partitions: how long others wait while one keeps them busy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

from bench.appended import appended
from bench.rig import Rig
from bench.scenarios import Record, encoded, now_ms
from bench.templates import moment
from pipeline.contract.encode import Encoder
from pipeline.contract.partition import partition_of
from pipeline.touchpoint import Touchpoint

_PREFIX = "customer:bystander-"
#: As long as what takes its place.
_NUMBER = "<number>"
_AT = 1_700_000_000_000


def bystanders(encoder: Encoder, partitions: set[int], of: int) -> Iterator[Record]:
    """Yield touchpoints that happen as they are taken, without end; their keys fall on these `partitions` `of` all."""
    touchpoint = Touchpoint(
        f"bystander-{_NUMBER}", "bench", _AT, channel="web", kind="page_viewed",
        customer_id=f"{_PREFIX.removeprefix('customer:')}{_NUMBER}",
    )  # fmt: skip
    [(key, value)] = encoded(iter([touchpoint]), encoder)
    place, at = _NUMBER.encode(), moment(_AT)
    for number in count():
        text = b"%08d" % number
        found = key.replace(place, text)
        if partition_of(found, of) in partitions:
            yield found, value.replace(place, text).replace(at, moment(now_ms()))


def waits(own: Rig) -> list[tuple[float, float]]:
    """Return of each that was committed when it was appended (epoch seconds), and how long after it was committed.

    In order of the append. The database has to keep the times of commits.
    """
    begun = appended(own.settings.kafka.bootstrap_servers, _PREFIX.encode())
    committed = own.ledger.execute(
        "SELECT customer, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM journey "
        "WHERE revision = 1 AND starts_with(customer, %s)",
        [_PREFIX],
    )
    return sorted((begun[key], at - begun[key]) for name, at in committed if (key := name.encode()) in begun)


def partitions_of_keys(keys: Sequence[str], of: int) -> set[int]:
    """Return the partitions of keys, `of` all."""
    return {partition_of(key.encode(), of) for key in keys}
