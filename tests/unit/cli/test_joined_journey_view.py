"""How a journey was joined, for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.cli import joined_journey
from pipeline.cli.joined_journey import example_key, short
from pipeline.queries.customers import JourneyView
from pipeline.queries.evidence import Evidence
from pipeline.queries.joined_journeys import JoinedJourney, JoinedStep

START = datetime(2026, 5, 1, 9, tzinfo=UTC)
HASH = "79abb94dcc7c5c67618d224a79abb94dcc7c5c67618d224a79abb94dcc7c5c67"
BEFORE, AFTER = START - timedelta(days=2), START + timedelta(days=1)
HELD = Evidence("phone:" + HASH, "customer:ann", "held", "verified", "pbx", "c-1", BEFORE, "call_ended")
CLAIMED = Evidence("anonymous:a", "email:x", "claimed", "verified", "shop", "p-1", AFTER, "purchase")
UPWARDS = Evidence("email:x", "customer:old", "named", "declared", "shop", "f-1", None, None)
MERGED = Evidence("customer:old", "customer:ann", "merged", "", "crm", "m-1", START, "customer_merged")


def step(minutes: int, channel: str, kind: str, key: str, *evidence: Evidence, outcome: str = "none") -> JoinedStep:
    at = (START + timedelta(minutes=minutes)).isoformat()
    return JoinedStep({"at": at, "channel": channel, "kind": kind, "outcome": outcome}, key, evidence)


def joined(*steps: JoinedStep) -> JoinedJourney:
    view = JourneyView("id", "closed", 1, START, START, len(steps), {"web": 1, "call_centre": 1}, "none", 0, 0, [], 0)
    return JoinedJourney("customer:ann", view, steps)


def texts(found: JoinedJourney) -> list[list[str]]:
    def plain(cell: Any) -> str:
        return cell if isinstance(cell, str) else str(cell.text)

    return [[plain(cell) for cell in row] for row in joined_journey.rows(found)]


def test_each_step_says_by_which_key_it_came_and_which_event_named_it_with_the_customer() -> None:
    found = joined(
        step(0, "call_centre", "call_queued", HELD.key, HELD, outcome="abandoned"),
        step(1, "web", "page_viewed", "anonymous:a", CLAIMED, UPWARDS, MERGED),
        step(2, "web", "signed_in", "customer:ann"),
    )
    assert texts(found) == [
        [
            "2026-05-01 09:00:00", "call_centre", "call_queued", "given up", "phone:79abb94dcc7c…",
            "call_ended on 2026-04-29 09:00 (pbx c-1, verified) named it with the customer",
        ],
        [
            "           09:01:00", "web", "page_viewed", "", "anonymous:a",
            "purchase on 2026-05-02 09:00 (shop p-1, verified) named it with email:x, and it was theirs before, too; "
            "an event (shop f-1, declared) named it with customer:old; "
            "customer_merged on 2026-05-01 09:00 (crm m-1) merged customer:old into the customer",
        ],
        ["           09:02:00", "web", "signed_in", "", "customer:ann", "it names the customer"],
    ]  # fmt: skip


def test_steps_of_one_kind_by_one_key_share_a_line_and_evidence_is_not_repeated() -> None:
    found = joined(
        *[step(minute, "web", "page_viewed", "anonymous:a", CLAIMED) for minute in (0, 1, 2)],
        step(3, "web", "page_viewed", "anonymous:b", CLAIMED),
        step(4, "web", "checkout_started", "anonymous:a", CLAIMED),
    )
    assert [(row[2], row[4], row[5] == "as above") for row in texts(found)] == [
        ("page_viewed ×3", "anonymous:a", False),
        ("page_viewed", "anonymous:b", False),
        ("checkout_started", "anonymous:a", True),
    ]


def test_long_values_are_shortened_and_the_shortest_key_is_the_example() -> None:
    assert short("phone:" + HASH) == "phone:79abb94dcc7c…"
    assert short("loyalty:4711") == "loyalty:4711"
    steps = step(0, "call_centre", "call_queued", HELD.key, HELD), step(1, "web", "page_viewed", "anonymous:a", CLAIMED)
    assert example_key(joined(*steps, step(2, "web", "page_viewed", "customer:ann"))) == "anonymous:a"
    assert example_key(joined(step(2, "web", "page_viewed", "customer:ann"))) == "customer:ann"
