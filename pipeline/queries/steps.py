"""Parts of statements that read all steps of journeys, and what touchpoints mean to customers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, text

from pipeline import catalogue
from pipeline.errors import InvalidInput
from pipeline.flow.identity_rows import OMITTED
from pipeline.flow.traits import TraitsResolver
from pipeline.journey.policy import Policy
from pipeline.ledger.customers import IS_THERE

_COLUMNS = "at timestamptz, channel text, kind text, outcome text, wait_ms bigint, score float8, late_ms bigint,"
#: All steps of the row `journey`, those that a long one leaves out included, as `step`; its `n` numbers them. Steps are
#: in the order of `ORDER`.
ALL_STEPS = f"""
    ROWS FROM (jsonb_to_recordset(
        CASE WHEN journey.steps_omitted = 0 THEN journey.steps ELSE journey.steps || (
            SELECT coalesce(jsonb_agg(aside.steps -> 0), '[]') FROM identity_touchpoint AS aside
            WHERE aside.key = journey.customer AND aside.place = '{OMITTED}'
              AND aside.at BETWEEN journey.started_at AND journey.ended_at
        ) END
    ) AS ({_COLUMNS} begun_by text, sequence bigint)) WITH ORDINALITY
    AS step (at, channel, kind, outcome, wait_ms, score, late_ms, begun_by, sequence, n)
"""
ORDER = "step.at, coalesce(step.sequence, 0), step.n"
#: A step's touchpoint.
TOUCHPOINT = "step.channel || '/' || step.kind"
#: Whether the customer began a step; needs the parameter :own of `Meanings`.
BEGUN_BY_CUSTOMER = f"coalesce(step.begun_by = 'customer', jsonb_exists(CAST(:own AS jsonb), {TOUCHPOINT}))"
#: Of the journeys that count in a period, by the moment at which they began; needs :since and :until.
BEGAN = f"""
    {IS_THERE}
    AND (CAST(:since AS timestamptz) IS NULL OR journey.started_at >= :since)
    AND (CAST(:until AS timestamptz) IS NULL OR journey.started_at < :until)
"""
_TOUCHPOINTS = text("SELECT DISTINCT channel, kind FROM touchpoint_count ORDER BY channel, kind")


class Meanings(NamedTuple):
    """Which touchpoints of the tables mean what, each a JSON object whose keys are CHANNEL/KIND.

    `own` are begun by customers where the event does not say; the others say what those mean that are: activity (by
    the policy), help and complaints.
    """

    own: str
    active: str
    help: str
    complaints: str


class Wanted(NamedTuple):
    """A touchpoint that is asked for: a kind on a channel, or on any (None)."""

    channel: str | None
    kind: str

    def __str__(self) -> str:
        """Return how it was asked for."""
        return self.kind if self.channel is None else f"{self.channel}/{self.kind}"

    def is_of(self, touchpoint: str) -> bool:
        """Return whether CHANNEL/KIND is one."""
        channel, _, kind = touchpoint.partition("/")
        return kind == self.kind and self.channel in (None, channel)

    def matches(self, name: str) -> str:
        """Return the condition that a step is one; its parameters are those of `parameters` with that name."""
        channel = "" if self.channel is None else f" AND step.channel = :{name}_channel"
        return f"(step.kind = :{name}_kind{channel})"

    def parameters(self, name: str) -> dict[str, str]:
        """Return the parameters of `matches`."""
        kind = {f"{name}_kind": self.kind}
        return kind if self.channel is None else {**kind, f"{name}_channel": self.channel}


def meanings(connection: Connection, policy: Policy) -> Meanings:
    """Return what touchpoints of the tables mean, as workers with that policy take them."""
    resolver = TraitsResolver(catalogue.load(), policy)
    own, active, help_wanted, complaints = [], [], [], []
    for channel, kind in connection.execute(_TOUCHPOINTS):
        touchpoint, traits = f"{channel}/{kind}", resolver.traits(channel, kind, None, "customer")
        if resolver.traits(channel, kind, None).begun_by_customer:
            own.append(touchpoint)
        if traits.is_activity:
            active.append(touchpoint)
        if traits.concern == "help":
            help_wanted.append(touchpoint)
        if traits.concern == "complain":
            complaints.append(touchpoint)
    return Meanings(*[_object(names) for names in (own, active, help_wanted, complaints)])


def check_known(connection: Connection, wanted: Iterable[Wanted]) -> None:
    """Raise InvalidInput for a touchpoint that no event has been of, so that a slip is not taken for nobody."""
    known = {(row.channel, row.kind) for row in connection.execute(_TOUCHPOINTS)}
    kinds = {kind for _, kind in known}
    for each in wanted:
        if (each.channel, each.kind) not in known and not (each.channel is None and each.kind in kinds):
            raise InvalidInput(f"No touchpoint here is {each}. `pipeline touchpoints` lists those that there are.")


def _object(names: Iterable[str]) -> str:
    return orjson.dumps(dict.fromkeys(names, True)).decode()
