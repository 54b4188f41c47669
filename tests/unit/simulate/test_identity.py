"""Simulated customers whom each channel knows by its own keys."""

from __future__ import annotations

from collections import defaultdict
from hashlib import sha256
from itertools import pairwise

import pytest

from pipeline import catalogue
from pipeline.contract.text import to_json_line
from pipeline.contract.validate import check
from pipeline.simulate.population import Simulated, simulated, touchpoints
from pipeline.simulate.story import DAY, MINUTE
from pipeline.touchpoint import CORRECTION_KINDS, Touchpoint

END_MS = 1_780_000_000_000
EVENTS = 8_000


@pytest.fixture(scope="module")
def weeks() -> list[Simulated]:
    return list(simulated(seed=1, events=EVENTS, end_ms=END_MS, identity=True))


def names(touchpoint: Touchpoint) -> str:
    """What an event names: customer, the types of its identifiers, cookie."""
    customer = ["customer"] if touchpoint.customer_id else []
    cookie = ["cookie"] if touchpoint.anonymous_id else []
    return " ".join([*customer, *(each.type for each in touchpoint.identifiers), *cookie])


def people_of(weeks: list[Simulated], field: str) -> dict[str, list[Simulated]]:
    """The events that name each cookie (`anonymous_id`), or each identifier of a type."""
    found = defaultdict(list)
    for each in weeks:
        t = each.touchpoint
        values = [t.anonymous_id] if field == "anonymous_id" else [i.value for i in t.identifiers if i.type == field]
        for value in filter(None, values):
            found[value].append(each)
    return found


def persons(events: list[Simulated]) -> list[str]:
    """Whose events they are, in order of their first."""
    return list(dict.fromkeys(each.person for each in events if each.person))


@pytest.mark.parametrize(
    ("arguments", "digest"),
    [
        ({"seed": 1, "events": 3_000}, "06393deb4761ffd37a1cf9777f1d844e00428b70bfbdd22c32e50902f5a0883b"),
        (
            {"seed": 5, "events": 2_000, "customers": 40, "days": 200},
            "dd3471f281ea26bb56e3f1214b3ebde179e8c803c31c28001b6a280ba8e7877f",
        ),
    ],
)
def test_without_identity_the_streams_are_those_of_before_there_was_any(arguments: dict[str, int], digest: str) -> None:
    found = sha256()
    for touchpoint in touchpoints(end_ms=END_MS, **arguments):
        found.update(to_json_line(touchpoint))
    assert found.hexdigest() == digest


def test_the_same_arguments_make_the_same_touchpoints_and_people(weeks: list[Simulated]) -> None:
    assert list(simulated(seed=1, events=EVENTS, end_ms=END_MS, identity=True)) == weeks
    assert list(simulated(seed=2, events=EVENTS, end_ms=END_MS, identity=True)) != weeks


def test_with_identity_no_event_id_is_one_of_without(weeks: list[Simulated]) -> None:
    without = {touchpoint.event_id for touchpoint in touchpoints(seed=1, events=EVENTS, end_ms=END_MS)}
    assert not without & {each.touchpoint.event_id for each in weeks}


@pytest.mark.parametrize(
    "arguments",
    [
        {"events": 0},
        {"events": 1, "customers": 1},
        {"events": 500, "customers": 1, "days": 1},
        {"events": 300, "customers": 7},
    ],
)
def test_there_are_exactly_as_many_events_as_asked_for(arguments: dict[str, int]) -> None:
    found = list(simulated(seed=3, end_ms=END_MS, identity=True, **arguments))
    assert len(found) == arguments["events"]
    assert all(END_MS - arguments.get("days", 42) * DAY <= each.touchpoint.occurred_at <= END_MS for each in found)


def test_every_event_is_valid_catalogued_and_has_an_id_of_its_own(weeks: list[Simulated]) -> None:
    events = [each.touchpoint for each in weeks]
    assert [check(t, END_MS) for t in events if check(t, END_MS)] == []
    assert {t.kind for t in events} <= set(catalogue.load().kinds)
    assert len({(t.source, t.event_id) for t in events}) == EVENTS


def test_they_come_in_order_of_time_but_for_the_last_minutes(weeks: list[Simulated]) -> None:
    early = [each.touchpoint.occurred_at for each in weeks if each.touchpoint.occurred_at < END_MS - 30 * MINUTE]
    assert len(early) > EVENTS * 0.9
    assert all(earlier <= later for earlier, later in pairwise(early))


def test_it_is_known_of_every_touchpoint_whose_it_is_and_of_no_correction(weeks: list[Simulated]) -> None:
    assert all((person is None) == (touchpoint.kind in CORRECTION_KINDS) for touchpoint, person in weeks)


def test_each_channel_names_what_it_knows(weeks: list[Simulated]) -> None:
    found = defaultdict(set)
    for touchpoint, person in weeks:
        if person is not None:
            found[touchpoint.channel].add(names(touchpoint))
    assert found["web"] == {"cookie", "email cookie", "customer cookie", "customer email cookie"}
    assert found["email"] == {"email"}
    assert found["call_centre"] >= {"phone", "customer phone"}
    assert found["branch"] >= {"loyalty", "customer loyalty", "customer device", "device", "email", "customer"}
    assert "" not in set.union(*found.values())


def test_a_mail_s_link_leads_to_the_site_with_the_address_and_a_cookie(weeks: list[Simulated]) -> None:
    clicked_at: dict[str | None, int] = {}
    landed = 0
    for touchpoint, person in weeks:
        if touchpoint.kind == "email_clicked":
            clicked_at[person] = touchpoint.occurred_at
        elif touchpoint.channel == "web" and touchpoint.occurred_at - clicked_at.get(person, 0) == 2_000:
            assert names(touchpoint) in ("email cookie", "customer email cookie")
            landed += names(touchpoint) == "email cookie"
    assert landed


def test_browsing_before_signing_in_names_the_cookie_alone_and_the_customer_afterwards(weeks: list[Simulated]) -> None:
    of_one = defaultdict(list)
    for cookie, events in people_of(weeks, "anonymous_id").items():
        of_one[cookie] = [names(each.touchpoint) for each in events if each.person]
    turned = [named for named in of_one.values() if named[0] == "cookie" and "customer cookie" in named]
    assert len(turned) > 20


def test_a_card_is_named_with_the_customer_when_it_is_issued_and_alone_after_that(weeks: list[Simulated]) -> None:
    cards = people_of(weeks, "loyalty")
    assert any(each.touchpoint.kind == "loyalty_joined" for events in cards.values() for each in events)
    for events in cards.values():
        named = [names(each.touchpoint) for each in events]
        assert named[0] == "customer loyalty"
        assert named == sorted(named)  # "customer loyalty" comes before "loyalty"
        assert len(persons(events)) == 1


def test_a_tablet_is_used_by_many_customers(weeks: list[Simulated]) -> None:
    tablets = people_of(weeks, "device")
    assert len(tablets) == 4
    assert all(len(persons(events)) > 5 for events in tablets.values())


def test_a_family_calls_from_one_number_as_two_customers(weeks: list[Simulated]) -> None:
    families = []
    for events in people_of(weeks, "phone").values():
        people = [each.person for each in events if each.person]
        if sum(one != other for one, other in pairwise(people)) > 1:
            families.append({each.touchpoint.customer_id for each in events} - {None})
    assert any(len(customers) == 2 for customers in families)


def test_a_recycled_number_is_ended_before_it_is_another_person_s(weeks: list[Simulated]) -> None:
    recycled = [
        [each.person for each in events]
        for events in people_of(weeks, "phone").values()
        if any(each.touchpoint.kind == "identity_ended" for each in events)
    ]
    assert recycled
    for people in recycled:
        ended = people.index(None)
        assert len({*people[:ended]}) <= 1
        assert len({*people[ended + 1 :]}) <= 1
        assert not {*people[:ended]} & {*people[ended + 1 :]}
    assert any(people[0] and people[-1] for people in recycled)


def test_two_accounts_of_one_person_are_merged_and_the_second_is_not_used_any_more(weeks: list[Simulated]) -> None:
    merges = [(n, each.touchpoint) for n, each in enumerate(weeks) if each.touchpoint.kind == "customer_merged"]
    used = 0
    for number, merged in merges:
        other = merged.attributes["merged_customer_id"]
        of_other = [each.person for each in weeks if each.touchpoint.customer_id == other]
        of_survivor = [each.person for each in weeks if each.touchpoint.customer_id == merged.customer_id]
        used += bool(of_other)
        assert len({*of_other, *of_survivor} - {None}) <= 1
        assert other not in {each.touchpoint.customer_id for each in weeks[number:]}
    assert used


def test_guests_buy_with_an_address_and_a_cookie_and_register_later(weeks: list[Simulated]) -> None:
    kinds = defaultdict(list)
    for touchpoint, person in weeks:
        kinds[person].append((touchpoint.kind, names(touchpoint)))
    registered = [events for events in kinds.values() if ("account_opened", "customer email cookie") in events]
    assert registered
    for events in registered:
        before = events[: events.index(("account_opened", "customer email cookie"))]
        assert not any("customer" in named for _, named in before)
    assert any(("purchase", "email cookie") in events for events in registered)


def test_at_a_shared_computer_each_signs_in_and_out_before_the_other_comes(weeks: list[Simulated]) -> None:
    shared = [events for events in people_of(weeks, "anonymous_id").values() if len(persons(events)) == 2]
    assert shared
    for events in shared:
        for before, after in pairwise(events):
            if before.person and after.person:
                assert before.person == after.person
        kinds = [each.touchpoint.kind for each in events]
        assert kinds.count("identity_ended") <= kinds.count("signed_in") <= kinds.count("identity_ended") + 1


def test_a_long_stream_begins_at_once() -> None:
    made = simulated(seed=1, events=10_000_000, customers=100, end_ms=END_MS, identity=True)
    assert len([next(made) for _ in range(10)]) == 10
