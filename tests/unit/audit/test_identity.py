"""The audit's computation of identity agrees with its definition, evaluated moment by moment, whatever there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.audit.identity.corrections import effective, survivors
from pipeline.audit.identity.owners import holder, owner
from pipeline.audit.identity.records import Correction, IdentityRules, Naming, TypeRules, rank
from pipeline.audit.identity.segments import Segment, segments

#: All times are whole units, so whatever changes, changes at a whole unit or a millisecond after it.
UNIT = 10 * 86_400_000
SHARED = 3 * UNIT
MOMENTS = [unit * UNIT + beside for unit in range(-12, 28) for beside in (-1, 0, 1)]
KEY = "anonymous:a"
CUSTOMERS = ["customer:a", "customer:b", "customer:c", "customer:d"]
TARGETS = [*CUSTOMERS[:3], "email:x"]

times = st.integers(0, 12).map(lambda unit: unit * UNIT)
sources = st.sampled_from(["s", "t"])
event_ids = st.sampled_from([f"e{n}" for n in range(5)])
kinds = st.sampled_from(["identity_retracted", "identity_ended", "customer_merged", "customer_split"])
trusts = st.sampled_from(["verified", "verified", "declared", "none"])
spans = st.none() | st.integers(0, 6).map(lambda unit: unit * UNIT)


@st.composite
def some_namings(draw: st.DrawFn, key: str = KEY) -> Naming:
    stronger = [target for target in TARGETS if rank(target) < rank(key)]
    return Naming(key, draw(st.sampled_from(stronger)), draw(trusts), draw(times), draw(sources), draw(event_ids))


@st.composite
def some_corrections(draw: st.DrawFn) -> Correction:
    kind, own = draw(kinds), draw(st.sampled_from([*CUSTOMERS, "email:x"]))
    weaker = draw(st.lists(st.sampled_from([KEY, "anonymous:b"]), unique=True))
    subject = draw(st.none() | event_ids)
    other = draw(st.sampled_from(CUSTOMERS)) if kind == "customer_merged" else None
    return Correction(kind, draw(times), draw(sources), draw(event_ids), (*weaker, own), own, subject, other)


@st.composite
def some_rules(draw: st.DrawFn) -> IdentityRules:
    own = TypeRules(draw(spans), draw(spans), draw(st.integers(1, 4)))
    return IdentityRules(draw(st.integers(0, 2)) * UNIT, {"anonymous": own, "email": own})


lists_of_namings = st.lists(some_namings(), max_size=12)
#: One event has one content; copies of it are not told apart.
lists_of_corrections = st.lists(some_corrections(), max_size=8, unique_by=lambda each: each.order)
erasures = st.sets(st.sampled_from(CUSTOMERS), max_size=1).map(
    lambda customers: {customer: f"erased:{customer[-1]}" for customer in customers}
)


def is_valid(one: Correction, every: list[Correction]) -> bool:
    return not any(
        later.order > one.order
        and (later.source, later.subject) == (one.source, one.event_id)
        and (later.kind == "identity_retracted" or (later.kind == "customer_split" and one.kind == "customer_merged"))
        and is_valid(later, every)
        for later in every
    )


def is_void(naming: Naming, valid: list[Correction]) -> bool:
    return any(
        each.kind == "identity_retracted"
        and each.order > naming.order
        and (
            (each.source, each.subject) == (naming.source, naming.event_id)
            if each.subject
            else naming.key in each.keys and each.own == naming.target
        )
        for each in valid
    )


def survivor_of(customer: str, valid: list[Correction]) -> str:
    latest: dict[str, Correction] = {}
    for each in sorted(valid, key=lambda one: one.order):
        if each.kind == "customer_merged" and each.own in CUSTOMERS and each.other is not None:
            latest[each.other] = each

    def way(start: str) -> list[str]:
        """Return the customers after `start`, for as many steps as there are customers."""
        found = [start]
        while found[-1] in latest and len(found) <= len(CUSTOMERS):
            found.append(latest[found[-1]].own)
        return found[1:]

    cycles = {frozenset(way(start)) for start in CUSTOMERS if start in way(start)}
    for cycle in cycles:
        del latest[min(cycle, key=lambda one: latest[one].order)]
    return [customer, *way(customer)][-1]


class NaiveStretch(NamedTuple):
    times: tuple[int, ...]
    target: str
    verified: bool

    @property
    def first(self) -> int:
        return min(self.times)

    @property
    def last(self) -> int:
        return max(self.times)


def naive_stretches(namings: list[Naming], pause: int) -> list[NaiveStretch]:
    """Return the connected namings of the same target and trust: join any two until there are no more to join."""
    every = [NaiveStretch((each.at,), each.target, each.trust == "verified") for each in namings]
    while True:
        pairs = [
            (one, other)
            for n, one in enumerate(every)
            for other in every[n + 1 :]
            if one[1:] == other[1:] and any(abs(a - b) <= pause for a in one.times for b in other.times)
        ]
        if not pairs:
            return every
        one, other = pairs[0]
        every.remove(one)
        every.remove(other)
        every.append(one._replace(times=one.times + other.times))


class Definition:
    """The rules as they are written down, for one key."""

    def __init__(
        self,
        namings: list[Naming],
        corrections: list[Correction],
        rules: IdentityRules,
        erased: Mapping[str, str],
    ) -> None:
        self.valid = [each for each in corrections if is_valid(each, corrections)]
        counted = [each for each in namings if each.trust != "none" and not is_void(each, self.valid)]
        self.stretches = []
        for each in naive_stretches(counted, rules.stretch_ms):
            survivor = survivor_of(each.target, self.valid) if each.target in CUSTOMERS else each.target
            target = erased.get(each.target) or erased.get(survivor) or survivor
            self.stretches.append(each._replace(target=target))
        self.ends = [each.at for each in self.valid if each.kind == "identity_ended" and KEY in each.keys]
        self.rules = rules.by_type["anonymous"]

    def is_shared(self, t: int) -> bool:
        for start in (each.first for each in self.stretches):
            met = {each.target for each in self.stretches if each.first <= start and each.last >= start - SHARED}
            if len(met) > self.rules.shared_above and start - SHARED <= t <= start + SHARED:
                return True
        return False

    def at(self, t: int) -> tuple[str | None, str]:
        if self.is_shared(t):
            return None, "shared"
        covering = [each for each in self.stretches if each.first <= t <= each.last]
        if covering:
            return self.of(covering, "named", lambda each: (-each.first, -each.last))
        hold, lookback = self.rules.hold_ms, self.rules.lookback_ms
        before = [each for each in self.stretches if each.last < t]
        if before:
            last = max(each.last for each in before)
            if (hold is None or t - last <= hold) and not any(last <= end <= t for end in self.ends):
                return self.of(before, "held", lambda each: (-each.last, -each.first))
        after = [each for each in self.stretches if each.first > t]
        if after:
            best = min(after, key=lambda each: (each.first, -each.last, each.target, not each.verified))
            if best.verified and (lookback is None or best.first - t <= lookback):
                return self.of([best], "claimed", lambda each: ())
        return None, "nobody"

    def of(
        self, some: list[NaiveStretch], why: str, order: Callable[[NaiveStretch], tuple[int, ...]]
    ) -> tuple[str | None, str]:
        best = min(some, key=lambda each: (order(each), each.target, not each.verified))
        return (None, "erased") if best.target.startswith("erased:") else (best.target, why)


def at(every: list[Segment], t: int) -> tuple[str | None, str]:
    found = [each for each in every if each.since is None or each.since <= t][-1]
    return found.holder, found.why


def computed(
    namings: list[Naming],
    corrections: list[Correction],
    rules: IdentityRules,
    erased: Mapping[str, str],
    key: str = KEY,
) -> list[Segment]:
    valid = effective(corrections)
    return segments(key, namings, valid, rules, survivors(valid), erased)


@settings(max_examples=400, deadline=None)
@given(lists_of_namings, lists_of_corrections, some_rules(), erasures)
def test_segments_are_what_the_definition_says_at_each_moment(
    namings: list[Naming], corrections: list[Correction], rules: IdentityRules, erased: dict[str, str]
) -> None:
    definition = Definition(namings, corrections, rules, erased)
    every = computed(namings, corrections, rules, erased)
    assert every[0].since is None
    assert all(one[1:] != other[1:] for one, other in pairwise(every))
    for t in MOMENTS:
        assert at(every, t) == definition.at(t), t
        assert holder(t, every) == definition.at(t)[0]


@given(lists_of_corrections)
def test_corrections_and_survivors_are_what_the_definition_says(corrections: list[Correction]) -> None:
    valid = [each for each in corrections if is_valid(each, corrections)]
    found = effective(corrections)
    assert sorted(found.valid, key=str) == sorted(valid, key=str)
    merged = survivors(found)
    for customer in CUSTOMERS:
        assert merged.get(customer, customer) == survivor_of(customer, valid)
        (segment,) = computed([], corrections, IdentityRules(), {}, customer)
        survivor = merged.get(customer, customer)
        assert segment == (Segment(None, None, "nobody") if survivor == customer else (None, survivor, "merged"))


@given(lists_of_namings, lists_of_corrections, some_rules(), erasures, st.randoms(use_true_random=False), st.data())
def test_order_and_copies_do_not_matter(
    namings: list[Naming],
    corrections: list[Correction],
    rules: IdentityRules,
    erased: dict[str, str],
    random: Random,
    data: st.DataObject,
) -> None:
    before = computed(namings, corrections, rules, erased)
    for some in (namings, corrections):
        random.shuffle(some)
    again = data.draw(st.lists(st.sampled_from(namings), max_size=3)) if namings else []
    twice = data.draw(st.lists(st.sampled_from(corrections), max_size=3)) if corrections else []
    assert computed([*namings, *again], [*corrections, *twice], rules, erased) == before


def retraction(at: int, event_id: str, own: str, subject: str | None) -> Correction:
    return Correction("identity_retracted", at, "own", event_id, (own, KEY), own, subject, None)


@given(lists_of_namings, lists_of_corrections, some_rules(), erasures, some_namings(), times)
def test_a_retraction_restores_what_was_without_the_naming_and_taking_it_back_the_naming(
    namings: list[Naming],
    corrections: list[Correction],
    rules: IdentityRules,
    erased: dict[str, str],
    naming: Naming,
    after: int,
) -> None:
    more = [*namings, naming._replace(source="own", event_id="more")]
    retracted = [*corrections, retraction(naming.at + after, "retraction", "customer:d", "more")]
    restored = [*retracted, retraction(naming.at + after + 1, "back", "customer:d", "retraction")]
    assert computed(more, retracted, rules, erased) == computed(namings, corrections, rules, erased)
    assert computed(more, restored, rules, erased) == computed(more, corrections, rules, erased)


@given(lists_of_namings, lists_of_corrections, some_rules(), st.sampled_from(TARGETS))
def test_a_retraction_without_a_subject_restores_what_was_without_the_link(
    namings: list[Naming], corrections: list[Correction], rules: IdentityRules, target: str
) -> None:
    retracted = [*corrections, retraction(13 * UNIT, "retraction", target, None)]
    without = [each for each in namings if each.target != target]
    assert computed(namings, retracted, rules, {}) == computed(without, corrections, rules, {})


@given(lists_of_namings, lists_of_corrections, some_rules(), st.permutations(CUSTOMERS), times)
def test_a_split_restores_what_was_without_the_merge(
    namings: list[Naming], corrections: list[Correction], rules: IdentityRules, customers: list[str], when: int
) -> None:
    one, other, *_ = customers
    merge = Correction("customer_merged", when, "own", "merge", (one,), one, None, other)
    split = Correction("customer_split", when + 1, "own", "split", (one,), one, "merge", None)
    before = computed(namings, corrections, rules, {})
    assert computed(namings, [*corrections, merge, split], rules, {}) == before


@given(
    lists_of_namings,
    st.lists(some_namings("email:x"), max_size=6),
    lists_of_corrections,
    some_rules(),
    st.sampled_from(MOMENTS),
)
def test_an_owner_is_stronger_than_the_key_or_it_itself_and_nobody_holds_the_owner(
    cookie: list[Naming], mail: list[Naming], corrections: list[Correction], rules: IdentityRules, t: int
) -> None:
    namings = {KEY: cookie, "email:x": mail}

    def segments_of(key: str) -> list[Segment]:
        return computed(namings.get(key, []), corrections, rules, {}, key)

    found = owner(KEY, t, segments_of)
    assert found == KEY or rank(found) < rank(KEY)
    assert holder(t, segments_of(found)) is None
    above = holder(t, segments_of(KEY))
    assert found == (KEY if above is None else owner(above, t, segments_of))
