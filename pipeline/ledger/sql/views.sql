-- What readers see over the tables. `pipeline init` runs this anew, after functions.sql.

-- Answers about a touchpoint name no stage. They count where its events do: of several stages, where most are.
CREATE OR REPLACE VIEW touchpoint_place AS
SELECT stage, channel, kind, CASE WHEN events = 0 THEN coalesce(usual, stage) ELSE stage END AS shown
FROM (
    SELECT *, first_value(CASE WHEN events > 0 THEN stage END) OVER (
               PARTITION BY channel, kind
               ORDER BY events DESC, CASE stage WHEN 'before' THEN 1 WHEN 'during' THEN 2 WHEN 'after' THEN 3 ELSE 4 END
           ) AS usual
    FROM (
        SELECT stage, channel, kind, sum(events) AS events
        FROM touchpoint_count
        GROUP BY stage, channel, kind
    ) AS counted
) AS placed;

COMMENT ON VIEW touchpoint_place IS
    'The stage under which a touchpoint''s events and answers are shown: of answers alone, that where its events are.';

CREATE OR REPLACE VIEW touchpoint_score AS
SELECT stage, channel, kind, catalogued, events, answers, satisfied,
       satisfied / NULLIF(answers - neutral, 0)::double precision AS score,
       wilson_low(satisfied, answers - neutral) AS low,
       wilson_high(satisfied, answers - neutral) AS high,
       failures, abandoned, waits,
       wait_ms_sum / NULLIF(waits, 0)::double precision AS wait_ms_mean,
       durations,
       duration_ms_sum / NULLIF(durations, 0)::double precision AS duration_ms_mean,
       score_sum / NULLIF(answers, 0)::double precision / 1000 AS score_mean,
       satisfied / NULLIF(answers - neutral, 0)::double precision AS satisfied_share,
       wilson_low(satisfied, answers - neutral) AS satisfied_share_low,
       wilson_high(satisfied, answers - neutral) AS satisfied_share_high,
       neutral
FROM (
    SELECT place.shown AS stage, channel, kind, bool_or(catalogued) AS catalogued,
           sum(events)::bigint AS events, sum(answers)::bigint AS answers, sum(satisfied)::bigint AS satisfied,
           sum(neutral)::bigint AS neutral,
           sum(failures)::bigint AS failures, sum(abandoned)::bigint AS abandoned,
           sum(waits)::bigint AS waits, sum(wait_ms_sum) AS wait_ms_sum,
           sum(durations)::bigint AS durations, sum(duration_ms_sum) AS duration_ms_sum, sum(score_sum) AS score_sum
    FROM touchpoint_count JOIN touchpoint_place AS place USING (stage, channel, kind)
    GROUP BY place.shown, channel, kind
) AS total;

COMMENT ON VIEW touchpoint_score IS
    'Every touchpoint over all partitions. satisfied_share (also as score, low, high): 0 to 1, with Wilson''s 95 % interval; score_mean: 0 to 100.';

-- Who holds a key at a moment: from holder to holder, at most as many as there are ranks of keys.
CREATE OR REPLACE FUNCTION key_owner(named text, moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH RECURSIVE holder (key, step) AS (
        SELECT named, 0
        UNION ALL
        SELECT held.owner, holder.step + 1
        FROM holder
        JOIN identity_owner AS held
            ON held.key = holder.key AND held.since <= moment AND held.until >= moment AND held.owner <> held.key
        WHERE holder.step < 9
    )
    SELECT key FROM holder ORDER BY step DESC LIMIT 1
$$;

-- Answers with the customers whose they are. One that came by several of a customer's keys counts once.
CREATE OR REPLACE VIEW customer_feedback AS
SELECT DISTINCT ON (customer, at, touchpoint)
       customer, at, instrument, score, stage, channel, kind, nullif(subject, '') AS subject, key, touchpoint, partition
FROM (SELECT *, key_owner(key, at) AS customer FROM feedback) AS owned
ORDER BY customer, at, touchpoint, key <> customer, key;

COMMENT ON VIEW customer_feedback IS
    'Each answer with the customer whose it is; score is on the instrument''s own scale. What was said with it is in feedback_verbatim.';

-- The same of one customer, through the keys that they hold, without a look at all answers.
CREATE OR REPLACE FUNCTION feedback_of(wanted text) RETURNS SETOF customer_feedback
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH RECURSIVE held (key) AS (
        SELECT wanted
        UNION
        SELECT owned.key FROM held JOIN identity_owner AS owned ON owned.owner = held.key AND owned.owner <> owned.key
    )
    SELECT DISTINCT ON (at, touchpoint)
           wanted, at, instrument, score, stage, channel, kind, nullif(subject, ''), key, touchpoint, partition
    FROM held JOIN feedback USING (key)
    WHERE key_owner(key, at) = wanted
    ORDER BY at, touchpoint, key <> wanted, key
$$;
