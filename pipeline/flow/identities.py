"""identify: who is who changes with events and with what other partitions tell, and touchpoints go to their holders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.flow.cases import JoinedChange
from pipeline.flow.exchange import Corrected, Message, Named, Transferred
from pipeline.flow.identity_effects import IdentityChanges, IdentityEffects
from pipeline.flow.identity_rows import OMITTED, RestatementRow, aside_row, by_key, owner_rows
from pipeline.flow.joined_customer import JoinedCustomer, Readmit
from pipeline.flow.portions import at_once, is_small
from pipeline.flow.scoring import Scoring
from pipeline.flow.state import Customer, Partition
from pipeline.flow.telling import namings_of
from pipeline.flow.values import AdmittedSlice, Restatement
from pipeline.identity.correction import Correction
from pipeline.identity.correction_log import CorrectionLog
from pipeline.identity.key_identity import KeyIdentity, customer_segments
from pipeline.identity.naming import Naming
from pipeline.identity.policy import IdentityPolicy
from pipeline.identity.segments import BEGINNING, END, UNKNOWN, Segment, differences
from pipeline.journey.admitted import Admitted
from pipeline.journey.journey import Journey


class IdentityRules(NamedTuple):
    """What identity goes by. `readmit` makes an admitted touchpoint of a customer's step again.

    `partitions` is the number of partitions of the topics, `ledger` the id of the tables.
    """

    policy: IdentityPolicy
    readmit: Readmit
    partitions: int
    ledger: str


class Identities:
    """Who is who in one batch of a partition.

    The customers of all keys that the slice names must be in memory.
    """

    def __init__(self, partition: Partition, admitted: AdmittedSlice, rules: IdentityRules) -> None:
        self._partition, self._admitted, self._rules = partition, admitted, rules
        self._log_before = partition.log
        self._aside = by_key(admitted.aside)
        self._joined: dict[str, JoinedCustomer] = {}
        #: The scores that were made anew, by customer.
        self._refolded: dict[str, Mapping[str, Any]] = {}
        self.effects = IdentityEffects()
        #: Number of touchpoints that may still be restated in this batch, beside those that it was made for.
        self._restatable = at_once(sum([_items(message) for message in admitted.messages]))
        #: Number of changes that came too late to restate what was before.
        self.final = 0
        #: What changed for the customers that were dealt with, once it is finished.
        self.changed: list[JoinedChange] = []

    def learn(self) -> None:
        """Tell other partitions what events name, learn what they tell, and hand touchpoints over."""
        untold = self._admitted.untold
        for key, told in (namings_of(self._admitted.admitted) if untold is None else untold).items():
            self.effects.tell_namings(key, told)
        for correction in self._admitted.corrections:
            self.effects.tell_correction(correction)
        self._learn_corrections_of_all()
        self._learn_of_keys()
        for restatement in self._admitted.restatements:
            self._restate(restatement)
        for message in self._admitted.messages:
            self._hand_over(message)

    def _learn_corrections_of_all(self) -> None:
        corrections = [
            each.correction for each in self._admitted.messages if isinstance(each, Corrected) and each.key is None
        ]
        self._partition.log = self._log_before.with_added(corrections)
        for each in corrections:
            self.effects.put_correction("", each)
        for key in self._admitted.concerned:
            self._restate_later(RestatementRow(key, BEGINNING, END, rebuild=True, refold=False))

    def _learn_of_keys(self) -> None:
        namings: dict[str, list[Naming]] = {}
        corrections: dict[str, list[Correction]] = {}
        for message in self._admitted.messages:
            if isinstance(message, Named):
                namings.setdefault(message.key, []).extend(message.namings)
            elif isinstance(message, Corrected) and message.key is not None:
                corrections.setdefault(message.key, []).append(message.correction)
        for those in namings.values():
            self.effects.count_namings(those)
        for key in {**namings, **corrections}:
            self._learn_of_key(key, namings.get(key, ()), corrections.get(key, ()))

    def _learn_of_key(self, key: str, namings: Sequence[Naming], corrections: Iterable[Correction]) -> None:
        customer = self._partition.customers[key]
        identity = customer.identity
        if identity is None:
            identity = customer.identity = KeyIdentity(key)
        stretches, before = identity.stretches, self._segments_before(customer)
        was_overfull, must_rebuild = identity.is_overfull, False
        for correction in corrections:
            self.effects.put_correction(key, correction)
            must_rebuild |= identity.correct(correction)
        identity.add(namings, self._partition.log, self._rules.policy)
        if not identity.is_overfull:
            self.effects.put_namings(key, namings)
        elif not was_overfull:
            self.effects.forget_namings(key)
        self.effects.put_stretches(key, stretches, identity.stretches)
        after = self.segments(customer)
        self.effects.put_owners(key, owner_rows(key, before, END), after)
        if must_rebuild:
            self._restate_later(RestatementRow(key, BEGINNING, END, rebuild=True, refold=False))
        elif (span := differences(before, after)) is not None:
            self._restate_soon(customer, RestatementRow(key, *span, rebuild=False, refold=False))

    def _restate_soon(self, customer: Customer, row: RestatementRow) -> None:
        """Restate touchpoints in this batch if they are few and in memory; else note that they are to be restated."""
        if customer.has_none_since(row.since):
            return  # as when it is known for longer now that the key is held
        bounded = self._bounded(row)
        waits = row.key in self._partition.restatements
        if waits or bounded.since > bounded.until or not is_small(customer, bounded, self._restatable):
            self._join_restatement(bounded)
            return
        self._restatable -= sum([journey.touchpoints for journey in customer.journeys])
        self.of(customer).restate(bounded.since, bounded.until)

    def _restate_later(self, row: RestatementRow) -> None:
        self._join_restatement(self._bounded(row))

    def _bounded(self, row: RestatementRow) -> RestatementRow:
        """Return what may be restated: touchpoints that are older than `final_after` stay where they are."""
        earliest = self._partition.watermark - self._rules.policy.final_after_ms
        self.final += row.since < earliest and not row.rebuild and row.since != BEGINNING
        return row if row.refold else row._replace(since=max(row.since, earliest))

    def _join_restatement(self, row: RestatementRow) -> None:
        self._put_restatement(row.joined_to(self._partition.restatements.get(row.key)))

    def _restate(self, restatement: Restatement) -> None:
        row, until, namings, owners, scores = restatement
        customer = self._partition.customers[row.key]
        if namings is not None:
            identity = customer.identity
            if identity is not None:
                stretches = identity.stretches
                identity.rebuild(namings, self._partition.log, self._rules.policy)
                self.effects.put_stretches(row.key, stretches, identity.stretches)
            self.effects.put_owners(row.key, owners, self.segments(customer))
        if row.since <= until:
            self.of(customer).restate(row.since, until)
        if scores is not None:
            self._refolded[row.key] = scores
        del self._partition.restatements[row.key]
        if until < row.until:
            self._put_restatement(row._replace(since=until + 1, rebuild=False))
        elif row.refold and scores is None:
            self._put_restatement(RestatementRow(row.key, END, BEGINNING, rebuild=False, refold=True))
        else:
            self.effects.drop_restatement(row.key)

    def _put_restatement(self, row: RestatementRow) -> None:
        """Put a key behind those that wait already."""
        self._partition.restatements[row.key] = row
        self.effects.put_restatement(row)

    def _hand_over(self, message: Message) -> None:
        if isinstance(message, (Named, Corrected)):
            return
        joined = self.of(self._partition.customers[message.key])
        if isinstance(message, Transferred):
            for step in message.steps:
                joined.add(step)
        else:
            for at, event_key, via in message.places:
                joined.withdraw(at, event_key, (via, message.sender))

    def concerns(self, customer: Customer) -> bool:
        """Return whether a customer has to be dealt with here."""
        return customer.is_joined or customer.key in self._joined or customer.key in self._partition.log.survivors

    def add(self, customer: Customer, arrived: Iterable[Admitted], duplicates: list[Admitted]) -> None:
        """Add a customer's own touchpoints; those that were there before go into `duplicates`."""
        joined = self.of(customer)
        duplicates += [event for event in arrived if not joined.add(event.step)]

    def of(self, customer: Customer) -> JoinedCustomer:
        """Return what changes a customer's touchpoints in this batch."""
        known = self._joined.get(customer.key)
        if known is None:
            known = self._joined[customer.key] = JoinedCustomer(
                customer,
                self.segments(customer),
                self._aside.get(customer.key, ()),
                self.effects,
                self._rules.readmit,
                self._partition.batches + 1,
            )
        return known

    def segments(self, customer: Customer) -> Sequence[Segment]:
        """Return who holds a customer's key over time."""
        return segments_of(customer, self._partition.log, self._rules.policy)

    def _segments_before(self, customer: Customer) -> Sequence[Segment]:
        return segments_of(customer, self._log_before, self._rules.policy)

    def finish(self, changed: list[Journey], scoring: Scoring) -> list[Customer]:
        """Change journeys and scores; return the customers that were dealt with."""
        customers = self._partition.customers
        for key, joined in self._joined.items():
            customer = customers[key]
            removed, added = joined.finish(changed)
            self.changed.append(JoinedChange(key, removed, added))
            if customer.is_empty:
                scoring.replace(customer, {})
            elif removed is None:
                if added is not None:
                    scoring.score(customer, added)
            elif not scoring.rescore(customer, removed, added) or not customer.knows_last:
                self._restate_later(RestatementRow(key, END, BEGINNING, rebuild=False, refold=True))
        for key, states in self._refolded.items():
            scoring.replace(customers[key], states)
        return [customers[key] for key in {**self._joined, **self._refolded}]

    def changes(self, direct_to: Collection[int]) -> IdentityChanges | None:
        """Return what the batch changes in who is who; messages for `direct_to` go there directly."""
        return self.effects.changes(self._rules.partitions, self._rules.ledger, direct_to)

    def put_dropped(self, changed: Iterable[Journey]) -> None:
        """Write the touchpoints that long journeys leave out of their steps, so that they can be given back."""
        for journey in changed:
            for step in journey.dropped:
                self.effects.put_aside(aside_row(journey.customer, step, OMITTED))
                self._partition.customers[journey.customer].put_aside(step.at)


def _items(message: Message) -> int:
    return len(message.namings) if isinstance(message, Named) else 1


def segments_of(customer: Customer, log: CorrectionLog, policy: IdentityPolicy) -> Sequence[Segment]:
    """Return who holds a customer's key over time."""
    if customer.key.startswith("customer:"):
        return customer_segments(customer.key, log) if log.survivors else UNKNOWN
    return UNKNOWN if customer.identity is None else customer.identity.segments(log, policy)
