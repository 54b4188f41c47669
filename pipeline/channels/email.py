"""A delivery provider's webhooks, in the shape of SendGrid's Event Webhook.

https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from pipeline.channels import hashing
from pipeline.channels.fields import Adapter, Bad, Record, adapter, need, text, whole
from pipeline.touchpoint import Touchpoint


class _Meaning(NamedTuple):
    kind: str
    outcome: str = "none"


#: The provider's event → kind and outcome.
KINDS = {
    "processed": _Meaning("email_sent"),
    "delivered": _Meaning("email_delivered"),
    "open": _Meaning("email_opened"),
    "click": _Meaning("email_clicked"),
    "bounce": _Meaning("email_bounced", "failed"),
    "dropped": _Meaning("email_dropped", "failed"),
    "spamreport": _Meaning("email_complained"),
    "unsubscribe": _Meaning("email_unsubscribed"),
    "group_unsubscribe": _Meaning("email_unsubscribed"),
    "group_resubscribe": _Meaning("email_resubscribed"),
}
#: Events between provider and mailbox, or about the sender's own account; no customer notices them.
_NO_TOUCHPOINTS = ("deferred", "account_status_change")
#: A mail program that loads pictures by itself (Apple's Mail Privacy Protection) says nothing about the customer.
_BY_MACHINE = _Meaning("email_auto_opened")


def reader(source: str = "mailer") -> Adapter:
    """Return an adapter for the events of the provider `source`. Addresses are hashed; IP and agent are dropped.

    `customer_id` among the unique arguments of the mail names the customer by number.
    """

    def read(record: Record) -> list[Touchpoint]:
        event = need(record, "event")
        if event in _NO_TOUCHPOINTS:
            return []
        meaning = _BY_MACHINE if event == "open" and record.get("sg_machine_open") is True else KINDS.get(event)
        if meaning is None:
            raise Bad(f"event is none of {', '.join((*KINDS, *_NO_TOUCHPOINTS))}")
        try:
            identifier = hashing.identifier("email", need(record, "email"))
        except Bad:
            raise
        except ValueError as error:
            raise Bad(f"email {error}") from None
        message = text(record, "sg_message_id")
        return [
            Touchpoint(
                event_id=need(record, "sg_event_id"),
                source=source,
                occurred_at=whole(record, "timestamp") * 1000,
                channel="email",
                kind=meaning.kind,
                customer_id=text(record, "customer_id"),
                identifiers=(identifier,),
                outcome=meaning.outcome,
                subject=message.partition(".")[0] if message else None,
                attributes=_attributes(record),
            )
        ]

    return adapter(read)


def _attributes(record: Record) -> dict[str, str]:
    category = record.get("category")
    if isinstance(category, list):
        category = category[0] if category else None
    attributes = {} if category is None else {"campaign": str(category)}
    if bounce := text(record, "type"):
        attributes["bounce"] = bounce  # bounce (for good) or blocked (for now)
    if (url := text(record, "url")) and (link := _link(url)):
        attributes["link"] = link
    return attributes


def _link(url: str) -> str | None:
    """Return host and path; the rest of a URL may identify the reader."""
    try:
        parts = urlsplit(url)
        return f"{parts.hostname or ''}{parts.path}"
    except ValueError:
        return None
