"""Rejections: why a record is refused. A rejection is a value that travels with its batch, never a log line."""

from __future__ import annotations

from typing import NamedTuple

#: code → what it means, for people. The codes label `pipeline_rejected_total` and stand in `quarantine.reason`.
REASONS = {
    "null_value": "the record has no value (a tombstone)",
    "empty": "the record's value is empty",
    "oversized": "the record is larger than the limit",
    "bad_magic": "the value does not begin with the Confluent wire format's zero byte",
    "unknown_schema": "the schema id is not one of this topic's subject",
    "refused_schema": "the schema is registered, and breaks the contract: a field that is needed is missing or another",
    "undecodable": "the body does not follow its schema (truncated, or not Avro)",
    "trailing_bytes": "bytes are left over after the body",
    "time_out_of_range": "occurred_at lies before 1990 or a day or more ahead",
    "no_customer": "no customer_id, identifier or anonymous_id names somebody",
    "invalid_feedback": "the score is no number or not on the instrument's scale",
    "invalid_text": "a text holds a NUL character, is empty or too long",
    "invalid_value": "a field's value is outside its range",
    "invalid_correction": "a correction does not say what it corrects",
    "misrouted": "the record was sent on with the right key and came back wrong again",
    "unprocessable": "the record passed all checks, and processing it failed: a mistake of the pipeline's",
}


class Rejected(NamedTuple):
    """One refusal: a code of REASONS, and what exactly is wrong, without personal data."""

    reason: str
    detail: str
