"""What a customer's churn probability rests on, in words for the people who talk to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from pipeline.scores.churn.beyond import Amounts
from pipeline.scores.churn.covariates import OF_VISITS, Covariates
from pipeline.scores.churn.model import (
    DAY_MS,
    Activity,
    ChurnModel,
    active,
    alive,
    contributions,
    known_beyond,
    risk,
)
from pipeline.scores.reason import Reason

#: What carries less of the probability than this is not worth a word.
WORTH_SAYING = 0.1
#: Number of fields of `Parts` that are parts of the probability; they come first.
_WEIGHTS = 6


class Parts(NamedTuple):
    """The probability taken apart. The first four add up to it, the first six to 1; each is 0 to 1.

    With x repeat visits, the chance to be gone right after the last visit is a/(a+b+x−1), and 0 for x = 0; in the
    MBG/NBD it is a/(a+b+x). What the probability was then beyond that is the chance to be merely slow. What it has
    risen by since is silence's. What is learned beyond visits (`covariates`) adds to that, or takes from each of these.
    """

    #: What the time since the last activity has added.
    silence: float
    #: What rests on how little is known: too few visits to tell the customer from one who leaves.
    few_visits: float
    #: What rests on a slow rhythm: the customer may well be there and yet not come within the horizon.
    infrequent: float
    #: What is learned beyond visits has added.
    learned: float
    #: The chance that they do come, which lowers the risk; and what is learned beyond visits has added to it.
    stays: float
    learned_stays: float
    visits: int
    #: Days since the last activity.
    silent_days: float
    #: Days between two visits on average; 0 with a single visit.
    rhythm_days: float
    #: What is learned adds to the logit: by visits, then each feature of `beyond`; empty if none of these has weight.
    learned_logits: tuple[float, ...] = ()
    #: The probability by visits alone.
    by_visits: float = 0.0

    @property
    def learned_parts(self) -> tuple[float, ...]:
        """Return what each of `learned_logits` adds to the probability, or takes from it.

        They stand to each other as on the logit, and add up to what is learned: `learned` − `learned_stays`.
        """
        total, moved = sum(self.learned_logits), self.learned - self.learned_stays
        # The slope of the probability where next to nothing is left of what adds and what takes.
        slope = moved / total if abs(total) > 1e-6 else self.by_visits * (1.0 - self.by_visits)
        return tuple([slope * each for each in self.learned_logits])


class Rule(NamedTuple):
    """How a part of the probability is put, depending on what else is known."""

    code: str
    #: The part, by its place in `Parts`.
    part: int
    #: Customers it applies to: seen `one` time, `more` times, or `any`.
    visits: str
    #: Whether silence's own part is worth saying (`long`) or not (`short`), or `any`.
    silence: str
    text: Callable[[Parts], str]


SILENCE, FEW_VISITS, INFREQUENT, LEARNED, STAYS, LEARNED_STAYS = range(_WEIGHTS)
LOWERS = "(lowers the risk)"
_LEARNED = "customers like this leave more often than their visits say"
_LEARNED_STAYS = "customers like this come back more often than their visits say"

#: Only parts of `WORTH_SAYING` and more are said, the weightiest first. A closed account goes before all of this.
RULES = (
    Rule("silence", SILENCE, "one", "long", lambda p: f"no second visit for {_days(p.silent_days)}"),
    Rule("silence", SILENCE, "more", "long", lambda p: f"silent for {_days(p.silent_days)}; comes {_rhythm(p)}"),
    Rule("few_visits", FEW_VISITS, "one", "any", lambda _: "only one visit so far"),
    Rule("few_visits", FEW_VISITS, "more", "any", lambda p: _visits(p.visits)),
    Rule("infrequent", INFREQUENT, "more", "any", lambda p: f"comes only {_rhythm(p)}"),
    Rule("learned", LEARNED, "any", "any", lambda _: _LEARNED),
    Rule(
        "learned",
        LEARNED_STAYS,
        "any",
        "any",
        lambda _: f"{_LEARNED_STAYS} {LOWERS}",
    ),
    Rule("new_customer", STAYS, "one", "short", lambda p: f"first visit {_days(p.silent_days)} ago {LOWERS}"),
    Rule(
        "active_recently",
        STAYS,
        "more",
        "short",
        lambda p: f"active {_days(p.silent_days)} ago; comes {_rhythm(p)} {LOWERS}",
    ),
    Rule("returned", STAYS, "more", "long", lambda p: f"has come back {_times(p.visits - 1)} before {LOWERS}"),
)


def _rules_for(visits: str, silence: str) -> tuple[tuple[int, Rule], ...]:
    return tuple(
        (rule.part, rule) for rule in RULES if rule.visits in (visits, "any") and rule.silence in (silence, "any")
    )


#: The rules that can apply, by whether there was more than one visit and whether silence is worth saying.
_APPLY = {
    (more, long): _rules_for("more" if more else "one", "long" if long else "short")
    for more in (False, True)
    for long in (False, True)
}
_weight = itemgetter(0)


def reasons(activity: Activity, as_of: int, model: ChurnModel) -> tuple[Reason, ...]:
    """Return what the probability as of `as_of` (epoch ms) rests on, the weightiest first; at least one.

    Every weight is a part of the probability itself (see `Parts`), or of what is left to 1, which lowers it.
    """
    return explained(activity, as_of, model)[1]


def explained(activity: Activity, as_of: int, model: ChurnModel) -> tuple[float, tuple[Reason, ...]]:
    """`probability`, and the `reasons` for it, for less than each of them by itself takes."""
    closed_at = activity.closed_at
    if closed_at is not None and closed_at >= activity.last_at:
        return 1.0, (Reason("account_closed", f"account closed on {_date(closed_at)} (UTC)"),)
    parts = take_apart(activity, as_of, model)
    said: list[tuple[float, Reason]] = []
    weights: Sequence[Any] = parts[:_WEIGHTS]
    for part, rule in _APPLY[parts.visits > 1, parts.silence >= WORTH_SAYING]:
        weight = weights[part]
        if weight >= WORTH_SAYING and not (rule.code == "learned" and parts.learned_logits):
            said.append((weight, Reason(rule.code, rule.text(parts))))
    if parts.learned_logits:
        said += _learned_reasons(parts, activity, as_of, model)
    if len(said) > 1:
        said.sort(key=_weight, reverse=True)
    return 1.0 - (parts.stays + parts.learned_stays), tuple([reason for _, reason in said])


def take_apart(activity: Activity, as_of: int, model: ChurnModel) -> Parts:
    """Return the parts of the probability as of `as_of` (epoch ms), of a customer whose account is not closed."""
    visits, first_at, last_at, _, _ = activity
    x = visits - 1
    t_x = (last_at - first_at) / DAY_MS
    silence = (as_of - last_at) / DAY_MS if as_of > last_at else 0.0
    may_leave = x > 0 or model.leaves_after_first
    gone_at_last = model.a / (model.a + model.b + x - 1 + model.leaves_after_first) if may_leave else 0.0
    active_at_last = active(x, t_x, model)
    at_last = 1.0 - (1.0 - gone_at_last) * active_at_last
    stays = alive(x, t_x, silence, model) * (active(x, t_x + silence, model) if silence else active_at_last)
    risen = 1.0 - stays - at_last
    rhythm_days = t_x / x if x > 0 else 0.0
    # A slow rhythm brings fewer than three visits within the horizon. With a quicker one, to be slow is what the model
    # expects of somebody so little known, not what this customer has shown.
    infrequent = at_last - gone_at_last if rhythm_days * 3 > model.horizon_days else 0.0
    # Rounding can make the rise of no silence a last bit less than nothing.
    parts = Parts(
        risen if risen > 0.0 else 0.0, at_last - infrequent, infrequent, 0.0, stays, 0.0, visits, silence, rhythm_days
    )
    if not model.has_learned:
        return parts
    beyond = contributions(activity, as_of, model)
    parts = _with_learned(parts, 1.0 - stays, risk(x, t_x, silence, stays, model, sum(beyond)))
    if not beyond:
        return parts
    return parts._replace(
        learned_logits=(model.covariates.by_visits(x, t_x, silence, model.alpha_days), *beyond),
        by_visits=1.0 - stays,
    )


def _learned_reasons(parts: Parts, activity: Activity, as_of: int, model: ChurnModel) -> Iterator[tuple[float, Reason]]:
    """Yield what is learned beyond visits and is worth saying, with its weight."""
    by_visits, *beyond = parts.learned_parts
    if abs(by_visits) >= WORTH_SAYING:
        yield abs(by_visits), Reason("learned", _LEARNED if by_visits > 0 else f"{_LEARNED_STAYS} {LOWERS}")
    known = known_beyond(activity, as_of, model)
    for name, part in zip(Covariates._fields[OF_VISITS:], beyond, strict=True):
        if abs(part) >= WORTH_SAYING:
            yield abs(part), Reason(name, BEYOND[name](known) + ("" if part > 0 else f" {LOWERS}"))


#: What is said of each feature of `beyond`, whose codes are their names.
BEYOND: Mapping[str, Callable[[Amounts], str]] = {
    "help": lambda known: f"help asked for {known.help:.1f} times lately",
    "complaints": lambda known: f"{known.complaints:.1f} complaints lately",
    "failures": lambda known: f"{known.failures:.1f} times failed or given up lately",
    "bad_answers": lambda known: f"{known.bad_answers:.1f} bad answers lately",
    "satisfaction": lambda known: f"satisfaction of {50 + 50 * known.satisfaction:.0f} of 100 by answers lately",
    "falling_use": lambda known: f"{known.recent:.1f} activities lately, {known.expected:.1f} if as many as ever",
    "money": lambda known: f"pays {known.purchase:,.0f} of the smallest unit of {known.currency} at a time",
}


def _with_learned(parts: Parts, by_visits: float, reported: float) -> Parts:
    """Return the parts of the reported probability, given those of what visits alone say."""
    if reported >= by_visits:
        return parts._replace(learned=reported - by_visits, stays=1.0 - reported)
    share = reported / by_visits
    return parts._replace(
        silence=parts.silence * share,
        few_visits=parts.few_visits * share,
        infrequent=parts.infrequent * share,
        learned_stays=by_visits - reported,
    )


def _days(days: float) -> str:
    whole = int(days)
    if whole == 0:
        return "less than a day"
    return "1 day" if whole == 1 else f"{whole} days"


def _rhythm(parts: Parts) -> str:
    whole = round(parts.rhythm_days)
    if whole == 0:
        return "several times a day"
    return "every day on average" if whole == 1 else f"every {whole} days on average"


def _visits(visits: int) -> str:
    # A model fitted elsewhere may hold that many leave after any visit; then it isn't "only".
    return f"only {visits} visits so far" if visits <= 6 else f"{visits} visits so far, after each of which some leave"


def _times(times: int) -> str:
    return "once" if times == 1 else f"{times} times"


def _date(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()
