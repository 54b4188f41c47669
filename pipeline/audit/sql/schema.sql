-- What is read: records of the topic, the tables as they were found (found_…), and what the rebuild must know.
CREATE TABLE record (
    partition INTEGER, "offset" BIGINT, appended_at BIGINT, reason VARCHAR, depends BOOLEAN, raw VARCHAR,
    record_key VARCHAR, sent_on BOOLEAN, customer VARCHAR, key UBIGINT, occurred_at BIGINT, channel VARCHAR, kind VARCHAR,
    stage VARCHAR, outcome VARCHAR, wait_ms BIGINT, duration_ms BIGINT, amount_minor BIGINT, currency VARCHAR,
    instrument VARCHAR, score DOUBLE, about_channel VARCHAR, about_kind VARCHAR, weight BIGINT, half_lives INTEGER,
    late_ms BIGINT, begun_by VARCHAR, sequence BIGINT, subject VARCHAR, verbatim VARCHAR,
    churn_weight BIGINT, churn_half_lives INTEGER, case_subject VARCHAR
);
CREATE TABLE naming (
    partition INTEGER, "offset" BIGINT, key VARCHAR, target VARCHAR, trust VARCHAR, "at" BIGINT, source VARCHAR,
    event_id VARCHAR
);
-- Who holds a key from when on (epoch ms); null: nobody. Keys that anything was said of, and the partition of holders.
CREATE TABLE segment (key VARCHAR, since BIGINT, until BIGINT, holder VARCHAR, why VARCHAR);
CREATE TABLE joined (customer VARCHAR);
CREATE TABLE home (id INTEGER, partition INTEGER);
-- Keys of which something is on its way between partitions, or waits to be restated; and all to whom it may go.
CREATE TABLE unsettled (customer VARCHAR);
CREATE TABLE gap (scope VARCHAR, name VARCHAR, ms BIGINT);
CREATE TABLE known_kind (kind VARCHAR, stage VARCHAR, begun_by VARCHAR, role VARCHAR);
CREATE TABLE known_channel (channel VARCHAR, begun_by VARCHAR);
CREATE TABLE activity (scope VARCHAR, name VARCHAR, counts BOOLEAN);
-- Of each type of cases, the strongest first: which kinds reach which stages, whether these make a case this type, close it
-- or open it again; and how long silence takes to close one. Kinds by which customers are handed over.
CREATE TABLE case_stage (type VARCHAR, rank INTEGER, kind VARCHAR, stage VARCHAR, makes BOOLEAN, closes BOOLEAN, reopens BOOLEAN);
CREATE TABLE case_type (type VARCHAR, closes_after_ms BIGINT);
CREATE TABLE hand_over (kind VARCHAR);
CREATE TABLE scale (instrument VARCHAR, worst DOUBLE, best DOUBLE, satisfied DOUBLE, dissatisfied DOUBLE);
-- Of each partition that was read, from which offset; since is null where that is its very beginning, else the time
-- (epoch ms) from which on no touchpoint can have expired.
CREATE TABLE stretch (partition INTEGER, low BIGINT, since BIGINT);

CREATE TABLE found_journey (
    journey_id VARCHAR, customer VARCHAR, partition INTEGER, revision INTEGER, status VARCHAR, started_at BIGINT,
    ended_at BIGINT, covers_until BIGINT, touchpoints BIGINT, channels VARCHAR, outcome VARCHAR, failures BIGINT,
    abandoned BIGINT, begun_by_customer BOOLEAN, is_visit BOOLEAN, steps VARCHAR, steps_omitted BIGINT, merged_into VARCHAR,
    moved_to VARCHAR, key_bytes BIGINT, keys VARCHAR
);
CREATE TABLE found_satisfaction (
    customer VARCHAR, partition INTEGER, score DOUBLE, low DOUBLE, high DOUBLE, answers DOUBLE, answered BIGINT,
    as_of BIGINT, weight VARCHAR, weighted VARCHAR, about VARCHAR, model VARCHAR
);
CREATE TABLE found_churn_risk (
    customer VARCHAR, partition INTEGER, probability DOUBLE, band VARCHAR, horizon_days BIGINT, as_of BIGINT,
    visits BIGINT, first_active_at BIGINT, last_active_at BIGINT, account_closed_at BIGINT, last_seen_at BIGINT,
    model VARCHAR, evidence VARCHAR, activities BIGINT, activity_weight VARCHAR, payments VARCHAR, paid VARCHAR
);
CREATE TABLE found_customer_evidence (customer VARCHAR, partition INTEGER, evidence VARCHAR);
CREATE TABLE found_customer_case (
    customer VARCHAR, subject VARCHAR, partition INTEGER, revision INTEGER, type VARCHAR, status VARCHAR, opened_at BIGINT,
    last_at BIGINT, closed_at BIGINT, closes_at BIGINT, due_at BIGINT, late_ms BIGINT, touchpoints BIGINT, contacts BIGINT,
    repeats BIGINT, hand_overs BIGINT, reopened BIGINT, first_channel VARCHAR, channels VARCHAR, stages VARCHAR,
    waits BIGINT, wait_ms BIGINT, outcome VARCHAR, answers BIGINT, satisfaction DOUBLE, steps VARCHAR, keys VARCHAR
);
-- The steps of a column.
CREATE MACRO steps_of(steps) AS from_json(steps, '[{"at": "VARCHAR", "channel": "VARCHAR", "kind": "VARCHAR",
    "stage": "VARCHAR", "outcome": "VARCHAR", "wait_ms": "BIGINT", "duration_ms": "BIGINT", "score": "DOUBLE",
    "amount_minor": "BIGINT", "currency": "VARCHAR", "late_ms": "BIGINT", "begun_by": "VARCHAR",
    "sequence": "BIGINT", "via": "VARCHAR", "about": "VARCHAR", "subject": "VARCHAR"}]');
CREATE TABLE found_touchpoint_count (
    partition INTEGER, stage VARCHAR, channel VARCHAR, kind VARCHAR, catalogued BOOLEAN, events BIGINT, answers BIGINT,
    satisfied BIGINT, score_sum BIGINT, failures BIGINT, abandoned BIGINT, waits BIGINT, wait_ms_sum BIGINT,
    durations BIGINT, duration_ms_sum BIGINT, neutral BIGINT
);
CREATE TABLE found_feedback (
    partition INTEGER, key VARCHAR, "at" BIGINT, touchpoint VARCHAR, instrument VARCHAR, score DOUBLE, stage VARCHAR,
    channel VARCHAR, kind VARCHAR, subject VARCHAR
);
CREATE TABLE found_feedback_verbatim (partition INTEGER, key VARCHAR, "at" BIGINT, touchpoint VARCHAR, verbatim VARCHAR);
CREATE TABLE found_quarantine (
    partition INTEGER, "offset" BIGINT, reason VARCHAR, key VARCHAR, raw VARCHAR, appended_at BIGINT
);
CREATE TABLE found_position (
    partition INTEGER, next_offset BIGINT, watermark BIGINT, processed BIGINT, duplicates BIGINT, quarantined BIGINT,
    forwarded BIGINT
);
CREATE TABLE found_identity_owner (
    partition INTEGER, key VARCHAR, since BIGINT, until BIGINT, owner VARCHAR, why VARCHAR
);
CREATE TABLE found_identity_naming (
    key VARCHAR, target VARCHAR, trust VARCHAR, "at" BIGINT, source VARCHAR, event_id VARCHAR
);
CREATE TABLE found_identity_restatement (key VARCHAR);
CREATE TABLE found_exchanged (topic_key VARCHAR, value VARCHAR);
CREATE TABLE found_model (name VARCHAR, version VARCHAR, parameters VARCHAR, active BOOLEAN);

CREATE TABLE difference ("table" VARCHAR, key VARCHAR, "column" VARCHAR, expected VARCHAR, found VARCHAR);
CREATE TABLE compared ("table" VARCHAR, "rows" BIGINT, skipped BIGINT);
