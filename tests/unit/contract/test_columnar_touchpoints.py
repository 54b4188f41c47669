"""Which keys an event names is the same, decoded in columns or alone."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.columnar_touchpoints import decode_columns
from pipeline.contract.decode import Writer
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.identifiers import check_identifiers
from pipeline.contract.schema import schema_text
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import Identifier, Touchpoint, named_keys, own_key, weaker_keys

WRITER, ENCODER = Writer(schema_text(TOUCHPOINTS)), Encoder(1, schema_text(TOUCHPOINTS))
NOW_MS = time.time_ns() // 1_000_000

names = st.none() | st.sampled_from(["", "a", "b-1"])
identifiers = st.lists(
    st.builds(
        Identifier,
        st.sampled_from(["email", "loyalty", "device", "card", ""]),
        st.sampled_from(["0f" * 32, "1e" * 32, "x", ""]),
    ),
    max_size=3,
)
touchpoints = st.builds(
    lambda customer, anonymous, others: Touchpoint(
        "e", "s", NOW_MS, channel="web", kind="page_viewed", customer_id=customer, anonymous_id=anonymous,
        identifiers=tuple(others),
    ),
    names, names, identifiers,
)  # fmt: skip


@given(st.lists(touchpoints, min_size=1, max_size=8))
def test_columns_have_the_keys_that_each_touchpoint_names(given_touchpoints: list[Touchpoint]) -> None:
    values = [ENCODER.encode(touchpoint_record(each)) for each in given_touchpoints]
    columns = decode_columns(values, WRITER, NOW_MS, "about")
    assert columns.rows == [
        row
        for row, each in enumerate(given_touchpoints)
        if own_key(each) is not None and check_identifiers(each.identifiers) is None
    ]
    for place, row in enumerate(columns.rows):
        keys = named_keys(given_touchpoints[row])
        assert columns.own_key[place].decode() == keys[0]
        assert columns.weaker_keys.get(place, ()) == weaker_keys(keys)


@pytest.mark.parametrize("type", ["customer", "anonymous", "a:b"])
def test_an_identifier_of_a_type_that_is_no_identifiers_keeps_a_row_out_of_the_columns(type: str) -> None:
    touchpoint = Touchpoint(
        "e", "s", NOW_MS, channel="web", kind="page_viewed", customer_id="c", identifiers=(Identifier(type, "1"),)
    )
    assert decode_columns([ENCODER.encode(touchpoint_record(touchpoint))], WRITER, NOW_MS, "about").rows == []


@given(identifiers)
def test_a_personal_identifier_that_is_not_hashed_keeps_a_row_out_of_the_columns(others: list[Identifier]) -> None:
    touchpoint = Touchpoint(
        "e", "s", NOW_MS, channel="web", kind="page_viewed", customer_id="c", identifiers=tuple(others)
    )
    columns = decode_columns([ENCODER.encode(touchpoint_record(touchpoint))], WRITER, NOW_MS, "about")
    assert (columns.rows == [0]) == (check_identifiers(touchpoint.identifiers) is None)
