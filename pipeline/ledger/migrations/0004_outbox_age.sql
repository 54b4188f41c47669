ALTER TABLE outbox ADD COLUMN committed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL;
COMMENT ON COLUMN outbox.committed_at IS 'when the batch was committed';
