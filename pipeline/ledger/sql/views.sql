-- What readers see over the tables; applied anew by every `pipeline init`, after scores.sql, whose formulas it uses.

CREATE OR REPLACE VIEW touchpoint_score AS
SELECT stage, channel, kind, catalogued, events, answers, satisfied,
       satisfied / NULLIF(answers, 0)::double precision AS score,
       wilson_low(satisfied, answers) AS low,
       wilson_high(satisfied, answers) AS high,
       failures, abandoned, waits,
       wait_ms_sum / NULLIF(waits, 0)::double precision AS wait_ms_mean,
       durations,
       duration_ms_sum / NULLIF(durations, 0)::double precision AS duration_ms_mean,
       score_sum / NULLIF(answers, 0)::double precision / 1000 AS score_mean
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
    'Every touchpoint over all partitions. score, low and high: the share satisfied (0 to 1) with Wilson''s 95 % interval.';

-- Every customer's churn risk as of a moment: the stored history in the model's formula.
CREATE OR REPLACE FUNCTION churn_risk_at(at timestamptz)
RETURNS TABLE (
    customer text, probability double precision, band text, horizon_days integer, as_of timestamptz,
    visits integer, first_active_at timestamptz, last_active_at timestamptz, account_closed_at timestamptz,
    last_seen_at timestamptz, model text, partition integer
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT risk.customer, p, churn_band(p, m.parameters), (m.parameters->>'horizon_days')::integer, at,
           risk.visits, risk.first_active_at, risk.last_active_at, risk.account_closed_at,
           risk.last_seen_at, risk.model, risk.partition
    FROM churn_risk AS risk
    JOIN model AS m ON m.name || ' ' || m.version = risk.model
    CROSS JOIN LATERAL churn_probability(
        risk.visits, risk.first_active_at, risk.last_active_at, risk.account_closed_at, at, m.parameters
    ) AS p
$$;

CREATE OR REPLACE VIEW churn_risk_now AS SELECT * FROM churn_risk_at(now());

-- Every customer's satisfaction as of a moment: old answers weigh less, and the score goes back towards the prior.
CREATE OR REPLACE FUNCTION satisfaction_at(at timestamptz)
RETURNS TABLE (
    customer text, score double precision, low double precision, high double precision, answers double precision,
    answered integer, as_of timestamptz, model text
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT s.customer, e.score, e.low, e.high, e.answers, s.answered, at, s.model
    FROM satisfaction AS s
    JOIN model AS m ON m.name || ' ' || m.version = s.model
    CROSS JOIN LATERAL satisfaction_score(s.answered, s.weight, s.weighted, s.as_of, at, m.parameters) AS e
$$;
