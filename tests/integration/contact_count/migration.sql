CREATE TABLE contact_count (
    customer TEXT NOT NULL,
    partition INTEGER NOT NULL,
    contacts INTEGER NOT NULL,
    as_of TIMESTAMP WITH TIME ZONE NOT NULL,
    model TEXT NOT NULL,
    PRIMARY KEY (customer)
);
ALTER TABLE outbox ADD COLUMN contact_count TEXT[] NOT NULL DEFAULT '{}';
