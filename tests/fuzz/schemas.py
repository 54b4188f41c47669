"""Versions of the touchpoint's schema that producers may write with, beside ours."""

from __future__ import annotations

import json
from typing import Any

from pipeline.contract.schema import schema_text
from pipeline.topics import TOUCHPOINTS


def texts() -> list[str]:
    """Ours; one with what every version must have; a newer one with more symbols and nested fields; version 1."""
    return [schema_text(TOUCHPOINTS), json.dumps(_older()), json.dumps(_newer()), json.dumps(_first())]


def _ours() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(schema_text(TOUCHPOINTS))
    return found


def _older() -> dict[str, Any]:
    schema = _ours()
    needed = ("customer_id", "anonymous_id", "identifiers")
    schema["fields"] = [field for field in schema["fields"] if "default" not in field or field["name"] in needed]
    return schema


def _first() -> dict[str, Any]:
    """Version 1, in which nothing was said of promises, of who began a contact, and of the order within a moment."""
    schema = _ours()
    later = ("due_at", "begun_by", "sequence")
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in later]
    return schema


def _newer() -> dict[str, Any]:
    schema = _ours()
    for field in schema["fields"]:
        if field["name"] == "channel":
            field["type"]["symbols"].insert(3, "hologram")
        if field["name"] == "stage":
            field["type"][1]["symbols"].insert(0, "long_before")
        if field["name"] == "begun_by":
            field["type"][1]["symbols"].append("machine")
    deep: Any = "string"
    for _ in range(30):
        deep = {"type": "array", "items": ["null", {"type": "map", "values": deep}]}
    schema["fields"].insert(2, {"name": "deep", "type": deep, "default": []})
    schema["fields"] += [
        {"name": "data", "type": "bytes", "default": ""},
        {"name": "mark", "type": {"type": "fixed", "name": "Mark", "size": 3}, "default": "abc"},
        {"name": "nothing", "type": "null", "default": None},
    ]
    return schema
