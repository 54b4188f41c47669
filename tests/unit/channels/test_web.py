from __future__ import annotations

from typing import Any

import pytest

from pipeline import catalogue
from pipeline.channels import hashing, web
from pipeline.contract.reject import Rejected
from pipeline.contract.validate import check
from pipeline.touchpoint import Touchpoint

NOON_MS = 1_777_636_800_000  # 2026-05-01T12:00:00Z
CALL = {"messageId": "m1", "anonymousId": "a1", "timestamp": "2026-05-01T12:00:00Z"}
read = web.reader("shop")


def track(event: str, properties: dict[str, Any] | None = None, **more: Any) -> Touchpoint:
    (found,) = accepted({**CALL, "type": "track", "event": event, "properties": properties or {}, **more})
    return found


def accepted(record: dict[str, Any]) -> list[Touchpoint]:
    found = read(record)
    assert isinstance(found, list), found
    assert [check(touchpoint, NOON_MS) for touchpoint in found] == [None] * len(found)
    return found


def refusal(record: dict[str, Any]) -> str:
    found = read(record)
    assert isinstance(found, Rejected)
    return found.detail


def test_a_page_call_is_a_page_view() -> None:
    (found,) = accepted({**CALL, "type": "page", "userId": "u1", "properties": {"path": "/a?token=x"}})
    assert found == Touchpoint(
        event_id="m1",
        source="shop",
        occurred_at=NOON_MS,
        channel="web",
        kind="page_viewed",
        customer_id="u1",
        anonymous_id="a1",
        attributes={"page": "/a"},
    )


def test_a_screen_call_is_from_the_app() -> None:
    (found,) = accepted({**CALL, "type": "screen"})
    assert (found.channel, found.kind) == ("app", "screen_viewed")


def test_a_call_from_a_phones_operating_system_is_from_the_app() -> None:
    assert track("Product Viewed", context={"device": {"type": "iOS"}}).channel == "app"


@pytest.mark.parametrize("call", ["identify", "group", "alias"])
def test_identifying_somebody_is_no_touchpoint(call: str) -> None:
    assert read({**CALL, "type": call}) == []


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("Product Viewed", "product_viewed"),
        ("Products Searched", "search_performed"),
        ("Product Added", "cart_added"),
        ("Checkout Started", "checkout_started"),
        ("Order Completed", "purchase"),
        ("Quiz Finished!", "quiz_finished"),
        ("quizFinished", "quiz_finished"),
    ],
)
def test_a_track_calls_event_becomes_a_kind(event: str, kind: str) -> None:
    assert track(event).kind == kind


def test_every_event_of_the_e_commerce_spec_is_catalogued() -> None:
    names = """Products Searched,Product List Viewed,Product List Filtered,Promotion Viewed,Promotion Clicked,
    Product Clicked,Product Viewed,Product Added,Product Removed,Cart Viewed,Checkout Started,Checkout Step Viewed,
    Checkout Step Completed,Payment Info Entered,Order Completed,Order Updated,Order Refunded,Order Cancelled,
    Coupon Entered,Coupon Applied,Coupon Denied,Coupon Removed,Product Added to Wishlist,
    Product Removed from Wishlist,Wishlist Product Added to Cart,Product Shared,Cart Shared,Product Reviewed"""
    kinds = {track(name.strip()).kind for name in names.split(",")}
    assert kinds - set(catalogue.load().kinds) == set()


def test_a_completed_order_has_its_amount_in_the_smallest_unit() -> None:
    found = track("Order Completed", {"order_id": "o1", "total": 27.5, "revenue": 25, "currency": "EUR"})
    assert (found.amount_minor, found.currency, found.subject, found.outcome) == (2750, "EUR", "o1", "succeeded")
    yen = track("Order Completed", {"revenue": "2500", "currency": "JPY"})
    assert (yen.amount_minor, yen.currency) == (2500, "JPY")


def test_money_without_a_currency_is_dollars_as_the_spec_says() -> None:
    assert track("Order Completed", {"total": 1}).currency == "USD"


def test_a_refund_is_negative() -> None:
    assert track("Order Refunded", {"total": 30, "currency": "EUR"}).amount_minor == -3000


def test_a_kind_that_says_how_it_ended_has_that_outcome() -> None:
    assert track("Checkout Failed").outcome == "failed"
    assert track("Cart Abandoned").outcome == "abandoned"
    assert track("Product Viewed").outcome == "none"


def test_an_address_among_the_traits_is_hashed() -> None:
    found = track("Product Viewed", context={"traits": {"email": "Anna@example.org"}})
    assert found.identifiers == (hashing.identifier("email", "anna@example.org"),)


def test_what_was_searched_for_is_not_kept() -> None:
    assert track("Products Searched", {"query": "my illness", "category": "x"}).attributes == {"category": "x"}


@pytest.mark.parametrize(
    ("times", "occurred_at", "sent_at"),
    [
        # client an hour slow, the message kept for ten seconds before it was sent
        (("2026-05-01T11:00:00Z", "2026-05-01T11:00:10Z", "2026-05-01T12:00:10Z", None), NOON_MS, NOON_MS + 10_000),
        # a day fast
        (("2026-05-02T12:00:00Z", "2026-05-02T12:00:00Z", "2026-05-01T12:00:00Z", None), NOON_MS, NOON_MS),
        # corrected before
        (
            ("2026-05-01T12:00:00Z", "2026-05-01T11:00:10Z", "2026-05-01T12:00:10Z", "2026-05-01T11:00:00Z"),
            NOON_MS,
            NOON_MS + 10_000,
        ),
        # clock set back between event and sending: not after it was received
        (("2026-05-01T13:00:00Z", "2026-05-01T11:00:00Z", "2026-05-01T12:00:00Z", None), NOON_MS, NOON_MS),
        (("2026-05-01T12:00:00Z", "2026-05-01T12:00:01Z", None, None), NOON_MS, NOON_MS + 1_000),
        (("2026-05-01T12:00:00Z", None, None, None), NOON_MS, None),
    ],
)
def test_the_time_is_corrected_for_the_clients_clock(
    times: tuple[str | None, ...], occurred_at: int, sent_at: int | None
) -> None:
    names = ("timestamp", "sentAt", "receivedAt", "originalTimestamp")
    found = track("Product Viewed", **dict(zip(names, times, strict=True)))
    assert (found.occurred_at, found.sent_at) == (occurred_at, sent_at)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"type": None}, "type is missing"),
        ({"type": "click"}, "type must be page, screen, track"),
        ({"event": " "}, "event is missing"),
        ({"event": "!!"}, "event has no letters"),
        ({"messageId": None}, "messageId is missing"),
        ({"timestamp": None}, "timestamp is missing"),
        ({"timestamp": "2026-05-01T12:00:00"}, "timestamp has no offset"),
        ({"properties": []}, "properties must be an object"),
        ({"userId": ["u"]}, "userId must be a text"),
        ({"event": "Order Completed", "properties": {"total": "lots"}}, "properties.total must be a number"),
        ({"event": "Order Completed", "properties": {"total": 1, "currency": "euro"}}, "properties.currency must be"),
        ({"context": {"traits": {"email": "anna"}}}, "context.traits.email is not an e-mail address"),
    ],
)
def test_a_bad_record_is_refused_with_its_field(change: dict[str, Any], said: str) -> None:
    assert refusal({**CALL, "type": "track", "event": "Product Viewed", **change}).startswith(said)
