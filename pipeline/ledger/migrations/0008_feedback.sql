ALTER TABLE touchpoint_count ADD COLUMN neutral BIGINT NOT NULL DEFAULT 0;
COMMENT ON COLUMN touchpoint_count.neutral IS 'answers that are neither satisfied nor unsatisfied';

CREATE TABLE feedback (
    partition INTEGER NOT NULL,
    key TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    touchpoint BYTEA NOT NULL,
    instrument TEXT NOT NULL,
    score DOUBLE PRECISION NOT NULL,
    stage TEXT NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (key, at, touchpoint)
);
CREATE INDEX feedback_by_time ON feedback (at);
COMMENT ON TABLE feedback IS 'each answer; key is the event''s own (customer_feedback says whose it is), score is on the instrument''s own scale, stage, channel and kind are those of what it is about';
CREATE TABLE feedback_verbatim (
    partition INTEGER NOT NULL,
    key TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    touchpoint BYTEA NOT NULL,
    verbatim TEXT NOT NULL,
    PRIMARY KEY (key, at, touchpoint)
);
COMMENT ON TABLE feedback_verbatim IS 'what customers said with their answers, in their own words: personal data, for a role of its own';
