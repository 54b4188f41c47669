"""A step of a journey: what happened, where, when."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

#: Of a long journey the first and the last so many steps are kept; counts and duplicates go by all of them.
KEPT_EACH_END = 100
KEY_BYTES = 8


class Step(NamedTuple):
    """One touchpoint of a journey. Steps sort by time, then by key, so that their order never depends on arrival."""

    at: int
    key: bytes
    channel: str
    kind: str
    stage: str
    outcome: str
    wait_ms: int | None = None
    duration_ms: int | None = None
    score: float | None = None
    amount_minor: int | None = None
    currency: str | None = None


def event_key(source: str, event_id: str, occurred_at: int) -> bytes:
    """What makes a touchpoint the same: eight bytes of BLAKE2b over source, event_id and time.

    Compared only within one customer's journeys, so that a clash needs two of their touchpoints to agree in 64 bits:
    for a million touchpoints a chance of 3 in 100 million.
    """
    [key] = event_keys([source.encode()], [event_id.encode()], [occurred_at])
    return key


def event_keys(sources: Iterable[bytes], event_ids: Iterable[bytes], occurred_at: Iterable[int]) -> list[bytes]:
    """The keys of many touchpoints; texts are UTF-8."""
    return [
        blake2b(b"%b\0%b\0%d" % named, digest_size=KEY_BYTES).digest()
        for named in zip(sources, event_ids, occurred_at, strict=True)
    ]
