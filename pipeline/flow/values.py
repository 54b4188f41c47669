"""The values that travel through the flow, named for what has been done to them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from typing import Any, NamedTuple, Protocol

from pipeline.cases.case import CaseChange
from pipeline.cases.row import CaseRow
from pipeline.contract.reject import Rejected
from pipeline.flow.count_row import TouchpointCountRow
from pipeline.flow.exchange import Barrier, Message
from pipeline.flow.feedback import NO_FEEDBACK, Feedbacks
from pipeline.flow.identity_effects import IdentityChanges
from pipeline.flow.identity_rows import AsideRow, OwnerRow, RestatementRow
from pipeline.identity.correction import Correction
from pipeline.identity.naming import Naming
from pipeline.journey.admitted import Admitted
from pipeline.journey.row import JourneyRow

Headers = Sequence[tuple[str, bytes]]


class Received(Protocol):
    """A record as it came from the topic; `timestamp` is the time of its append, in epoch milliseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Headers


class Refused(NamedTuple):
    """A record that goes to quarantine, and why."""

    record: Received
    why: Rejected


class Forwarded(NamedTuple):
    """A record that came with the wrong key, and is sent on with this one."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Restatement(NamedTuple):
    """A part of a restatement that is waiting: touchpoints up to `until`, inclusive.

    `namings` are all of the key where its stretches have to be made anew, else None; `owners` are its rows then.
    `scores` are the states of its scores where they were made anew, else None.
    """

    row: RestatementRow
    until: int
    namings: Sequence[Naming] | None = None
    owners: Sequence[OwnerRow] = ()
    scores: Mapping[str, Any] | None = None


class AdmittedSlice(NamedTuple):
    """A slice whose records are decoded, validated and routed. `next_offset` is the offset after the slice.

    `corrections` are those among its records. What other partitions tell are `messages`, with `barriers` between them,
    and `next_exchange_offset` is the offset after them in the exchange topic; None if they did not come from there.
    `untold` are the namings of events that other partitions are to be told; None: all of them. `concerned` are the keys
    for which corrections among them change something. `aside` has the rows of touchpoints that
    are needed and that journeys don't show. `restatements` are those that are to be made now.

    The clock makes one without records: `due` are customers whose journeys may have to be closed, with the start of the
    earliest one (epoch milliseconds). `is_idle` says that event time follows the clock, since all records of the
    partition are processed.
    """

    partition: int
    next_offset: int
    admitted: Sequence[Admitted] = ()
    refused: Sequence[Refused] = ()
    forwarded: Sequence[Forwarded] = ()
    due: Mapping[str, int] = {}
    is_idle: bool = False
    corrections: Sequence[Correction] = ()
    messages: Sequence[Message] = ()
    barriers: Sequence[Barrier] = ()
    next_exchange_offset: int | None = None
    untold: Mapping[str, Sequence[Naming]] | None = None
    concerned: Collection[str] = ()
    aside: Sequence[AsideRow] = ()
    restatements: Sequence[Restatement] = ()


class Batch(NamedTuple):
    """All effects of a slice: what one transaction commits and what is published afterwards.

    `watermark` is the partition's event time (epoch milliseconds, 0 before the first event). `scores` has the rows of
    each score by its table's name, `removed_scores` the customers that have none any more. `late` and `by_channel`
    count touchpoints by channel. `open_change` is the change in the number of open journeys. `only_closed` are the ids
    of journeys of which nothing else has changed since the last revision. `identity` is what changes in who is who;
    `final` counts changes that came too late to restate all of what was before. `case_changes` say what changes in
    cases; `cases` are their rows after that.
    """

    partition: int
    next_offset: int
    watermark: int
    journeys: Sequence[JourneyRow] = ()
    scores: Mapping[str, Sequence[Any]] = {}
    counts: Sequence[TouchpointCountRow] = ()
    feedback: Feedbacks = NO_FEEDBACK
    refused: Sequence[Refused] = ()
    forwarded: Sequence[Forwarded] = ()
    processed: int = 0
    duplicates: int = 0
    late: Mapping[str, int] = {}
    by_channel: Mapping[str, int] = {}
    opened: int = 0
    closed: int = 0
    merged: int = 0
    moved: int = 0
    open_change: int = 0
    only_closed: Set[str] = frozenset()
    next_exchange_offset: int | None = None
    removed_scores: Mapping[str, Sequence[str]] = {}
    identity: IdentityChanges | None = None
    corrections: int = 0
    final: int = 0
    case_changes: Sequence[CaseChange] = ()
    cases: Sequence[CaseRow] = ()
