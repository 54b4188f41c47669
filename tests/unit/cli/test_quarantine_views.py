"""What is shown of refused records, and how their places are read."""

from __future__ import annotations

import pytest

from pipeline.cli.quarantine.corrected import read
from pipeline.cli.quarantine.mending import MENDS
from pipeline.cli.quarantine.places import read_place
from pipeline.cli.quarantine.showing import line
from pipeline.cli.record_text import hex_dump, readable
from pipeline.client.replayer import REPLAYED_HEADER, again
from pipeline.contract.decode import Writer
from pipeline.contract.encode import Encoder, touchpoint_record
from pipeline.contract.reject import REASONS, Rejected
from pipeline.contract.salvage import salvage
from pipeline.contract.schema import schema_text
from pipeline.errors import InvalidInput
from pipeline.queries.quarantine import Place
from pipeline.topics import FORWARDED_HEADER, TOUCHPOINTS
from pipeline.touchpoint import Feedback, Touchpoint

AT = 1_770_000_000_000
GOOD = Touchpoint("e1", "test", AT, channel="web", kind="page_viewed", customer_id="7")
WRITERS = {b"\0\0\0\1": Writer(schema_text(TOUCHPOINTS))}


def encoded(touchpoint: Touchpoint) -> bytes:
    return Encoder(1, schema_text(TOUCHPOINTS)).encode(touchpoint_record(touchpoint))


def test_every_reason_has_a_way_to_mend_it() -> None:
    assert set(MENDS) == set(REASONS)


@pytest.mark.parametrize(("text", "place"), [("3/17", Place(3, 17)), ("0/0", Place(0, 0))])
def test_a_place_is_partition_and_offset(text: str, place: Place) -> None:
    assert read_place(text) == place
    assert str(place) == text


@pytest.mark.parametrize("text", ["3", "3/", "/1", "-1/2", "3/17 ", "a/b", "3/17/1", "٣/1", "1/9999999999999999999"])
def test_anything_else_is_no_place(text: str) -> None:
    assert read_place(text) is None


def test_bytes_are_shown_in_hex_and_ascii() -> None:
    assert list(hex_dump(b"\0\x01Hello, world!\xff", 512, "more")) == [
        "00000000  00 01 48 65 6c 6c 6f 2c  20 77 6f 72 6c 64 21 ff  |..Hello, world!.|"
    ]


def test_of_many_bytes_the_first_are_shown_and_the_rest_counted() -> None:
    shown = list(hex_dump(bytes(100), 20, "--bytes shows more"))
    assert [len(row.split("  ")[1].split()) for row in shown[:2]] == [8, 4]
    assert shown[2].startswith("… 80 more bytes")


def test_keys_that_are_no_text_are_shown_in_hex() -> None:
    assert [readable(b"customer:1"), readable(b"\xff\x00"), readable(b"a\x1b"), readable(None)] == [
        "customer:1", "0xff00", "a\\x1b", "none",
    ]  # fmt: skip


def test_a_touchpoint_with_a_wrong_value_can_be_read_for_correcting() -> None:
    wrong = GOOD._replace(feedback=Feedback("csat", 9.0))
    assert salvage(encoded(wrong), WRITERS) == {
        "event_id": "e1", "source": "test", "occurred_at": "2026-02-02T02:40:00.000Z", "channel": "web",
        "kind": "page_viewed", "customer_id": "7", "feedback": {"instrument": "csat", "score": 9.0},
    }  # fmt: skip


def test_what_is_left_over_after_the_body_does_not_hide_the_body() -> None:
    found = salvage(encoded(GOOD) + b"zz", WRITERS)
    assert found is not None
    assert found["event_id"] == "e1"


def test_json_in_place_of_avro_can_be_read_for_correcting() -> None:
    assert salvage(b'{"event_id": "e1"}', {}) == {"event_id": "e1"}


@pytest.mark.parametrize("value", [None, b"", b"[1]", b"\x05abc", encoded(GOOD)[:9], b"\0\0\0\0\x09abc", b"\0\0"])
def test_of_what_is_no_touchpoint_nothing_is_read(value: bytes | None) -> None:
    assert salvage(value, WRITERS) is None


def test_a_readable_record_is_sent_again_with_the_customer_s_key() -> None:
    replay = again("3/17", b"wrong", encoded(GOOD), [("origin", b"x")], WRITERS, AT)
    assert (replay.key, replay.value, replay.wrong) == (b"customer:7", encoded(GOOD), None)
    assert replay.headers == [("origin", b"x"), (REPLAYED_HEADER, b"3/17")]


def test_an_unreadable_record_is_sent_again_with_its_own_key_and_what_is_wrong_is_known() -> None:
    replay = again("3/17", b"own", b"junk", [], WRITERS, AT)
    assert replay.key == b"own"
    assert replay.wrong == Rejected("bad_magic", "the first byte is 0x6a, not 0x00 of the Confluent wire format")


def test_a_record_that_was_misrouted_may_be_sent_on_once_more_after_a_replay() -> None:
    before = [(FORWARDED_HEADER, b"0/1"), (REPLAYED_HEADER, b"0/2")]
    assert again("3/17", None, encoded(GOOD), before, WRITERS, AT).headers == [(REPLAYED_HEADER, b"3/17")]


def test_a_line_to_be_corrected_names_its_record(tmp_path) -> None:  # type: ignore[no-untyped-def]
    record = salvage(encoded(GOOD), WRITERS)
    assert record is not None
    file = tmp_path / "corrected.jsonl"
    file.write_bytes(line(Place(3, 17), record))
    (corrected,) = read(str(file), [])
    assert (corrected.place, corrected.touchpoint) == (Place(3, 17), GOOD)


def test_plain_lines_take_the_places_in_order(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "corrected.jsonl"
    file.write_text('{"event_id": "a"}\n\nno json\n')
    assert [(one.number, one.place) for one in read(str(file), [Place(1, 2), Place(3, 4)])] == [
        (1, Place(1, 2)), (3, Place(3, 4)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "places", "said"),
    [
        ("{}\n", [], "does not name its record"),
        ("{}\n", [Place(1, 2), Place(3, 4)], "1 line for 2 records"),
        ("{}\n{}\n", [Place(1, 2)], "does not name its record"),
        ("", [Place(1, 2)], "has no lines"),
        ('{"quarantine": "1/3"}\n', [Place(1, 2)], "is for 1/3, not for 1/2"),
        ('{"quarantine": 5}\n', [], "not PARTITION/OFFSET"),
    ],
)
def test_lines_that_can_not_be_told_apart_are_refused_as_a_whole(tmp_path, text, places, said) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "corrected.jsonl"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=said):
        read(str(file), places)
