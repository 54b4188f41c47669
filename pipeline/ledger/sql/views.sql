-- What readers see over the tables. `pipeline init` runs this anew, after functions.sql.

CREATE OR REPLACE VIEW touchpoint_score AS
SELECT stage, channel, kind, catalogued, events, answers, satisfied,
       satisfied / NULLIF(answers, 0)::double precision AS score,
       wilson_low(satisfied, answers) AS low,
       wilson_high(satisfied, answers) AS high,
       failures, abandoned, waits,
       wait_ms_sum / NULLIF(waits, 0)::double precision AS wait_ms_mean,
       durations,
       duration_ms_sum / NULLIF(durations, 0)::double precision AS duration_ms_mean,
       score_sum / NULLIF(answers, 0)::double precision / 1000 AS score_mean,
       satisfied / NULLIF(answers, 0)::double precision AS satisfied_share,
       wilson_low(satisfied, answers) AS satisfied_share_low,
       wilson_high(satisfied, answers) AS satisfied_share_high
FROM (
    SELECT stage, channel, kind, bool_or(catalogued) AS catalogued,
           sum(events)::bigint AS events, sum(answers)::bigint AS answers, sum(satisfied)::bigint AS satisfied,
           sum(failures)::bigint AS failures, sum(abandoned)::bigint AS abandoned,
           sum(waits)::bigint AS waits, sum(wait_ms_sum) AS wait_ms_sum,
           sum(durations)::bigint AS durations, sum(duration_ms_sum) AS duration_ms_sum, sum(score_sum) AS score_sum
    FROM touchpoint_count
    GROUP BY stage, channel, kind
) AS total;

COMMENT ON VIEW touchpoint_score IS
    'Every touchpoint over all partitions. satisfied_share (also as score, low, high): 0 to 1, with Wilson''s 95 % interval; score_mean: 0 to 100.';
