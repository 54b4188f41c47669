-- Of answers so far it is not known here what they are about: rebuilding the tables makes it exact.
ALTER TABLE satisfaction ADD COLUMN about JSONB;
UPDATE satisfaction SET about = jsonb_build_object('', weight);
ALTER TABLE satisfaction ALTER COLUMN about SET NOT NULL;
COMMENT ON COLUMN satisfaction.about IS 'weight by the touchpoint (CHANNEL/KIND) that the answers are about; empty: not known';
-- It takes what the answers are about, too.
DROP FUNCTION IF EXISTS satisfaction_score(INTEGER, NUMERIC, NUMERIC, TIMESTAMPTZ, TIMESTAMPTZ, JSONB);
