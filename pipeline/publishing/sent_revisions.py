"""Notes the highest revision of each journey on journeys.v1, in a file, so that memory is bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from fastavro import schemaless_reader

from pipeline.contract.encode import HEADER_BYTES
from pipeline.contract.schema import parse_safely, schema_text
from pipeline.journey.row import JOURNEY, JourneyRow
from pipeline.publishing.serializers import RowSerializer
from pipeline.topics import JOURNEYS

_UPSERT = """
    INSERT INTO sent AS s (journey_id, revision, digest, same, partition, key) VALUES (?, ?, ?, 1, ?, ?)
    ON CONFLICT (journey_id) DO UPDATE SET
        same = CASE WHEN excluded.revision > s.revision THEN 1
                    WHEN excluded.revision = s.revision THEN s.same AND s.digest = excluded.digest ELSE s.same END,
        digest = CASE WHEN excluded.revision > s.revision THEN excluded.digest ELSE s.digest END,
        revision = max(s.revision, excluded.revision)
"""


class Sent(NamedTuple):
    """The highest revision of a journey on the topic.

    `digest` is of its content. `is_same` says whether all records of that revision say the same.
    """

    revision: int
    digest: bytes
    is_same: bool


class SentRevisions:
    """The journeys of the topic, in a database in `folder`; the caller deletes the folder."""

    def __init__(self, folder: Path) -> None:
        self._reader = parse_safely(schema_text(JOURNEYS))
        self._serializer = RowSerializer(JOURNEY)
        self._database = sqlite3.connect(folder / "sent.sqlite")
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE sent (journey_id TEXT PRIMARY KEY, revision INTEGER, digest BLOB, same INTEGER, "
            "partition INTEGER, key BLOB, kept INTEGER DEFAULT 0) WITHOUT ROWID"
        )

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def note(self, records: Iterable[tuple[int, bytes, bytes, Any]]) -> None:
        """Take records of the topic: partition, key, value and writer's schema."""
        rows = []
        for partition, key, value, writer in records:
            fields: Any = schemaless_reader(BytesIO(value[HEADER_BYTES:]), writer, self._reader)
            rows.append((fields["journey_id"], fields["revision"], _digest(fields), partition, key))
        self._database.executemany(_UPSERT, rows)

    def forget(self, keys: Iterable[bytes]) -> None:
        """Forget journeys that a record without a value has deleted, by its key: CUSTOMER/JOURNEY."""
        ids = [(key.rpartition(b"/")[2].decode(),) for key in keys]
        self._database.executemany("DELETE FROM sent WHERE journey_id = ?", ids)

    def compare(self, rows: Sequence[JourneyRow]) -> list[tuple[JourneyRow, Sent | None, bytes]]:
        """Return journeys of the ledger with what was sent of them, and the digest of what they are now.

        What is compared is no longer among `left_over`.
        """
        bodies = self._serializer.serialize(rows)
        compared = []
        for row, body in zip(rows, bodies, strict=True):
            fields: Any = schemaless_reader(BytesIO(body), self._reader, None)
            compared.append((row, self._of(row.journey_id), _digest(fields)))
        self._database.executemany(
            "UPDATE sent SET kept = 1 WHERE journey_id = ?", [(row.journey_id,) for row, _, _ in compared]
        )
        return compared

    def _of(self, journey_id: str) -> Sent | None:
        found = self._database.execute(
            "SELECT revision, digest, same FROM sent WHERE journey_id = ?", (journey_id,)
        ).fetchone()
        return None if found is None else Sent(found[0], found[1], bool(found[2]))

    def left_over(self) -> Iterator[tuple[int, bytes]]:
        """Yield partition and key of journeys that the ledger does not have."""
        yield from self._database.execute("SELECT partition, key FROM sent WHERE NOT kept ORDER BY partition, key")


def _digest(fields: dict[str, Any]) -> bytes:
    """Return what tells one content of a journey from another; the revision is left out."""
    content = {name: value for name, value in fields.items() if name != "revision"}
    return blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=8).digest()
