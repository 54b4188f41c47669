-- Steps of before do not say what they are about: cases of before are made by `pipeline rebuild`.
CREATE TABLE customer_case (
    customer TEXT NOT NULL,
    subject TEXT NOT NULL,
    partition INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    opened_at TIMESTAMPTZ,
    last_at TIMESTAMPTZ,
    closed_at TIMESTAMPTZ,
    closes_at TIMESTAMPTZ,
    due_at TIMESTAMPTZ,
    late_ms BIGINT,
    touchpoints INTEGER NOT NULL,
    contacts INTEGER NOT NULL,
    repeats INTEGER NOT NULL,
    hand_overs INTEGER NOT NULL,
    reopened INTEGER NOT NULL,
    first_channel TEXT,
    channels JSONB NOT NULL,
    stages JSONB NOT NULL,
    waits INTEGER NOT NULL,
    wait_ms BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    answers INTEGER NOT NULL,
    satisfaction DOUBLE PRECISION,
    steps JSONB NOT NULL,
    keys BYTEA NOT NULL,
    PRIMARY KEY (customer, subject)
);
CREATE INDEX customer_case_by_type ON customer_case (type, opened_at);
CREATE INDEX customer_case_open ON customer_case (closes_at) WHERE status = 'open';
COMMENT ON TABLE customer_case IS 'all touchpoints of a customer that name the same subject; customer_case_at says which are open as of a moment';
COMMENT ON COLUMN customer_case.status IS 'open, closed (by a touchpoint), overfull (too many touchpoints: counted only) or moved (its touchpoints are another customer''s)';
COMMENT ON COLUMN customer_case.closes_at IS 'when an open case counts as closed, since nothing more has come';
COMMENT ON COLUMN customer_case.due_at IS 'the last promise that was given before the case was first closed';
COMMENT ON COLUMN customer_case.late_ms IS 'by how much it was first closed later than it was due; negative: earlier';
COMMENT ON COLUMN customer_case.contacts IS 'contacts that the customer began: touchpoints on one channel without a long pause are one';
COMMENT ON COLUMN customer_case.repeats IS 'contacts that began on the channel and with the kind of an earlier one';
COMMENT ON COLUMN customer_case.stages IS 'list of {stage, at}, in the order in which they were first reached';
COMMENT ON COLUMN customer_case.satisfaction IS 'mean answer, 0 to 100';
ALTER TABLE outbox ADD COLUMN cases JSONB NOT NULL DEFAULT '[]';
COMMENT ON COLUMN outbox.cases IS 'list of customer and subject';
COMMENT ON TABLE customer_evidence IS 'fading sums of help, complaints, failures and answers of a customer, as of `base` half-lives after 1990; customer_evidence_at reads them';
