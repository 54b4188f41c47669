"""Simulated lifetimes: what models find of them is what was put in."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from pipeline.fitting.churn import fit
from pipeline.fitting.histories import follow
from pipeline.simulate.lifetimes import ALPHA_DAYS, COMPLAINS, MEAN, A, B, Lifetimes, R
from pipeline.simulate.story import DAY, HOUR
from pipeline.touchpoint import Touchpoint

END = 1_793_000_000_000
DAYS = 730


def lifetimes(customers: int = 300, after_complaint: float = 0.0, seed: int = 1) -> Lifetimes:
    return Lifetimes(seed=seed, customers=customers, days=DAYS, end_ms=END, after_complaint=after_complaint)


def visits(touchpoints: list[Touchpoint]) -> tuple[list[int], list[int]]:
    """Numbers of customers, and when each of their visits began."""
    began = [each for each in touchpoints if each.kind == "page_viewed"]
    numbers = {customer: number for number, customer in enumerate(sorted({str(each.customer_id) for each in began}))}
    return [numbers[str(each.customer_id)] for each in began], [each.occurred_at for each in began]


def test_the_same_arguments_give_the_same_touchpoints_in_order_of_time() -> None:
    one, other = list(lifetimes().touchpoints()), list(lifetimes().touchpoints())
    assert one == other
    assert all(earlier.occurred_at <= later.occurred_at for earlier, later in pairwise(one))
    assert one[0].occurred_at >= END - DAYS * DAY and one[-1].occurred_at <= END
    ids = {each.event_id for each in one}
    assert len(ids) == len(one)
    assert not ids & {each.event_id for each in lifetimes(after_complaint=0.1).touchpoints()}


def test_a_fit_finds_the_parameters_that_were_put_in() -> None:
    customers, at = visits(list(lifetimes(5_000).touchpoints()))
    found = fit(follow(np.array(customers), np.array(at), END, END).histories, leaves_after_first=False)
    for value, error, true in zip(found.model[:4], found.errors, (R, ALPHA_DAYS, A, B), strict=True):
        assert abs(value - true) < 3 * error


def test_the_truth_says_who_left_when_and_why() -> None:
    made = lifetimes(after_complaint=0.8)
    last: dict[str, int] = {}
    complaints: dict[str, int] = defaultdict(int)
    for each in made.touchpoints():
        last[str(each.customer_id)] = each.occurred_at
        complaints[str(each.customer_id)] += each.kind == "complaint_opened"
    truth = list(made.truth())
    assert len(truth) == 300
    gone = [each for each in truth if each.left_at is not None]
    assert {each.why for each in gone} == {"visit", "complaint"}
    assert all(0 <= last[each.customer_id] - (each.left_at or 0) < HOUR for each in gone)
    assert all(complaints[each.customer_id] for each in gone if each.why == "complaint")
    assert {each.why for each in lifetimes().truth()} == {"visit", None}
    assert b'"left_at":null,"why":null' not in gone[0].line() and b'"left_at":"20' in gone[0].line()


@pytest.mark.parametrize(("after_complaint", "stays"), [(0.0, True), (0.9, False)])
def test_complaints_matter_only_if_they_are_to(after_complaint: float, stays: bool) -> None:
    made = list(lifetimes(2_000, after_complaint).touchpoints())
    last = {each.customer_id: each.occurred_at for each in made if each.kind == "page_viewed"}
    complaints = [each for each in made if each.kind == "complaint_opened" and each.occurred_at < END - DAYS * DAY / 4]
    assert len(complaints) > COMPLAINS * len(last)
    came_again = np.mean([last[each.customer_id] > each.occurred_at for each in complaints])
    assert came_again > 0.6 if stays else came_again < 0.2


def test_answers_tell_what_customers_think() -> None:
    made = lifetimes(2_000)
    given: dict[str, list[float]] = defaultdict(list)
    for each in made.touchpoints():
        if each.feedback is not None:
            given[str(each.customer_id)].append(10 * each.feedback.score)
    thinks = {each.customer_id: each.thinks for each in made.truth()}
    often = [(np.mean(scores), thinks[customer]) for customer, scores in given.items() if len(scores) >= 10]
    assert abs(np.mean([answered - thought for answered, thought in often])) < 2
    assert abs(np.mean(list(thinks.values())) - MEAN) < 1
