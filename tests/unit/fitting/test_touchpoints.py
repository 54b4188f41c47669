"""What touchpoints usually get, on answers of which the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipeline.fitting import touchpoints
from pipeline.fitting.maximum import NotFitted
from pipeline.fitting.peak_end import fit as fit_peak_end
from pipeline.fitting.peak_end import memories
from pipeline.fitting.satisfaction import Answers, Prior, answers_of, difference, fit, fit_prior, foretell
from pipeline.scores.satisfaction import estimate
from pipeline.scores.satisfaction.model import DAY_MS, DEFAULT

TRUTH = np.array([45.0, 60.0, 70.0, 75.0, 85.0])


def drawn(spread: float, *, unhappy_call: bool = False, customers: int = 3_000, remember: float = 0.0) -> Answers:
    """Customers (12 points apart) who answer one to eight times (scatter 24) about touchpoints that differ by `spread`.

    `unhappy_call` has unhappy customers answer about the first touchpoint more often. `remember` is what the worst of
    their answers so far adds to the next one.
    """
    rng = np.random.default_rng(7)
    counts = rng.integers(1, 9, customers)
    who = np.repeat(np.arange(customers), counts)
    level = rng.normal(0, 12, customers)
    about = rng.integers(0, len(TRUTH), len(who))
    if unhappy_call:
        about = np.where((level[who] < -6) & (rng.random(len(who)) < 0.7), 0, about)
    means = TRUTH.mean() + (TRUTH - TRUTH.mean()) * spread
    scores = means[about] + level[who] + rng.normal(0, 24, len(who))
    number = np.arange(len(who)) - np.repeat(np.cumsum(counts) - counts, counts)
    worst = scores - means[about]
    for n in range(1, 8):
        here = np.flatnonzero(number == n)
        scores[here] += remember * worst[here - 1]
        worst[here] = np.minimum(worst[here - 1], scores[here] - means[about[here]])
    return Answers(who, number * 30.0, scores, about, [f"web/k{n}" for n in range(len(TRUTH))])


def test_means_and_variances_are_found_within_their_errors() -> None:
    prior, means = fit(drawn(1.0))
    assert means is not None and prior.touchpoints is means.means
    assert np.all(np.abs(means.means - TRUTH) < 3 * means.errors)
    assert means.spread == pytest.approx(TRUTH.std(ddof=1), rel=0.1)
    assert prior.sd == pytest.approx(24, rel=0.03)
    assert prior.weight == pytest.approx(4, rel=0.2)  # 24² / 12²


def test_unhappy_customers_make_their_touchpoint_look_less_bad_than_its_answers() -> None:
    given = drawn(1.0, unhappy_call=True)
    _, means = fit(given)
    raw = given.scores[given.about == 0].mean()
    assert means is not None
    assert abs(means.means[0] - TRUTH[0]) < abs(raw - TRUTH[0]) * 0.7


def test_where_touchpoints_do_not_differ_they_have_no_means() -> None:
    given = drawn(0.0)
    _, means = fit(given)
    assert means is None or means.spread < 1
    same = given._replace(about=np.zeros(len(given.scores), np.int64))
    assert fit(same) == (fit_prior(same), None)


def test_touchpoints_whose_means_agree_more_than_by_chance_share_one() -> None:
    customers = np.repeat(np.arange(50), 4)
    given = Answers(customers, np.tile([0.0, 1, 2, 3], 50), np.tile([40.0, 40, 60, 60], 50), np.tile([0, 1, 0, 1], 50))
    assert fit(given) == (fit_prior(given), None)


def test_few_answers_about_a_touchpoint_count_for_little() -> None:
    given = drawn(1.0, customers=400)
    size = len(given.scores)
    odd = Answers(
        np.append(given.customers, 0), np.append(given.days, 999.0), np.append(given.scores, 0.0),
        np.append(given.about, 7), given.names,
    )  # fmt: skip
    prior, means = fit(odd)
    assert size + 1 == len(odd.scores) and means is not None
    assert 10 < means.means[7] < prior.mean  # the answer is 0
    assert means.means[6] == prior.mean and np.isnan(means.errors[6])


def test_too_few_answers_have_no_means_by_touchpoint() -> None:
    rows = [("a", 0.0, 10.0, "x"), ("a", 1.0, 60.0, "y"), ("b", 0.0, 90.0, "x")]
    few = answers_of(rows)
    assert few is not None and few.names == ["x", "y"]
    assert fit(few)[1] is None
    assert answers_of([]) is None


def test_touchpoints_beyond_the_most_share_a_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touchpoints, "MOST", 3)
    own, places = touchpoints.levels(np.array([0, 0, 1, 5, 5, 5, 9, 9, 2]))
    assert own.tolist() == [0, 5, 9]
    assert places.tolist() == [0, 0, 3, 1, 1, 1, 2, 2, 3]
    means = fit(drawn(1.0))[1]
    assert means is not None
    assert np.isnan(means.errors).sum() == 2
    assert set(means.means[np.isnan(means.errors)]) == {means.mean}


def test_what_is_foretold_is_the_live_score_with_means_by_touchpoint() -> None:
    given = answers_of([("a", 100.0, 25.0, "web/a"), ("a", 150.0, 100.0, "web/b"), ("a", 300.5, 0.0, "web/a")])
    assert given is not None
    expected = foretell(given, Prior(70.0, 2.0, 25.0, np.array([40.0, 90.0])), 60.0)
    model = replace(
        DEFAULT, half_life_days=60.0, prior_mean=70.0, prior_weight=2.0, touchpoint_means={"web/a": 40.0, "web/b": 90.0}
    )
    start = estimate.EPOCH_MS
    state = estimate.add(None, start + 100 * DAY_MS, 25_000, model, "web/a")
    state = estimate.add(state, start + 150 * DAY_MS, 100_000, model, "web/b")
    then = start + round(300.5 * DAY_MS)
    assert expected.scores[2] == pytest.approx(estimate.estimate(state, then, model).score)
    above = estimate.estimate(state, then, model).score - estimate.usual(state, model)
    assert expected.at[2] == pytest.approx(40.0 + above)


def test_what_was_answered_very_long_ago_says_nothing_any_more() -> None:
    given = answers_of([("a", 0.0, 25.0, "web/a"), ("a", 3_000.0, 100.0, "web/a")])
    assert given is not None
    assert foretell(given, Prior(70.0, 2.0, 25.0), 1.0).scores[1] == 70.0


@pytest.mark.parametrize(("remember", "is_better"), [(0.0, False), (0.3, True)])
def test_peak_and_end_tell_more_only_where_customers_remember_so(remember: float, is_better: bool) -> None:
    given = drawn(1.0, remember=remember)
    prior, _ = fit(given)
    expected, memory = foretell(given, prior, 36_500.0), memories(given, prior)
    seen = ~np.isnan(expected.at)
    found = fit_peak_end(memory[seen], expected.at[seen], given.scores[seen])
    by_rule = found.foretell(expected.at[seen], memory[seen])
    assert (found.weights[1] > 4 * found.errors[1]) is is_better
    gain = difference(by_rule, expected.at[seen], given.scores[seen], given.customers[seen], 1)
    assert (gain.high < 0) is is_better
    assert gain == difference(by_rule, expected.at[seen], given.scores[seen], given.customers[seen], 1)


def test_the_worst_is_looked_for_among_five_answers() -> None:
    given = answers_of([("a", float(day), score, "") for day, score in enumerate([0, 50, 60, 70, 80, 90, 100])])
    assert given is not None
    memory = memories(given, Prior(50.0, 2.0, 25.0))
    assert np.array_equal(memory[:, 1], [np.nan, -50, -50, -50, -50, -50, 0], equal_nan=True)
    assert np.array_equal(memory[:, 2], [np.nan, -50, 0, 10, 20, 30, 40], equal_nan=True)
    with pytest.raises(NotFitted):
        fit_peak_end(memory[1:3], np.zeros(2), given.scores[1:3])
