"""Times as text: RFC 3339 to epoch milliseconds and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_EXAMPLE = "2026-05-01T09:30:00Z or 2026-05-01T11:30:00+02:00"


def parse_rfc3339(text: str) -> int:
    """Return the epoch milliseconds (rounded down) of an RFC 3339 time.

    Raises ValueError, without quoting the text, for any other text. A time without an offset from UTC is refused, too:
    reading it as UTC, or in this machine's zone, would shift it by hours unnoticed. A leap second (:60) counts as the
    first moment of the next minute, since epoch time does not have it.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"is not an RFC 3339 time, as {_EXAMPLE}")
    date, hours_and_minutes, seconds, fraction, offset = match.groups()
    if offset is None:
        raise ValueError(f"has no offset from UTC; write {_EXAMPLE}")
    leap = seconds == "60"
    plain = f"{date}T{hours_and_minutes}{'59' if leap else seconds}{'' if leap else fraction or ''}{offset.upper()}"
    try:
        moment = datetime.fromisoformat(plain)
        return (moment - _EPOCH) // _MILLISECOND + (1000 if leap else 0)
    except (ValueError, OverflowError):
        raise ValueError(f"is not a date and time that exists, as {_EXAMPLE}") from None


def format_rfc3339(epoch_ms: int) -> str:
    """Return epoch milliseconds as RFC 3339 in UTC. Raises OverflowError outside the years 1 to 9999."""
    return (_EPOCH + epoch_ms * _MILLISECOND).isoformat(timespec="milliseconds")[:-6] + "Z"
