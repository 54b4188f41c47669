"""A journey's steps as the column `steps` holds them: a list of objects, without what is null."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from pipeline.journey.step import KEY_BYTES, Step
from pipeline.ledger.moments import moment, ms

_OPTIONAL = ("wait_ms", "duration_ms", "score", "amount_minor", "currency")


def plain(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Steps for JSON; `at` is a datetime, to be written as RFC 3339 in UTC."""
    return [_plain(step) for step in steps]


def parse(text: str, keys: bytes) -> list[Step]:
    """The steps of a column, with their keys, which stand first in `keys` in the same order."""
    return [
        Step(
            ms(datetime.fromisoformat(plain["at"])),
            keys[i * KEY_BYTES : (i + 1) * KEY_BYTES],
            plain["channel"],
            plain["kind"],
            plain["stage"],
            plain["outcome"],
            *[plain.get(name) for name in _OPTIONAL],
        )
        for i, plain in enumerate(orjson.loads(text))
    ]


def _plain(step: Step) -> dict[str, Any]:
    at, _, channel, kind, stage, outcome, wait_ms, duration_ms, score, amount_minor, currency = step
    plain: dict[str, Any] = {
        "at": moment(at), "channel": channel, "kind": kind, "stage": stage, "outcome": outcome,
    }  # fmt: skip
    if wait_ms is not None:
        plain["wait_ms"] = wait_ms
    if duration_ms is not None:
        plain["duration_ms"] = duration_ms
    if score is not None:
        plain["score"] = score
    if amount_minor is not None:
        plain["amount_minor"] = amount_minor
        plain["currency"] = currency
    return plain
