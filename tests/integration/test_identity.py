"""Who is who on real servers: any order, several workers, the topics, and an audit that notices a changed owner."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from batch import Batch
from harness import Pipe
from histories import T0, history
from network import Event

from pipeline.cli.formatting import plural
from pipeline.identity.policy import IdentityPolicy
from pipeline.topics import IDENTITIES, JOURNEYS
from pipeline.touchpoint import Feedback, Identifier, Touchpoint

pytestmark = pytest.mark.long

#: Trust goes by source, as the histories have it.
_POLICY = """
[identity.trust.source]
verified = "verified"
declared = "declared"
none = "none"
"""
#: A score of the histories on the scale of 1 to 5.
_CSAT = {0.0: 1.0, 25.0: 2.0, 100.0: 5.0}


#: Histories take up to 300 days; what is older than 400 is final.
_SHIFT = int(time.time()) * 1000 - 310 * 86_400_000 - T0


def touchpoint(event: Event, prefix: str = "") -> Touchpoint:
    """An event of a history as a channel sends it; `prefix` keeps the people of several histories apart."""
    names: dict[str, str] = {}
    identifiers = []
    for key in event.keys:
        kind, value = key.split(":")
        if kind in ("customer", "anonymous"):
            names[kind] = prefix + value
        else:
            identifiers.append(Identifier(kind, value if len(value) == 64 else prefix + value))
    attributes = {} if event.other is None else {"merged_customer_id": prefix + event.other.removeprefix("customer:")}
    return Touchpoint(
        prefix + event.event_id,
        event.source,
        event.at + _SHIFT,
        channel="web",
        kind=event.kind,
        customer_id=names.get("customer"),
        anonymous_id=names.get("anonymous"),
        identifiers=tuple(identifiers),
        feedback=None if event.score is None else Feedback("csat", _CSAT[event.score]),
        subject=None if event.subject is None else prefix + event.subject,
        attributes=attributes,
        due_at=event.at + _SHIFT - event.sequence * 1_000 if event.sequence else None,
        begun_by=event.begun_by,
        sequence=event.sequence or None,
    )


@pytest.fixture
def by_source(pipe: Pipe) -> Iterator[Pipe]:
    """A pipe whose workers trust events by their source."""
    (pipe.folder / "policy.toml").write_text(_POLICY)
    pipe.env["PIPELINE_POLICY"] = str(pipe.folder / "policy.toml")
    yield pipe


@pytest.mark.parametrize(("workers", "seed"), [(1, 1), (1, 2), (3, 3), (3, 4)])
def test_any_order_gives_the_owners_of_one_plain_computation(by_source: Pipe, workers: int, seed: int) -> None:
    pipe, rng = by_source, Random(seed)
    histories = [history(rng, 25) for _ in range(12)]
    # Only the first shares its e-mail addresses and numbers with nobody else.
    mine = histories[0]
    others = [
        (event, f"{number}-")
        for number, events in enumerate(histories[1:], 1)
        for event in events
        if not any(key.startswith(("email", "phone")) for key in event.keys)
    ]
    sent = [touchpoint(event) for event in mine] + [touchpoint(event, prefix) for event, prefix in others]
    rng.shuffle(sent)
    cut = len(sent) // 2
    pipe.publish(sent[:cut])
    pipe.work(workers=workers)
    pipe.publish([*sent[cut:], *rng.sample(sent, len(sent) // 5)])
    pipe.work("--most-records", "40", workers=workers)
    journeys = pipe.sql(
        "SELECT customer, touchpoints, (extract(epoch FROM started_at) * 1000)::bigint AS started_at, "
        "(SELECT json_agg(step ->> 'via') FROM jsonb_array_elements(steps) AS step) AS via "
        "FROM journey WHERE status IN ('open', 'closed') AND customer NOT SIMILAR TO '%:[0-9]+-%'"
    )
    found = {(row.customer, row.started_at, row.touchpoints, tuple(sorted(map(str, row.via)))) for row in journeys}
    assert found == {
        (owner, start + _SHIFT, len(steps), tuple(sorted([str(via) for _, via in steps])))
        for owner, start, _, steps in Batch(mine, IdentityPolicy()).journeys()
    }
    outcome = json.loads(pipe.run("audit", "--json", check=False).stdout)
    assert outcome["differences"] == []
    rows = {table["table"]: (table["rows"], table["left_out"]) for table in outcome["tables"]}
    assert rows["identity_owner"][0] > 20
    assert rows["identity_owner"][1] == rows["journey"][1] == 0
    assert pipe.sql("SELECT * FROM identity_restatement") == []


def _visits() -> list[Touchpoint]:
    hour = 3_600_000
    at = int(time.time()) * 1000 - 20 * 24 * hour
    page: dict[str, Any] = {"channel": "web", "kind": "page_viewed", "anonymous_id": "cookie"}
    return [
        Touchpoint("1", "shop", at, **page),
        Touchpoint("2", "shop", at + 60_000, **page),
        Touchpoint("3", "shop", at + 2 * hour, customer_id="ryan", **page),
    ]


def test_journeys_and_identities_tell_consumers_who_a_cookie_is(pipe: Pipe) -> None:
    first, second, signed_in = _visits()
    pipe.publish([first, second])
    pipe.work()
    pipe.publish([signed_in])
    pipe.work()
    records = pipe.records(JOURNEYS)
    moved = [each for each in records if each["status"] == "moved"]
    assert [(each["customer"], each["moved_to"], each["touchpoints"]) for each in moved] == [
        ("anonymous:cookie", "customer:ryan", 0)
    ]
    latest = {each["journey_id"]: each for each in records}
    owned = [each for each in latest.values() if each["customer"] == "customer:ryan"]
    assert sorted([str(step["via"]) for step in each["steps"]] for each in owned) == [
        ["None"], ["anonymous:cookie", "anonymous:cookie"],
    ]  # fmt: skip
    identity = {each["key"]: each for each in pipe.records(IDENTITIES)}["anonymous:cookie"]
    assert (identity["owner"], identity["why"], identity["event_id"]) == ("customer:ryan", "held", "3")
    assert pipe.sql("SELECT customer FROM churn_risk")[0].customer == "customer:ryan"


def test_the_audit_notices_a_changed_owner(pipe: Pipe) -> None:
    pipe.publish(_visits())
    pipe.work()
    assert json.loads(pipe.run("audit", "--json").stdout)["differences"] == []
    with pipe.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE identity_owner SET owner = 'customer:tom' WHERE why = 'held'")
        connection.exec_driver_sql("UPDATE identity_naming SET target = 'customer:tom'")
        connection.exec_driver_sql("UPDATE journey SET customer = 'customer:tom' WHERE touchpoints = 2")
    differences = json.loads(pipe.run("audit", "--json", check=False).stdout)["differences"]
    assert {each["table"] for each in differences} >= {"identity_owner", "identity_naming", "journey"}
    assert ("owner", "customer:ryan", "customer:tom") in [
        (each["column"], each["expected"], each["found"]) for each in differences
    ]


def test_an_absorbed_journey_may_outlast_what_it_was_absorbed_by(pipe: Pipe) -> None:
    minute = 60_000
    at = int(time.time()) * 1000 - 20 * 86_400_000
    pages = [
        Touchpoint(str(number), "shop", at + number * minute, channel="web", kind="page_viewed", customer_id="ann")
        for number in (0, 40, 20)
    ]
    pipe.publish(pages[:2])
    pipe.work()
    pipe.publish(pages[2:])
    pipe.work()
    [absorbed] = pipe.sql("SELECT journey_id FROM journey WHERE status = 'merged'")
    merge = Touchpoint("merge", "crm", at, channel="unknown", kind="customer_merged", customer_id="mary")
    pipe.publish([merge._replace(attributes={"merged_customer_id": "ann"})])
    pipe.work()
    statuses = {row.status: row.n for row in pipe.sql("SELECT status, count(*) AS n FROM journey GROUP BY status")}
    assert statuses == {"merged": 1, "moved": 1, "closed": 1}
    assert json.loads(pipe.run("audit", "--json").stdout)["differences"] == []
    with pipe.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE journey SET started_at = started_at - interval '1 s', merged_into = journey_id "
            f"WHERE journey_id = '{absorbed.journey_id}'"
        )
    differences = json.loads(pipe.run("audit", "--json", check=False).stdout)["differences"]
    assert {each["column"] for each in differences} == {"started_at", "merged_into"}


def test_without_identity_each_key_is_its_own_customer(pipe: Pipe) -> None:
    pipe.publish(_visits())
    pipe.work("--no-identity")
    rows = pipe.sql("SELECT customer, touchpoints FROM journey ORDER BY customer")
    assert [tuple(row) for row in rows] == [("anonymous:cookie", 2), ("customer:ryan", 1)]


def test_a_rebuild_gives_the_same_owners_and_heeds_no_old_messages(pipe: Pipe) -> None:
    pipe.publish(_visits())
    pipe.work()
    query = "SELECT customer, status, touchpoints FROM journey WHERE touchpoints > 0 ORDER BY customer, touchpoints"
    before = pipe.sql(query)
    pipe.run("rebuild", "--yes")
    pipe.work()
    assert pipe.sql(query) == before
    assert json.loads(pipe.run("audit", "--json").stdout)["differences"] == []


def test_people_see_who_a_key_is_and_correct_it(pipe: Pipe) -> None:
    pipe.publish(_visits())
    pipe.work()
    shown = json.loads(pipe.run("identity", "show", "anonymous:cookie", "--json").stdout)
    assert (shown["owner"], shown["stretches"][0]["event_id"]) == ("customer:ryan", "3")
    assert "anonymous:cookie belongs to customer:ryan" in pipe.run("identity", "show", "anonymous:cookie").stdout
    [link] = json.loads(pipe.run("identity", "links", "ryan", "--json").stdout)
    assert (link["key"], link["owner"], link["event_id"]) == ("anonymous:cookie", "customer:ryan", "3")
    assert "No key is shared." in pipe.run("identity", "shared").stdout
    assert json.loads(pipe.run("customer", "anonymous:cookie", "--json").stdout)["customer"] == "customer:ryan"

    said = pipe.run("identity", "retract", "customer:ryan", "anonymous:cookie", "--dry-run").stdout
    assert said == "2 touchpoints would get another owner; 1 journey and 2 customers would change.\n"
    pipe.run("identity", "retract", "customer:ryan", "anonymous:cookie", "--yes")
    pipe.work()
    assert _owners(pipe) == {"anonymous:cookie": 2, "customer:ryan": 1}
    done = pipe.run("identity", "merge", "customer:mary", "ryan", "--yes").stdout
    pipe.work()
    assert _owners(pipe) == {"anonymous:cookie": 2, "customer:mary": 1}
    merge = done.split()[2]
    pipe.run("identity", "split", merge, "--source", "pipeline-cli", "--customer", "mary", "--yes")
    pipe.work()
    assert _owners(pipe) == {"anonymous:cookie": 2, "customer:ryan": 1}
    assert pipe.run("identity", "retract", "customer:ryan", check=False).returncode == 2
    assert pipe.run("identity", "end", "nonsense", "--yes", check=False).returncode == 2
    assert json.loads(pipe.run("audit", "--json").stdout)["differences"] == []


def _owners(pipe: Pipe) -> dict[str, int]:
    rows = pipe.sql("SELECT customer, sum(touchpoints)::int AS n FROM journey WHERE touchpoints > 0 GROUP BY customer")
    return {row.customer: row.n for row in rows}


def _live(pipe: Pipe) -> dict[str, tuple[str, int]]:
    """The journeys that have touchpoints: their customers and revisions."""
    rows = pipe.sql("SELECT journey_id::text AS id, customer, revision FROM journey WHERE touchpoints > 0")
    return {row.id: (row.customer, row.revision) for row in rows}


def test_a_dry_run_says_what_a_correction_changes(by_source: Pipe) -> None:
    pipe = by_source
    pipe.publish([touchpoint(event) for event in history(Random(158), 60)])
    pipe.work()
    [naming] = pipe.sql(
        "SELECT key, target FROM identity_naming WHERE target LIKE 'customer:%' ORDER BY at, event_id LIMIT 1"
    )
    found = pipe.sql(
        "SELECT customer FROM journey WHERE touchpoints > 0 AND customer LIKE 'customer:%' "
        "GROUP BY customer ORDER BY count(*) DESC, customer LIMIT 2"
    )
    corrections = (
        ["merge", *[row.customer for row in found]],
        ["retract", naming.target, naming.key],
        ["end", naming.key, "--at", "200d"],
    )
    changed = 0
    for arguments in corrections:
        said, before = pipe.run("identity", *arguments, "--dry-run").stdout, _live(pipe)
        pipe.run("identity", *arguments, "--yes")
        pipe.work()
        after = _live(pipe)
        ids = {each for each, known in before.items() if after.get(each) != known}
        customers = {
            known[0] for each, known in [*before.items(), *after.items()] if before.get(each) != after.get(each)
        }
        counted = f"{plural(len(ids), 'journey')} and {plural(len(customers), 'customer')} would change.\n"
        assert said.endswith(counted), (arguments, said, counted)
        changed += len(ids)
    assert changed > 5


def test_an_event_that_names_nobody_by_the_policy_is_found_in_quarantine(pipe: Pipe) -> None:
    (pipe.folder / "policy.toml").write_text('[identity]\nnobody = ["n/a"]\n')
    pipe.publish([_visits()[0]._replace(anonymous_id="N/A")])
    pipe.env["PIPELINE_POLICY"] = str(pipe.folder / "policy.toml")
    pipe.work()
    [refused] = json.loads(pipe.run("quarantine", "list", "--json").stdout)
    assert refused["reason"] == "no_customer"
    assert "a value that the policy names" in refused["detail"]
