"""Checks a touchpoint and serializes it to a record's key and value."""

from __future__ import annotations

from collections.abc import Set

from pipeline.contract.encode import MAX_RECORD_BYTES, Encoder, touchpoint_record
from pipeline.contract.identifiers import lower_hashes
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.errors import InvalidInput
from pipeline.touchpoint import Touchpoint, own_key


class Unpublishable(InvalidInput):
    """A touchpoint that the pipeline would refuse; `rejected` says why."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(f"{rejected.detail} ({rejected.reason})")
        self.rejected = rejected


def outgoing(
    touchpoint: Touchpoint, encoder: Encoder, now_ms: int, nobody: Set[str] = frozenset()
) -> tuple[bytes, bytes]:
    """Return key and value of a touchpoint's record; `now_ms` is the clock, in epoch milliseconds.

    `nobody` are the policy's values that name nobody, in lower case.
    Raises Unpublishable when the worker would refuse it, so also when an address or phone number is not hashed.
    """
    if touchpoint.identifiers:
        touchpoint = touchpoint._replace(identifiers=lower_hashes(touchpoint.identifiers))
    if (wrong := check(touchpoint, now_ms, nobody)) is not None:
        raise Unpublishable(wrong)
    try:
        value = encoder.encode(touchpoint_record(touchpoint))
        key = (own_key(touchpoint, nobody) or "").encode()
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        detail = f"a field does not fit the schema ({type(error).__name__})"
        raise Unpublishable(Rejected("invalid_value", detail)) from None
    if len(value) > MAX_RECORD_BYTES:
        detail = f"the record has {len(value):,} bytes; the limit is {MAX_RECORD_BYTES:,}"
        raise Unpublishable(Rejected("oversized", detail))
    return key, value
