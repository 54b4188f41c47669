"""The call records of "Anonymous Bank", an Israeli bank's call centre in 1999 (Mandelbaum and Guedj, Technion).

One row is one call that was meant for an agent. `outcome` is AGENT (answered), HANG (the caller hung up, in the queue
or still in the voice menu) or PHANTOM (a call that the documentation does not explain). The published share of
abandoned calls in February, 17.7 %, is HANG among all rows (5,904 of 33,344), phantoms and callers who never had to
queue included; among those who queued it is 21.5 %. So each row becomes one `call_queued`: with a wait of 0 for a
caller who was put through at once, and without an outcome for a phantom.
"""

from __future__ import annotations

import re
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from pipeline.channels.call_centre import Call, touchpoints
from pipeline.channels.fields import Adapter, Bad, Record, adapter, need, whole
from pipeline.touchpoint import Touchpoint

COLUMNS = (
    "vru+line", "call_id", "customer_id", "priority", "type", "date", "vru_entry", "vru_exit", "vru_time",
    "q_start", "q_exit", "q_time", "outcome", "ser_start", "ser_exit", "ser_time", "server",
)  # fmt: skip
ZONE = ZoneInfo("Asia/Jerusalem")

_OUTCOMES = {"AGENT": "succeeded", "HANG": "abandoned", "PHANTOM": "none"}
_CLOCK = re.compile(r"(\d{1,2}):(\d\d):(\d\d)", re.ASCII)
_DATE = re.compile(r"(\d\d)(\d\d)(\d\d)", re.ASCII)
_DAY_S = 86_400
_ABSENT = "0:00:00"


def reader(source: str = "anonymous-bank") -> Adapter:
    """Return an adapter for the rows of the call centre `source`; times are Israel's local time."""

    def read(record: Record) -> list[Touchpoint]:
        # call_id alone is not unique: each line of the voice menu counts by itself; the date is for its wrapping round
        line, number, date = need(record, "vru+line"), need(record, "call_id"), need(record, "date")
        call_id = f"{line}-{number}-{date}"
        outcome = _OUTCOMES.get(need(record, "outcome"))
        if outcome is None:
            raise Bad(f"outcome is none of {', '.join(_OUTCOMES)}")
        served = outcome == "succeeded"
        wait_s, talk_s = whole(record, "q_time"), whole(record, "ser_time")
        queued_at, answered_at, ended_at = _times(record, date, wait_s, talk_s, served)
        customer = _customer(need(record, "customer_id"))
        return touchpoints(
            Call(
                call_id=call_id,
                source=source,
                queued_at=queued_at,
                wait_ms=wait_s * 1000,
                outcome=outcome,
                answered_at=answered_at,
                ended_at=ended_at,
                duration_ms=None if ended_at is None else talk_s * 1000,
                customer_id=customer,
                anonymous_id=None if customer else f"{source}:{call_id}",
                attributes={"type": need(record, "type"), "priority": need(record, "priority")},
            )
        )

    return adapter(read)


def _times(record: Record, date: str, wait_s: int, talk_s: int, served: bool) -> tuple[int, int | None, int | None]:
    """Return when the call was queued, answered, and over, in epoch milliseconds.

    `date` is that of the call's first moment; a clock that falls back by more than half a day has passed midnight.
    (25 calls left the voice menu up to two minutes before they entered it, whose clock was wrong; that is no midnight.)
    0:00:00 with nothing to count is "never": who did not queue was queued when the voice menu let go of them. An
    answered call without times of service (50) was answered when it left the queue, and its end is not known.
    """
    queued = need(record, "q_start") != _ABSENT or wait_s > 0
    talked = served and (need(record, "ser_start") != _ABSENT or talk_s > 0)
    names = ["vru_entry", "vru_exit", *(["q_start"] if queued else []), *(["ser_start"] if talked else [])]
    at = dict(zip(names, _unrolled([_clock(record, name) for name in names]), strict=True))
    queued_s = at["q_start"] if queued else at["vru_exit"]
    queued_at = _epoch_ms(date, queued_s)
    if not served:
        return queued_at, None, None
    if not talked:
        return queued_at, queued_at + wait_s * 1000, None
    answered_at = _epoch_ms(date, at["ser_start"])
    return queued_at, answered_at, answered_at + talk_s * 1000


def _unrolled(clocks: list[int]) -> list[int]:
    """Return times of day, given in the order in which they passed, as seconds since the first day's midnight."""
    days, times = 0, clocks[:1]
    for earlier, later in pairwise(clocks):
        days += later < earlier - _DAY_S // 2
        times.append(later + days * _DAY_S)
    return times


def _clock(record: Record, name: str) -> int:
    match = _CLOCK.fullmatch(need(record, name))
    if match is None:
        raise Bad(f"{name} must be a time of day, as 9:05:00")
    hour, minute, second = map(int, match.groups())
    if hour > 23 or minute > 59 or second > 59:
        raise Bad(f"{name} must be a time of day, as 9:05:00")
    return hour * 3600 + minute * 60 + second


def _epoch_ms(date: str, second_of_day: int) -> int:
    match = _DATE.fullmatch(date)
    try:
        year, month, day = map(int, match.groups() if match else ())
        midnight = datetime(1900 + year, month, day)  # noqa: DTZ001 - made local below, after adding
    except ValueError:
        raise Bad("date must be yymmdd of the twentieth century") from None
    wall = datetime.fromordinal(midnight.toordinal() + second_of_day // _DAY_S)
    local = wall.replace(
        hour=second_of_day % _DAY_S // 3600, minute=second_of_day // 60 % 60, second=second_of_day % 60, tzinfo=ZONE
    )
    return int(local.timestamp()) * 1000


def _customer(number: str) -> str | None:
    """Return the customer's number.

    None for 0 (not recorded), and for one that a spreadsheet has rounded (6.02701E+11).
    """
    return number if number.isascii() and number.isdigit() and number.strip("0") else None
