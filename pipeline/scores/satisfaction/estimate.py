"""A customer's satisfaction from their own answers: Bühlmann credibility, older answers weighing less.

An answer of age d weighs 2^(-d/half-life). With W the sum of the weights, S the sum of weight × score (0 to 100), and
the prior's mean m and weight k = σ²/τ², the estimate is (k·m + S)/(k + W): Bühlmann (1967), Experience rating and
credibility, ASTIN Bulletin 4. It is also the mean of the posterior of a normal mean with known variance, where an
answer of weight w has the variance σ²/w; the posterior's standard deviation is then σ/√(k + W).

What is usual differs by touchpoint: m is the mean of what the model says of the touchpoints that the answers are about,
weighted like the answers, m = Σ w·m_t / W. So the estimate is m plus the credible part of how far the answers lie above
what their touchpoints usually get, Σ w·(y − m_t)/(k + W): Bühlmann's estimate with a known effect of each touchpoint.
The state has the sum of weights by touchpoint, not Σ w·m_t, so that another model can be taken up at any time.

Answers are added up in whole numbers (`scores.decay`), so that the sums are the same bit for bit in whatever order
answers come. Only `estimate` goes over to floats.

The same formula stands in `pipeline/scores/satisfaction/as_of.sql`.
"""

from __future__ import annotations

from math import exp2, sqrt
from typing import NamedTuple

from pipeline.scores.decay import EPOCH_MS, UNIT
from pipeline.scores.decay import weight as weight_of
from pipeline.scores.protocol import NotReversible
from pipeline.scores.satisfaction.model import SatisfactionModel
from pipeline.scores.satisfaction.share import Z95

#: Stands for the touchpoint of answers of which it is not known.
UNKNOWN = ""


class Answers(NamedTuple):
    """All that the estimate needs of a customer's answers. Nobody's is empty: without an answer there is no `Answers`.

    `weight` and `weighted` are whole numbers of about 33 + (years since 1990)·365/half_life_days bits, `weighted` 17
    more: 181 and 198 bits in 2026 at 90 days. In Postgres they are `numeric`.
    """

    #: How many, of any age.
    answered: int
    #: The sum of their weights as of `EPOCH_MS`, in 2^-32.
    weight: int
    #: The sum of weight × score, in 2^-32 thousandths of a point.
    weighted: int
    #: The latest answer's time, epoch milliseconds.
    last_at: int
    #: `weight` by the touchpoint (CHANNEL/KIND) that the answers are about, in order of these.
    about: tuple[tuple[str, int], ...]


class Estimate(NamedTuple):
    """Satisfaction as of a moment: the score and its 95 % interval, 0 (worst) to 100 (best)."""

    score: float
    low: float
    high: float
    #: The sum of the weights: each answer counts 1 when given, and half of that a half-life later.
    answers_effective: float


def add(
    answers: Answers | None, at_ms: int, millipoints: int, model: SatisfactionModel, touchpoint: str = UNKNOWN
) -> Answers:
    """Return the answers with one more, given at `at_ms` (epoch ms), scored by `scales.millipoints` (0 to 100,000).

    `touchpoint` is what it is about, as CHANNEL/KIND. Any order of adding gives the same value, exactly.
    Raises ValueError for a time before `EPOCH_MS`.
    """
    weight = weight_of(at_ms, model.half_life_ms)
    if answers is None:
        return Answers(1, weight, weight * millipoints, at_ms, ((touchpoint, weight),))
    answered, weights, weighted, last_at, about = answers
    return Answers(
        answered + 1,
        weights + weight,
        weighted + weight * millipoints,
        at_ms if at_ms > last_at else last_at,
        _moved(about, touchpoint, weight),
    )


def remove(
    answers: Answers, at_ms: int, millipoints: int, model: SatisfactionModel, touchpoint: str = UNKNOWN
) -> Answers | None:
    """Return the answers without one that was added; None if it was the only one.

    `last_at` stays: the sums do not tell when the last of the other answers was given. Raises NotReversible where the
    touchpoint of the answer was not known when it was added.
    """
    answered, weights, weighted, last_at, about = answers
    if answered == 1:
        return None
    weight = weight_of(at_ms, model.half_life_ms)
    return Answers(
        answered - 1,
        weights - weight,
        weighted - weight * millipoints,
        last_at,
        _moved(about, touchpoint, -weight),
    )


def _moved(about: tuple[tuple[str, int], ...], touchpoint: str, weight: int) -> tuple[tuple[str, int], ...]:
    """Return the weights by touchpoint with one of them moved; those of 0 are left out."""
    weights = dict(about)
    left = weights.pop(touchpoint, 0) + weight
    if left < 0:
        raise NotReversible("the state does not tell which touchpoint the answer was about")
    if left:
        weights[touchpoint] = left
    return tuple(sorted(weights.items()))


def estimate(answers: Answers, as_of: int, model: SatisfactionModel) -> Estimate:
    """Satisfaction as of `as_of` (epoch ms); a moment before the last answer is taken for that answer's.

    The interval is where what the customer thinks lies (not their next answer) with 95 %, cut off at 0 and 100.
    """
    _, weight, weighted, last_at, _ = answers
    half_life_ms = model.half_life_ms
    whole, rest = divmod((as_of if as_of > last_at else last_at) - EPOCH_MS, half_life_ms)
    one = exp2(rest / half_life_ms) * UNIT
    # Dividing whole numbers first: the sums themselves can be beyond the largest float.
    scale = 1 << whole
    effective = weight / scale / one
    total = model.prior_weight + effective
    score = (model.prior_weight * usual(answers, model) + weighted / scale / one / 1000.0) / total
    half = Z95 * model.answer_sd / sqrt(total)
    # Rounding can put a mean of nothing but 100s a last bit above 100.
    if score > 100.0:
        score = 100.0
    low = score - half
    high = score + half
    return Estimate(score, low if low > 0.0 else 0.0, high if high < 100.0 else 100.0, effective)


def usual(answers: Answers, model: SatisfactionModel) -> float:
    """Return what the touchpoints that answers are about usually get, 0 to 100, weighted like the answers."""
    means, otherwise = model.touchpoint_means, model.prior_mean
    if not means:
        return otherwise
    return sum([part / answers.weight * means.get(touchpoint, otherwise) for touchpoint, part in answers.about])
