"""The rows in which the ledger holds who is who. Times are epoch milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, NamedTuple, Protocol, TypeVar

import orjson

from pipeline.identity.correction import Correction
from pipeline.identity.naming import Naming
from pipeline.identity.segments import Segment
from pipeline.identity.stretches import Stretch
from pipeline.journey.step import KEPT_EACH_END, Step
from pipeline.journey.steps import Steps
from pipeline.rows import BOOLEAN, BYTES, MOMENT, STEPS, TEXT, Table, enumeration

#: Where a touchpoint is that its key's journeys don't show: transferred to the key's holder; there already, since the
#: same event has come by another key, too; or left out of the steps of a long journey.
TRANSFERRED, COPY, OMITTED = "transferred", "copy", "omitted"


class NamingRow(NamedTuple):
    """One event's link of a key to a stronger one."""

    key: Annotated[str, TEXT]
    target: Annotated[str, TEXT]
    trust: Annotated[str, TEXT]
    at: Annotated[int, MOMENT]
    source: Annotated[str, TEXT]
    event_id: Annotated[str, TEXT]

    @property
    def naming(self) -> Naming:
        """Return the naming."""
        return Naming(*self[1:])


class StretchRow(NamedTuple):
    """Namings of a key with the same target and trust that follow each other closely; its first one's event."""

    key: Annotated[str, TEXT]
    target: Annotated[str, TEXT]
    trust: Annotated[str, TEXT]
    started_at: Annotated[int, MOMENT]
    ended_at: Annotated[int, MOMENT]
    source: Annotated[str, TEXT]
    event_id: Annotated[str, TEXT]

    @property
    def stretch(self) -> Stretch:
        """Return the stretch."""
        return Stretch(*self[1:])


class CorrectionRow(NamedTuple):
    """A correction; `key` is empty where it can concern any key. `named` is a JSON list of the keys that it names."""

    key: Annotated[str, TEXT]
    kind: Annotated[str, TEXT]
    at: Annotated[int, MOMENT]
    source: Annotated[str, TEXT]
    event_id: Annotated[str, TEXT]
    named: Annotated[str, TEXT]
    subject: Annotated[str, TEXT]
    other: Annotated[str, TEXT]

    @property
    def correction(self) -> Correction:
        """Return the correction."""
        keys = tuple(orjson.loads(self.named))
        return Correction(
            keys[0], keys, self.kind, self.at, self.source, self.event_id, self.subject or None, self.other or None
        )


def correction_row(key: str, correction: Correction) -> CorrectionRow:
    """Return the row of a correction that concerns a key, or all (an empty key)."""
    return CorrectionRow(
        key=key,
        kind=correction.kind,
        at=correction.at,
        source=correction.source,
        event_id=correction.event_id,
        named=orjson.dumps(correction.keys).decode(),
        subject=correction.subject or "",
        other=correction.other or "",
    )


class OwnerRow(NamedTuple):
    """Who holds a key from `since` to `until` (inclusive), and why; the key itself where nobody else does.

    `source` and `event_id` are those of the naming that it rests on, `trust` is that naming's.
    """

    key: Annotated[str, TEXT]
    since: Annotated[int, MOMENT]
    until: Annotated[int, MOMENT]
    owner: Annotated[str, TEXT]
    why: Annotated[str, TEXT]
    trust: Annotated[str, TEXT]
    source: Annotated[str, TEXT]
    event_id: Annotated[str, TEXT]


def owner_rows(key: str, segments: Sequence[Segment], end: int) -> list[OwnerRow]:
    """Return the rows of a key's segments, of which the last one ends at `end`."""
    untils = [*[segment.since - 1 for segment in segments[1:]], end]
    rows = []
    for (since, holder, why, stretch), until in zip(segments, untils, strict=True):
        trust, source, event_id = ("", "", "") if stretch is None else (stretch.trust, stretch.source, stretch.event_id)
        rows.append(OwnerRow(key, since, until, holder or key, why, trust, source, event_id))
    return rows


class AsideRow(NamedTuple):
    """A touchpoint of a key that its journeys don't show, and where it is instead.

    `keys` is the touchpoint's key (`journey.step.event_key`), `steps` it alone. `via` and `sender` are its
    `Step.origin`. `holder` is to whom it was transferred, else empty.
    """

    key: Annotated[str, TEXT]
    at: Annotated[int, MOMENT]
    keys: Annotated[bytes, BYTES]
    via: Annotated[str, TEXT]
    sender: Annotated[str, TEXT]
    place: Annotated[str, enumeration(TRANSFERRED, COPY, OMITTED)]
    holder: Annotated[str, TEXT]
    steps: Annotated[Steps, STEPS]

    @property
    def step(self) -> Step:
        """Return the touchpoint."""
        return self.steps.items[0]


def aside_row(key: str, step: Step, place: str, holder: str = "") -> AsideRow:
    """Return the row of a touchpoint that a key's journeys don't show."""
    via, sender = step.origin
    return AsideRow(key, step.at, step.key, via, sender, place, holder, Steps([step]))


class RestatementRow(NamedTuple):
    """What is to be restated of a key: its touchpoints from `since` to `until`, as far as they have another holder now.

    `rebuild` says that its stretches have to be made anew first, `refold` that its scores have to.
    """

    key: Annotated[str, TEXT]
    since: Annotated[int, MOMENT]
    until: Annotated[int, MOMENT]
    rebuild: Annotated[bool, BOOLEAN]
    refold: Annotated[bool, BOOLEAN]

    def joined_to(self, other: RestatementRow | None) -> RestatementRow:
        """Return what does the work of both."""
        if other is None:
            return self
        return RestatementRow(
            self.key,
            min(self.since, other.since),
            max(self.until, other.until),
            self.rebuild or other.rebuild,
            self.refold or other.refold,
        )


class _Keyed(Protocol):
    @property
    def key(self) -> str: ...


R = TypeVar("R", bound=_Keyed)


def by_key(rows: Iterable[R]) -> dict[str, list[R]]:
    """Return rows by the key that they are of."""
    grouped: dict[str, list[R]] = {}
    for row in rows:
        grouped.setdefault(row.key, []).append(row)
    return grouped


#: Number of rows of omitted touchpoints among which are enough for a journey to show; it can show those of some rows.
MORE_FOLLOWING = 3 * KEPT_EACH_END

NAMING = Table("identity_naming", NamingRow, key=("event_id", "source", "key", "target", "at"))
STRETCH = Table("identity_stretch", StretchRow, key=("key", "target", "trust", "started_at"))
CORRECTION = Table("identity_correction", CorrectionRow, key=("partition", "key", "source", "event_id", "at", "kind"))
OWNER = Table("identity_owner", OwnerRow, key=("key", "since"))
ASIDE = Table("identity_touchpoint", AsideRow, key=("key", "at", "keys", "via", "sender"))
RESTATEMENT = Table("identity_restatement", RestatementRow, key=("key",))
TABLES: Sequence[Table[NamedTuple]] = (NAMING, STRETCH, CORRECTION, OWNER, ASIDE, RESTATEMENT)  # type: ignore[assignment]
