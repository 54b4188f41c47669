"""Other versions of the touchpoint's schema than this project's: what producers that are behind or ahead send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from pipeline.connections.registry import RegistryConnection
from pipeline.contract.encode import Encoder
from pipeline.contract.registry import touchpoint_encoder
from pipeline.contract.schema import schema_text
from pipeline.topics import TOUCHPOINTS, subject


def older() -> str:
    """Without an optional field of today's."""
    schema = json.loads(schema_text(TOUCHPOINTS))
    schema["fields"] = [each for each in schema["fields"] if each["name"] != "sent_at"]
    return json.dumps(schema)


def newer(field: str) -> str:
    """With an optional field that this version does not know."""
    schema = json.loads(schema_text(TOUCHPOINTS))
    schema["fields"].insert(3, {"name": field, "type": ["null", "string"], "default": None})
    return json.dumps(schema)


class Versions:
    """Registers versions and makes encoders of them; `close` takes them back."""

    def __init__(self, registry: RegistryConnection) -> None:
        self._client = SchemaRegistryClient(registry.client_settings())
        self._registered: list[int] = []
        self._subject = subject(TOUCHPOINTS)
        self.current = touchpoint_encoder(registry)

    def register(self, schema: str) -> Encoder:
        """An encoder of a schema that the registry has from now on."""
        before = set(self._client.get_versions(self._subject))
        schema_id = self._client.register_schema(self._subject, Schema(schema, "AVRO"))
        self._registered += sorted(set(self._client.get_versions(self._subject)) - before)
        return Encoder(schema_id, schema)

    def close(self) -> None:
        """Take back what this one registered."""
        while self._registered:
            self._client.delete_version(self._subject, self._registered.pop())


def with_field(record: Mapping[str, Any], field: str) -> dict[str, Any]:
    """A record as a producer of the newer version has it."""
    return {**record, field: "north"}
