"""The tables once more, apart from the live path: sort all events, walk once. No code of the job's is used."""

from __future__ import annotations

import math
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
SCALE = {"csat": (1, 5, 4), "nps": (0, 10, 9), "ces": (1, 7, 5), "stars": (1, 5, 4), "sentiment": (-1, 1, 0.05)}
CATALOGUE = tomllib.loads((files("pipeline.contract") / "schemas" / "catalogue.toml").read_text())
#: The default policy, said again.
GAPS_BY_KIND = {"email_delivered": HOUR, "call_abandoned": DAY, "complaint_opened": 3 * DAY}
GAPS_BY_CHANNEL = {"email": 3 * DAY, "call_centre": DAY, "branch": DAY, "chat": 4 * HOUR}


@dataclass
class Expected:
    """What the tables should hold."""

    journeys: set[tuple[Any, ...]] = field(default_factory=set)
    counts: dict[tuple[str, str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    visits: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    satisfaction: dict[str, tuple[int, float]] = field(default_factory=dict)


def is_activity(kind: str) -> bool:
    entry = CATALOGUE["kind"].get(kind, {"by": "", "role": ""})
    return kind == "account_closed" or (entry["by"] == "customer" and entry["role"] in ("browse", "buy", "use"))


def stage(kind: str) -> str:
    return str(CATALOGUE["kind"].get(kind, {}).get("stage", "unknown"))


def key_of(record: dict[str, Any]) -> str:
    if record["customer_id"]:
        return f"customer:{record['customer_id']}"
    types = ["loyalty", "email", "phone", "…", "device"]
    named = [(each["type"], each["value"]) for each in record["identifiers"]]
    if named:
        return ":".join(min(named, key=lambda each: types.index(each[0] if each[0] in types else "…")))
    return f"anonymous:{record['anonymous_id']}"


def recompute(records: list[dict[str, Any]]) -> Expected:
    """`records` are all decoded touchpoints of the topic, in any order, duplicates included."""
    expected = Expected()
    distinct = {(key_of(r), r["source"], r["event_id"], r["occurred_at"]): r for r in records}
    by_customer: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (key, *_), record in distinct.items():
        by_customer[key].append(record)
    for key, own in by_customer.items():
        own.sort(key=lambda r: r["occurred_at"])
        _journeys(expected, key, own)
        for record in own:
            _count(expected, record)
        _satisfaction(expected, key, own)
    return expected


def _journeys(expected: Expected, key: str, own: list[dict[str, Any]]) -> None:
    groups: list[list[dict[str, Any]]] = []
    reach = -math.inf
    for record in own:
        if record["occurred_at"] > reach:
            groups.append([])
        groups[-1].append(record)
        gap = GAPS_BY_KIND.get(record["kind"], GAPS_BY_CHANNEL.get(record["channel"], 30 * MINUTE))
        reach = max(reach, record["occurred_at"] + gap)
    active = [r for r in own if is_activity(r["kind"])]
    visits = sum(any(is_activity(r["kind"]) for r in group) for group in groups)
    if visits:
        expected.visits[key] = (visits, active[0]["occurred_at"], active[-1]["occurred_at"])
    for group in groups:
        channels = Counter(r["channel"] for r in group)
        failed = sum(r["outcome"] == "failed" for r in group)
        gave_up = sum(r["outcome"] == "abandoned" for r in group)
        expected.journeys.add(
            (
                key, group[0]["occurred_at"], group[-1]["occurred_at"], len(group), tuple(sorted(channels.items())),
                failed, gave_up,
            )
        )  # fmt: skip


def _count(expected: Expected, record: dict[str, Any]) -> None:
    at = (record["stage"] or stage(record["kind"]), record["channel"], record["kind"])
    counts = expected.counts[at]
    counts["events"] += 1
    counts["failures"] += record["outcome"] == "failed"
    counts["abandoned"] += record["outcome"] == "abandoned"
    if record["wait_ms"] is not None:
        counts["waits"] += 1
        counts["wait_ms_sum"] += record["wait_ms"]
    if (feedback := record["feedback"]) is not None:
        about = record["attributes"].get("about")
        if about:
            channel, kind = about.split("/")
            at = (stage(kind), channel, kind)
        judged = expected.counts[at]
        judged["answers"] += 1
        judged["satisfied"] += feedback["score"] >= SCALE[feedback["instrument"]][2]


def _satisfaction(expected: Expected, key: str, own: list[dict[str, Any]]) -> None:
    answers = [(r["occurred_at"], r["feedback"]) for r in own if r["feedback"] is not None]
    if not answers:
        return
    last = answers[-1][0]
    total, weighted = 2.0, 2.0 * 73.0
    for at, feedback in answers:
        worst, best, _ = SCALE[feedback["instrument"]]
        weight = 0.5 ** ((last - at) / (90 * DAY))
        total += weight
        weighted += weight * 100 * (feedback["score"] - worst) / (best - worst)
    expected.satisfaction[key] = (len(answers), weighted / total)
