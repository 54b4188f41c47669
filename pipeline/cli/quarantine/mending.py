"""Advises what to do about a refused record, by reason."""

from __future__ import annotations

_CORRECT = "Correct the record and replay it with --corrected; have the source fixed."
_DISCARD = "It cannot be decoded: have the source send the event again, and discard the record."

#: The advice, by code; every code of pipeline.contract.reject.REASONS is here.
MENDS = {
    "null_value": "Touchpoints are never deleted by a tombstone. Find their producer, and discard the record.",
    "empty": _DISCARD,
    "oversized": (
        "Shorten the attributes or the verbatim and replay it with --corrected. Large contents belong elsewhere, with "
        "a reference in attributes."
    ),
    "bad_magic": (
        "The producer does not write Avro with a schema registry's serializer. If the bytes are JSON, they can be "
        "corrected and replayed with --corrected; else discard the record once the source has sent the event again."
    ),
    "refused_schema": (
        "The producer writes with a registered version that breaks the contract. Have it write with this version's "
        "schema; correct the record and replay it with --corrected, or have the source send the event again."
    ),
    "unknown_schema": (
        "Have the producer register its schema under the subject touchpoints.v1-value, then replay the record as it "
        "is. If the producer uses another registry, point it to this one."
    ),
    "undecodable": _DISCARD,
    "trailing_bytes": (
        "The producer names another schema than it writes with. If the record can be decoded, check it against the "
        "source, and replay it with --corrected."
    ),
    "time_out_of_range": (
        "Correct occurred_at (epoch milliseconds, not seconds; a clock that is right) and replay it with --corrected. "
        "If the time was ahead and has come by now, replay the record as it is."
    ),
    "no_customer": "Find out from the source who it was, and replay it with --corrected; else discard the record.",
    "invalid_feedback": _CORRECT,
    "invalid_text": _CORRECT,
    "invalid_value": _CORRECT,
    "invalid_correction": (
        "Say what is corrected: customer_id and attributes.merged_customer_id for customer_merged, the event_id of the "
        "merge as subject for customer_split; replay it with --corrected."
    ),
    "misrouted": (
        "Replay the record as it is: it gets the right key. If it comes back, the number of partitions was changed, or "
        "a producer partitions in another way than Kafka's murmur2."
    ),
    "unprocessable": (
        "A bug of the pipeline, not of the record: report it, with the detail and the record. Replay the record as "
        "it is once a version without the bug is running."
    ),
}


def mend(reason: str) -> str:
    """Return what to do about a record that was refused for `reason`."""
    return MENDS.get(reason, _CORRECT)
