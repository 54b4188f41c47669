"""The publisher's checks are the worker's: what one takes, the other takes, and under the same key."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from pipeline.client.outgoing import Unpublishable, outgoing
from pipeline.contract.decode import Writer, decode
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.reject import Rejected
from pipeline.contract.schema import schema_text
from pipeline.contract.validate import check
from pipeline.topics import TOUCHPOINTS
from pipeline.touchpoint import CHANNELS, INITIATORS, OUTCOMES, STAGES, Feedback, Identifier, Touchpoint, own_key

NOW_MS = 1_790_000_000_000
ENCODER = Encoder(1, schema_text(TOUCHPOINTS))
WRITERS = {struct.pack(">I", 1): Writer(schema_text(TOUCHPOINTS))}

texts = st.sampled_from(["", "a", "x" * 200, "x" * 201, "nul\0", "é"])
optional = st.none() | texts
identifiers = st.builds(
    Identifier,
    st.sampled_from(["email", "phone", "loyalty", ""]),
    st.sampled_from(["ab" * 32, "AB" * 32, "me@example.com", "+49301234567", "0g" * 32, "L1", ""]),
)
touchpoints = st.builds(
    Touchpoint,
    event_id=texts,
    source=texts,
    occurred_at=st.sampled_from([0, NOW_MS, NOW_MS + 86_400_000]),
    channel=st.sampled_from(CHANNELS),
    kind=st.sampled_from(["page_viewed", "Page", "", "a" * 101]),
    customer_id=optional,
    anonymous_id=optional,
    identifiers=st.lists(identifiers, max_size=2).map(tuple),
    outcome=st.sampled_from(OUTCOMES),
    wait_ms=st.none() | st.sampled_from([-1, 0, 10**15]),
    feedback=st.none() | st.builds(Feedback, st.sampled_from(["nps", "csat"]), st.sampled_from([0.0, 5.0, 11.0])),
    amount_minor=st.none() | st.just(5),
    currency=st.none() | st.sampled_from(["EUR", "eur"]),
    due_at=st.none() | st.sampled_from([-1, NOW_MS, 5_000_000_000_000]),
    begun_by=st.none() | st.sampled_from(INITIATORS),
    sequence=st.none() | st.sampled_from([-1, 0, 2**63 - 1]),
    stage=st.none() | st.sampled_from(STAGES),
    sent_at=st.none(),
    duration_ms=st.none(),
    subject=optional,
    attributes=st.just({}),
)


def by_worker(touchpoint: Touchpoint) -> Touchpoint | Rejected:
    """What the worker makes of a touchpoint that any client has encoded."""
    decoded = decode(ENCODER.encode(touchpoint_record(touchpoint)), WRITERS)
    if isinstance(decoded, Rejected):
        return decoded
    return check(decoded, NOW_MS) or decoded


@given(touchpoints)
def test_the_publisher_refuses_what_the_worker_refuses_for_the_same_reason(touchpoint: Touchpoint) -> None:
    received = by_worker(touchpoint)
    try:
        key, value = outgoing(touchpoint, ENCODER, NOW_MS)
    except Unpublishable as error:
        assert error.rejected == received
        return
    assert isinstance(received, Touchpoint)
    assert key.decode() == own_key(received)
    assert decode(value, WRITERS) == received


@given(touchpoints)
def test_no_raw_address_or_number_becomes_a_key(touchpoint: Touchpoint) -> None:
    try:
        key, _ = outgoing(touchpoint, ENCODER, NOW_MS)
    except Unpublishable:
        return
    assert b"@" not in key
    assert not key.startswith((b"email:", b"phone:")) or key.partition(b":")[2] == b"ab" * 32


def test_a_value_that_names_nobody_by_the_policy_is_no_key() -> None:
    touchpoint = Touchpoint("1", "pos", NOW_MS, channel="web", kind="page_viewed", customer_id="none", anonymous_id="a")
    assert outgoing(touchpoint, ENCODER, NOW_MS)[0] == b"customer:none"
    assert outgoing(touchpoint, ENCODER, NOW_MS, frozenset({"none"}))[0] == b"anonymous:a"
