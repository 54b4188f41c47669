"""The chance that a customer does not come again within a horizon: the BG/NBD model, or the MBG/NBD.

Fader, Hardie and Lee (2005), "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing
Science 24(2), 275–284. While alive, a customer visits at random with a rate λ of their own, λ ~ Gamma(r, α); after each
repeat visit they leave for good with a probability p of their own, p ~ Beta(a, b). In the MBG/NBD of Batislam, Denizel
and Filiztekin (2007), International Journal of Research in Marketing 24(3), 201–209, they may leave after the first
visit, too. Of a customer's history only three numbers matter: x repeat visits, the last at t_x, and T since the first.

Alive (from the papers' likelihoods; see `pipeline.fitting.counting`), with c = 0 in the BG/NBD and 1 in the MBG/NBD:

    P(alive) = 1 / (1 + [x+c>0] · a/(b+x−1+c) · ((α+T)/(α+t_x))^(r+x))

Customers leave only after a visit, so one who is alive at T stays alive until the next visit. Given that they are
alive, λ ~ Gamma(r+x, α+T). So the chance that somebody alive does not come within t is

    E(e^(−λt)) = ((α+T)/(α+T+t))^(r+x)

and of no visit within t, whether gone or only slow: 1 − P(alive)·(1 − ((α+T)/(α+T+t))^(r+x)). (Put another way, it is
the likelihood of the same history with T + t in T's place, divided by that with T; a test holds the two together.)
Silence raises it, and never lowers it. What is fitted on top of that moves its logit (`covariates`).

The same formula stands in `pipeline/scores/churn/as_of.sql`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, expm1, log, log1p
from typing import ClassVar, NamedTuple

from pipeline.scores.churn.beyond import NOTHING_BEYOND, Amounts, Beyond, amounts, features
from pipeline.scores.churn.covariates import LARGEST, NOTHING, Covariates, moved
from pipeline.scores.churn.value import Spend, expected_purchase, spend_of

DAY_MS = 86_400_000
#: Of models that do not say: a month, so that "lately" is shorter than the usual horizon. Nobody has measured it.
HALF_LIFE_DAYS = 30.0


class Activity(NamedTuple):
    """What the risk needs to know of a customer. Times are epoch milliseconds; first_at ≤ last_at."""

    #: Journeys with activity of the customer; 1 or more.
    visits: int
    #: The first touchpoint that counts as activity.
    first_at: int
    #: The last touchpoint that counts as activity.
    last_at: int
    #: The last `account_closed`, if there is one.
    closed_at: int | None = None
    #: What is known beyond visits.
    beyond: Beyond = NOTHING_BEYOND


@dataclass(frozen=True, slots=True, kw_only=True)
class ChurnModel:
    """The parameters of `probability` and `band`; a row of the table `model`.

    Another `half_life_days` makes stored sums meaningless: they have to be added up again from the events. The other
    parameters may change at any time.
    """

    NAME: ClassVar[str] = "churn"

    version: str
    source: str
    #: Shape of the gamma distribution of rates, above 0.
    r: float
    #: Its rate parameter in days, above 0: the prior weighs as much as a history of this length.
    alpha_days: float
    #: Weights of leaving and staying after a visit, above 0.
    a: float
    b: float
    #: Tells the MBG/NBD, where one may leave after the first visit, from the BG/NBD, where one does not.
    leaves_after_first: bool = False
    #: What is known beyond the counting of visits.
    covariates: Covariates = NOTHING
    #: For how long no visit counts as churn, in days, 1 or more.
    horizon_days: int = 90
    #: From these probabilities on (inclusive) the band is medium, and high; 0 ≤ medium_from ≤ high_from ≤ 1.
    medium_from: float = 0.5
    high_from: float = 0.8
    #: Days (rounded to the millisecond) after which what happened counts half; 1 to 36,500.
    half_life_days: float = HALF_LIFE_DAYS
    #: What customers spend, if that was fitted.
    spend: Spend | None = None
    half_life_ms: int = field(init=False, repr=False, compare=False)
    #: Whether anything learned moves the probability, and whether anything beyond visits does.
    has_learned: bool = field(init=False, repr=False, compare=False)
    weighs_beyond: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is out of range with a ValueError."""
        for name in ("r", "alpha_days", "a", "b"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be above 0")
        for name, coefficient in zip(Covariates._fields, self.covariates, strict=True):
            if not abs(coefficient) <= LARGEST:
                raise ValueError(f"covariate_{name} is {coefficient}; it takes -{LARGEST:g} to {LARGEST:g}")
        if self.horizon_days < 1:
            raise ValueError(f"horizon_days is {self.horizon_days}; it must be 1 or more")
        if not 1 <= self.half_life_days <= 36_500:
            raise ValueError(f"half_life_days is {self.half_life_days}; it takes 1 to 36,500")
        if self.spend is not None:
            self.spend.check()
        object.__setattr__(self, "half_life_ms", round(self.half_life_days * DAY_MS))
        object.__setattr__(self, "has_learned", any(self.covariates))
        object.__setattr__(self, "weighs_beyond", any(self.covariates.beyond))
        if not 0 <= self.medium_from <= self.high_from <= 1:
            raise ValueError(f"bands begin at {self.medium_from} and {self.high_from}; they take 0 to 1, in order")

    @property
    def label(self) -> str:
        """Name and version, as risks carry them."""
        return f"{self.NAME} {self.version}"

    def parameters(self) -> dict[str, float]:
        """Return what stands in the table `model` as `parameters`, and what the SQL functions take."""
        return {
            "r": self.r,
            "alpha_days": self.alpha_days,
            "a": self.a,
            "b": self.b,
            "leaves_after_first": self.leaves_after_first,
            **{f"covariate_{name}": value for name, value in self.covariates._asdict().items() if value},
            "horizon_days": self.horizon_days,
            "medium_from": self.medium_from,
            "high_from": self.high_from,
            "half_life_days": self.half_life_days,
            **({} if self.spend is None else self.spend.parameters()),
        }

    @classmethod
    def from_parameters(cls, version: str, source: str, parameters: Mapping[str, float]) -> ChurnModel:
        """Return the model of a row of the table `model`. Raises KeyError or ValueError for a row that is none."""
        return cls(
            version=version,
            source=source,
            r=float(parameters["r"]),
            alpha_days=float(parameters["alpha_days"]),
            a=float(parameters["a"]),
            b=float(parameters["b"]),
            leaves_after_first=bool(parameters.get("leaves_after_first", False)),
            covariates=Covariates(*[float(parameters.get(f"covariate_{name}", 0)) for name in Covariates._fields]),
            horizon_days=int(parameters["horizon_days"]),
            medium_from=float(parameters["medium_from"]),
            high_from=float(parameters["high_from"]),
            half_life_days=float(parameters.get("half_life_days", HALF_LIFE_DAYS)),
            spend=spend_of(parameters),
        )


#: The paper's estimates (Table 2) from 2,357 customers who first bought at CDNOW in early 1997, over 39 weeks; α is in
#: weeks there. They are a music shop's buyers: a place to start from until the company's own are fitted. The bounds of
#: the bands are a convention: more likely than not, and four out of five.
DEFAULT = ChurnModel(
    version="cdnow-1",
    source="Fader, Hardie and Lee (2005), Marketing Science 24(2), Table 2: CDNOW, 1997; not this company's customers",
    r=0.243,
    alpha_days=4.414 * 7,
    a=0.793,
    b=2.426,
)


def p_alive(activity: Activity, as_of: int, model: ChurnModel) -> float:
    """Return the chance, 0 to 1, that the customer has not left for good, going by visits alone; `as_of` in epoch ms.

    A moment before the last activity is taken for that activity's. With a single visit it is 1 in the BG/NBD, where one
    leaves only after a repeat visit.
    """
    visits, first_at, last_at, _, _ = activity
    silence = (as_of - last_at) / DAY_MS if as_of > last_at else 0.0
    return alive(visits - 1, (last_at - first_at) / DAY_MS, silence, model)


def p_active(activity: Activity, as_of: int, model: ChurnModel) -> float:
    """Return the chance, 0 to 1, that a customer who is alive comes within the horizon after `as_of` (epoch ms)."""
    visits, first_at, last_at, _, _ = activity
    return active(visits - 1, ((as_of if as_of > last_at else last_at) - first_at) / DAY_MS, model)


def probability(activity: Activity, as_of: int, model: ChurnModel) -> float:
    """The chance, 0 to 1, that the customer shows no activity within `model.horizon_days` after `as_of` (epoch ms).

    A moment before the last activity is taken for that activity's. It is 1 if they closed their account and have not
    come back since, at whatever moment.
    """
    visits, first_at, last_at, closed_at, _ = activity
    if closed_at is not None and closed_at >= last_at:
        return 1.0
    t_x = (last_at - first_at) / DAY_MS
    silence = (as_of - last_at) / DAY_MS if as_of > last_at else 0.0
    stays = alive(visits - 1, t_x, silence, model) * active(visits - 1, t_x + silence, model)
    return risk(visits - 1, t_x, silence, stays, model, sum(contributions(activity, as_of, model)))


def value_if_stays(activity: Activity, as_of: int, model: ChurnModel) -> float | None:
    """Return what a customer who stays is expected to spend within the horizon after `as_of` (epoch ms).

    It is in the smallest unit of the currency of `model.spend`, 0 or more; None without a spend model. See `value`.
    """
    if model.spend is None:
        return None
    visits, first_at, last_at, _, beyond = activity
    purchases, paid = [max(sums.get(model.spend.currency, 0), 0) for sums in (beyond.payments, beyond.paid)]
    age = ((as_of if as_of > last_at else last_at) - first_at) / DAY_MS
    expected_visits = model.horizon_days * (model.r + visits - 1) / (model.alpha_days + age)
    return expected_visits * purchases / visits * expected_purchase(purchases, paid, model.spend)


def known_beyond(activity: Activity, as_of: int, model: ChurnModel) -> Amounts:
    """Return what is known beyond visits as of a moment (epoch ms)."""
    return amounts(activity.beyond, activity.first_at, activity.last_at, as_of, model.half_life_ms)


def contributions(activity: Activity, as_of: int, model: ChurnModel) -> tuple[float, ...]:
    """Return what each feature beyond visits adds to the logit as of a moment (epoch ms); empty if none has weight."""
    if not model.weighs_beyond:
        return ()
    values = features(known_beyond(activity, as_of, model))
    return tuple([weight * value for weight, value in zip(model.covariates.beyond, values, strict=True)])


def risk(x: int, t_x: float, silence: float, stays: float, model: ChurnModel, beyond: float = 0.0) -> float:
    """Return the probability that is reported where by visits alone the customer comes with the chance `stays`.

    `beyond` is added to the logit by what is known beyond visits.
    """
    if not model.has_learned:
        return 1.0 - stays
    return moved(stays, model.covariates.shift(x, t_x, silence, model.alpha_days, beyond))


def alive(x: int, t_x: float, silence: float, model: ChurnModel) -> float:
    """P(alive) of `x` repeat visits, the last `t_x` days after the first, then `silence` = T − t_x days, 0 or more."""
    if x <= 0 and not model.leaves_after_first:
        return 1.0
    log_odds = log(model.a / (model.b + x - 1 + model.leaves_after_first)) + (model.r + x) * log1p(
        silence / (model.alpha_days + t_x)
    )
    # Of the two forms of 1/(1 + e^l), the one whose exponential cannot overflow.
    if log_odds > 0.0:
        odds = exp(-log_odds)
        return odds / (1.0 + odds)
    return 1.0 / (1.0 + exp(log_odds))


def active(x: int, age: float, model: ChurnModel) -> float:
    """1 − ((α+T)/(α+T+t))^(r+x), of `x` repeat visits in `age` = T days, over the horizon t."""
    return -expm1(-(model.r + x) * log1p(model.horizon_days / (model.alpha_days + age)))


def band(probability: float, model: ChurnModel) -> str:
    """Return which of `low`, `medium` and `high` a probability is in."""
    if probability >= model.high_from:
        return "high"
    return "medium" if probability >= model.medium_from else "low"
