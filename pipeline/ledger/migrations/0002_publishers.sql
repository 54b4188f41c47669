ALTER TABLE position
    ADD COLUMN lineage UUID DEFAULT gen_random_uuid() NOT NULL,
    ADD COLUMN publishers TEXT[] DEFAULT '{}' NOT NULL;
UPDATE position SET publishers = ARRAY[owner];
COMMENT ON COLUMN position.lineage IS 'made with the row: numbers of commits count within it';
COMMENT ON COLUMN position.publishers IS 'owners whose Kafka transactions are not known to have ended';
