"""What the pipeline joins on real servers, against the truth about simulated people.

    .venv/bin/pytest -q -s tests/integration/test_identity_truth.py

prints the figures of docs/simulation.md.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any, NamedTuple

from harness import Pipe
from joined_pairs import Pairs, joined_pairs

from pipeline.contract.times import parse_rfc3339
from pipeline.journey.step import KEY_BYTES, event_key
from pipeline.simulate.knowable import WHYS

#: With this seed each of the situations that are rare is among so few people, too.
SEED, EVENTS, CUSTOMERS = 6, 8_000, 320


class Told(NamedTuple):
    """A touchpoint: whose it is, why that can't be known (None if it can), and who has it in the tables."""

    person: str
    why: str | None
    owner: str


class Part(NamedTuple):
    """A part of the touchpoints, and the pairs that it adds to those of what can be known."""

    name: str
    touchpoints: int | None
    pairs: Pairs


def owners(pipe: Pipe) -> dict[bytes, list[str]]:
    """Who has each touchpoint, by what identifies it."""
    found: dict[bytes, list[str]] = {}
    for row in pipe.sql("SELECT customer, keys FROM journey WHERE merged_into IS NULL AND moved_to IS NULL"):
        keys = bytes(row.keys)
        for at in range(0, len(keys), KEY_BYTES):
            found.setdefault(keys[at : at + KEY_BYTES], []).append(row.customer)
    return found


def key_of(line: dict[str, Any]) -> bytes:
    """What identifies the touchpoint that a line of the truth is about."""
    return event_key(line["source"], line["event_id"], parse_rfc3339(line["occurred_at"]))


def pairs_of(touchpoints: list[Told]) -> Pairs:
    return joined_pairs((each.person, each.owner) for each in touchpoints)


def parts(told: list[Told]) -> list[Part]:
    """What can be known; what each reason adds to it why something can't; pairs of two reasons; and all."""
    known = [each for each in told if each.why is None]
    found = [Part("known", len(known), pairs_of(known))]
    rest = pairs_of(told).without(found[0].pairs)
    for why in WHYS:
        if some := [each for each in told if each.why == why]:
            added = pairs_of(known + some).without(found[0].pairs)
            rest = rest.without(added)
            found.append(Part(why, len(some), added))
    return [*found, Part("two reasons", None, rest), Part("all", len(told), pairs_of(told))]


def table(found: list[Part]) -> str:
    """The parts as a table of the documentation."""
    lines = ["| part | touchpoints | pairs of one person | joined pairs | precision | recall |", "|" + " --- |" * 6]
    for name, touchpoints, pairs in found:
        count = "" if touchpoints is None else f"{touchpoints:,}"
        figures = f"{pairs.one_person:,} | {pairs.one_owner:,} | {pairs.precision:.3f} | {pairs.recall:.3f}"
        lines.append(f"| {name} | {count} | {figures} |")
    return "\n".join(lines)


def test_what_can_be_known_is_joined_and_all_that_is_missed_or_wrong_has_a_reason(pipe: Pipe) -> None:
    # People go by the hour of the day: up to midnight, the figures are the same each day.
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    truth = pipe.folder / "truth.jsonl"
    pipe.run(
        "simulate", "--seed", str(SEED), "--events", str(EVENTS), "--customers", str(CUSTOMERS), "--end",
        midnight.isoformat(), "--identity", "--truth", str(truth), "--disorder", "0.05", "--duplicates", "0.02",
    )  # fmt: skip
    pipe.work()
    owned = owners(pipe)
    lines = [json.loads(line) for line in truth.read_text().splitlines()]
    assert set(owned) == {key_of(line) for line in lines}
    assert all(len(customers) == 1 for customers in owned.values())
    told = [Told(line["person"], line.get("why"), owned[key_of(line)][0]) for line in lines]

    found = parts(told)
    sys.stdout.write(f"\n{table(found)}\n")
    known, whole = found[0], found[-1]
    assert known.touchpoints is not None
    assert known.touchpoints > 0.85 * len(told)
    # A missed or wrong pair without a reason would be one of what can be known.
    assert (known.pairs.missed, known.pairs.wrong) == (0, 0)
    assert (known.pairs.precision, known.pairs.recall) == (1.0, 1.0)
    assert {each.name for each in found} >= {"family_phone", "recycled_number", "shared_tablet", "never_signed_in"}
    assert whole.pairs.precision > 0.95
    assert whole.pairs.recall > 0.9
    assert pipe.sql("SELECT * FROM identity_restatement") == []
