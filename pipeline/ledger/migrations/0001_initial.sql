CREATE TABLE churn_risk (
    customer TEXT NOT NULL,
    partition INTEGER NOT NULL,
    probability DOUBLE PRECISION NOT NULL,
    band TEXT NOT NULL,
    horizon_days INTEGER NOT NULL,
    as_of TIMESTAMP WITH TIME ZONE NOT NULL,
    visits INTEGER NOT NULL,
    first_active_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_active_at TIMESTAMP WITH TIME ZONE NOT NULL,
    account_closed_at TIMESTAMP WITH TIME ZONE,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reasons JSONB NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (customer)
);
COMMENT ON COLUMN churn_risk.probability IS 'of no visit within horizon_days of as_of';
COMMENT ON COLUMN churn_risk.band IS 'low, medium or high';
COMMENT ON COLUMN churn_risk.as_of IS 'the last touchpoint''s time, or when silence moved the customer into the band';
COMMENT ON COLUMN churn_risk.visits IS 'journeys with a touchpoint that the customer began';
COMMENT ON COLUMN churn_risk.first_active_at IS 'the first touchpoint that the customer began';
COMMENT ON COLUMN churn_risk.last_active_at IS 'the last touchpoint that the customer began';
COMMENT ON COLUMN churn_risk.last_seen_at IS 'the last touchpoint of any kind';
COMMENT ON COLUMN churn_risk.reasons IS 'list of {code, text}, weightiest first';

CREATE TABLE journey (
    journey_id UUID NOT NULL,
    customer TEXT NOT NULL,
    partition INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    status TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE NOT NULL,
    covers_until TIMESTAMP WITH TIME ZONE NOT NULL,
    touchpoints INTEGER NOT NULL,
    channels JSONB NOT NULL,
    outcome TEXT NOT NULL,
    failures INTEGER NOT NULL,
    abandoned INTEGER NOT NULL,
    begun_by_customer BOOLEAN NOT NULL,
    steps JSONB NOT NULL,
    steps_omitted INTEGER NOT NULL,
    merged_into UUID,
    keys BYTEA NOT NULL,
    PRIMARY KEY (journey_id),
    CONSTRAINT journey_status CHECK (status IN ('open', 'closed', 'merged')),
    CONSTRAINT journey_merged CHECK ((status = 'merged') = (merged_into IS NOT NULL))
)
 WITH (fillfactor = 85);
COMMENT ON COLUMN journey.revision IS 'from 1; the latest committed';
COMMENT ON COLUMN journey.status IS 'open, closed or merged';
COMMENT ON COLUMN journey.started_at IS 'occurred_at of the first touchpoint';
COMMENT ON COLUMN journey.ended_at IS 'occurred_at of the last touchpoint';
COMMENT ON COLUMN journey.covers_until IS 'a touchpoint up to here (inclusive) joins the journey';
COMMENT ON COLUMN journey.touchpoints IS 'how many; 0 once merged';
COMMENT ON COLUMN journey.channels IS 'channel → count';
COMMENT ON COLUMN journey.outcome IS 'of the last step that has one';
COMMENT ON COLUMN journey.begun_by_customer IS 'whether the customer began one of the touchpoints';
COMMENT ON COLUMN journey.steps IS 'what happened, where, when, in order; of a long journey the first and last 100';
COMMENT ON COLUMN journey.merged_into IS 'the journey that absorbed this one';
COMMENT ON COLUMN journey.keys IS 'eight bytes a touchpoint, by which duplicates are known';
CREATE INDEX journey_by_customer ON journey (customer, started_at) WHERE merged_into IS NULL;
CREATE INDEX journey_open ON journey (partition, covers_until) WHERE status = 'open';

CREATE TABLE model (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    parameters JSONB NOT NULL,
    source TEXT NOT NULL,
    fitted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    active BOOLEAN NOT NULL,
    PRIMARY KEY (name, version)
);
COMMENT ON COLUMN model.source IS 'where the parameters come from';
COMMENT ON COLUMN model.active IS 'the version that scores are made with';
CREATE UNIQUE INDEX model_active ON model (name) WHERE active;

CREATE TABLE outbox (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    commit BIGINT NOT NULL,
    journeys UUID[] NOT NULL,
    satisfaction TEXT[] NOT NULL,
    churn_risk TEXT[] NOT NULL,
    quarantined BIGINT[] NOT NULL,
    forwards JSONB NOT NULL,
    PRIMARY KEY (topic, partition, commit)
);
COMMENT ON COLUMN outbox.commit IS 'position.commits of the batch';
COMMENT ON COLUMN outbox.satisfaction IS 'customers';
COMMENT ON COLUMN outbox.churn_risk IS 'customers';
COMMENT ON COLUMN outbox.quarantined IS 'offsets';
COMMENT ON COLUMN outbox.forwards IS 'list of {key, value, headers}, bytes in hex';

CREATE TABLE position (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    next_offset BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    owner TEXT NOT NULL,
    watermark TIMESTAMP WITH TIME ZONE,
    commits BIGINT DEFAULT 0 NOT NULL,
    processed BIGINT DEFAULT 0 NOT NULL,
    duplicates BIGINT DEFAULT 0 NOT NULL,
    quarantined BIGINT DEFAULT 0 NOT NULL,
    forwarded BIGINT DEFAULT 0 NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (topic, partition)
)
 WITH (fillfactor = 50);
COMMENT ON COLUMN position.next_offset IS 'the first offset that is not yet in the tables';
COMMENT ON COLUMN position.epoch IS 'raised by each taking of the partition; a commit with an older one is refused';
COMMENT ON COLUMN position.owner IS 'who took it';
COMMENT ON COLUMN position.watermark IS 'the partition''s event time';
COMMENT ON COLUMN position.commits IS 'number of committed batches';
COMMENT ON COLUMN position.forwarded IS 'sent on with the right key; counted where they arrived';

CREATE TABLE quarantine (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    status TEXT DEFAULT 'new'::text NOT NULL,
    key BYTEA,
    raw BYTEA,
    headers JSONB NOT NULL,
    appended_at TIMESTAMP WITH TIME ZONE NOT NULL,
    rejected_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (topic, partition, "offset"),
    CONSTRAINT quarantine_status CHECK (status IN ('new', 'replayed', 'discarded'))
);
COMMENT ON COLUMN quarantine.status IS 'new, replayed or discarded';
COMMENT ON COLUMN quarantine.raw IS 'the value as it came; null for a tombstone';
COMMENT ON COLUMN quarantine.headers IS 'list of [name, value in hex]';
COMMENT ON COLUMN quarantine.appended_at IS 'when the broker took it';
COMMENT ON COLUMN quarantine.settled_at IS 'when it was replayed or discarded';
CREATE INDEX quarantine_new ON quarantine (rejected_at) WHERE status = 'new';

CREATE TABLE satisfaction (
    customer TEXT NOT NULL,
    partition INTEGER NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    low DOUBLE PRECISION NOT NULL,
    high DOUBLE PRECISION NOT NULL,
    answers DOUBLE PRECISION NOT NULL,
    answered INTEGER NOT NULL,
    as_of TIMESTAMP WITH TIME ZONE NOT NULL,
    weight NUMERIC NOT NULL,
    weighted NUMERIC NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (customer)
);
COMMENT ON COLUMN satisfaction.score IS '0 (worst) to 100 (best), as of as_of';
COMMENT ON COLUMN satisfaction.low IS '95 % interval';
COMMENT ON COLUMN satisfaction.high IS '95 % interval';
COMMENT ON COLUMN satisfaction.answers IS 'effective number as of as_of: an answer counts half after a half-life';
COMMENT ON COLUMN satisfaction.answered IS 'number of answers of any age';
COMMENT ON COLUMN satisfaction.as_of IS 'the last answer''s time';
COMMENT ON COLUMN satisfaction.weight IS 'sum of weights as of 1990, in 2^-32';
COMMENT ON COLUMN satisfaction.weighted IS 'sum of weight × score, in 2^-32 thousandths of a point';

CREATE TABLE touchpoint_count (
    partition INTEGER NOT NULL,
    stage TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    catalogued BOOLEAN NOT NULL,
    events BIGINT NOT NULL,
    answers BIGINT NOT NULL,
    satisfied BIGINT NOT NULL,
    score_sum BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    abandoned BIGINT NOT NULL,
    waits BIGINT NOT NULL,
    wait_ms_sum BIGINT NOT NULL,
    durations BIGINT NOT NULL,
    duration_ms_sum BIGINT NOT NULL,
    PRIMARY KEY (partition, stage, channel, kind)
)
 WITH (fillfactor = 50);
COMMENT ON COLUMN touchpoint_count.score_sum IS 'thousandths of a point on 0 to 100';

