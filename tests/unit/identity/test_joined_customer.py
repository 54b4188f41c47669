"""What is handed to a customer, taken back, and handed on, step by step."""

from __future__ import annotations

from random import Random

import pytest
from network import TRAITS, Event, Network, admitted

from pipeline.flow.exchange import Transferred, read
from pipeline.flow.identity_effects import IdentityEffects
from pipeline.flow.joined_customer import JoinedCustomer
from pipeline.flow.state import Customer
from pipeline.identity import key_identity
from pipeline.identity.naming import VERIFIED
from pipeline.identity.policy import TypePolicy
from pipeline.identity.segments import BEGINNING, ERASED, MERGED, UNKNOWN, Segment, segments
from pipeline.identity.stretches import Stretch
from pipeline.journey.admitted import Admitted
from pipeline.journey.journey import Journey
from pipeline.journey.step import Step

T0, MINUTE = 1_700_000_000_000, 60_000
COOKIE, RYAN = "anonymous:cookie", "customer:ryan"


def readmit(customer: str, step: Step) -> Admitted:
    traits = TRAITS.traits(step.type.channel, step.type.kind, step.type.stage)
    return Admitted(customer, step.at + traits.gap_ms, step, traits, None)


def joined(customer: Customer, held_by: str | None = None) -> tuple[JoinedCustomer, IdentityEffects]:
    effects = IdentityEffects()
    of = UNKNOWN if held_by is None else (Segment(BEGINNING, held_by, MERGED),)
    return JoinedCustomer(customer, of, (), effects, readmit, 1), effects


def foreign(number: int, sender: str | None = None) -> Step:
    return admitted(Event(f"e{number}", T0 + number * MINUTE, (COOKIE,))).step._replace(via=COOKIE, sender=sender)


def test_what_is_taken_back_can_be_given_again_and_what_was_never_given_changes_nothing() -> None:
    customer, changed = Customer(RYAN, 0), list[Journey]()
    first, _ = joined(customer)
    assert first.add(foreign(0))
    first.finish(changed)
    again, _ = joined(customer)
    again.withdraw(T0 + MINUTE, foreign(1).key, (COOKIE, COOKIE))
    again.withdraw(T0, foreign(0).key, (COOKIE, COOKIE))
    assert again.add(foreign(0))
    again.finish(changed)
    assert [journey.touchpoints for journey in customer.journeys] == [1]


def test_what_came_by_two_senders_is_handed_on_once() -> None:
    step = foreign(0, "email:e")
    through, effects = joined(Customer(RYAN, 0), "customer:mary")
    assert through.add(foreign(0))
    assert through.add(step)
    assert not through.add(step)
    changes = effects.changes(1, "here")
    assert changes is not None
    [message] = [read(record.key, record.value, "here") for record in changes.records]
    assert isinstance(message, Transferred)
    assert len(message.steps) == 1
    assert read(b"x", changes.records[0].value, "elsewhere") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, b'{"ledger":"here","named":[]}'),
        (b"k", b'{"ledger":"here","sender":"s","transferred":[[1,"00","web","k","before","none","s"]]}'),
    ],
)
def test_a_message_that_makes_no_sense_is_an_error(key: bytes | None, value: bytes) -> None:
    with pytest.raises(ValueError):
        read(key, value, "here")


def test_a_journey_that_loses_what_joined_it_becomes_two() -> None:
    network = Network(Random(1))
    apart = [Event("a", T0, (RYAN,)), Event("c", T0 + 50 * MINUTE, (RYAN, COOKIE))]
    network.process([*apart, Event("b", T0 + 25 * MINUTE, (COOKIE,))])
    assert [len(steps) for *_, steps in network.journeys()] == [3]
    network.process([Event("r", T0 + 99 * MINUTE, (RYAN,), "identity_retracted", subject="c")])
    assert sorted((customer, len(steps)) for customer, *_, steps in network.journeys()) == [
        (COOKIE, 1), (RYAN, 1), (RYAN, 1),
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_a_key_of_very_many_is_nobodys_and_nothing_more_is_kept_of_it(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_identity, "MAX_TARGETS", 2)
    network = Network(Random(seed))
    visits = [Event(f"v{n}", T0 + n * MINUTE, (f"customer:{n}", COOKIE)) for n in range(1, 5)]
    network.process([Event("a", T0, (COOKIE,)), *visits[:2]])
    network.process(visits[2:3])
    network.process([*visits[3:], Event("late", T0 + 9 * MINUTE, ("customer:9", COOKIE))])
    assert network.owners()[Event("a", T0, (COOKIE,)).touchpoint] == {COOKIE: COOKIE}
    tables = network.it.ledger.identity.tables
    assert not tables["identity_naming"]
    assert not tables["identity_stretch"]
    assert [row.why for _, row in tables["identity_owner"].values()] == ["overfull"]


def test_what_was_an_erased_customers_falls_to_nobody() -> None:
    bob = Stretch("erased:token", VERIFIED, T0 + 10, T0 + 20, "web", "1")
    alex = Stretch("customer:alex", VERIFIED, T0 + 30, T0 + 40, "web", "2")
    found = segments([bob, alex], [], TypePolicy())
    assert {each.why for each in found if each.holder is None} == {ERASED}
    assert [each.why for each in found if each.holder == "customer:alex"] == ["named", "held"]
    assert min(each.since for each in found if each.holder == "customer:alex") == T0 + 30


def test_a_short_stretch_within_a_long_one_holds_while_it_lasts() -> None:
    tablet = Stretch("customer:alex", VERIFIED, T0, T0 + 100, "web", "1")
    visit = Stretch("customer:bob", VERIFIED, T0 + 10, T0 + 20, "web", "2")
    found = segments([tablet, visit], [], TypePolicy())
    assert [(each.since - T0, each.holder) for each in found if each.why == "named"] == [
        (0, "customer:alex"), (10, "customer:bob"), (21, "customer:alex"),
    ]  # fmt: skip
