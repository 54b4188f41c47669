"""An admitted slice into one batch of effects.

identify ▶ dedupe ▶ sessionize ▶ score ▶ advance event time ▶ revise ▶ count ▶ keep answers ▶ follow cases
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from pipeline.flow.cases import case_changes
from pipeline.flow.counts import count_channels, count_touchpoints, count_types
from pipeline.flow.dedupe import drop_duplicates, group_by_customer, without
from pipeline.flow.feedback import feedback_of
from pipeline.flow.identities import Identities, IdentityRules
from pipeline.flow.revisions import revise
from pipeline.flow.scoring import Scoring
from pipeline.flow.sessions import sessionize
from pipeline.flow.state import Partition
from pipeline.flow.values import AdmittedSlice, Batch
from pipeline.flow.watermark import advance_watermark, close_passed
from pipeline.identity.segments import END
from pipeline.journey.admitted import Admitted
from pipeline.journey.journey import Journey
from pipeline.scores.protocol import ActiveScore

#: Journeys are loaded from this long before a customer's first event of a slice, so that a little lateness loads
#: nothing more.
_LOAD_BACK_MS = 6 * 3_600_000


def customers_to_load(partition: Partition, admitted: AdmittedSlice) -> dict[str, int]:
    """Return the customers that `advance` needs and memory lacks, with the time from which their journeys are needed.

    Times are epoch milliseconds; `END` stands for the latest few journeys.
    """
    known = partition.customers
    needed = dict(admitted.due)
    for event in admitted.admitted:
        at = needed.get(event.customer)
        if at is None or event.step.at < at:
            needed[event.customer] = event.step.at
    # Of earlier journeys, these need but some; see `identity_needs.windows_to_load`.
    for message in admitted.messages:
        if message.key is not None:
            needed.setdefault(message.key, END)
    for row, *_ in admitted.restatements:
        needed.setdefault(row.key, END)
    return {
        key: at if at == END else at - _LOAD_BACK_MS
        for key, at in needed.items()
        if (customer := known.get(key)) is None or at < customer.known_from
    }


def advance(
    partition: Partition,
    admitted: AdmittedSlice,
    *,
    now_ms: int,
    grace_ms: int,
    scores: Sequence[ActiveScore],
    identity: IdentityRules | None = None,
    direct_to: Collection[int] = (),
) -> Batch:
    """Return all effects of a slice: journeys, scores, counts, and event time.

    Everybody named by `customers_to_load` must be in `partition.customers`. `now_ms` is the clock, which event time
    never passes, and which event time follows where the slice is idle. Without `scores` only journeys are made, without
    `identity` each key is a customer of its own. What the partitions `direct_to` are told is not for the exchange
    topic. The partition's state is changed: after a batch that could not be committed it is void.
    """
    customers = partition.customers
    touched = {key: customers[key] for key in admitted.due if key in customers}
    changed: list[Journey] = []
    duplicates: list[Admitted] = []
    scoring = Scoring(scores)
    identities = None if identity is None else Identities(partition, admitted, identity)
    if identities is not None:
        identities.learn()
    for key, arrived in group_by_customer(admitted.admitted).items():
        customer = customers[key]
        if identities is not None and identities.concerns(customer):
            identities.add(customer, arrived, duplicates)
        elif events := drop_duplicates(customer.journeys, arrived, duplicates):
            touched[key] = customer
            scoring.score(customer, sessionize(customer, events, changed))
    joined = [] if identities is None else identities.finish(changed, scoring)
    touched |= {customer.key: customer for customer in joined}
    fresh = without(admitted.admitted, duplicates)
    event_time = advance_watermark(fresh, partition.watermark, now_ms=now_ms, grace_ms=grace_ms)
    watermark = max(event_time.watermark, now_ms) if admitted.is_idle else event_time.watermark
    only_closed = close_passed(touched.values(), watermark, grace_ms, changed)
    if identities is not None:
        identities.put_dropped(changed)
    revisions = revise(changed)
    by_type = count_types(fresh)
    partition.next_offset = admitted.next_offset
    if admitted.next_exchange_offset is not None:
        partition.next_exchange_offset = admitted.next_exchange_offset
    partition.batches += 1
    partition.watermark = watermark
    for customer in [each for each in joined if not each.knows_last]:
        del touched[customer.key]
        partition.forget(customer.key)
    partition.touch(touched.values(), now_ms)
    return Batch(
        partition=partition.number,
        next_offset=admitted.next_offset,
        watermark=watermark,
        journeys=revisions.rows,
        scores=scoring.rows,
        counts=count_touchpoints(fresh, by_type) if scores else (),
        feedback=feedback_of(fresh),
        case_changes=case_changes(fresh, () if identities is None else identities.changed),
        refused=admitted.refused,
        forwarded=admitted.forwarded,
        processed=len(fresh),
        duplicates=len(duplicates),
        late=event_time.late,
        by_channel=count_channels(by_type),
        opened=revisions.opened,
        closed=revisions.closed,
        merged=revisions.merged,
        moved=revisions.moved,
        open_change=revisions.open_change,
        only_closed=only_closed,
        next_exchange_offset=partition.next_exchange_offset,
        removed_scores=scoring.removed,
        identity=None if identities is None else identities.changes(direct_to),
        corrections=len(admitted.corrections),
        final=0 if identities is None else identities.final,
    )
