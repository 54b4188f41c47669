"""Avro schemas: reading the project's own, and preparing a writer's for fast and safe decoding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from fastavro import parse_schema
from fastavro.schema import SchemaParseException

from pipeline.topics import SCHEMA_FILES

#: The result of fastavro's parsing.
ParsedSchema = Any


class UnsafeSchema(ValueError):
    """A schema with which a small record could crash or exhaust its reader."""


def schema_text(topic: str) -> str:
    """Return the schema of a topic's values, as registered: JSON."""
    return schema_file_text(SCHEMA_FILES[topic])


def schema_file_text(name: str) -> str:
    """Return the text of a file in `schemas/`."""
    return (files("pipeline.contract") / "schemas" / name).read_text(encoding="utf-8")


def parse_safely(text: str) -> ParsedSchema:
    """Return a schema ready for fastavro, without its logical types, so that times stay longs (a third faster).

    Raises UnsafeSchema for one that refers to itself (recursion crashes the interpreter), holds an array or map of
    items that take no bytes (five bytes could claim twenty million of them), or is no record.
    """
    try:
        plain = _without_logical_types(json.loads(text))
    except ValueError as error:
        raise UnsafeSchema(f"it is not JSON: {error}") from None
    if not isinstance(plain, dict) or plain.get("type") not in ("record", "error"):
        raise UnsafeSchema("it is not a record")
    _refuse_recursion(plain, (), "")
    _refuse_empty_items(plain)
    try:
        return parse_schema(plain)
    except (SchemaParseException, KeyError, ValueError, TypeError) as error:
        raise UnsafeSchema(f"it is not a valid Avro schema: {error}") from None


def enum_symbols(schema: ParsedSchema, field: str) -> tuple[str, ...]:
    """Return the symbols of a record's enum field, also in a union; empty if it is no enum."""
    for candidate in schema["fields"]:
        if candidate["name"] == field:
            branches = candidate["type"] if isinstance(candidate["type"], list) else [candidate["type"]]
            for branch in branches:
                if isinstance(branch, dict) and branch.get("type") == "enum":
                    return tuple(branch["symbols"])
    return ()


def logical_type(text: str, field: str) -> str | None:
    """Return the logical type of a record's field, or of a branch of its union, given the schema as JSON, or None."""
    for candidate in json.loads(text)["fields"]:
        if candidate["name"] == field:
            branches = candidate["type"] if isinstance(candidate["type"], list) else [candidate["type"]]
            for branch in branches:
                if isinstance(branch, dict) and "logicalType" in branch:
                    return str(branch["logicalType"])
    return None


def field_types(schema: ParsedSchema, field: str) -> set[str]:
    """Return the types that a record's field can have, and those of its parts, with the part's path before a colon.

    `{"null", "long"}` for an optional long; a list of records is `{"array", "items:record", "items.type:string", …}`.
    """
    [declared] = [candidate["type"] for candidate in schema["fields"] if candidate["name"] == field]
    return set(_types(declared, ""))


def _types(node: Any, path: str) -> Iterator[str]:
    if isinstance(node, list):
        for branch in node:
            yield from _types(branch, path)
        return
    kind = node["type"] if isinstance(node, dict) else node
    yield f"{path}:{kind}" if path else kind
    if isinstance(node, dict):
        for part in ("items", "values"):
            if part in node:
                yield from _types(node[part], path + part)
        for inner in node.get("fields", ()):
            yield from _types(inner["type"], f"{path}.{inner['name']}")


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_logical_types(value) for key, value in node.items() if key != "logicalType"}
    if isinstance(node, list):
        return [_without_logical_types(item) for item in node]
    return node


def _refuse_recursion(node: Any, enclosing: tuple[str, ...], namespace: str) -> None:
    if isinstance(node, str):
        full = node if "." in node or not namespace else f"{namespace}.{node}"
        if full in enclosing or node in enclosing:
            raise UnsafeSchema(f"{node} refers to itself")
    elif isinstance(node, list):
        for branch in node:
            _refuse_recursion(branch, enclosing, namespace)
    elif isinstance(node, dict):
        if node.get("type") in ("record", "error"):
            namespace = node.get("namespace", namespace)
            name = str(node.get("name"))
            full = name if "." in name or not namespace else f"{namespace}.{name}"
            for field in node.get("fields", ()):
                _refuse_recursion(field.get("type"), (*enclosing, full), namespace)
        else:
            for part in ("type", "items", "values"):
                if part in node and node[part] not in ("array", "map", "enum", "fixed"):
                    _refuse_recursion(node[part], enclosing, namespace)


def _refuse_empty_items(node: Any) -> None:
    if isinstance(node, list):
        for branch in node:
            _refuse_empty_items(branch)
    elif isinstance(node, dict):
        if node.get("type") == "array" and _takes_no_bytes(node.get("items")):
            raise UnsafeSchema("it holds an array of items that take no bytes")
        for part in ("type", "items", "values", "fields"):
            if part in node:
                _refuse_empty_items(node[part])


def _takes_no_bytes(node: Any) -> bool:
    if isinstance(node, str):
        return node == "null"
    if isinstance(node, list):
        return False  # the branch's number takes a byte
    kind = node.get("type")
    if kind in ("record", "error"):
        return all(_takes_no_bytes(field.get("type")) for field in node.get("fields", ()))
    if kind == "fixed":
        return not node.get("size")
    return kind == "null" or (isinstance(kind, dict | list) and _takes_no_bytes(kind))
