"""Journeys put straight into the tables, for questions that are compared with a plain computation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Connection, Engine, text

from pipeline.journey.step import event_key

START = datetime(2026, 3, 2, tzinfo=UTC)
#: Touchpoints that are drawn; the catalogue knows all but the last.
TOUCHPOINTS = (
    "web/page_viewed", "web/checkout_started", "web/purchase", "call_centre/call_queued", "call_centre/call_ended",
    "email/email_sent", "branch/visit_started", "web/complaint_opened", "app/hologram_seen",
)  # fmt: skip
_OUTCOMES = ("none", "none", "none", "succeeded", "failed", "abandoned")
_INSERT = text("""
    INSERT INTO journey (journey_id, customer, partition, revision, status, started_at, ended_at, covers_until,
                         touchpoints, channels, outcome, failures, abandoned, begun_by_customer, is_visit, steps,
                         steps_omitted, keys, merged_into)
    SELECT id, customer, 0, 1, status, started_at, ended_at, ended_at, 1, '{}', 'none', 0, 0, true, true, steps,
           omitted, decode(keys, 'hex'), merged_into
    FROM json_to_recordset(CAST(:rows AS json)) AS given (
        id uuid, customer text, status text, started_at timestamptz, ended_at timestamptz, steps jsonb, omitted int,
        keys text, merged_into uuid)
""")
_COUNTED = text("""
    INSERT INTO touchpoint_count
    SELECT DISTINCT 0, 'unknown', split_part(name, '/', 1), split_part(name, '/', 2), true, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
    FROM unnest(CAST(:names AS text[])) AS name
""")
_ASIDE = text("""
    INSERT INTO identity_touchpoint (partition, key, at, keys, via, sender, place, holder, steps)
    VALUES (0, :key, :at, :keys, '', '', 'omitted', '', CAST(:steps AS jsonb))
""")


class Told(NamedTuple):
    """A journey; its steps are as the column has them, `at` a moment. Of these, `omitted` ones are kept aside."""

    journey_id: str
    customer: str
    steps: Sequence[dict[str, Any]]
    omitted: Sequence[int] = ()

    @property
    def names(self) -> list[str]:
        return [f"{step['channel']}/{step['kind']}" for step in self.steps]

    @property
    def stations(self) -> list[str]:
        """Its touchpoints, the same one several times in a row once."""
        return [name for place, name in enumerate(self.names) if place == 0 or self.names[place - 1] != name]


def step(at: datetime, name: str, outcome: str = "none", **more: Any) -> dict[str, Any]:
    channel, kind = name.split("/")
    return {"at": at, "channel": channel, "kind": kind, "stage": "unknown", "outcome": outcome, **more}


def drawn(seed: int, journeys: int, customers: int) -> list[Told]:
    """Journeys one after the other, each some hours after its customer's last; every tenth has steps kept aside."""
    rng = Random(seed)
    made, ends = [], dict.fromkeys(range(customers), START)
    for _number in range(journeys):
        customer = rng.randrange(customers)
        at = ends[customer] + timedelta(milliseconds=rng.randrange(1_800_000, 216_000_000))
        steps = []
        for place in range(rng.choice((1, 1, 2, 3, 5, 8))):
            name = rng.choice(TOUCHPOINTS[: rng.choice((3, len(TOUCHPOINTS)))])
            more: dict[str, Any] = {}
            if rng.random() < 0.3:
                more["wait_ms"] = rng.randrange(400_000)
            if rng.random() < 0.2:
                more["late_ms"] = rng.randrange(-9_000_000, 9_000_000)
            if rng.random() < 0.2:
                more["score"] = float(rng.randrange(101))
            if rng.random() < 0.1:
                more["begun_by"] = rng.choice(("customer", "company"))
            if rng.random() < 0.3:  # some steps are of the same moment
                more["sequence"] = place + 1
            else:
                at += timedelta(milliseconds=rng.randrange(1, 7_200_000))
            steps.append(step(at, name, rng.choice(_OUTCOMES), **more))
        for place, each in enumerate(steps):
            each["sequence"] = place + 1
        ends[customer] = at
        omitted = list(range(len(steps) // 2, len(steps) - 1)) if rng.random() < 0.1 else []
        made.append(Told(str(UUID(int=rng.getrandbits(128))), f"customer:c{customer}", steps, omitted))
    return made


@contextmanager
def told(engine: Engine, journeys: Sequence[Told]) -> Iterator[Connection]:
    """Put journeys into empty tables, with some that were merged or moved, and lend the connection; undo it after."""
    with engine.connect() as connection:
        connection.execute(text("TRUNCATE journey, touchpoint_count, identity_touchpoint"))
        put(connection, journeys)
        yield connection
        connection.rollback()


def put(connection: Connection, journeys: Sequence[Told]) -> None:
    """Put journeys into the tables."""
    rows = []
    for journey in journeys:
        keys = [event_key(journey.journey_id, str(place), 0) for place in range(len(journey.steps))]
        shown = [place for place in range(len(journey.steps)) if place not in journey.omitted]
        row = {
            "id": journey.journey_id, "customer": journey.customer, "status": "closed",
            "steps": [journey.steps[place] for place in shown],
            "keys": b"".join([keys[place] for place in (*shown, *journey.omitted)]).hex(),
            "started_at": journey.steps[0]["at"], "ended_at": journey.steps[-1]["at"], "omitted": len(journey.omitted),
            "merged_into": None,
        }  # fmt: skip
        rows.append(row)
        if int(journey.journey_id[0], 16) < 2:
            gone = str(UUID(int=UUID(journey.journey_id).int ^ 1))
            rows.append({**row, "id": gone, "status": "merged", "merged_into": journey.journey_id})
        for place in journey.omitted:
            aside = {"key": journey.customer, "at": journey.steps[place]["at"], "keys": keys[place]}
            connection.execute(_ASIDE, {**aside, "steps": orjson.dumps([journey.steps[place]]).decode()})
    connection.execute(_INSERT, {"rows": orjson.dumps(rows).decode()})
    connection.execute(_COUNTED, {"names": sorted({name for journey in journeys for name in journey.names})})
