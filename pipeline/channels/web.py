"""A site's and an app's events in the shape of the Segment spec (which RudderStack and PostHog take as well)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pipeline.channels import hashing
from pipeline.channels.fields import Adapter, Bad, Record, adapter, inner, moment, need, need_moment, text
from pipeline.channels.money import minor_units
from pipeline.touchpoint import Identifier, Touchpoint

#: The events of the e-commerce spec (https://www.twilio.com/docs/segment/connections/spec/ecommerce/v2) whose kind is
#: not just their name in snake_case.
KINDS = {
    "Products Searched": "search_performed",
    "Product Added": "cart_added",
    "Product Removed": "cart_removed",
    "Payment Info Entered": "payment_entered",
    "Order Completed": "purchase",
    "Order Updated": "order_changed",
    "Order Refunded": "refund_issued",
    "Product Added to Wishlist": "wishlist_added",
    "Product Removed from Wishlist": "wishlist_removed",
    "Wishlist Product Added to Cart": "cart_added",
    "Product Reviewed": "review_posted",
}
#: Kinds with money, and its sign.
_MONEY = {"purchase": 1, "refund_issued": -1}
_OUTCOMES = {"purchase": "succeeded", "checkout_step_completed": "succeeded", "coupon_denied": "failed"}
_SUFFIXES = {"_failed": "failed", "_abandoned": "abandoned", "_succeeded": "succeeded"}
#: Properties that are kept; others, such as search terms, may hold personal data.
_KEPT = ("product_id", "sku", "category", "list_id", "promotion_id", "step", "coupon")
_NO_TOUCHPOINTS = ("identify", "group", "alias")
_MOBILE = ("ios", "android")


def reader(source: str = "web") -> Adapter:
    """Return an adapter for the events of the site `source`: page, screen and track calls.

    Other calls, such as identify, give none.
    """

    def read(record: Record) -> list[Touchpoint]:
        call = need(record, "type")
        if call in _NO_TOUCHPOINTS:
            return []
        kind = _kind(call, record)
        properties, context = inner(record, "properties"), inner(record, "context")
        occurred_at, sent_at = _times(record)
        amount, currency = _money(kind, properties)
        return [
            Touchpoint(
                event_id=need(record, "messageId"),
                source=source,
                occurred_at=occurred_at,
                sent_at=sent_at,
                channel=_channel(call, context),
                kind=kind,
                customer_id=text(record, "userId"),
                anonymous_id=text(record, "anonymousId"),
                identifiers=_identifiers(context),
                outcome=_outcome(kind),
                amount_minor=amount,
                currency=currency,
                subject=text(properties, "order_id") or text(properties, "checkout_id"),
                attributes=_attributes(properties, context),
            )
        ]

    return adapter(read)


def snake_case(name: str) -> str:
    """Return an event's name as a kind: `Quiz Finished!` and `quizFinished` become quiz_finished.

    "" when nothing is left.
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


def _kind(call: str, record: Record) -> str:
    if call == "page":
        return "page_viewed"
    if call == "screen":
        return "screen_viewed"
    if call != "track":
        raise Bad("type must be page, screen, track, identify, group or alias")
    event = need(record, "event")
    kind = KINDS.get(event) or snake_case(event)
    if not kind:
        raise Bad("event has no letters or digits in it")
    return kind


def _outcome(kind: str) -> str:
    ends = (outcome for suffix, outcome in _SUFFIXES.items() if kind.endswith(suffix))
    return _OUTCOMES.get(kind) or next(ends, "none")


def _channel(call: str, context: Record) -> str:
    device = text(inner(context, "device"), "type") or ""
    return "app" if call == "screen" or device.lower() in _MOBILE else "web"


def _times(record: Record) -> tuple[int, int | None]:
    """Return when it occurred and when it was sent, on the receiver's clock.

    A client's clock may be wrong, so its time is corrected as Segment does
    (https://www.twilio.com/docs/segment/connections/spec/common#timestamps): timestamp = receivedAt - (sentAt -
    originalTimestamp), which assumes that a message arrives when it is sent. A record with originalTimestamp has been
    corrected already. What the formula puts after receivedAt (the clock was set back in between) counts as received.
    """
    occurred_at = need_moment(record, "timestamp")
    sent_at, received_at = moment(record, "sentAt"), moment(record, "receivedAt")
    if sent_at is None or received_at is None:
        return occurred_at, received_at if sent_at is None else sent_at
    if moment(record, "originalTimestamp") is None:
        occurred_at = min(received_at, received_at - (sent_at - occurred_at))
    return occurred_at, received_at


def _money(kind: str, properties: Record) -> tuple[int | None, str | None]:
    sign = _MONEY.get(kind)
    names = ("total", "revenue", "value")
    name = next((name for name in names if properties.get(name) is not None), None)
    if sign is None or name is None:
        return None, None
    currency = text(properties, "currency") or "USD"  # the spec's default
    try:
        amount = minor_units(properties[name], currency)
    except ValueError as error:
        raise Bad(f"properties.{'' if str(error).startswith('currency') else name + ' '}{error}") from None
    return (amount if sign > 0 else -abs(amount)), currency


def _identifiers(context: Record) -> tuple[Identifier, ...]:
    address = text(inner(context, "traits"), "email")
    try:
        return () if address is None else (hashing.identifier("email", address),)
    except ValueError as error:
        raise Bad(f"context.traits.email {error}") from None


def _attributes(properties: Record, context: Record) -> dict[str, str]:
    kept = {name: str(value) for name in _KEPT if isinstance(value := properties.get(name), str | int | float)}
    path = text(properties, "path") or text(inner(context, "page"), "path") or _path(text(properties, "url"))
    return {"page": path.partition("?")[0], **kept} if path else kept


def _path(url: str | None) -> str | None:
    try:
        return urlsplit(url).path if url else None
    except ValueError:
        return None
