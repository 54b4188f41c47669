"""Who has a touchpoint, in small examples, each in many orders and batches."""

from __future__ import annotations

from random import Random

import pytest
from network import Event, Network

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
T0 = 1_700_000_000_000


def at(number: int, keys: str, minutes: float, **rest: object) -> Event:
    return Event(f"e{number}", T0 + int(minutes * MINUTE), tuple(keys.split()), **rest)  # type: ignore[arg-type]


def owners(events: list[Event], seed: int) -> list[str]:
    rng = Random(seed)
    arriving = rng.sample(events, len(events))
    network = Network(rng)
    network.process(arriving)
    return [network.owner(event) for event in events if not event.kind.startswith(("identity", "customer_"))]


C, R, K = "anonymous:cookie", "customer:ryan", "customer:cassidy"


@pytest.mark.parametrize("seed", range(20))
def test_a_shared_cookie_on_two_days(seed: int) -> None:
    day = 24 * 60
    events = [
        at(0, C, 0), at(1, C, 10), at(2, f"{R} {C}", 20), at(3, C, 30),
        at(4, C, day), at(5, f"{K} {C}", day + 10),
    ]  # fmt: skip
    assert owners(events, seed) == [R, R, R, R, R, K]


@pytest.mark.parametrize("seed", range(20))
def test_a_sign_out_ends_what_was_before(seed: int) -> None:
    events = [
        at(0, C, 0), at(1, f"{R} {C}", 10), at(2, f"{R} {C}", 20, kind="identity_ended"),
        at(3, C, 100), at(4, C, 110), at(5, f"{K} {C}", 120),
    ]  # fmt: skip
    assert owners(events, seed) == [R, R, K, K, K]


@pytest.mark.parametrize("seed", range(20))
def test_a_merge_and_its_split(seed: int) -> None:
    merge = at(2, R, 50, kind="customer_merged", other=K)
    events = [at(0, f"{K} {C}", 0), at(1, C, 10), at(3, R, 20), merge]
    assert owners(events, seed) == [R, R, R]
    split = at(4, R, 60, kind="customer_split", subject="e2")
    assert owners([*events, split], seed) == [K, K, R]


@pytest.mark.parametrize("seed", range(20))
def test_a_retraction_that_may_come_first(seed: int) -> None:
    retraction = at(9, f"{R} {C}", 90, kind="identity_retracted", subject="e1")
    events = [at(0, C, 0), at(1, f"{R} {C}", 10), at(2, C, 20), retraction]
    assert owners(events, seed) == [C, R, C]


@pytest.mark.parametrize("seed", range(20))
def test_a_guest_who_registers(seed: int) -> None:
    mail = "email:abc"
    events = [at(0, C, 0), at(1, f"{mail} {C}", 10), at(2, f"{R} {mail}", 20), at(3, C, 30)]
    assert owners(events, seed) == [R, R, R, R]
