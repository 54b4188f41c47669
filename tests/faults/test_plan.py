"""The plan: the same for the same seed, complete, and with enough kills."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from faults import plan
from faults.actions import ACTIONS
from pipeline.failpoint import PLACES

KINDS = {f"kill_{place}" for place in PLACES} | set(ACTIONS)


@given(st.integers(), st.integers(1, 120))
def test_a_plan_is_a_function_of_its_seed_and_has_as_many_actions_as_asked_for(seed: int, actions: int) -> None:
    made = plan.plan(seed, actions)
    assert made == plan.plan(seed, actions)
    assert len(made) == actions
    assert {action.kind for action in made} <= KINDS


def test_other_seeds_give_other_orders() -> None:
    orders = {tuple(action.kind for action in plan.plan(seed, plan.DEFAULT_ACTIONS)) for seed in range(5)}
    assert len(orders) == 5


@given(st.integers())
def test_the_default_plan_has_every_kind_and_kills_50_workers(seed: int) -> None:
    made = plan.plan(seed, plan.DEFAULT_ACTIONS)
    assert {action.kind for action in made} == KINDS
    assert plan.kills(made) >= 50


def test_how_long_it_takes_is_known_of_every_kind() -> None:
    assert set(plan.SECONDS) == KINDS
