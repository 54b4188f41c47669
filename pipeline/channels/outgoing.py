"""Checks a touchpoint and serializes it to a record's key and value."""

from __future__ import annotations

from pipeline.channels.hashing import is_hashed
from pipeline.contract.decode import MAX_RECORD_BYTES
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.errors import InvalidInput
from pipeline.touchpoint import Touchpoint, customer_key


class Unpublishable(InvalidInput):
    """A touchpoint that the pipeline would refuse; `rejected` says why."""

    def __init__(self, rejected: Rejected) -> None:
        super().__init__(f"{rejected.detail} ({rejected.reason})")
        self.rejected = rejected


def outgoing(touchpoint: Touchpoint, encoder: Encoder, now_ms: int) -> tuple[bytes, bytes]:
    """Return key and value of a touchpoint's record; `now_ms` is the clock, in epoch milliseconds.

    Raises Unpublishable when the worker would refuse it, or when an address or phone number in it is not hashed.
    """
    if (wrong := check(touchpoint, now_ms)) is not None:
        raise Unpublishable(wrong)
    for identifier in touchpoint.identifiers:
        if not is_hashed(identifier):
            raise Unpublishable(Rejected("invalid_value", f"an identifier of type {identifier.type} is not hashed"))
    try:
        value = encoder.encode(touchpoint_record(touchpoint))
        key = (customer_key(touchpoint) or "").encode()
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        detail = f"a field does not fit the schema ({type(error).__name__})"
        raise Unpublishable(Rejected("invalid_value", detail)) from None
    if len(value) > MAX_RECORD_BYTES:
        detail = f"the record has {len(value):,} bytes; the limit is {MAX_RECORD_BYTES:,}"
        raise Unpublishable(Rejected("oversized", detail))
    return key, value
