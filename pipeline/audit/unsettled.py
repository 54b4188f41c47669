"""What was under way at the moment of the cut: keys about which partitions still tell each other something.

They are left out of the comparison, and with them all to whom their touchpoints may go.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from pipeline.audit.topic import Topic
from pipeline.audit.workspace import Appender, Workspace


def find_unsettled(workspace: Workspace, topic: Topic, offsets: Mapping[int, int], ledger: str) -> None:
    """Fill the table `unsettled`: from the outbox, from the exchange topic after `offsets`, and from what waits."""
    keys = {key for [key] in workspace.rows("SELECT key FROM found_identity_restatement")}
    for key, value in workspace.rows("SELECT topic_key, value FROM found_exchanged"):
        keys |= _keys(key, value, ledger)
    for key, text in topic.exchanged(offsets):
        keys |= _keys(key, text, ledger)
    with Appender(workspace, "unsettled") as appender:
        for key in sorted(keys):
            appender.add((key,))


def add_owners(workspace: Workspace) -> None:
    """Add all keys that hold unsettled ones at some time, by the rebuild and by the tables, and theirs in turn."""
    if not workspace.one("SELECT count(*) FROM unsettled"):
        return
    workspace.execute(
        """
        CREATE OR REPLACE TABLE unsettled AS
        WITH RECURSIVE reached (customer) AS (
            SELECT customer FROM unsettled
            UNION
            SELECT h.owner FROM reached AS r JOIN (
                SELECT key, holder AS owner FROM segment WHERE holder IS NOT NULL
                UNION SELECT key, owner FROM found_identity_owner WHERE owner <> key
            ) AS h ON h.key = r.customer
        )
        SELECT DISTINCT customer FROM reached
        """
    )


def _keys(key: str | None, value: str | bytes, ledger: str) -> set[str]:
    """Return the keys that a record of the exchange topic may change."""
    document = orjson.loads(value)
    if document.get("ledger") != ledger:
        return set()
    keys = {key, document.get("sender")}
    keys |= {target for target, *_ in document.get("named", ())}
    if (correction := document.get("corrected")) is not None:
        own, named, *rest = correction
        keys |= {own, *named, rest[-1]}
    return {each for each in keys if each}
