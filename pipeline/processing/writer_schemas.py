"""The writers' schemas: those of the topic's subject, each fetched once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import structlog

from pipeline.contract.decode import RefusedSchema, Writer, read_writer
from pipeline.contract.encode import HEADER_BYTES
from pipeline.contract.registry import Registry, UnknownSchema
from pipeline.flow.values import Received
from pipeline.retry import Retry

log = structlog.get_logger(__name__)

#: Seconds for which an id that the registry does not know is not asked for again, and number of such ids that are kept.
_UNKNOWN_S = 60.0
_MAX_UNKNOWN = 1_000
#: Number of unknown ids of one slice that are asked for; more are noise, and would stall the partition.
_MAX_ASKED = 20


class WriterSchemaCache:
    """Writers' schemas by the four bytes that name them, and the ids that the registry does not know."""

    def __init__(self, registry: Registry, topic: str, retry: Retry) -> None:
        self.known: dict[bytes, Writer | RefusedSchema] = {}
        self._registry, self._topic, self._retry = registry, topic, retry
        self._unknown: dict[bytes, float] = {}

    async def learn(self, partition: int, records: Sequence[Received]) -> None:
        """Fetch the schemas that records of a partition name and that are not known yet.

        Raises Unavailable when the registry does not answer for long.
        """
        named = {value[1:HEADER_BYTES] for record in records if (value := record.value) and value[:1] == b"\0"}
        now = time.monotonic()
        new = [
            prefix
            for prefix in named
            if prefix not in self.known
            and len(prefix) == HEADER_BYTES - 1
            and now - self._unknown.get(prefix, -_UNKNOWN_S) >= _UNKNOWN_S
        ]
        for prefix in sorted(new)[:_MAX_ASKED]:
            schema_id = int.from_bytes(prefix, "big")
            offset = next(each.offset for each in records if (each.value or b"")[1:HEADER_BYTES] == prefix)
            where = {"schema_id": schema_id, "partition": partition, "offset": offset}
            try:
                text = await self._retry.run("registry", partial(asyncio.to_thread, self._fetch, schema_id))
                writer = self.known[prefix] = read_writer(text)
                if isinstance(writer, RefusedSchema):
                    log.error("a registered schema breaks the contract", **where, why=writer.why)
            except UnknownSchema as error:
                log.warning("unknown schema", **where, why=str(error))
                if len(self._unknown) >= _MAX_UNKNOWN:
                    self._unknown.clear()
                self._unknown[prefix] = now

    def _fetch(self, schema_id: int) -> str:
        return self._registry.writer_schema(schema_id, self._topic)
