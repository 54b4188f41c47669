"""Records that no worker can make sense of, of each kind that the contract names."""

from __future__ import annotations

import struct

from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.touchpoint import Feedback, Touchpoint

_DAY = 86_400_000


def poison(good: Touchpoint, encoder: Encoder, number: int, now_ms: int) -> bytes | None:
    """The `number`-th kind of a bad value, made from a good touchpoint; the kinds come round again."""

    def value(**changed: object) -> bytes:
        return encoder.encode(touchpoint_record(good._replace(**changed)))  # type: ignore[arg-type]

    fine = value()
    nobody = {"customer_id": None, "anonymous_id": None, "identifiers": ()}
    kinds: list[bytes | None] = [
        None,
        b"",
        b"\x07" + fine[1:],
        b"\0" + struct.pack(">I", 999_999) + fine[5:],
        fine[: len(fine) // 2],
        fine + b"\0\0",
        value(occurred_at=0),
        value(occurred_at=now_ms + 3 * _DAY),
        value(**nobody),
        value(feedback=Feedback("csat", float("nan"))),
        value(feedback=Feedback("nps", 11)),
        value(customer_id="c\0"),
        value(kind="a\0b"),
        value(kind=""),
        fine[:5] + b"\xff" * 40,
        fine + bytes(400_000) if number % 5 == 0 else b"{}",
    ]
    return kinds[number % len(kinds)]
