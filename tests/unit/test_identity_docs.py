"""The tables and examples of docs/identity.md hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest
from batch_owners import Event, owners_of
from live_owners import live_owners_of

from pipeline.audit.identity.records import (
    ENDED,
    MERGED,
    RETRACTED,
    SPLIT,
    IdentityRules,
    correction,
    named_keys,
    type_rules,
)
from pipeline.audit.identity.segments import Segment
from pipeline.contract.reject import Rejected
from pipeline.contract.text import from_json_line
from pipeline.contract.validate import check
from pipeline.touchpoint import Identifier, Touchpoint

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "identity.md").read_text()
DAY_MS = 86_400_000


class Row(NamedTuple):
    """A row of a table: the event, its owner, and its owner once a customer is erased."""

    event: Event
    owner: str
    owner_after: str | None


class Table(NamedTuple):
    """A table of examples; `erased` is the customer whom the last column is about."""

    rows: list[Row]
    erased: str | None


def trusts() -> dict[str, str]:
    """The trust of the kinds that the page has as examples."""
    rows = re.findall(r"^\| `(verified|declared)` \|.*\| ([^|]*) \|$", PAGE, re.M)
    return {kind: trust for trust, kinds in rows for kind in re.findall(r"`(\w+)`", kinds)}


def event(number: int, time: str, names: str, touchpoint: str, trust: dict[str, str]) -> Event:
    keys = ["anonymous:a"] if names == "–" else names.split(", ")
    by_type = [(prefix, value) for prefix, _, value in (key.partition(":") for key in keys)]
    name, _, subject = touchpoint.partition(" of ")
    channel, kind = name.split("/")
    at = datetime.strptime(f"2026-{time}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    made = Touchpoint(
        event_id=str(number),
        source="docs",
        occurred_at=int(at.timestamp() * 1000),
        channel=channel,
        kind=kind,
        customer_id=dict(by_type).get("customer"),
        anonymous_id=dict(by_type).get("anonymous"),
        identifiers=tuple(Identifier(*each) for each in by_type if each[0] not in ("customer", "anonymous")),
        subject=subject if subject and kind != MERGED else None,
        attributes={"merged_customer_id": subject} if kind == MERGED else {},
    )
    return Event(made, trust.get(kind, "none"))


def tables() -> Iterator[Table]:
    trust = trusts()
    found = re.findall(
        r"^\| occurred_at \| names \| touchpoint \| owner \|(?: owner after (\w+) is erased \|)?\n.*\n((?:\|.*\n)+)",
        PAGE,
        re.M,
    )
    for erased, body in found:
        rows = []
        for number, line in enumerate(body.splitlines(), start=1):
            time, names, touchpoint, owner, *after = [cell.strip() for cell in line.strip("|").split("|")]
            rows.append(Row(event(number, time, names, touchpoint, trust), owner, *(after or [None])))
        yield Table(rows, erased or None)


Engine: TypeAlias = Callable[..., list[str | None]]
#: What computes owners from events; each has to give the tables.
ENGINES = [pytest.param(owners_of, id="audit"), pytest.param(live_owners_of, id="live")]
TABLES = list(tables())


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("table", TABLES)
def test_the_tables_of_identity_hold(table: Table, engine: Engine) -> None:
    events = [row.event for row in table.rows]
    expected = [None if row.owner == "correction" else row.owner for row in table.rows]
    assert engine(events) == expected
    assert engine(events[::-1]) == expected[::-1]
    if table.erased and engine is owners_of:  # the live pipeline does not erase yet
        after = engine(events, erased={f"customer:{table.erased}": "erased:1"})
        kept = [(row.owner_after, owner) for row, owner in zip(table.rows, after, strict=True)]
        assert all(expected == owner for expected, owner in kept if expected != "erased")


def test_there_are_tables_of_identity_and_all_are_read() -> None:
    assert len(TABLES) == PAGE.count("| occurred_at |") >= 15
    assert any(table.erased for table in TABLES)
    kinds = {row.event.touchpoint.kind for table in TABLES for row in table.rows}
    assert {*trusts()} - kinds <= {"counter_served", "form_submitted"}


def test_the_examples_are_valid_corrections_of_every_kind() -> None:
    kinds = set()
    for example in re.findall(r"^```json\n(.*?)^```$", PAGE, re.M | re.S):
        touchpoint = from_json_line(json.dumps(json.loads(example)))
        assert not isinstance(touchpoint, Rejected), touchpoint
        assert check(touchpoint, now_ms=touchpoint.occurred_at) is None
        found = correction(touchpoint, named_keys(touchpoint))
        assert found is not None
        assert (found.other is not None) == (found.kind == MERGED)
        kinds.add(found.kind)
    assert kinds == {RETRACTED, ENDED, MERGED, SPLIT}


def test_the_defaults_by_type_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| (.+) \| (unlimited|\d+ days) \| (unlimited|\d+ days) \| (\d+) \|$", PAGE, re.M)
    assert len(rows) == 5
    for names, hold, lookback, shared_above in rows:
        spans = [None if span == "unlimited" else int(span.split()[0]) * DAY_MS for span in (hold, lookback)]
        for name in re.findall(r"`(\w+)`", names) or ["crm"]:
            assert type_rules(f"{name}:1", IdentityRules()) == (*spans, int(shared_above))


def test_every_reason_is_explained() -> None:
    section = PAGE.partition("## Why")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.M) == re.findall(r"\| `(\w+)` \|", Segment.__doc__ or "")
