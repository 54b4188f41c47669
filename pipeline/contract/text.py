"""JSON Lines to touchpoints and back. Errors about a line name the field and never quote its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import orjson

from pipeline.contract.reject import Rejected
from pipeline.contract.times import format_rfc3339, parse_rfc3339
from pipeline.touchpoint import Feedback, Identifier, Touchpoint

#: Required fields.
REQUIRED = ("event_id", "source", "occurred_at", "channel", "kind")
_LONG = range(-(2**63), 2**63)


class _Wrong(ValueError):
    """What is wrong with a field."""


def from_json_line(line: bytes | str) -> Touchpoint | Rejected:
    """Return a line of JSON Lines as a touchpoint, or why it is none. Values are validated by `validate.check`."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Rejected("undecodable", f"not JSON: {error}")
    if not isinstance(record, dict):
        return Rejected("undecodable", f"not a JSON object but {_type(record)}")
    return from_record(record)


def from_record(record: Mapping[str, object]) -> Touchpoint | Rejected:
    """Return a mapping with the touchpoint's field names as a touchpoint, or why it is none.

    Times are RFC 3339 texts or epoch milliseconds; absent and None mean the same.
    """
    values: dict[str, Any] = {}
    try:
        for name, value in record.items():
            reader = _READERS.get(name)
            if reader is None:
                return Rejected("invalid_value", unknown_field(name))
            if value is not None:
                values[name] = reader(name, value)
    except _Wrong as wrong:
        return Rejected("invalid_value", str(wrong))
    for name in REQUIRED:
        if name not in values:
            return Rejected("invalid_value", f"{name} is missing")
    return Touchpoint(**values)


def unknown_field(name: str) -> str:
    """Return the message about a field that a touchpoint does not have."""
    hint = get_close_matches(name.lower(), _READERS, n=1)
    return f"unknown field {_quoted(name)}; " + (
        f"did you mean {hint[0]}?" if hint else "other data goes into attributes"
    )


def to_record(touchpoint: Touchpoint) -> dict[str, Any]:
    """Return a touchpoint as the object of JSON Lines: times as RFC 3339 in UTC, without absent fields."""
    t = touchpoint
    record: dict[str, Any] = {"event_id": t.event_id, "source": t.source, "occurred_at": _time_text(t.occurred_at)}
    if t.sent_at is not None:
        record["sent_at"] = _time_text(t.sent_at)
    record["channel"] = t.channel
    record["kind"] = t.kind
    for name in ("stage", "customer_id", "anonymous_id"):
        if (text := getattr(t, name)) is not None:
            record[name] = text
    if t.identifiers:
        record["identifiers"] = [{"type": i.type, "value": i.value} for i in t.identifiers]
    if t.outcome != "none":
        record["outcome"] = t.outcome
    if t.wait_ms is not None:
        record["wait_ms"] = t.wait_ms
    if t.duration_ms is not None:
        record["duration_ms"] = t.duration_ms
    if t.feedback is not None:
        record["feedback"] = {name: value for name, value in t.feedback._asdict().items() if value is not None}
    for name in ("amount_minor", "currency", "subject"):
        if (value := getattr(t, name)) is not None:
            record[name] = value
    if t.attributes:
        record["attributes"] = dict(t.attributes)
    if t.due_at is not None:
        record["due_at"] = _time_text(t.due_at)
    for name in ("begun_by", "sequence"):
        if (value := getattr(t, name)) is not None:
            record[name] = value
    return record


def to_json_line(touchpoint: Touchpoint) -> bytes:
    """Return a touchpoint as one line of JSON Lines, with its line feed."""
    return orjson.dumps(to_record(touchpoint), option=orjson.OPT_APPEND_NEWLINE)


def _time_text(epoch_ms: int) -> str | int:
    try:
        return format_rfc3339(epoch_ms)
    except OverflowError:  # a rejected record may hold any long
        return epoch_ms


def _text(field: str, value: object) -> str:
    if type(value) is not str:
        raise _Wrong(f"{field} must be a text, not {_type(value)}")
    return value


def _long(field: str, value: object) -> int:
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise _Wrong(f"{field} must be a whole number, not {_type(value)}")
    if value not in _LONG:
        raise _Wrong(f"{field} does not fit into 64 bits")
    return value


def _time(field: str, value: object) -> int:
    if type(value) is not str:
        if type(value) not in (int, float):
            raise _Wrong(f"{field} must be an RFC 3339 text or epoch milliseconds, not {_type(value)}")
        return _long(field, value)
    try:
        return parse_rfc3339(value)
    except ValueError as error:
        raise _Wrong(f"{field} {error}") from None


def _identifiers(field: str, value: object) -> tuple[Identifier, ...]:
    if not isinstance(value, list):
        raise _Wrong(f"{field} must be a list of objects with type and value, not {_type(value)}")
    return tuple([_identifier(f"{field}[{number}]", item) for number, item in enumerate(value)])


def _identifier(place: str, item: object) -> Identifier:
    if not isinstance(item, dict) or set(item) != {"type", "value"}:
        raise _Wrong(f"{place} must be an object with type and value and nothing else")
    return Identifier(_text(f"{place}.type", item["type"]), _text(f"{place}.value", item["value"]))


def _feedback(field: str, value: object) -> Feedback:
    if not isinstance(value, dict):
        raise _Wrong(f"{field} must be an object with instrument and score, not {_type(value)}")
    if unknown := set(value) - {"instrument", "score", "verbatim"}:
        raise _Wrong(f"{field} has unknown {_quoted(min(unknown))}; it takes instrument, score and verbatim")
    instrument, score, verbatim = value.get("instrument"), value.get("score"), value.get("verbatim")
    if instrument is None or score is None:
        raise _Wrong(f"{field} needs instrument and score")
    if type(score) not in (int, float):
        raise _Wrong(f"{field}.score must be a number, not {_type(score)}")
    words = None if verbatim is None else _text(f"{field}.verbatim", verbatim)
    return Feedback(_text(f"{field}.instrument", instrument), float(score), words)


def _attributes(field: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise _Wrong(f"{field} must be an object of texts, not {_type(value)}")
    return {name: _text(f"{field}.{name}"[:80], text) for name, text in value.items()}


def _type(value: object) -> str:
    if isinstance(value, float) and not value.is_integer():
        return "a number with a fraction"
    names: dict[type, str] = {
        str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object",
    }  # fmt: skip
    return "null" if value is None else names[type(value)]


def _quoted(name: str) -> str:
    return repr(name if len(name) <= 40 else name[:40] + "…")


_READERS: dict[str, Callable[[str, object], Any]] = {
    "event_id": _text,
    "source": _text,
    "occurred_at": _time,
    "sent_at": _time,
    "channel": _text,
    "kind": _text,
    "stage": _text,
    "customer_id": _text,
    "anonymous_id": _text,
    "identifiers": _identifiers,
    "outcome": _text,
    "wait_ms": _long,
    "duration_ms": _long,
    "feedback": _feedback,
    "amount_minor": _long,
    "currency": _text,
    "subject": _text,
    "attributes": _attributes,
    "due_at": _time,
    "begun_by": _text,
    "sequence": _long,
}
assert tuple(_READERS) == Touchpoint._fields
