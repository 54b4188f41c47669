"""The audit of tables that somebody has changed: it names the table, the row and the column."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from harness import TABLES, Pipe, empty_pipe, encoder_of
from sqlalchemy import Engine, text

from pipeline.contract.encode import touchpoint_record
from pipeline.touchpoint import Touchpoint

NAMES = TABLES.split(", ")


@pytest.fixture(scope="module")
def processed(
    stack_env: dict[str, str], initialised: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipe]:
    """Touchpoints that came late, twice, unreadable and with wrong keys, all processed, and copies of the tables."""
    with empty_pipe(stack_env, initialised, tmp_path_factory.mktemp("audit")) as pipe:
        now = int(time.time() * 1000)

        def apart(minutes: int) -> list[Touchpoint]:
            at = now - 5 * 86_400_000 + minutes * 60_000
            shared = {"source": "shop", "occurred_at": at, "channel": "web", "kind": "page_viewed"}
            return [Touchpoint(event_id=str(minutes), customer_id=f"joined-{n}", **shared) for n in range(12)]

        pipe.publish([*apart(0), *apart(50)])
        pipe.work()
        pipe.publish(apart(25))
        pipe.run(
            "simulate", "--events", "6000", "--customers", "200", "--seed", "5", "--disorder", "0.2", "--duplicates",
            "0.05",
        )  # fmt: skip
        encoder = encoder_of(pipe.env)

        def value(**fields: Any) -> bytes:
            known = {"event_id": "x", "source": "shop", "occurred_at": now, "channel": "web", "kind": "page_viewed"}
            return encoder.encode(touchpoint_record(Touchpoint(**{**known, "customer_id": "c1", **fields})))

        pipe.produce([(b"customer:c1", bad) for bad in (None, b"", b"nonsense", value()[:-1], value() + b"\0")])
        pipe.produce([(b"customer:c1", value(occurred_at=when)) for when in (0, now + 48 * 3_600_000)])
        pipe.produce([(b"wrong", value(customer_id=f"wrong-{n}")) for n in range(5)])
        strange = 'say "hello", \\N\n\r'
        pipe.produce(
            [(f"customer:{strange}".encode(), value(customer_id=strange, event_id=str(n))) for n in range(250)]
        )
        pipe.work("--most-records", "300")
        with pipe.engine.begin() as connection:
            for name in NAMES:
                connection.execute(text(f"CREATE TABLE kept_{name} AS TABLE {name}"))
        yield pipe
        with pipe.engine.begin() as connection:
            for name in NAMES:
                connection.execute(text(f"DROP TABLE kept_{name}"))


@pytest.fixture
def untouched(processed: Pipe) -> Iterator[Pipe]:
    """`processed`, whose tables a test may change."""
    yield processed
    restore(processed)


def restore(pipe: Pipe) -> None:
    """The tables as they were."""
    with pipe.engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {TABLES}"))
        for name in NAMES:
            connection.execute(text(f"INSERT INTO {name} TABLE kept_{name}"))


def change(pipe: Pipe, statement: str) -> None:
    with pipe.engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def audit(pipe: Pipe) -> tuple[int, dict[str, Any]]:
    done = pipe.run("audit", "--json", "--limit", "1000000", check=False)
    assert done.stdout, done.stderr
    outcome = json.loads(done.stdout)
    for each in outcome["differences"]:
        assert each["expected"] != each["found"]
        assert each["key"]
    return done.returncode, outcome


def test_tables_that_nobody_touched_have_no_difference(processed: Pipe) -> None:
    code, outcome = audit(processed)
    assert (code, outcome["differences"], outcome["differing"]) == (0, [], 0)
    rows = {table["table"]: table["rows"] for table in outcome["tables"]}
    assert rows["quarantine"] == 7
    for name in set(rows):
        assert rows[name] == processed.sql(f"SELECT count(*) AS n FROM {name}")[0].n
    [sums] = processed.sql(
        "SELECT sum(duplicates) AS d, sum(forwarded) AS f, "
        "sum(processed + duplicates + quarantined + forwarded) AS n FROM position"
    )
    assert (sums.d > 100, sums.f, sums.n) == (True, 5, outcome["records"])
    assert processed.sql("SELECT count(*) AS n FROM journey WHERE status = 'merged'")[0].n >= 12


#: table → its key, and which rows are changed, each by another of CHANGES.
ROWS = {
    "journey": ("journey_id", "touchpoints BETWEEN 4 AND 50 AND failures = 0"),
    "merged": ("journey_id", "status = 'merged'"),
    "satisfaction": ("customer", "true"),
    "churn_risk": ("customer", "account_closed_at IS NULL AND probability < 0.9"),
    "touchpoint_count": ("(partition, stage, channel, kind)", "waits > 0"),
    "quarantine": ('(partition, "offset")', "true"),
}
#: What is set in one row, and the column that the audit names; DELETE takes the row away.
CHANGES = [
    ("touchpoint_count", "events = events + 1", "events"),
    ("touchpoint_count", "wait_ms_sum = wait_ms_sum - 1", "wait_ms_sum"),
    ("touchpoint_count", "catalogued = NOT catalogued", "catalogued"),
    ("touchpoint_count", "satisfied = satisfied + 1", "satisfied"),
    ("touchpoint_count", "DELETE", "(row)"),
    ("journey", "DELETE", "(row)"),
    ("journey", "customer = 'customer:nobody'", "(row)"),
    ("journey", "started_at = started_at - interval '1 ms'", "(row)"),
    ("journey", "ended_at = ended_at + interval '1 ms'", "ended_at"),
    ("journey", "covers_until = covers_until + interval '1 ms'", "covers_until"),
    ("journey", "touchpoints = touchpoints + 1", "touchpoints"),
    ("journey", "channels = '{\"sms\": 1}'", "channels"),
    ("journey", "outcome = 'failed'", "outcome"),
    ("journey", "failures = failures + 1", "failures"),
    ("journey", "abandoned = abandoned + 1", "abandoned"),
    ("journey", "begun_by_customer = NOT begun_by_customer", "begun_by_customer"),
    ("journey", "is_visit = NOT is_visit", "is_visit"),
    ("journey", "partition = (partition + 1) % 4", "partition"),
    ("journey", "revision = 0", "revision"),
    ("journey", "steps_omitted = 1", "steps_omitted"),
    ("journey", "steps = jsonb_set(steps, '{1,kind}', '\"dreamt\"')", "steps[2].kind"),
    ("journey", "steps = jsonb_set(steps, '{0,wait_ms}', '1')", "steps[1].wait_ms"),
    ("journey", "steps = jsonb_set(steps, '{0,late_ms}', '1')", "steps[1].late_ms"),
    ("journey", """steps = jsonb_set(steps, '{0,about}', '"web/x"')""", "steps[1].about"),
    ("journey", """steps = jsonb_set(steps, '{0,subject}', '"x"')""", "steps[1].subject"),
    ("journey", "steps = jsonb_set(steps, '{0,begun_by}', '\"company\"')", "steps[1].begun_by"),
    ("journey", "steps = jsonb_set(steps, '{0,sequence}', '1')", "steps[1].sequence"),
    ("journey", "steps = steps - 0", "steps[1].at"),
    ("journey", "steps = '[]'", "steps[1]"),
    ("journey", "steps = '{}'", "steps[1]"),
    ("journey", "keys = overlay(keys placing '\\xabcdef'::bytea from 3)", "keys"),
    ("journey", "keys = substring(keys from 9)", "key_bytes"),
    ("merged", "merged_into = journey_id", "merged_into"),
    ("merged", "merged_into = gen_random_uuid()", "merged_into"),
    ("merged", "merged_into = (SELECT journey_id FROM journey WHERE customer = 'customer:wrong-1')", "merged_into"),
    ("merged", "touchpoints = 1", "touchpoints"),
    ("merged", "keys = '\\x0102030405060708'", "keys"),
    ("merged", "started_at = started_at - interval '900 days'", "started_at"),
    ("satisfaction", "DELETE", "(row)"),
    ("satisfaction", "weighted = weighted + 1", "weighted"),
    ("satisfaction", "about = jsonb_build_object('web/x', weight)", "about"),
    ("satisfaction", "weight = weight - 1", "weight"),
    ("satisfaction", "answered = answered + 1", "answered"),
    ("satisfaction", "score = score + 0.00001", "score"),
    ("satisfaction", "low = low - 0.00001", "low"),
    ("satisfaction", "answers = 'NaN'", "answers"),
    ("satisfaction", "model = 'satisfaction 0'", "model"),
    ("churn_risk", "customer = 'customer:nobody'", "(row)"),
    ("churn_risk", "visits = visits + 1", "visits"),
    ("churn_risk", "first_active_at = first_active_at - interval '1 ms'", "first_active_at"),
    ("churn_risk", "last_seen_at = last_seen_at + interval '1 ms'", "last_seen_at"),
    ("churn_risk", "account_closed_at = last_active_at", "account_closed_at"),
    ("churn_risk", "probability = probability * 1.000001", "probability"),
    ("churn_risk", "band = 'none'", "band"),
    ("churn_risk", "as_of = last_seen_at - interval '1 day'", "as_of"),
    ("quarantine", "DELETE", "(row)"),
    ("quarantine", "reason = 'misrouted'", "reason"),
    ("quarantine", "raw = '\\x01'", "raw"),
    ("quarantine", "key = null", "key"),
    ("quarantine", '"offset" = 0', "(row)"),
]


@pytest.fixture(scope="module")
def found(processed: Pipe) -> Iterator[list[list[str]]]:
    """Each of CHANGES in a row of its own, one audit, and for each change what is named of its row."""
    changed = []
    with processed.engine.begin() as connection:
        for name, (identity, which) in ROWS.items():
            table = "journey" if name == "merged" else name
            own = [(n, how) for n, (of, how, _) in enumerate(CHANGES) if of == name]
            rows = connection.execute(text(f"SELECT * FROM kept_{table} AS {table} WHERE {which} ORDER BY {identity}"))
            for (n, how), row in zip(own, rows, strict=False):
                changed.append((n, table, _key(table, row), identity, how, row))
        assert len(changed) == len(CHANGES)
        for _, table, _, identity, how, row in changed:
            values = row._mapping
            same = " AND ".join(f'"{name}" = :{name}' for name in identity.strip("()").replace('"', "").split(", "))
            verb = f"DELETE FROM {table}" if how == "DELETE" else f"UPDATE {table} SET {how}"
            assert connection.execute(text(f"{verb} WHERE {same}"), dict(values)).rowcount == 1
    code, outcome = audit(processed)
    restore(processed)
    assert code == 1
    assert outcome["differing"] == len(outcome["differences"])
    named: dict[int, list[str]] = {}
    for n, table, key, *_ in changed:
        named[n] = [
            d["column"] for d in outcome["differences"] if d["table"] == table and key.items() <= d["key"].items()
        ]
    yield [named[n] for n in range(len(CHANGES))]


def _key(table: str, row: Any) -> dict[str, Any]:
    """A row's key as the audit tells it."""
    if table == "journey":
        return {"merged": str(row.journey_id)} if row.status == "merged" else {
            "customer": row.customer, "started_at": moment(row.started_at),
        }  # fmt: skip
    names = {"touchpoint_count": ("partition", "stage", "channel", "kind"), "quarantine": ("partition", "offset")}
    return {name: row._mapping[name] for name in names.get(table, ("customer",))}


def moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("n", range(len(CHANGES)), ids=[f"{of}: {how}" for of, how, _ in CHANGES])
def test_whatever_is_changed_in_a_row_is_found(found: list[list[str]], n: int) -> None:
    assert CHANGES[n][2] in found[n]


@pytest.mark.parametrize(
    ("how", "table", "column"),
    [
        ("processed = processed + 1", "position", "processed"),
        ("duplicates = duplicates - 1", "position", "duplicates"),
        ("next_offset = next_offset - 100", "position", "processed"),
        ("watermark = '1999-01-01+00'", "position", "watermark"),
        ("watermark = '1999-01-01+00'", "journey", "status"),
        ("partition = 40", "position", "(row)"),
    ],
)
def test_a_changed_position_is_found(untouched: Pipe, how: str, table: str, column: str) -> None:
    change(untouched, f"UPDATE position SET {how} WHERE partition = 2")
    code, outcome = audit(untouched)
    assert code == 1
    assert (table, column) in {(each["table"], each["column"]) for each in outcome["differences"]}


ONE_JOURNEY = "(SELECT journey_id FROM journey WHERE touchpoints BETWEEN 4 AND 50 ORDER BY journey_id LIMIT 1)"


def test_one_changed_value_is_one_difference_with_what_was_expected(untouched: Pipe) -> None:
    [row] = untouched.sql(f"SELECT * FROM journey WHERE journey_id = {ONE_JOURNEY}")
    change(untouched, f"UPDATE journey SET failures = failures + 7 WHERE journey_id = {ONE_JOURNEY}")
    _, outcome = audit(untouched)
    [difference] = outcome["differences"]
    assert difference == {
        "table": "journey", "column": "failures", "expected": str(row.failures), "found": str(row.failures + 7),
        "key": {"customer": row.customer, "started_at": moment(row.started_at)},
    }  # fmt: skip


def test_a_second_row_of_the_same_journey_is_extra(untouched: Pipe) -> None:
    change(
        untouched,
        f"""
        INSERT INTO journey (journey_id, customer, partition, revision, status, started_at, ended_at, covers_until,
                             touchpoints, channels, outcome, failures, abandoned, begun_by_customer, is_visit, steps,
                             steps_omitted, merged_into, keys)
        SELECT gen_random_uuid(), customer, partition, revision, status, started_at, ended_at, covers_until,
               touchpoints, channels, outcome, failures, abandoned, begun_by_customer, is_visit, steps, steps_omitted,
               merged_into, keys
        FROM journey WHERE journey_id = {ONE_JOURNEY}
        """,
    )
    _, outcome = audit(untouched)
    assert [(d["table"], d["column"], d["found"]) for d in outcome["differences"]] == [("journey", "(row)", "a row")]


def test_people_see_a_summary_and_the_first_differences_and_a_file_has_all(untouched: Pipe) -> None:
    change(untouched, "UPDATE journey SET abandoned = abandoned + 1 WHERE status <> 'merged'")
    done = untouched.run("audit", "--limit", "3", "--diffs", "all.jsonl", check=False)
    assert done.returncode == 1
    lines = [json.loads(line) for line in (untouched.folder / "all.jsonl").read_text().splitlines()]
    journeys = untouched.sql("SELECT count(*) AS n FROM journey WHERE status <> 'merged'")[0].n
    assert len(lines) == journeys
    assert {line["column"] for line in lines} == {"abandoned"}
    assert f"3 of {journeys:,} differences" in done.stdout
    assert done.stdout.count(" abandoned ") == 3
    assert done.stderr == ""
