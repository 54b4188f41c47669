-- Cases as they are read. `pipeline init` runs this anew, after functions.sql and the migrations.

-- Cases as of a moment: an open one has lapsed when nothing came until closes_at, and is late when it was due before.
CREATE OR REPLACE FUNCTION customer_case_at(moment timestamptz)
RETURNS TABLE (
    customer text, subject text, type text, status text, opened_at timestamptz, last_at timestamptz,
    closed_at timestamptz, due_at timestamptz, late_ms bigint, is_late boolean, touchpoints integer, contacts integer,
    repeats integer, hand_overs integer, reopened integer, first_channel text, channels jsonb, stages jsonb,
    waits integer, wait_ms bigint, outcome text, answers integer, satisfaction double precision, revision integer
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT customer, subject, type,
           CASE WHEN status = 'open' AND closes_at <= moment THEN 'lapsed' ELSE status END,
           opened_at, last_at, closed_at, due_at,
           coalesce(late_ms, CASE WHEN due_at < moment THEN (extract(epoch FROM moment - due_at) * 1000)::bigint END),
           coalesce(late_ms > 0, due_at < moment, false),
           touchpoints, contacts, repeats, hand_overs, reopened, first_channel, channels, stages, waits, wait_ms,
           outcome, answers, satisfaction, revision
    FROM customer_case
    WHERE status <> 'moved'
$$;

CREATE OR REPLACE VIEW customer_case_now AS SELECT * FROM customer_case_at(now());
COMMENT ON VIEW customer_case_now IS 'cases as of now: open, lapsed (nothing more came), closed or overfull';

-- The journeys that a case went through.
CREATE OR REPLACE VIEW case_journey AS
SELECT DISTINCT c.customer, c.subject, j.journey_id, j.started_at, j.ended_at, j.status, j.outcome
FROM customer_case AS c
CROSS JOIN LATERAL jsonb_array_elements(c.steps) AS step
JOIN journey AS j ON j.customer = c.customer AND j.merged_into IS NULL AND j.moved_to IS NULL
    AND j.started_at <= (step ->> 'at')::timestamptz AND j.ended_at >= (step ->> 'at')::timestamptz;
COMMENT ON VIEW case_journey IS 'the journeys that a case''s touchpoints are in; of an overfull case they are not known';

-- Shares of the cases that were opened within a time, as of a moment, by type and by the channel of the first touchpoint
-- (null: all channels), with Wilson's 95 % interval. Of those that were closed once: resolved at the first contact (one
-- contact, nobody else, never taken up again), and taken up again; of those whose due time is over: promise kept.
CREATE OR REPLACE FUNCTION case_shares(since timestamptz, until timestamptz, moment timestamptz DEFAULT now())
RETURNS TABLE (
    type text, channel text, measure text, n bigint, cases bigint, share double precision, low double precision,
    high double precision
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT counted.type, first_channel, told.measure, told.n, told.cases, told.n::float8 / told.cases,
           wilson_low(told.n, told.cases), wilson_high(told.n, told.cases)
    FROM (
        SELECT c.type, c.first_channel,
               count(*) FILTER (WHERE c.closed_at IS NOT NULL OR c.reopened > 0) AS closed,
               count(*) FILTER (WHERE (c.closed_at IS NOT NULL OR c.reopened > 0) AND c.contacts > 0) AS asked,
               count(*) FILTER (WHERE c.closed_at IS NOT NULL AND c.contacts = 1 AND c.hand_overs = 0 AND c.reopened = 0)
                   AS first_contact,
               count(*) FILTER (WHERE c.reopened > 0) AS reopened,
               count(*) FILTER (WHERE c.late_ms IS NOT NULL) AS promised,
               count(*) FILTER (WHERE NOT c.is_late AND c.late_ms IS NOT NULL) AS kept
        FROM customer_case_at(moment) AS c
        WHERE c.opened_at >= since AND c.opened_at < until
        GROUP BY GROUPING SETS ((c.type, c.first_channel), (c.type))
    ) AS counted
    CROSS JOIN LATERAL (VALUES
        (1, 'resolved at the first contact', first_contact, asked),
        (2, 'reopened', reopened, closed),
        (3, 'promise kept', kept, promised)
    ) AS told (place, measure, n, cases)
    WHERE told.cases > 0
    ORDER BY counted.type, first_channel NULLS FIRST, told.place
$$;

-- Which stages cases reached, of those that were opened within a time: of sales that were contacted, the share that
-- bought; of complaints, the share that was escalated.
CREATE OR REPLACE FUNCTION case_stage_shares(since timestamptz, until timestamptz)
RETURNS TABLE (
    type text, channel text, stage text, n bigint, cases bigint, share double precision, low double precision,
    high double precision
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    WITH opened AS (
        SELECT c.type, c.first_channel, c.stages FROM customer_case AS c
        WHERE c.opened_at >= since AND c.opened_at < until
    ), total AS (
        SELECT o.type, o.first_channel, count(*) AS cases FROM opened AS o
        GROUP BY GROUPING SETS ((o.type, o.first_channel), (o.type))
    ), reached AS (
        SELECT o.type, o.first_channel, told ->> 'stage' AS stage, count(*) AS n
        FROM opened AS o CROSS JOIN LATERAL jsonb_array_elements(o.stages) AS told
        GROUP BY GROUPING SETS ((o.type, o.first_channel, told ->> 'stage'), (o.type, told ->> 'stage'))
    )
    SELECT t.type, t.first_channel, r.stage, r.n, t.cases, r.n::float8 / t.cases, wilson_low(r.n, t.cases),
           wilson_high(r.n, t.cases)
    FROM total AS t JOIN reached AS r ON r.type = t.type AND r.first_channel IS NOT DISTINCT FROM t.first_channel
    ORDER BY t.type, t.first_channel NULLS FIRST, r.n DESC, r.stage
$$;

-- The time from one stage to the next that a case reached: median with a 95 % interval (of ranks, whatever the
-- distribution: Conover, Practical Nonparametric Statistics, 3.2), and the time that nine in ten do not exceed.
CREATE OR REPLACE FUNCTION case_stage_times(since timestamptz, until timestamptz)
RETURNS TABLE (
    type text, stage text, next_stage text, cases bigint, median interval, low interval, high interval, p90 interval
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT counted.type, counted.stage, counted.next_stage, n,
           lasted[ceil(n / 2.0)::integer],
           lasted[greatest(1, floor((n - 1.959963984540054 * sqrt(n)) / 2)::integer)],
           lasted[least(n, ceil((n + 1.959963984540054 * sqrt(n)) / 2)::integer + 1)],
           lasted[ceil(n * 0.9)::integer]
    FROM (
        SELECT went.type, went.stage, went.next_stage, count(*) AS n,
               array_agg(next_at - at ORDER BY next_at - at) AS lasted
        FROM (
            SELECT c.type, told ->> 'stage' AS stage, (told ->> 'at')::timestamptz AS at,
                   lead(told ->> 'stage') OVER following AS next_stage,
                   lead((told ->> 'at')::timestamptz) OVER following AS next_at
            FROM customer_case AS c CROSS JOIN LATERAL jsonb_array_elements(c.stages) WITH ORDINALITY AS s (told, place)
            WHERE c.opened_at >= since AND c.opened_at < until
            WINDOW following AS (PARTITION BY c.customer, c.subject ORDER BY s.place)
        ) AS went
        WHERE went.next_stage IS NOT NULL
        GROUP BY went.type, went.stage, went.next_stage
    ) AS counted
    ORDER BY counted.type, n DESC, counted.stage, counted.next_stage
$$;
