"""Who holds keys before and after a correction that is not made yet, by the rules that workers apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from pipeline.flow.exchange import Corrected
from pipeline.flow.identity_needs import Concerned, concerned_by
from pipeline.flow.identity_rows import CORRECTION, NAMING, OWNER
from pipeline.identity.correction import Correction
from pipeline.identity.correction_log import CorrectionLog
from pipeline.identity.key_identity import KeyIdentity, customer_segments
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.segments import END, OVERFULL, UNKNOWN, Segment, holder_at
from pipeline.ledger.reload import load_row, select_list
from pipeline.touchpoint import CUSTOMER

_OF_ALL = text(f"SELECT DISTINCT {select_list(CORRECTION)} FROM identity_correction WHERE key = ''")
_OF_KEYS = text(f"SELECT {select_list(CORRECTION)} FROM identity_correction WHERE key = ANY(:keys)")
_NAMINGS = text(f"SELECT {select_list(NAMING)} FROM identity_naming WHERE key = ANY(:keys)")
_OWNERS = text(f"SELECT {select_list(OWNER)} FROM identity_owner WHERE key = ANY(:keys) ORDER BY key, since")
_CONCERNED = text(
    """
    SELECT key FROM identity_naming WHERE (event_id, source) IN (SELECT * FROM unnest(:ids, :sources))
    UNION
    SELECT key FROM identity_correction
    WHERE key <> '' AND (event_id, source) IN (SELECT * FROM unnest(:ids, :sources))
    UNION
    SELECT key FROM identity_stretch WHERE target = ANY(:customers)
""".replace(":ids, :sources", "CAST(:ids AS text[]), CAST(:sources AS text[])")
)


class Segments(NamedTuple):
    """Who holds a key over time, before and after."""

    before: Sequence[Segment]
    after: Sequence[Segment]


class Holders:
    """Who holds keys, before and after. `concerned` are the keys for which that can differ.

    Keys that are not concerned are looked up when they are asked for.
    """

    def __init__(self, connection: Connection, correction: Correction, policy: IdentityPolicy) -> None:
        self._connection = connection
        self._before = CorrectionLog(_corrections(connection, _OF_ALL, {}))
        self._after = self._before.with_added([correction] if correction.concerns_all else [])
        self.concerned: Mapping[str, Segments] = self._of_concerned(correction, policy)
        self._others: dict[str, Sequence[Segment]] = {}

    def _of_concerned(self, correction: Correction, policy: IdentityPolicy) -> dict[str, Segments]:
        named = () if correction.concerns_all else correction.keys
        told = [Corrected(None, correction)] if correction.concerns_all else []
        changed = concerned_by(told, self._before)
        keys = {*named, *changed.customers, *_concerned(self._connection, changed)}
        weaker = [key for key in keys if not _is_customer(key)]
        wanted = {"keys": weaker}
        namings = [load_row(NAMING, row) for row in self._connection.execute(_NAMINGS, wanted)]
        corrections = [load_row(CORRECTION, row) for row in self._connection.execute(_OF_KEYS, wanted)]
        owners = [load_row(OWNER, row) for row in self._connection.execute(_OWNERS, wanted)]
        overfull = {row.key for row in owners if row.why == OVERFULL}
        found = {key: self._of_customer(key) for key in keys if _is_customer(key)}
        for key in weaker:
            own_namings = [row.naming for row in namings if row.key == key]
            own = {row.correction for row in corrections if row.key == key}
            after = {*own, correction} if key in named else own
            known = KeyIdentity(key, (), own, key in overfull), KeyIdentity(key, (), after, key in overfull)
            for identity, log in zip(known, (self._before, self._after), strict=True):
                identity.rebuild(own_namings, log, policy)
            found[key] = Segments(known[0].segments(self._before, policy), known[1].segments(self._after, policy))
        return found

    def owner(self, key: str, at: int, *, after: bool) -> str:
        """Return the owner of a key's touchpoint at a moment (epoch milliseconds): the last holder upwards."""
        while (holder := holder_at(self._segments(key, after), at)) is not None:
            key = holder
        return key

    def _segments(self, key: str, after: bool) -> Sequence[Segment]:
        if (known := self.concerned.get(key)) is not None:
            return known.after if after else known.before
        if _is_customer(key):
            return self._of_customer(key).before
        if key not in self._others:
            rows = [load_row(OWNER, row) for row in self._connection.execute(_OWNERS, {"keys": [key]})]
            self._others[key] = [Segment(r.since, None if r.owner == key else r.owner, r.why) for r in rows] or UNKNOWN
        return self._others[key]

    def _of_customer(self, key: str) -> Segments:
        return Segments(customer_segments(key, self._before), customer_segments(key, self._after))


def changed_spans(segments: Segments) -> list[tuple[int, int]]:
    """Return the spans of time in which a key has another holder, in order; both ends are inclusive."""
    times = sorted({segment.since for segment in [*segments.before, *segments.after]})
    ends = [*[time - 1 for time in times[1:]], END]
    return [
        (since, until)
        for since, until in zip(times, ends, strict=True)
        if holder_at(segments.before, since) != holder_at(segments.after, since)
    ]


def _is_customer(key: str) -> bool:
    return key.startswith(f"{CUSTOMER}:")


def _concerned(connection: Connection, changed: Concerned) -> list[str]:
    wanted = {
        "ids": [event_id for _, event_id in changed.events],
        "sources": [source for source, _ in changed.events],
        "customers": list(changed.customers),
    }
    return [row.key for row in connection.execute(_CONCERNED, wanted)]


def _corrections(connection: Connection, query: Any, wanted: Mapping[str, Any]) -> list[Correction]:
    return [load_row(CORRECTION, row).correction for row in connection.execute(query, wanted)]
