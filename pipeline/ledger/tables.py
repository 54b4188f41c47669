"""The tables, as SQLAlchemy sees them; `migrations/` makes them, and a test holds the two together."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

metadata = MetaData()
_Moment = DateTime(timezone=True)


def _required(name: str, kind: Any, comment: str | None = None, default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, comment=comment, server_default=text(default) if default else None)


journey = Table(
    "journey",
    metadata,
    Column("journey_id", UUID, primary_key=True),
    _required("customer", Text),
    _required("partition", Integer),
    _required("revision", Integer, "from 1; the latest committed"),
    _required("status", Text, "open, closed or merged"),
    _required("started_at", _Moment, "occurred_at of the first touchpoint"),
    _required("ended_at", _Moment, "occurred_at of the last touchpoint"),
    _required("covers_until", _Moment, "a touchpoint up to here (inclusive) joins the journey"),
    _required("touchpoints", Integer, "how many; 0 once merged"),
    _required("channels", JSONB, "channel → count"),
    _required("outcome", Text, "of the last step that has one"),
    _required("failures", Integer),
    _required("abandoned", Integer),
    _required("begun_by_customer", Boolean, "whether the customer began one of the touchpoints"),
    _required("steps", JSONB, "what happened, where, when, in order; of a long journey the first and last 100"),
    _required("steps_omitted", Integer),
    Column("merged_into", UUID, comment="the journey that absorbed this one"),
    _required("keys", LargeBinary, "eight bytes a touchpoint, by which duplicates are known"),
    CheckConstraint("status IN ('open', 'closed', 'merged')", name="journey_status"),
    CheckConstraint("(status = 'merged') = (merged_into IS NOT NULL)", name="journey_merged"),
    postgresql_with={"fillfactor": 85},
)
Index("journey_by_customer", journey.c.customer, journey.c.started_at, postgresql_where=text("merged_into IS NULL"))
Index("journey_open", journey.c.partition, journey.c.covers_until, postgresql_where=text("status = 'open'"))

satisfaction = Table(
    "satisfaction",
    metadata,
    Column("customer", Text, primary_key=True),
    _required("partition", Integer),
    _required("score", Double, "0 (worst) to 100 (best), as of as_of"),
    _required("low", Double, "95 % interval"),
    _required("high", Double, "95 % interval"),
    _required("answers", Double, "effective number as of as_of: an answer counts half after a half-life"),
    _required("answered", Integer, "number of answers of any age"),
    _required("as_of", _Moment, "the last answer's time"),
    _required("weight", Numeric, "sum of weights as of 1990, in 2^-32"),
    _required("weighted", Numeric, "sum of weight × score, in 2^-32 thousandths of a point"),
    _required("model", Text),
)

churn_risk = Table(
    "churn_risk",
    metadata,
    Column("customer", Text, primary_key=True),
    _required("partition", Integer),
    _required("probability", Double, "of no visit within horizon_days of as_of"),
    _required("band", Text, "low, medium or high"),
    _required("horizon_days", Integer),
    _required("as_of", _Moment, "the last touchpoint's time, or when silence moved the customer into the band"),
    _required("visits", Integer, "journeys with a touchpoint that the customer began"),
    _required("first_active_at", _Moment, "the first touchpoint that the customer began"),
    _required("last_active_at", _Moment, "the last touchpoint that the customer began"),
    Column("account_closed_at", _Moment),
    _required("last_seen_at", _Moment, "the last touchpoint of any kind"),
    _required("reasons", JSONB, "list of {code, text}, weightiest first"),
    _required("model", Text),
)

touchpoint_count = Table(
    "touchpoint_count",
    metadata,
    _required("partition", Integer),
    _required("stage", Text),
    _required("channel", Text),
    _required("kind", Text),
    _required("catalogued", Boolean),
    _required("events", BigInteger),
    _required("answers", BigInteger),
    _required("satisfied", BigInteger),
    _required("score_sum", BigInteger, "thousandths of a point on 0 to 100"),
    _required("failures", BigInteger),
    _required("abandoned", BigInteger),
    _required("waits", BigInteger),
    _required("wait_ms_sum", Numeric),
    _required("durations", BigInteger),
    _required("duration_ms_sum", Numeric),
    PrimaryKeyConstraint("partition", "stage", "channel", "kind"),
    postgresql_with={"fillfactor": 50},
)

model = Table(
    "model",
    metadata,
    _required("name", Text),
    _required("version", Text),
    _required("parameters", JSONB),
    _required("source", Text, "where the parameters come from"),
    _required("fitted_at", _Moment),
    _required("active", Boolean, "the version that scores are made with"),
    PrimaryKeyConstraint("name", "version"),
)
Index("model_active", model.c.name, unique=True, postgresql_where=text("active"))

quarantine = Table(
    "quarantine",
    metadata,
    _required("topic", Text),
    _required("partition", Integer),
    _required("offset", BigInteger),
    _required("reason", Text),
    _required("detail", Text),
    _required("status", Text, "new, replayed or discarded", "'new'::text"),
    Column("key", LargeBinary),
    Column("raw", LargeBinary, comment="the value as it came; null for a tombstone"),
    _required("headers", JSONB, "list of [name, value in hex]"),
    _required("appended_at", _Moment, "when the broker took it"),
    _required("rejected_at", _Moment, None, "now()"),
    Column("settled_at", _Moment, comment="when it was replayed or discarded"),
    PrimaryKeyConstraint("topic", "partition", "offset"),
    CheckConstraint("status IN ('new', 'replayed', 'discarded')", name="quarantine_status"),
)
Index("quarantine_new", quarantine.c.rejected_at, postgresql_where=text("status = 'new'"))

position = Table(
    "position",
    metadata,
    _required("topic", Text),
    _required("partition", Integer),
    _required("next_offset", BigInteger, "the first offset that is not yet in the tables"),
    _required("epoch", BigInteger, "raised by each taking of the partition; a commit with an older one is refused"),
    _required("owner", Text, "who took it"),
    Column("watermark", _Moment, comment="the partition's event time"),
    _required("commits", BigInteger, "number of committed batches", "0"),
    _required("processed", BigInteger, None, "0"),
    _required("duplicates", BigInteger, None, "0"),
    _required("quarantined", BigInteger, None, "0"),
    _required("forwarded", BigInteger, "sent on with the right key; counted where they arrived", "0"),
    _required("updated_at", _Moment, None, "now()"),
    _required("lineage", UUID, "made with the row: numbers of commits count within it", "gen_random_uuid()"),
    _required("publishers", ARRAY(Text), "owners whose Kafka transactions are not known to have ended", "'{}'"),
    PrimaryKeyConstraint("topic", "partition"),
    postgresql_with={"fillfactor": 50},
)

outbox = Table(
    "outbox",
    metadata,
    _required("topic", Text),
    _required("partition", Integer),
    _required("commit", BigInteger, "position.commits of the batch"),
    _required("journeys", ARRAY(UUID)),
    _required("satisfaction", ARRAY(Text), "customers"),
    _required("churn_risk", ARRAY(Text), "customers"),
    _required("quarantined", ARRAY(BigInteger), "offsets"),
    _required("forwards", JSONB, "list of {key, value, headers}, bytes in hex"),
    PrimaryKeyConstraint("topic", "partition", "commit"),
)
