"""The topics as an AsyncAPI 3 document: `python -m pipeline.publishing.asyncapi > schemas/asyncapi.json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

from pipeline.publishing.create_topics import CONFIGURATION
from pipeline.scores.registry import topic_schemas
from pipeline.topics import CASES, DEAD_LETTERS, EXCHANGE, IDENTITIES, JOURNEYS, TOUCHPOINTS

#: AsyncAPI's name of Avro schemas as JSON.
_AVRO = "application/vnd.apache.avro+json;version=1.9.0"


class _Key(NamedTuple):
    description: str
    example: str


_CUSTOMER = _Key("The customer's key, in UTF-8.", "customer:c-1001")
_KEYS = {
    JOURNEYS: _Key(
        "The customer's key, a slash, and the journey's id. The partition is that of the customer's key alone.",
        "customer:c-1001/0190163d-8694-8123-9abc-def012345678",
    ),
    CASES: _Key(
        "The customer's key, a slash, and the case's subject. The partition is that of the customer's key alone.",
        "customer:c-1001/order-4711",
    ),
    DEAD_LETTERS: _Key("The key of the refused record, as it came.", "customer:c-1001"),
    IDENTITIES: _Key("A key.", "anonymous:0f3c"),
}
#: The exchange topic is for workers alone.
_TOPICS = [topic for topic in CONFIGURATION if topic != EXCHANGE]


def document() -> dict[str, Any]:
    """Return the document, as it stands in `schemas/asyncapi.json`."""
    schemas = topic_schemas()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Touchpoint pipeline",
            "version": version("touchpoint-pipeline"),
            "description": (
                "Customer touchpoints come in on touchpoints.v1; journeys and scores go out. Values are in the "
                "Confluent wire format: a zero byte, the schema's id in the registry in four bytes, the Avro body. "
                "Subjects are named TOPIC-value. Read with isolation.level=read_committed."
            ),
        },
        "defaultContentType": "application/vnd.apache.avro",
        "channels": {_name(topic): _channel(topic, schemas.get(topic)) for topic in _TOPICS},
        "operations": {
            _operation(topic): {
                "action": "receive" if topic == TOUCHPOINTS else "send",
                "channel": {"$ref": f"#/channels/{_name(topic)}"},
            }
            for topic in _TOPICS
        },
    }


def _channel(topic: str, schema: str | None) -> dict[str, Any]:
    key = _KEYS.get(topic, _CUSTOMER)
    message: dict[str, Any] = {
        "bindings": {"kafka": {"key": {"type": "string", "description": key.description, "examples": [key.example]}}},
    }
    if schema is None:
        message |= {
            "name": "DeadLetter",
            "contentType": "application/octet-stream",
            "description": "A refused record's bytes; headers say why it was refused, and where it was.",
        }
    else:
        avro = json.loads(schema)
        payload = {"schemaFormat": _AVRO, "schema": avro}
        message |= {"name": avro["name"], "description": avro.get("doc", ""), "payload": payload}
    return {
        "address": topic,
        "messages": {message["name"]: message},
        "bindings": {"kafka": {"topic": topic, "topicConfiguration": _configuration(CONFIGURATION[topic])}},
    }


def _configuration(settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of a topic that AsyncAPI's Kafka binding knows."""
    known: dict[str, Any] = {"cleanup.policy": settings["cleanup.policy"].split(",")}
    for name in ("retention.ms", "max.message.bytes"):
        if name in settings:
            known[name] = int(settings[name])
    return known


def _name(topic: str) -> str:
    """Return a name of a channel: letters and digits, as journeysV1."""
    first, *rest = topic.replace("-", ".").split(".")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def _operation(topic: str) -> str:
    verb = "receive" if topic == TOUCHPOINTS else "send"
    name = _name(topic)
    return verb + name[0].upper() + name[1:]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(document(), indent=2, ensure_ascii=False) + "\n")
