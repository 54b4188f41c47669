"""The steps that partitions transfer keep all that they say, also between workers of two versions."""

from __future__ import annotations

import orjson
import pytest
from memory import Record

from pipeline.flow.exchange import Barrier, Transferred, read, write, write_barrier
from pipeline.flow.exchange_admission import with_messages
from pipeline.flow.slices import Slice
from pipeline.flow.values import AdmittedSlice
from pipeline.journey.step import Measures, Step, StepType, event_key, measured
from pipeline.topics import EXCHANGE

COOKIE = "anonymous:cookie"
KEY = event_key("shop", "1", 5)
PLAIN = Step(5, 0, KEY, StepType("web", "page_viewed", "before", "none"), via=COOKIE)
FULL = Step(
    5, 7, KEY, StepType("web", "page_viewed", "before", "none", "company"), Measures(1, 2, 50.0, 3, "EUR", -4), COOKIE
)


def transferred(step: Step) -> bytes:
    [record] = write(Transferred("customer:ryan", COOKIE, [step]), 1, "here")
    return record.value


@pytest.mark.parametrize(
    "step",
    [
        PLAIN,
        PLAIN._replace(measures=measured(score=50.0, about="call_centre/call_ended")),
        FULL,
        PLAIN._replace(sequence=3),
        PLAIN._replace(type=PLAIN.type._replace(begun_by="customer")),
        PLAIN._replace(measures=measured(late_ms=60_000)),
        PLAIN._replace(measures=measured(wait_ms=0)),
        PLAIN._replace(subject="order-1"),
        FULL._replace(subject="order-1"),
        PLAIN._replace(measures=measured(score=50.0, about="call_centre/call_ended"), subject="order-1"),
    ],
)
def test_a_step_arrives_as_it_was_transferred(step: Step) -> None:
    assert read(b"customer:ryan", transferred(step), "here") == Transferred("customer:ryan", COOKIE, [step])


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ([5, KEY.hex(), "web", "page_viewed", "before", "none", COOKIE], PLAIN),
        (
            [5, KEY.hex(), "web", "page_viewed", "before", "none", 1, None, None, 3, "EUR", COOKIE],
            PLAIN._replace(measures=Measures(1, None, None, 3, "EUR")),
        ),
    ],
)
def test_steps_without_anything_new_have_the_form_that_earlier_workers_wrote_and_read(
    values: list[object], step: Step
) -> None:
    earlier = orjson.dumps({"ledger": "here", "transferred": [values], "sender": COOKIE})
    assert read(b"customer:ryan", earlier, "here") == Transferred("customer:ryan", COOKIE, [step])
    assert orjson.loads(transferred(step))["transferred"] == [values]


def test_a_barrier_is_read_and_means_nothing_to_other_tables_or_earlier_workers() -> None:
    record = write_barrier(Barrier(3, "token"), 5, "here")
    assert (record.key, record.partition) == (None, 5)
    assert read(None, record.value, "here") == Barrier(3, "token")
    assert read(None, record.value, "elsewhere") is None
    assert orjson.loads(record.value)["ledger"] != "here"  # which is all that earlier workers look at


def test_messages_and_barriers_of_other_tables_are_passed_over() -> None:
    barrier = write_barrier(Barrier(3, "token"), 5, "here")
    foreign = [
        write_barrier(Barrier(3, "token"), 5, "elsewhere"),
        *write(Transferred("customer:ryan", COOKIE, [PLAIN]), 1, "elsewhere"),
    ]
    own = write(Transferred("customer:ryan", COOKIE, [FULL]), 1, "here")
    records = [Record(n, each.key, each.value) for n, each in enumerate([*foreign, *own, barrier])]
    admitted = with_messages(AdmittedSlice(5, 7), Slice(5, 0, len(records), records, EXCHANGE), "here")
    assert admitted.messages == [Transferred("customer:ryan", COOKIE, [FULL])]
    assert admitted.barriers == [Barrier(3, "token")]
    assert (admitted.next_offset, admitted.next_exchange_offset) == (7, 4)
