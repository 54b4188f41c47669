"""dedupe ▶ sessionize ▶ score: an admitted slice into one batch of effects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.churn.model import ChurnModel
from pipeline.flow.scores import churn_row, satisfaction_row
from pipeline.flow.state import Customer, Partition
from pipeline.flow.values import Admission, Admitted, Batch, JourneyRow, Traits
from pipeline.journey.journey import Journey
from pipeline.journey.sessionize import place
from pipeline.journey.step import Step
from pipeline.satisfaction.estimate import add
from pipeline.satisfaction.model import SatisfactionModel

#: How far before a customer's first event of a batch journeys are loaded, so that a little lateness loads nothing more.
_LOAD_BACK_MS = 6 * 3_600_000

#: What is counted of a touchpoint (stage × channel × kind), in this order; plain sums, so that partitions add up.
COUNTS = (
    "events", "answers", "satisfied", "score_sum", "failures", "abandoned",
    "waits", "wait_ms_sum", "durations", "duration_ms_sum",
)  # fmt: skip


class Models(NamedTuple):
    """The versioned parameters that scores draw on."""

    satisfaction: SatisfactionModel
    churn: ChurnModel


def wanted(partition: Partition, admission: Admission, due: Mapping[str, int]) -> dict[str, int]:
    """Whom the ledger must be asked for before `advance`: customer → from which time on journeys are needed.

    `due` are customers with a journey to close, and the start of that journey.
    """
    known = partition.customers
    needed = dict(due)
    for event in admission.admitted:
        at = needed.get(event.customer)
        if at is None or event.step.at < at:
            needed[event.customer] = event.step.at
    return {
        key: at - _LOAD_BACK_MS
        for key, at in needed.items()
        if (customer := known.get(key)) is None or at < customer.known_from
    }


def advance(
    partition: Partition,
    admission: Admission,
    *,
    due: Iterable[str] = (),
    now_ms: int,
    idle: bool = False,
    grace_ms: int,
    models: Models,
) -> Batch:
    """Put a slice's touchpoints into their journeys, score whom they touch, and move event time on.

    Everybody whom `wanted` named must be in `partition.customers` by now. `due` are further customers whose journeys
    may have to be closed. `now_ms` is the clock: event time never goes beyond it, lest a producer whose clock is ahead
    closes everybody's journeys; and it is event time for a partition that is `idle`, with all of its events processed.
    The partition's state is changed: a batch that could not be committed makes it void.
    """
    customers = partition.customers
    watermark = partition.watermark
    seen: dict[str, Customer] = {}
    answered: set[str] = set()
    changed: list[Journey] = []
    counts: dict[Traits, list[int]] = {}
    late: Counter[str] = Counter()
    by_channel: Counter[str] = Counter()
    duplicates = 0

    for event in admission.admitted:
        name, until, step, traits, answer = event
        customer = customers[name]
        placed = place(customer.journeys, name, step, until, traits.begun_by_customer)
        if placed is None:
            duplicates += 1
            continue
        journey, absorbed, visits = placed
        by_channel[step.channel] += 1
        if until + grace_ms < watermark:
            late[step.channel] += 1
        elif step.at > watermark:
            watermark = max(watermark, min(step.at, now_ms))
        seen[name] = customer
        if not journey.changed:
            journey.changed = True
            changed.append(journey)
        for other in absorbed:
            if not other.changed:
                other.changed = True
                changed.append(other)
        _count(counts, event)
        if answer is not None:
            customer.answers = add(customer.answers, step.at, answer.millipoints, models.satisfaction)
            answered.add(name)
        customer.visits += visits
        if traits.begun_by_customer:
            customer.was_active(step.at, traits.closes_account)

    if idle:
        watermark = max(watermark, now_ms)
    touched = {key: customers[key] for key in due if key in customers} | seen
    opened = closed = merged = open_change = 0
    for customer in touched.values():
        for journey in customer.journeys:
            is_open = journey.covers_until + grace_ms >= watermark
            if is_open != journey.open:
                journey.open = is_open
                if not journey.changed:
                    journey.changed = True
                    changed.append(journey)
    rows = []
    for journey in changed:
        journey.changed = False
        if journey.merged_into is not None and not journey.revision:
            continue  # it came and went within this batch; nobody has heard of it
        journey.revision += 1
        opened += journey.revision == 1
        merged += journey.merged_into is not None
        closed += journey.merged_into is None and not journey.open and (journey.was_open or journey.revision == 1)
        open_change += journey.open - journey.was_open
        journey.was_open = journey.open
        rows.append(_journey_row(journey))
    batch = Batch(
        partition=partition.number,
        next_offset=admission.next_offset,
        watermark=watermark,
        journeys=rows,
        satisfaction=[satisfaction_row(customers[name], models.satisfaction) for name in answered],
        churn=[row for customer in seen.values() if (row := churn_row(customer, models.churn)) is not None],
        counts=counts,
        refused=admission.refused,
        forwarded=admission.forwarded,
        processed=len(admission.admitted) - duplicates,
        duplicates=duplicates,
        late=late,
        by_channel=by_channel,
        opened=opened,
        closed=closed,
        merged=merged,
        open_change=open_change,
    )
    partition.next_offset = admission.next_offset
    partition.watermark = watermark
    partition.touch(touched.values(), now_ms)
    return batch


def _journey_row(journey: Journey) -> JourneyRow:
    steps = tuple(journey.steps)
    return JourneyRow(
        journey_id=journey.journey_id,
        customer=journey.customer,
        revision=journey.revision,
        status=journey.status,
        started_at=journey.started_at,
        ended_at=journey.ended_at,
        covers_until=journey.covers_until,
        touchpoints=len(journey.keys),
        channels=dict(journey.channels),
        outcome=journey.outcome,
        failures=journey.failures,
        abandoned=journey.abandoned,
        begun_by_customer=journey.begun_by_customer,
        steps=steps,
        steps_omitted=len(journey.keys) - len(steps),
        merged_into=journey.merged_into,
        keys=_keys(journey, steps),
    )


def _keys(journey: Journey, steps: tuple[Step, ...]) -> bytes:
    """The keys of all touchpoints: first those of the steps, in their order, then those of steps left out, sorted."""
    # What was sorted for the last revision is gone over quickly; a journey can have a million of them.
    journey.omitted.sort()
    return b"".join([*[step.key for step in steps], *journey.omitted])


def _count(counts: dict[Traits, list[int]], event: Admitted) -> None:
    step, answer = event.step, event.answer
    sums = counts.get(event.traits)
    if sums is None:
        sums = counts[event.traits] = [0] * len(COUNTS)
    sums[0] += 1
    if step.outcome == "failed":
        sums[4] += 1
    elif step.outcome == "abandoned":
        sums[5] += 1
    if step.wait_ms is not None:
        sums[6] += 1
        sums[7] += step.wait_ms
    if step.duration_ms is not None:
        sums[8] += 1
        sums[9] += step.duration_ms
    if answer is not None:
        judged = counts.setdefault(answer.about, [0] * len(COUNTS))
        judged[1] += 1
        judged[2] += answer.satisfied
        judged[3] += answer.millipoints
