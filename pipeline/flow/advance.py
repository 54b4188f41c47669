"""dedupe ▶ sessionize ▶ score: an admitted slice into one batch of effects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pipeline.churn.model import ChurnModel
from pipeline.flow.scores import churn_row, satisfaction_row
from pipeline.flow.state import Customer, Partition
from pipeline.flow.values import Admission, Admitted, Batch, JourneyRow, Traits
from pipeline.journey.journey import Journey
from pipeline.journey.sessionize import join, repeated
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
    models: Models | None,
) -> Batch:
    """Put a slice's touchpoints into their journeys, score whom they touch, and move event time on.

    Everybody whom `wanted` named must be in `partition.customers` by now. `due` are further customers whose journeys
    may have to be closed. `now_ms` is the clock: event time never goes beyond it, lest a producer whose clock is ahead
    closes everybody's journeys; and it is event time for a partition that is `idle`, with all of its events processed.
    Without `models` there are journeys only, and no scores. The partition's state is changed: a batch that could not be
    committed makes it void.
    """
    customers = partition.customers
    seen: dict[str, Customer] = {}
    answered: set[str] = set()
    changed: list[Journey] = []
    duplicates: set[int] = set()
    by_customer: defaultdict[str, list[Admitted]] = defaultdict(list)
    for event in admission.admitted:
        by_customer[event[0]].append(event)
    for name, events in by_customer.items():
        customer = customers[name]
        if not _in_order(events):
            # By time and key alone: of duplicates that say different things, the one that came first counts.
            events.sort(key=lambda event: event[2][:2])
        steps = [event[2] for event in events]
        if places := repeated(customer.journeys, steps, max([event[1] for event in events])):
            duplicates.update([id(events[place]) for place in places])
            events = [event for event in events if id(event) not in duplicates]
            if not events:
                continue
        seen[name] = customer
        _sessionize(customer, events, changed)
        if models is not None:
            for event in events:
                if event[4] is not None:
                    customer.answers = add(customer.answers, event.step.at, event[4].millipoints, models.satisfaction)
                    answered.add(name)
    admitted = admission.admitted
    if duplicates:
        admitted = [event for event in admitted if id(event) not in duplicates]
    watermark, late = _event_time(admitted, partition.watermark, now_ms, grace_ms)
    if idle:
        watermark = max(watermark, now_ms)
    touched = {key: customers[key] for key in due if key in customers} | seen
    opened = closed = merged = open_change = 0
    only_closed: set[str] = set()
    for customer in touched.values():
        for journey in customer.journeys:
            is_open = journey.covers_until + grace_ms >= watermark
            if is_open != journey.open:
                journey.open = is_open
                if not journey.changed:
                    journey.changed = True
                    changed.append(journey)
                    if not is_open:
                        only_closed.add(journey.journey_id)
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
        satisfaction=[satisfaction_row(customers[name], models.satisfaction) for name in answered] if models else [],
        churn=[r for each in seen.values() if (r := churn_row(each, models.churn)) is not None] if models else [],
        counts=_counts(admitted) if models else {},
        refused=admission.refused,
        forwarded=admission.forwarded,
        processed=len(admitted),
        duplicates=len(duplicates),
        late=late,
        by_channel=Counter([event.step.channel for event in admitted]),
        opened=opened,
        closed=closed,
        merged=merged,
        open_change=open_change,
        only_closed=only_closed,
    )
    partition.next_offset = admission.next_offset
    partition.watermark = watermark
    partition.touch(touched.values(), now_ms)
    return batch


def _in_order(events: list[Admitted]) -> bool:
    """Whether each happened after the one before."""
    last = -1
    for event in events:
        at = event[2][0]
        if at <= last:
            return False
        last = at
    return True


def _sessionize(customer: Customer, events: list[Admitted], changed: list[Journey]) -> None:
    """Put a customer's new touchpoints, in order, into their journeys; `changed` gets those that it changes."""
    run = [events[0].step]
    reach, begun = events[0].until, events[0].traits.begun_by_customer
    for _, until, step, traits, _ in events[1:]:
        if step[0] > reach:
            _join(customer, run, reach, begun, changed)
            run, reach, begun = [step], until, traits[5]
            continue
        run.append(step)
        if until > reach:
            reach = until
        begun = begun or traits[5]
    _join(customer, run, reach, begun, changed)
    if begun_at := [event[2][0] for event in events if event[3][5]]:
        customer.was_active(begun_at[0])
        customer.was_active(begun_at[-1])
    if closed_at := [event[2][0] for event in events if event[3][6] and event[3][5]]:
        customer.closed_account(closed_at[-1])


def _join(customer: Customer, run: list[Step], until: int, begun: bool, changed: list[Journey]) -> None:
    journey, absorbed, visits = join(customer.journeys, customer.key, run, until, begun)
    customer.visits += visits
    for each in (journey, *absorbed):
        if not each.changed:
            each.changed = True
            changed.append(each)


def _event_time(events: Sequence[Admitted], watermark: int, now_ms: int, grace_ms: int) -> tuple[int, Counter[str]]:
    """Event time after events in the order of their arrival, and how many came late, by channel."""
    late = []
    for event in events:
        at = event[2][0]
        if at > watermark:
            watermark = max(watermark, min(at, now_ms))
        elif event[1] + grace_ms < watermark:
            late.append(event[2][2])
    return watermark, Counter(late)


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


def _counts(events: Sequence[Admitted]) -> dict[Traits, list[int]]:
    """What is counted of each touchpoint, by `COUNTS`."""
    counts: defaultdict[Traits, list[int]] = defaultdict(lambda: [0] * len(COUNTS))
    for (traits, outcome), n in Counter([(event[3], event[2][5]) for event in events]).items():
        sums = counts[traits]
        sums[0] += n
        if outcome == "failed":
            sums[4] += n
        elif outcome == "abandoned":
            sums[5] += n
    for _, _, step, traits, answer in events:
        if step[6] is not None:
            sums = counts[traits]
            sums[6] += 1
            sums[7] += step[6]
        if step[7] is not None:
            sums = counts[traits]
            sums[8] += 1
            sums[9] += step[7]
        if answer is not None:
            judged = counts[answer.about]
            judged[1] += 1
            judged[2] += answer.satisfied
            judged[3] += answer.millipoints
    return dict(counts)
