-- Up to now each journey in which the customer began a touchpoint was a visit. Rebuilding the tables makes it exact.
ALTER TABLE journey ADD COLUMN is_visit BOOLEAN;
UPDATE journey SET is_visit = begun_by_customer;
ALTER TABLE journey ALTER COLUMN is_visit SET NOT NULL;
COMMENT ON COLUMN journey.is_visit IS 'whether one of the touchpoints counts as activity of the customer (policy, [churn.activity])';
