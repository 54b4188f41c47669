"""Compares expected rows with the tables' rows: every difference, with its table, key and column."""

from __future__ import annotations

from typing import NamedTuple

from pipeline.audit.workspace import Workspace

_OTHER = "e.{0} IS DISTINCT FROM f.{0}"
_OFF = "abs(e.{0} - f.{0}) > 1e-9 * greatest(1, abs(e.{0})) OR f.{0} IS NULL"
_LESS = "f.{0} < e.{0}"
#: Sums of a partition whose beginning has expired can only be too small.
_SUM = "f.{0} < e.{0} OR (f.whole AND f.{0} <> e.{0})"
#: Maximum difference of servers' clocks, in milliseconds.
_SKEW = 60_000

_COUNTS = (
    "events", "answers", "satisfied", "score_sum", "failures", "abandoned", "waits", "wait_ms_sum", "durations",
    "duration_ms_sum", "neutral",
)  # fmt: skip


class Comparison(NamedTuple):
    """How the rows of expected_TABLE (or `expected`) are compared with those of there_TABLE.

    `key` identifies the row; people see its columns `shown` (all, if empty). `columns` are compared: each name has
    the condition, of e and f, under which it is wrong. `moments` are epoch milliseconds, and shown as times.
    """

    table: str
    key: tuple[str, ...]
    columns: dict[str, str]
    moments: frozenset[str] = frozenset()
    expected: str = ""
    #: The number of rows left out, where several rows of the table are one of the comparison.
    left_out: str = ""
    shown: tuple[str, ...] = ()


def _columns(test: str, *names: str) -> dict[str, str]:
    return {name: test.format(name) for name in names}


COMPARISONS = (
    Comparison(
        "journey",
        ("customer", "started_at", "copy"),
        {
            **_columns(
                _OTHER, "partition", "ended_at", "covers_until", "touchpoints", "channels", "outcome", "failures",
                "abandoned", "begun_by_customer", "is_visit", "steps_omitted", "key_bytes", "keys",
            ),
            "status": "e.status IS NOT NULL AND e.status <> f.status",
            "revision": _LESS.format("revision"),
        },
        frozenset({"started_at", "ended_at", "covers_until"}),
        shown=("customer", "started_at"),
    ),
    Comparison(
        "satisfaction",
        ("customer",),
        _columns(_OTHER, "partition", "answered", "as_of", "weight", "weighted", "about", "model")
        | _columns(_OFF, "score", "low", "high", "answers"),
        frozenset({"as_of"}),
    ),
    Comparison(
        "churn_risk",
        ("customer",),
        _columns(
            _OTHER, "partition", "visits", "first_active_at", "last_active_at", "account_closed_at", "last_seen_at",
            "model", "horizon_days", "band", "evidence", "activities", "activity_weight", "payments", "paid",
        )
        | _columns(_OFF, "probability")
        | _columns(_LESS, "as_of"),
        frozenset({"first_active_at", "last_active_at", "account_closed_at", "last_seen_at", "as_of"}),
    ),
    Comparison(
        "customer_case",
        ("customer", "subject"),
        _columns(
            _OTHER, "partition", "type", "status", "opened_at", "last_at", "closed_at", "closes_at", "due_at",
            "late_ms", "touchpoints", "contacts", "repeats", "hand_overs", "reopened", "first_channel", "channels",
            "stages", "waits", "wait_ms", "outcome", "answers", "steps", "keys",
        )
        | _columns("(e.{0} IS NULL) <> (f.{0} IS NULL) OR abs(e.{0} - f.{0}) > 1e-9", "satisfaction")
        | _columns(_LESS, "revision"),
        frozenset({"opened_at", "last_at", "closed_at", "closes_at", "due_at"}),
    ),
    Comparison("customer_evidence", ("customer",), _columns(_OTHER, "partition", "evidence")),
    Comparison(
        "identity_owner",
        ("key", "since"),
        _columns(_OTHER, "until", "owner", "why"),
        left_out="(SELECT count(*) FROM found_identity_owner WHERE key IN (SELECT customer FROM unsettled))",
    ),
    Comparison(
        "identity_naming",
        ("key", "target", '"at"', "source", "event_id"),
        _columns(_OTHER, "trust"),
        frozenset({"at"}),
    ),
    Comparison(
        "touchpoint_count",
        ("partition", "stage", "channel", "kind"),
        _columns(_OTHER, "catalogued") | _columns(_SUM, *_COUNTS),
        expected="touchpoint_count",
    ),
    Comparison(
        "feedback",
        ("key", '"at"', "touchpoint"),
        _columns(_OTHER, "partition", "instrument", "score", "stage", "channel", "kind", "subject"),
        frozenset({"at"}),
        expected="feedback",
    ),
    Comparison(
        "feedback_verbatim",
        ("key", '"at"', "touchpoint"),
        _columns(_OTHER, "partition", "verbatim"),
        frozenset({"at"}),
    ),
    Comparison(
        "quarantine",
        ("partition", '"offset"'),
        {
            **_columns(_OTHER, "reason", "appended_at"),
            **{name: f"e.digested AND {_OTHER.format(name)}" for name in ("raw", "key")},
        },
        frozenset({"appended_at"}),
        expected="refused",
    ),
    Comparison(
        "position",
        ("partition",),
        {
            **_columns(_SUM, "processed", "duplicates", "quarantined", "forwarded"),
            "watermark": f"e.watermark - {_SKEW} > coalesce(f.watermark, 0)",
        },
        frozenset({"watermark"}),
    ),
)  # fmt: skip

#: A step's fields, by column of the workspace, with their names in the tables.
_STEP = {"occurred_at": "at"} | {
    name: name
    for name in (
        "channel", "kind", "stage", "outcome", "wait_ms", "duration_ms", "score", "amount_minor", "currency",
        "late_ms", "begun_by", "sequence", "via", "about", "subject",
    )
}  # fmt: skip

#: What is wrong with an absorbed journey: column → (when, what was expected, what was found).
_MERGED = {
    "merged_into": (
        "target IS NULL OR target_customer <> customer OR target = journey_id "
        "OR (NOT is_joined AND target_started_at >= started_at)",
        "'an earlier journey of the same customer'",
        "CASE WHEN target IS NULL THEN 'no journey' WHEN target_customer <> customer THEN 'another customer''s' "
        "ELSE 'not an earlier one' END",
    ),
    "touchpoints": ("touchpoints <> 0", "'0'", "touchpoints::VARCHAR"),
    "keys": ("key_bytes <> 0", "'none'", "key_bytes || ' bytes'"),
    "steps": ("steps <> '[]' OR steps_omitted <> 0", "'none'", "'some'"),
    "channels": ("channels <> '{}'", "'{}'", "channels"),
    "outcome": ("outcome <> 'none'", "'none'", "outcome"),
    "failures": ("failures <> 0", "'0'", "failures::VARCHAR"),
    "abandoned": ("abandoned <> 0", "'0'", "abandoned::VARCHAR"),
    "begun_by_customer": ("begun_by_customer", "'false'", "'true'"),
    "is_visit": ("is_visit", "'false'", "'true'"),
    "started_at": (
        "since IS NULL AND CASE WHEN is_joined THEN started_at NOT IN (SELECT occurred_at FROM own_touchpoint) "
        "OR ended_at NOT IN (SELECT occurred_at FROM own_touchpoint) ELSE NOT EXISTS (SELECT 1 FROM journey AS e "
        "WHERE e.customer = m.customer AND e.started_at < m.started_at AND m.ended_at <= e.ended_at) END",
        "'a time within a journey of the topic'",
        "'no such journey'",
    ),
}


def compare(workspace: Workspace) -> None:
    """Fill the tables `difference` and `compared`."""
    for comparison in COMPARISONS:
        _compare(workspace, comparison)
    _steps(workspace)
    for column, (wrong, expected, found) in _MERGED.items():
        workspace.execute(
            f"INSERT INTO difference SELECT 'journey', {{'customer': customer, 'merged': journey_id}}::JSON::VARCHAR, "
            f"'{column}', {expected}, {found} FROM there_merged AS m WHERE {wrong}"
        )
    for column in ("touchpoints", "keys", "steps", "channels"):
        wrong, expected, found = _MERGED[column]
        workspace.execute(
            f"INSERT INTO difference SELECT 'journey', {{'customer': customer, 'moved': journey_id}}::JSON::VARCHAR, "
            f"'{column}', {expected}, {found} FROM there_moved AS m WHERE {wrong}"
        )
    workspace.execute(
        'UPDATE compared SET "rows" = "rows" + (SELECT count(*) FROM there_merged) '
        "+ (SELECT count(*) FROM there_moved) WHERE \"table\" = 'journey'"
    )


def _compare(workspace: Workspace, c: Comparison) -> None:
    expected = c.expected or f"expected_{c.table}"
    on = " AND ".join(f"e.{name} = f.{name}" for name in c.key)
    wrong = " OR ".join(f"({test})" for test in c.columns.values())
    workspace.execute(
        f"CREATE OR REPLACE TABLE apart AS SELECT e, f FROM {expected} AS e FULL JOIN there_{c.table} AS f ON {on} "
        f"WHERE e.{c.key[0]} IS NULL OR f.{c.key[0]} IS NULL OR {wrong}"
    )
    key = _key(c)
    first = c.key[0]
    for lacking, expected_text, found_text in (("f", "a row", "none"), ("e", "none", "a row")):
        workspace.execute(
            f"INSERT INTO difference SELECT '{c.table}', {key}, '(row)', '{expected_text}', '{found_text}' "
            f"FROM apart WHERE {lacking}.{first} IS NULL"
        )
    for column, test in c.columns.items():
        workspace.execute(
            f"INSERT INTO difference SELECT '{c.table}', {key}, '{column}', {_text(c, 'e', column)}, "
            f"{_text(c, 'f', column)} FROM apart WHERE e.{first} IS NOT NULL AND f.{first} IS NOT NULL AND ({test})"
        )
    left_out = c.left_out or f"(SELECT count(*) FROM found_{c.table}) - (SELECT count(*) FROM there_{c.table})"
    if c.table == "journey":
        left_out += " - (SELECT count(*) FROM there_merged) - (SELECT count(*) FROM there_moved)"
    workspace.execute(
        f"INSERT INTO compared SELECT '{c.table}', "
        f"(SELECT count(*) FROM there_{c.table}) + (SELECT count(*) FROM apart WHERE f.{first} IS NULL), {left_out}"
    )


def _key(c: Comparison) -> str:
    parts = []
    for name in c.shown or c.key:
        value = f"coalesce(e.{name}, f.{name})"
        bare = name.strip('"')
        parts.append(f"'{bare}': {_moment(value) if name in c.moments else value}")
    return "{" + ", ".join(parts) + "}::JSON::VARCHAR"


def _text(c: Comparison, side: str, column: str) -> str:
    value = f"{side}.{column}"
    return _moment(value) if column in c.moments else f"{value}::VARCHAR"


def _moment(value: str) -> str:
    return f"strftime(make_timestamp_ms({value}), '%Y-%m-%dT%H:%M:%S.%gZ')"


def _steps(workspace: Workspace) -> None:
    """Report the first step that differs of each journey: each of its fields, or that it is missing or extra."""
    unlike = " OR ".join(f"e.{field} IS DISTINCT FROM f.{field}" for field in _STEP)
    workspace.execute(
        f"""
        CREATE TABLE apart_step AS
        WITH apart AS (
            SELECT e.id, e.customer, e.started_at, f.journey_id
            FROM expected_journey AS e JOIN there_journey AS f USING (customer, started_at, copy)
            WHERE e.steps IS DISTINCT FROM f.steps
        ),
        e AS (SELECT a.customer, s.* FROM apart AS a JOIN step AS s USING (id, started_at) WHERE s.told),
        f AS (SELECT a.customer, a.started_at, s.* FROM apart AS a JOIN found_step AS s USING (journey_id))
        SELECT customer, started_at, place, e, f
        FROM e FULL JOIN f USING (customer, started_at, place)
        WHERE e.place IS NULL OR f.place IS NULL OR {unlike}
        QUALIFY row_number() OVER (PARTITION BY customer, started_at ORDER BY place) = 1
        """
    )
    key = f"{{'customer': customer, 'started_at': {_moment('started_at')}}}::JSON::VARCHAR"
    for lacking, expected, found in (("f", "a step", "none"), ("e", "none", "a step")):
        workspace.execute(
            f"INSERT INTO difference SELECT 'journey', {key}, 'steps[' || place || ']', '{expected}', '{found}' "
            f"FROM apart_step WHERE {lacking}.place IS NULL"
        )
    for field, name in _STEP.items():
        shown = [_moment(f"{s}.{field}") if field == "occurred_at" else f"{s}.{field}::VARCHAR" for s in "ef"]
        workspace.execute(
            f"INSERT INTO difference SELECT 'journey', {key}, 'steps[' || place || '].{name}', {', '.join(shown)} "
            f"FROM apart_step WHERE e.place = f.place AND e.{field} IS DISTINCT FROM f.{field}"
        )
