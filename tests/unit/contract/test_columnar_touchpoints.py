"""Which key an event has is the same, decoded in columns or alone, and follows from one statement."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.columnar_touchpoints import decode_columns
from pipeline.contract.decode import Writer
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.identifiers import check_identifiers
from pipeline.contract.schema import schema_text
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import KEY_PRECEDENCE, Identifier, Touchpoint, customer_key

WRITER, ENCODER = Writer(schema_text(TOUCHPOINTS)), Encoder(1, schema_text(TOUCHPOINTS))
NOW_MS = time.time_ns() // 1_000_000

names = st.none() | st.sampled_from(["", "a", "b-1"])
identifiers = st.lists(
    st.builds(Identifier, st.sampled_from(["email", "loyalty", ""]), st.sampled_from(["0f" * 32, "x", ""])), max_size=2
)
touchpoints = st.builds(
    lambda customer, anonymous, others: Touchpoint(
        "e", "s", NOW_MS, channel="web", kind="page_viewed", customer_id=customer, anonymous_id=anonymous,
        identifiers=tuple(others),
    ),
    names, names, identifiers,
)  # fmt: skip


@given(st.lists(touchpoints, min_size=1, max_size=8))
def test_columns_have_the_key_that_each_touchpoint_has(given_touchpoints: list[Touchpoint]) -> None:
    values = [ENCODER.encode(touchpoint_record(each)) for each in given_touchpoints]
    columns = decode_columns(values, WRITER, NOW_MS, "about")
    keys = dict(zip(columns.rows, columns.customer, strict=True))
    for row, each in enumerate(given_touchpoints):
        if row in keys:
            assert keys[row].decode() == customer_key(each)
        else:
            assert not (each.customer_id or each.anonymous_id) or check_identifiers(each.identifiers) is not None


@given(identifiers)
def test_a_personal_identifier_that_is_not_hashed_keeps_a_row_out_of_the_columns(others: list[Identifier]) -> None:
    touchpoint = Touchpoint(
        "e", "s", NOW_MS, channel="web", kind="page_viewed", customer_id="c", identifiers=tuple(others)
    )
    columns = decode_columns([ENCODER.encode(touchpoint_record(touchpoint))], WRITER, NOW_MS, "about")
    assert (columns.rows == [0]) == (check_identifiers(touchpoint.identifiers) is None)


def test_each_field_of_the_precedence_is_one_of_the_touchpoint() -> None:
    assert {source.field for source in KEY_PRECEDENCE} == {"customer_id", "anonymous_id", "identifiers"}
