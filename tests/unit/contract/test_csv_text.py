from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.csv_text import columns, from_csv_row
from pipeline.contract.reject import REASONS, Rejected
from pipeline.errors import InvalidInput
from pipeline.touchpoint import Feedback, Identifier, Touchpoint

LEAST = ("event_id", "source", "occurred_at", "channel", "kind", "customer_id")
ROW = ["1", "shop", "2026-05-01T09:30:00Z", "web", "page_viewed", "c"]


def row(**cells: str) -> Touchpoint | Rejected:
    names = [name.replace("__", ".") for name in cells]
    return from_csv_row(columns([*LEAST, *names]), [*ROW, *cells.values()])


def test_feedback_attributes_and_identifiers_have_a_column_each() -> None:
    found = row(
        feedback__instrument="nps",
        feedback__score="9",
        feedback__verbatim="fine",
        attributes__page="/a",
        attributes__ad="7",
        identifiers__loyalty="L1",
        wait_ms="20",
        amount_minor="-5",
        currency="EUR",
    )
    assert found == Touchpoint(
        event_id="1",
        source="shop",
        occurred_at=1_777_627_800_000,
        channel="web",
        kind="page_viewed",
        customer_id="c",
        identifiers=(Identifier("loyalty", "L1"),),
        wait_ms=20,
        feedback=Feedback("nps", 9.0, "fine"),
        amount_minor=-5,
        currency="EUR",
        attributes={"page": "/a", "ad": "7"},
    )


def test_lateness_initiator_and_sequence_have_a_column_each() -> None:
    found = row(due_at="2026-05-01T09:00:00Z", begun_by="company", sequence="3")
    assert isinstance(found, Touchpoint)
    assert (found.due_at, found.begun_by, found.sequence) == (1_777_626_000_000, "company", 3)
    assert row(due_at="", begun_by="", sequence="") == from_csv_row(columns(LEAST), ROW)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"due_at": "2026-05-01T09:00:00"}, "due_at"),
        ({"due_at": "tomorrow"}, "due_at"),
        ({"sequence": "first"}, "sequence"),
        ({"sequence": "1.5"}, "sequence"),
    ],
)
def test_a_cell_that_is_no_time_or_number_is_refused_by_its_columns_name(cells: dict[str, str], said: str) -> None:
    found = row(**cells)
    assert isinstance(found, Rejected)
    assert found.detail.startswith(said)


def test_an_empty_cell_is_absent() -> None:
    plain = from_csv_row(columns(LEAST), ROW)
    assert isinstance(plain, Touchpoint)
    assert row(feedback__instrument="", feedback__score="", attributes__page="", wait_ms="", stage="") == plain


def test_a_time_may_be_epoch_milliseconds() -> None:
    found = from_csv_row(columns(LEAST), ["1", "shop", "1777627800000", "web", "page_viewed", "c"])
    assert isinstance(found, Touchpoint)
    assert found.occurred_at == 1_777_627_800_000


def test_identifiers_may_be_a_json_list() -> None:
    found = row(identifiers='[{"type":"device","value":"d"}]')
    assert isinstance(found, Touchpoint)
    assert found.identifiers == (Identifier("device", "d"),)


@pytest.mark.parametrize(
    ("name", "cell", "said"),
    [
        ("wait_ms", "5.5", "wait_ms must be a whole number"),
        ("wait_ms", "1_000", "wait_ms must be a whole number"),
        ("feedback__score", "good", "feedback.score must be a number, with a point for decimals"),
        ("feedback__score", "4,5", "feedback.score must be a number, with a point for decimals"),
        ("feedback__score", "4", "feedback needs instrument and score"),
        ("sent_at", "2026-05-01T09:30:00", "sent_at has no offset from UTC"),
        ("identifiers", "L1", "identifiers must be a JSON list"),
    ],
)
def test_a_cell_of_the_wrong_type_is_named(name: str, cell: str, said: str) -> None:
    found = row(**{name: cell})
    assert isinstance(found, Rejected)
    assert found.detail.startswith(said)


def test_a_row_with_too_few_or_too_many_cells_is_refused() -> None:
    for cells in (ROW[:-1], [*ROW, "x"]):
        assert from_csv_row(columns(LEAST), cells) == Rejected(
            "undecodable", f"the row has {len(cells)} cells, the header 6"
        )


@given(st.lists(st.text(), min_size=14, max_size=14))
def test_whatever_the_cells_hold_the_row_is_a_touchpoint_or_refused(cells: list[str]) -> None:
    header = [*LEAST, "wait_ms", "sent_at", "identifiers", "identifiers.email", "feedback.instrument"]
    header += ["feedback.score", "attributes.x", "amount_minor"]
    found = from_csv_row(columns(header), cells)
    assert isinstance(found, Touchpoint) or found.reason in REASONS


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (LEAST[:-2], "Missing columns: kind. No column that names the customer"),
        ((*LEAST, "chanel"), "Unknown columns: 'chanel'; did you mean channel?"),
        ((*LEAST, ""), "Unknown columns: one without a name"),
        ((*LEAST, "kind"), "Columns that are there twice: kind"),
        ((*LEAST, "feedback"), "write feedback.instrument and feedback.score"),
        ((*LEAST, "attributes"), "write attributes.x"),
        ((*LEAST, "feedback.words"), "'feedback.words'"),
        (("event_id;source;kind",), "The columns are separated by ';'; they must be separated by commas."),
        (("event_id\tsource",), r"The columns are separated by '\t'"),
    ],
)
def test_a_header_that_does_not_fit_says_which_columns(header: tuple[str, ...], said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        columns(header)
    assert said in str(raised.value)


def test_a_header_with_very_many_columns_is_refused_in_few_words() -> None:
    with pytest.raises(InvalidInput, match=r"has 2,006 columns; at most 1,000"):
        columns([*LEAST, *["a"] * 2_000])
    with pytest.raises(InvalidInput) as raised:
        columns([*LEAST, *["a" * 1_000] * 400, *["attributes." + "b" * 1_000] * 400])
    assert len(str(raised.value)) < 2_000
