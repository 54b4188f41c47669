ALTER TABLE position ADD COLUMN next_exchange_offset BIGINT DEFAULT 0 NOT NULL;
COMMENT ON COLUMN position.next_exchange_offset IS 'the first offset of touchpoints.v1.exchange that is not yet in the tables';

ALTER TABLE journey
    ADD COLUMN moved_to TEXT,
    DROP CONSTRAINT journey_status,
    ADD CONSTRAINT journey_status CHECK (status IN ('open', 'closed', 'merged', 'moved')),
    ADD CONSTRAINT journey_moved CHECK ((status = 'moved') = (moved_to IS NOT NULL));
COMMENT ON COLUMN journey.status IS 'open, closed, merged or moved';
COMMENT ON COLUMN journey.touchpoints IS 'how many; 0 once merged or moved';
COMMENT ON COLUMN journey.moved_to IS 'the key that has its touchpoints now';
DROP INDEX journey_by_customer;
CREATE INDEX journey_by_customer ON journey (customer, started_at) WHERE merged_into IS NULL AND moved_to IS NULL;

ALTER TABLE outbox ADD COLUMN identities TEXT[] DEFAULT '{}' NOT NULL;
COMMENT ON COLUMN outbox.identities IS 'keys whose holders have changed';

CREATE TABLE ledger (id UUID DEFAULT gen_random_uuid() NOT NULL);
INSERT INTO ledger DEFAULT VALUES;
COMMENT ON TABLE ledger IS 'tells records of touchpoints.v1.exchange that belong to these tables from those of earlier ones';

CREATE TABLE identity_naming (
    partition INTEGER NOT NULL,
    key TEXT NOT NULL,
    target TEXT NOT NULL,
    trust TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (event_id, source, key, target, at)
);
COMMENT ON TABLE identity_naming IS 'which event has named a key together with a stronger one, the target';
COMMENT ON COLUMN identity_naming.trust IS 'verified or declared';
COMMENT ON COLUMN identity_naming.at IS 'occurred_at of the event';
CREATE INDEX identity_naming_by_key ON identity_naming (key);

CREATE TABLE identity_stretch (
    partition INTEGER NOT NULL,
    key TEXT NOT NULL,
    target TEXT NOT NULL,
    trust TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (key, target, trust, started_at)
);
COMMENT ON TABLE identity_stretch IS 'namings of a key with the same target and trust that follow each other closely';
COMMENT ON COLUMN identity_stretch.target IS 'the stronger key, as the events named it';
COMMENT ON COLUMN identity_stretch.trust IS 'verified or declared; retracted where a correction has made the namings void';
COMMENT ON COLUMN identity_stretch.source IS 'of the first naming''s event';
COMMENT ON COLUMN identity_stretch.event_id IS 'of the first naming''s event';
CREATE INDEX identity_stretch_by_target ON identity_stretch (target, key);

CREATE TABLE identity_correction (
    partition INTEGER NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    named TEXT NOT NULL,
    subject TEXT NOT NULL,
    other TEXT NOT NULL,
    PRIMARY KEY (partition, key, source, event_id, at, kind)
);
COMMENT ON TABLE identity_correction IS 'events that correct who is who';
COMMENT ON COLUMN identity_correction.key IS 'the key that it concerns; empty: any, and each partition has it';
COMMENT ON COLUMN identity_correction.named IS 'JSON list of the keys that it names, the strongest first';
COMMENT ON COLUMN identity_correction.subject IS 'event_id of what it takes back, or empty';
COMMENT ON COLUMN identity_correction.other IS 'the customer that is merged, or empty';
CREATE INDEX identity_correction_by_key ON identity_correction (key);

CREATE TABLE identity_owner (
    partition INTEGER NOT NULL,
    key TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    owner TEXT NOT NULL,
    why TEXT NOT NULL,
    trust TEXT NOT NULL,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (key, since)
);
COMMENT ON TABLE identity_owner IS 'who holds a key from when until when, and why; a holder can have a holder in turn';
COMMENT ON COLUMN identity_owner.owner IS 'the key itself where nobody else holds it';
COMMENT ON COLUMN identity_owner.why IS 'named, held, claimed, merged, shared, overfull, erased or nobody; see docs/identity.md';
COMMENT ON COLUMN identity_owner.trust IS 'of the stretch that it rests on, or empty';
-- With all that counting a customer's keys needs, so that it reads the index alone, in its order.
CREATE INDEX identity_owner_by_owner ON identity_owner (owner, key) INCLUDE (since, until) WHERE owner <> key;
CREATE INDEX identity_owner_shared ON identity_owner (partition, until) WHERE why IN ('shared', 'overfull');

CREATE TABLE identity_touchpoint (
    partition INTEGER NOT NULL,
    key TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    keys BYTEA NOT NULL,
    via TEXT NOT NULL,
    sender TEXT NOT NULL,
    place TEXT NOT NULL,
    holder TEXT NOT NULL,
    steps JSONB NOT NULL,
    PRIMARY KEY (key, at, keys, via, sender),
    CONSTRAINT identity_touchpoint_place CHECK (place IN ('transferred', 'copy', 'omitted')),
    CONSTRAINT identity_touchpoint_holder CHECK ((place = 'transferred') = (holder <> ''))
);
COMMENT ON TABLE identity_touchpoint IS 'touchpoints of a key that the steps of its journeys don''t show';
COMMENT ON COLUMN identity_touchpoint.keys IS 'eight bytes by which the touchpoint is known';
COMMENT ON COLUMN identity_touchpoint.via IS 'the touchpoint''s own key where that is another, or empty';
COMMENT ON COLUMN identity_touchpoint.sender IS 'the key that has transferred it to this one, or empty';
COMMENT ON COLUMN identity_touchpoint.place IS
    'transferred to the holder; copy of one that a journey has by another key; omitted from a long journey''s steps';
COMMENT ON COLUMN identity_touchpoint.steps IS 'the touchpoint, as journey.steps has it';

CREATE TABLE identity_restatement (
    partition INTEGER NOT NULL,
    key TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    rebuild BOOLEAN NOT NULL,
    refold BOOLEAN NOT NULL,
    PRIMARY KEY (key)
);
COMMENT ON TABLE identity_restatement IS 'keys whose touchpoints of a time are still to be brought to their new holder';
COMMENT ON COLUMN identity_restatement.rebuild IS 'whether the stretches have to be made anew first';
COMMENT ON COLUMN identity_restatement.refold IS 'whether the scores have to be made anew';
CREATE INDEX identity_restatement_by_partition ON identity_restatement (partition);
