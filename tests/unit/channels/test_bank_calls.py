from __future__ import annotations

import csv
from collections import Counter
from datetime import datetime

import pytest
from datasets import dataset

from pipeline.channels import bank_calls
from pipeline.channels.bank_calls import COLUMNS, ZONE
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.touchpoint import Touchpoint

NOW_MS = 1_780_000_000_000

QUEUED = "AA0101 34540 48178511 2 PS 990201 8:19:42 8:19:47 5 8:19:47 8:20:21 34 AGENT 8:20:20 8:22:04 104 MICHAL"
AT_ONCE = "AA0101 34536 0 0 PS 990201 7:02:47 7:02:56 9 0:00:00 0:00:00 0 AGENT 7:02:55 7:05:41 166 DORIT"
HUNG_UP = "AA0101 34539 23317894 2 PS 990201 8:09:16 8:09:22 6 8:09:22 8:09:27 5 HANG 0:00:00 0:00:00 0 NO_SERVER"
PHANTOM = "AA0101 34645 24442634 2 PS 990202 13:13:33 13:13:42 9 13:13:42 13:14:12 30 PHANTOM 13:13:40 13:14:18 38 N"
PAST_MIDNIGHT = "AA0102 31056 15696776 2 PS 990215 23:59:54 23:59:54 0 0:00:00 0:00:27 27 AGENT 0:00:26 0:01:33 67 A"
ENDS_PAST_MIDNIGHT = "AA0102 31307 0 0 PS 990220 23:59:32 23:59:44 12 0:00:00 0:00:00 0 AGENT 23:59:43 0:01:28 105 D"
MENU_CLOCK_WRONG = "AA0102 30456 2 2 PS 990207 9:48:14 9:47:17 -57 9:47:17 9:50:11 174 AGENT 9:50:11 9:51:28 77 KAZAV"
NO_SERVICE_TIMES = "AA0101 34648 3 2 PS 990202 13:44:47 13:44:53 6 13:44:53 13:45:06 13 AGENT 0:00:00 0:00:00 0 YIFAT"
ROUNDED = "AA0101 1 6.02701E+11 2 PS 990202 13:44:47 13:44:53 6 13:44:53 13:45:06 13 HANG 0:00:00 0:00:00 0 N"

read = bank_calls.reader()


def call(text: str, **change: str) -> list[Touchpoint]:
    found = read({**dict(zip(COLUMNS, text.split(), strict=True)), **change})
    assert isinstance(found, list), found
    return found


def times(found: list[Touchpoint]) -> list[tuple[str, str]]:
    """Kinds and local times."""
    return [(t.kind, datetime.fromtimestamp(t.occurred_at / 1000, ZONE).isoformat()) for t in found]


def test_a_call_that_queued_is_local_to_israel() -> None:
    found = call(QUEUED)
    assert times(found) == [
        ("call_queued", "1999-02-01T08:19:47+02:00"),
        ("call_answered", "1999-02-01T08:20:20+02:00"),
        ("call_ended", "1999-02-01T08:22:04+02:00"),
    ]
    assert (found[0].wait_ms, found[0].outcome, found[2].duration_ms) == (34_000, "succeeded", 104_000)
    assert found[0].customer_id == "48178511"
    assert found[0].event_id == "AA0101-34540-990201-queued"


def test_a_call_put_through_at_once_waited_for_nothing_and_is_its_own_caller() -> None:
    found = call(AT_ONCE)
    assert (found[0].wait_ms, found[0].outcome) == (0, "succeeded")
    assert times(found)[0] == ("call_queued", "1999-02-01T07:02:56+02:00")
    assert {(t.customer_id, t.anonymous_id) for t in found} == {(None, "anonymous-bank:AA0101-34536-990201")}


def test_a_call_that_was_hung_up_is_abandoned_when_it_left_the_queue() -> None:
    found = call(HUNG_UP)
    assert times(found) == [
        ("call_queued", "1999-02-01T08:09:22+02:00"),
        ("call_abandoned", "1999-02-01T08:09:27+02:00"),
    ]
    assert {(t.outcome, t.wait_ms) for t in found} == {("abandoned", 5_000)}


def test_a_phantom_call_counts_as_queued_without_an_outcome() -> None:
    assert [(t.kind, t.outcome, t.wait_ms) for t in call(PHANTOM)] == [("call_queued", "none", 30_000)]


def test_a_call_may_pass_midnight_before_or_after_it_queues() -> None:
    assert times(call(PAST_MIDNIGHT)) == [
        ("call_queued", "1999-02-16T00:00:00+02:00"),
        ("call_answered", "1999-02-16T00:00:26+02:00"),
        ("call_ended", "1999-02-16T00:01:33+02:00"),
    ]
    assert times(call(ENDS_PAST_MIDNIGHT))[-1] == ("call_ended", "1999-02-21T00:01:28+02:00")


def test_a_menu_that_was_left_before_it_was_entered_is_no_midnight() -> None:
    assert times(call(MENU_CLOCK_WRONG))[0] == ("call_queued", "1999-02-07T09:47:17+02:00")


def test_a_call_without_times_of_service_was_answered_when_it_left_the_queue() -> None:
    assert times(call(NO_SERVICE_TIMES)) == [
        ("call_queued", "1999-02-02T13:44:53+02:00"),
        ("call_answered", "1999-02-02T13:45:06+02:00"),
    ]


def test_a_number_that_a_spreadsheet_has_rounded_names_nobody() -> None:
    assert call(ROUNDED)[0].customer_id is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outcome": "LOST"}, "outcome is none of AGENT, HANG, PHANTOM"),
        ({"date": "991301"}, "date must be yymmdd"),
        ({"q_start": "25:00:00"}, "q_start must be a time of day"),
        ({"q_time": "-1"}, "q_time must be a whole number"),
        ({"call_id": ""}, "call_id is missing"),
    ],
)
def test_a_bad_row_is_refused_with_its_field(change: dict[str, str], said: str) -> None:
    found = read({**dict(zip(COLUMNS, QUEUED.split(), strict=True)), **change})
    assert isinstance(found, Rejected)
    assert found.detail.startswith(said)


def test_the_real_file_gives_the_known_share_of_abandoned_calls_and_the_waits_of_its_columns() -> None:
    with dataset("anonymous_bank_calls", "data_anonymous_bank_february.txt").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    found = [touchpoint for row in rows for touchpoint in read_row(row)]
    by_kind = Counter(touchpoint.kind for touchpoint in found)
    hung_up = [row for row in rows if row["outcome"] == "HANG"]
    queued = [t for t in found if t.kind == "call_queued"]
    abandoned = [t for t in found if t.kind == "call_abandoned"]
    ended = [t for t in found if t.kind == "call_ended"]

    assert len(queued) == len(rows) == 33_344
    share = sum(t.outcome == "abandoned" for t in queued) / len(queued)
    assert share == len(hung_up) / len(rows)
    assert round(100 * share, 1) == 17.7
    assert mean(waits(queued)) == pytest.approx(1000 * mean([int(row["q_time"]) for row in rows]))
    assert mean(waits(abandoned)) == pytest.approx(1000 * mean([int(row["q_time"]) for row in hung_up]))
    assert by_kind["call_abandoned"] == len(hung_up) == 5_904
    served = [row for row in rows if row["outcome"] == "AGENT"]
    assert by_kind["call_answered"] == len(served)
    timed = [int(row["ser_time"]) for row in served if row["ser_start"] != "0:00:00"]
    assert len(ended) == len(timed)
    assert sum(t.duration_ms or 0 for t in ended) == 1000 * sum(timed)
    assert len({t.event_id for t in found}) == len(found)
    assert [t for t in found if check(t, NOW_MS)] == []


def read_row(row: dict[str, str]) -> list[Touchpoint]:
    found = read(row)
    assert isinstance(found, list), found
    return found


def waits(found: list[Touchpoint]) -> list[int]:
    return [t.wait_ms for t in found if t.wait_ms is not None]


def mean(numbers: list[int]) -> float:
    return sum(numbers) / len(numbers)
