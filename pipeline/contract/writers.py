"""The writers' schemas of some records, for commands that read a few."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.contract.decode import RefusedSchema, Writer, read_writer
from pipeline.contract.encode import HEADER_BYTES, MAGIC
from pipeline.contract.registry import Registry, UnknownSchema


class KnownWriters(dict[bytes, Writer | RefusedSchema]):
    """Writers' schemas by the four bytes that name them; each id is asked for once."""

    def __init__(self, registry: Registry, topic: str) -> None:
        self._registry, self._topic = registry, topic
        self._asked: set[bytes] = set()

    def learn(self, values: Iterable[bytes | None]) -> None:
        """Fetch the schemas that these values name; raises Unavailable when the registry does not answer."""
        named = {value[1:HEADER_BYTES] for value in values if value and value[:1] == MAGIC}
        for prefix in sorted(named - self._asked):
            if len(prefix) == HEADER_BYTES - 1:
                try:
                    schema_id = int.from_bytes(prefix, "big")
                    self[prefix] = read_writer(self._registry.writer_schema(schema_id, self._topic))
                except UnknownSchema:
                    pass
            self._asked.add(prefix)
