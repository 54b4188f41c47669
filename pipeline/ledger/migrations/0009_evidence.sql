CREATE TABLE customer_evidence (
    customer TEXT PRIMARY KEY,
    partition INTEGER NOT NULL,
    evidence JSONB NOT NULL,
    model TEXT NOT NULL
);
COMMENT ON TABLE customer_evidence IS 'fading sums of help, complaints, failures and answers of a customer, as of 1990; customer_evidence_at reads them';
ALTER TABLE churn_risk
    ADD COLUMN evidence JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN activities INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN activity_weight NUMERIC NOT NULL DEFAULT 0,
    ADD COLUMN payments JSONB NOT NULL DEFAULT '{}',
    ADD COLUMN paid JSONB NOT NULL DEFAULT '{}';
COMMENT ON COLUMN churn_risk.evidence IS 'the same as in customer_evidence';
COMMENT ON COLUMN churn_risk.activities IS 'touchpoints that count as activity; 0 in rows of before, until they are made anew';
COMMENT ON COLUMN churn_risk.activity_weight IS 'the fading sum of them, as of 1990';
COMMENT ON COLUMN churn_risk.payments IS 'how many purchases with an amount, by currency';
COMMENT ON COLUMN churn_risk.paid IS 'what they come to, in the smallest unit of the currency';
