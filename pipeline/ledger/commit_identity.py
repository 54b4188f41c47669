"""The part of a commit that changes who is who; most commits have none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.flow.identity_rows import NAMING, TABLES
from pipeline.flow.values import Batch
from pipeline.ledger.arrays import Array
from pipeline.ledger.delete import Delete
from pipeline.ledger.upsert import Upsert
from pipeline.scores.protocol import Score


class IdentityStatement:
    """Writes and deletes rows of the identity tables, and deletes those of scores that have nothing left.

    `sql` is a list of parts of `commit`'s one statement.
    """

    def __init__(self, scores: Sequence[Score[Any, Any]]) -> None:
        self._upserts = {table.name: Upsert(table) for table in TABLES}
        self._deletes = {table.name: Delete(table, table.key) for table in TABLES}
        self._forgotten = Delete(NAMING, ("key",))
        self._scores = {score.table.name: Delete(score.table, ("customer",)) for score in scores}
        parts = {
            **{f"{name}_rows": upsert.sql for name, upsert in self._upserts.items()},
            **{f"{name}_gone": delete.sql for name, delete in self._deletes.items()},
            "identity_naming_forgotten": self._forgotten.sql,
            **{f"{name}_gone": delete.sql for name, delete in self._scores.items()},
        }
        self.sql = "".join([f"{name} AS ({sql}), " for name, sql in parts.items()])

    def arrays(self, batches: Sequence[Batch]) -> dict[str, Array]:
        """Return the statement's parameters."""
        changes = [(batch.partition, batch.identity) for batch in batches if batch.identity is not None]
        arrays: dict[str, Array] = {}
        for name, upsert in self._upserts.items():
            arrays |= upsert.arrays((number, each.written.get(name, ())) for number, each in changes)
        for name, delete in self._deletes.items():
            arrays |= delete.arrays(
                [
                    (number, *key) if name == "identity_correction" else key
                    for number, each in changes
                    for key in each.deleted.get(name, ())
                ]
            )
        arrays |= self._forgotten.arrays([(key,) for _, each in changes for key in each.forgotten])
        for name, delete in self._scores.items():
            arrays |= delete.arrays([(customer,) for b in batches for customer in b.removed_scores.get(name, ())])
        return arrays


def changes_identity(batch: Batch) -> bool:
    """Return whether a batch has anything for this statement."""
    return batch.identity is not None or any(batch.removed_scores.values())
