"""The schema registry: registering this project's schemas, and fetching a writer's schema by its id."""

from __future__ import annotations

from typing import NamedTuple

import httpx2
from confluent_kafka.schema_registry import (
    ConfigCompatibilityLevel,
    Schema,
    SchemaRegistryClient,
    ServerConfig,
)
from confluent_kafka.schema_registry.error import SchemaRegistryError

from pipeline.connections.registry import RegistryConnection
from pipeline.contract.encode import Encoder
from pipeline.contract.schema import schema_text
from pipeline.errors import InvalidInput
from pipeline.topics import TOUCHPOINTS, subject

COMPATIBILITY = "BACKWARD_TRANSITIVE"
#: The registry's own code; a plain 404 may be a path that is wrong, and then no record must be refused for it.
_NO_SCHEMA = 40403


class Version(NamedTuple):
    """A registered version of a subject: its number, the schema's id, and the schema as JSON."""

    number: int
    schema_id: int
    text: str


class UnknownSchema(LookupError):
    """No schema of that id belongs to the subject."""


class Registry:
    """A Confluent-compatible schema registry.

    Every method raises Unavailable when the registry does not answer, and InvalidInput when credentials or certificates
    do not fit.
    """

    def __init__(self, connection: RegistryConnection) -> None:
        self._connection = connection
        self._client = SchemaRegistryClient(connection.client_settings())

    def writer_schema(self, schema_id: int, topic: str) -> str:
        """Return the schema, as JSON, with which a record of `topic` was written.

        Raises UnknownSchema when the registry has none of that id, or only for other subjects.
        """
        try:
            # Not …/subjects, which Apicurio does not have.
            if subject(topic) not in {version.subject for version in self._client.get_schema_versions(schema_id)}:
                raise UnknownSchema(f"schema id {schema_id} does not belong to the subject {subject(topic)}")
            text = self._client.get_schema(schema_id, subject_name=subject(topic)).schema_str or ""
        except SchemaRegistryError as error:
            if error.error_code == _NO_SCHEMA:
                raise UnknownSchema(f"the registry has no schema of id {schema_id}") from None
            raise self._unavailable(error) from None
        except httpx2.HTTPError as error:
            raise self._unavailable(error) from None
        return str(text)

    def register(self, topic: str, schema: str) -> int:
        """Register the schema of a topic's values under its compatibility rule; return the schema's id.

        The same schema again keeps its id. Raises InvalidInput when it is not compatible with the registered versions.
        """
        name, avro = subject(topic), Schema(schema, "AVRO")
        if (known := self._registered_id(topic, schema)) is not None:
            return known
        try:
            if name not in self._client.get_subjects():
                schema_id = self._client.register_schema(name, avro)
                self._client.set_config(name, _compatibility())
                return int(schema_id)
            self._client.set_config(name, _compatibility())
            if not self._client.test_compatibility(name, avro):
                raise InvalidInput(_incompatible(topic))
            return int(self._client.register_schema(name, avro))
        except SchemaRegistryError as error:
            if error.http_status_code == 409:
                raise InvalidInput(_incompatible(topic)) from None
            raise self._unavailable(error) from None
        except httpx2.HTTPError as error:
            raise self._unavailable(error) from None

    def current_id(self, topic: str, schema: str) -> int:
        """Return the id of a topic's schema. Raises InvalidInput when `pipeline init` has not registered it."""
        schema_id = self._registered_id(topic, schema)
        if schema_id is None:
            raise InvalidInput(f"The registry does not have this version's schema of {topic}. Run `pipeline init`.")
        return schema_id

    def versions(self, topic: str) -> list[Version]:
        """Return the registered versions of the schema of a topic's values, the oldest first."""
        name = subject(topic)
        try:
            if name not in self._client.get_subjects():
                return []
            registered = [self._client.get_version(name, number) for number in self._client.get_versions(name)]
        except SchemaRegistryError as error:
            raise self._unavailable(error) from None
        except httpx2.HTTPError as error:
            raise self._unavailable(error) from None
        return [Version(each.version, each.schema_id, each.schema.schema_str) for each in registered]

    def _registered_id(self, topic: str, schema: str) -> int | None:
        try:
            registered = self._client.lookup_schema(subject(topic), Schema(schema, "AVRO"))
        except SchemaRegistryError as error:
            if error.http_status_code == 404:
                return None
            raise self._unavailable(error) from None
        except httpx2.HTTPError as error:
            raise self._unavailable(error) from None
        return int(registered.schema_id)

    def _unavailable(self, error: Exception) -> Exception:
        return self._connection.unreachable(error, getattr(error, "http_status_code", None))


def touchpoint_encoder(registry: RegistryConnection) -> Encoder:
    """Return an encoder with this project's schema of touchpoints. Raises InvalidInput, Unavailable as `current_id`."""
    text = schema_text(TOUCHPOINTS)
    return Encoder(Registry(registry).current_id(TOUCHPOINTS, text), text)


def _compatibility() -> ServerConfig:
    return ServerConfig(compatibility=ConfigCompatibilityLevel[COMPATIBILITY])


def _incompatible(topic: str) -> str:
    return (
        f"The schema of {topic} is not compatible with every registered version ({COMPATIBILITY}). "
        f"Give new fields a default and keep old ones, or make a new topic."
    )
