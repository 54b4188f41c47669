-- Owners' touchpoints to cases: those that name the same subject. One with more than 1,000 of them is counted only.
CREATE TABLE case_step AS
SELECT *, row_number() OVER (PARTITION BY id, subject ORDER BY occurred_at, sequence, key) AS n,
       count(*) OVER (PARTITION BY id, subject) AS total
FROM step WHERE subject IS NOT NULL;

CREATE TABLE case_typed AS
SELECT c.id, c.subject, arg_min(s.type, s.rank) AS type
FROM case_step AS c JOIN case_stage AS s ON s.kind = c.kind AND s.makes GROUP BY c.id, c.subject;

-- Where the customer begins a contact: on another channel than the one before, or after a pause. Answers are none.
CREATE TABLE case_contact AS
SELECT id, subject, n, row_number() OVER (PARTITION BY id, subject, channel, kind ORDER BY n) > 1 AS repeats
FROM (
    SELECT *, lag(channel) OVER began AS channel_before, lag(occurred_at) OVER began AS began_before
    FROM case_step WHERE contact WINDOW began AS (PARTITION BY id, subject ORDER BY n)
)
WHERE channel_before IS NULL OR channel_before <> channel OR occurred_at - began_before > $contact_gap_ms;

-- What closes a case and what opens it again; of consecutive ones of the same effect only the first changes anything.
CREATE TABLE case_turn AS
SELECT *, lag(closes) OVER (PARTITION BY id, subject ORDER BY n) AS was_closed
FROM (
    SELECT c.id, c.subject, c.n, c.occurred_at, coalesce(s.closes, false) AS closes
    FROM case_step AS c
    LEFT JOIN case_typed AS t USING (id, subject)
    LEFT JOIN case_stage AS s ON s.type = t.type AND s.kind = c.kind
    LEFT JOIN case_contact AS k ON k.id = c.id AND k.subject = c.subject AND k.n = c.n
    WHERE s.closes OR s.reopens OR (k.n IS NOT NULL AND c.concern IS NOT NULL)
);
CREATE TABLE case_course AS
SELECT id, subject, min(n) FILTER (closes) AS first_closed,
       CASE WHEN arg_max(closes, n) THEN arg_max(occurred_at, n) FILTER (closes AND was_closed IS DISTINCT FROM true) END AS closed_at,
       count(*) FILTER (NOT closes AND was_closed) AS reopened
FROM case_turn GROUP BY id, subject;

CREATE TABLE case_stages AS
SELECT id, subject, string_agg(stage || '@' || reached, ',' ORDER BY n) AS stages
FROM (
    SELECT c.id, c.subject, s.stage, min(c.n) AS n, arg_min(c.occurred_at, c.n) AS reached
    FROM case_step AS c JOIN case_typed AS t USING (id, subject) JOIN case_stage AS s ON s.type = t.type AND s.kind = c.kind
    GROUP BY c.id, c.subject, s.stage
)
GROUP BY id, subject;

CREATE TABLE case_channels AS
SELECT id, subject, string_agg(channel || '=' || n, ',' ORDER BY channel) AS channels
FROM (SELECT id, subject, channel, count(*) AS n FROM case_step GROUP BY ALL) GROUP BY id, subject;

CREATE TABLE customer_case AS
SELECT * EXCLUDE (id, first_closed, first_closed_at), first_closed_at - due_at AS late_ms
FROM (
    SELECT who.customer, c.id, c.subject, any_value(c.partition) AS partition, coalesce(any_value(t.type), 'unknown') AS type,
           CASE WHEN any_value(o.closed_at) IS NULL THEN 'open' ELSE 'closed' END AS status,
           min(c.occurred_at) AS opened_at, max(c.occurred_at) AS last_at, any_value(o.closed_at) AS closed_at,
           CASE WHEN any_value(o.closed_at) IS NULL THEN max(c.occurred_at) + any_value(ty.closes_after_ms) END AS closes_at,
           any_value(o.first_closed) AS first_closed, any_value(c.occurred_at) FILTER (c.n = o.first_closed) AS first_closed_at,
           arg_max(c.occurred_at - c.late_ms, c.n) FILTER (c.late_ms IS NOT NULL AND c.n <= coalesce(o.first_closed, c.total)) AS due_at,
           count(*) AS touchpoints, count(k.n) AS contacts, count(*) FILTER (k.repeats) AS repeats,
           count(*) FILTER (c.kind IN (SELECT kind FROM hand_over)) AS hand_overs, coalesce(any_value(o.reopened), 0) AS reopened,
           arg_min(c.channel, c.n) AS first_channel, any_value(ch.channels) AS channels, coalesce(any_value(s.stages), '') AS stages,
           count(c.wait_ms) AS waits, coalesce(sum(c.wait_ms), 0)::BIGINT AS wait_ms,
           coalesce(arg_max(c.outcome, c.n) FILTER (c.outcome <> 'none'), 'none') AS outcome,
           count(c.millipoints) AS answers, sum(c.millipoints) / count(c.millipoints) / 1000 AS satisfaction,
           bit_xor(hash(c.n, c.occurred_at, c.channel, c.kind, c.stage, c.outcome, c.wait_ms, c.duration_ms, c.score, c.amount_minor,
               c.currency, c.late_ms, c.begun_by, c.sequence, c.via, c.about, c.subject)) AS steps,
           sha256(string_agg(format('{:016x}', c.key), '' ORDER BY c.n)) AS keys
    FROM case_step AS c
    JOIN customer AS who USING (id)
    JOIN case_channels AS ch USING (id, subject)
    LEFT JOIN case_typed AS t USING (id, subject)
    LEFT JOIN case_type AS ty ON ty.type = t.type
    LEFT JOIN case_course AS o USING (id, subject)
    LEFT JOIN case_stages AS s USING (id, subject)
    LEFT JOIN case_contact AS k ON k.id = c.id AND k.subject = c.subject AND k.n = c.n
    WHERE c.total <= 1000
    GROUP BY who.customer, c.id, c.subject
);
INSERT INTO customer_case BY NAME
SELECT who.customer, c.subject, any_value(c.partition) AS partition, 'unknown' AS type, 'overfull' AS status,
       count(*) AS touchpoints, 0 AS contacts, 0 AS repeats, 0 AS hand_overs, 0 AS reopened,
       any_value(ch.channels) AS channels, '' AS stages, 0 AS waits, 0 AS wait_ms, 'none' AS outcome, 0 AS answers,
       sha256('') AS keys
FROM case_step AS c JOIN customer AS who USING (id) JOIN case_channels AS ch USING (id, subject)
WHERE c.total > 1000 GROUP BY who.customer, c.subject;
DROP TABLE case_step;
