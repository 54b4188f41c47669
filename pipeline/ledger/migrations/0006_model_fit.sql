ALTER TABLE model ADD COLUMN fit JSONB;
COMMENT ON COLUMN model.fit IS 'how it was fitted: data, standard errors, validation; null for one that was shipped';
