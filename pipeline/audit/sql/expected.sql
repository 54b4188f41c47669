-- What the tables should hold (expected_…) beside what they hold (there_…), row by row, as far as the topic can tell.
-- Where a partition's beginning has expired, rows that may rest on it are left out on both sides; so are those of keys
-- that were unsettled.

CREATE TABLE beyond AS
SELECT DISTINCT j.customer
FROM found_journey AS j JOIN stretch AS s USING (partition) WHERE s.since IS NOT NULL AND j.started_at < s.since
UNION SELECT customer FROM unsettled;

CREATE TABLE found_step AS
SELECT journey_id, place, epoch_ms(try_cast(step."at" AS TIMESTAMP)) AS occurred_at, step.channel, step.kind, step.stage,
       step.outcome, step.wait_ms, step.duration_ms, step.score, step.amount_minor, step.currency, step.late_ms,
       step.begun_by, coalesce(step.sequence, 0) AS sequence, step.via, step.about, step.subject
FROM (
    SELECT journey_id, unnest(steps) AS step, generate_subscripts(steps, 1)::BIGINT AS place
    FROM (
        SELECT journey_id, steps_of(steps) AS steps
        FROM found_journey WHERE merged_into IS NULL AND moved_to IS NULL
    )
);

CREATE TABLE there_journey AS
SELECT f.* EXCLUDE (steps, channels), s.steps,
       list_sort(map_entries(try_cast(f.channels::JSON AS MAP(VARCHAR, BIGINT))))::VARCHAR AS channels,
       row_number() OVER (PARTITION BY f.customer, f.started_at ORDER BY f.journey_id) AS copy
FROM found_journey AS f
LEFT JOIN (
    SELECT journey_id, bit_xor(hash(place, occurred_at, channel, kind, stage, outcome, wait_ms, duration_ms, score,
                                    amount_minor, currency, late_ms, begun_by, sequence, via, about, subject)) AS steps
    FROM found_step GROUP BY journey_id
) AS s USING (journey_id)
LEFT JOIN stretch AS read USING (partition)
WHERE f.merged_into IS NULL AND f.moved_to IS NULL AND (read.since IS NULL OR f.started_at >= read.since)
  AND f.customer NOT IN (SELECT customer FROM unsettled);

-- An early closing is certainly wrong; a late one is a worker's that has not come to it yet.
CREATE TABLE expected_journey AS
SELECT e.*, 1 AS copy, 1 AS revision,
       CASE WHEN p.watermark IS NULL OR e.covers_until + $grace_ms >= p.watermark THEN 'open' END AS status
FROM journey AS e
LEFT JOIN found_position AS p USING (partition)
LEFT JOIN stretch AS read USING (partition)
WHERE e.customer NOT IN (SELECT customer FROM unsettled) AND (read.since IS NULL OR (
    e.started_at >= read.since AND NOT EXISTS (
        SELECT 1 FROM found_journey AS before
        WHERE before.customer = e.customer AND before.merged_into IS NULL AND before.moved_to IS NULL AND before.started_at < read.since
          AND before.covers_until >= e.started_at
    )
));

CREATE TABLE models AS
SELECT name, name || ' ' || version AS label, active, (parameters->>'half_life_days')::DOUBLE AS half_life_days,
       (parameters->>'prior_mean')::DOUBLE AS m, (parameters->>'prior_weight')::DOUBLE AS k,
       (parameters->>'answer_sd')::DOUBLE AS sd, (parameters->>'r')::DOUBLE AS r,
       (parameters->>'alpha_days')::DOUBLE AS alpha, (parameters->>'a')::DOUBLE AS a, (parameters->>'b')::DOUBLE AS b,
       CASE WHEN (parameters->>'leaves_after_first')::BOOLEAN THEN 1 ELSE 0 END AS first_counts,
       coalesce((parameters->>'covariate_intercept')::DOUBLE, 0) AS e_intercept,
       coalesce((parameters->>'covariate_silence')::DOUBLE, 0) AS e_silence,
       coalesce((parameters->>'covariate_help')::DOUBLE, 0) AS e_help,
       coalesce((parameters->>'covariate_complaints')::DOUBLE, 0) AS e_complaints,
       coalesce((parameters->>'covariate_failures')::DOUBLE, 0) AS e_failures,
       coalesce((parameters->>'covariate_bad_answers')::DOUBLE, 0) AS e_bad_answers,
       coalesce((parameters->>'covariate_satisfaction')::DOUBLE, 0) AS e_satisfaction,
       coalesce((parameters->>'covariate_falling_use')::DOUBLE, 0) AS e_falling_use,
       coalesce((parameters->>'covariate_money')::DOUBLE, 0) AS e_money,
       (parameters->>'horizon_days')::BIGINT AS horizon, (parameters->>'medium_from')::DOUBLE AS medium_from,
       (parameters->>'high_from')::DOUBLE AS high_from
FROM (SELECT name, version, active, parameters::JSON AS parameters FROM found_model);

CREATE TABLE touchpoint_mean AS
SELECT label, each.key[12:] AS about, each.value::DOUBLE AS mean
FROM (
    SELECT name || ' ' || version AS label, unnest(map_entries(parameters::JSON::MAP(VARCHAR, VARCHAR))) AS each
    FROM found_model
)
WHERE starts_with(each.key, 'prior_mean:');

CREATE TABLE there_satisfaction AS
SELECT f.* FROM found_satisfaction AS f WHERE f.customer NOT IN (SELECT customer FROM beyond);

-- A score is that of its own model, if that weighs answers as the active one does; sums are as of 1990.
CREATE TABLE expected_satisfaction AS
SELECT customer, partition, answered, as_of, exact.weight, exact.weighted, exact.about, label AS model, effective AS answers,
       least(100, estimate) AS score, greatest(0, least(100, estimate) - half) AS low,
       least(100, least(100, estimate) + half) AS high
FROM (
    SELECT *, (k * m + total) / (k + effective) AS estimate, 1.959963984540054 * sd / sqrt(k + effective) AS half
    FROM (
        SELECT c.id, c.customer, any_value(a.partition) AS partition, sum(a.n)::BIGINT AS answered,
               any_value(l.occurred_at) AS as_of, any_value(coalesce(own.label, now.label)) AS label,
               sum(coalesce(usual.mean, own.m, now.m) * a.weight::DOUBLE / 4294967296 * pow(2, a.half_lives - l.age))
                   / sum(a.weight::DOUBLE / 4294967296 * pow(2, a.half_lives - l.age)) AS m,
               any_value(coalesce(own.k, now.k)) AS k,
               any_value(coalesce(own.sd, now.sd)) AS sd,
               sum(a.weight::DOUBLE / 4294967296 * pow(2, a.half_lives - l.age)) AS effective,
               sum(a.weighted::DOUBLE / 4294967296000 * pow(2, a.half_lives - l.age)) AS total
        FROM answered AS a
        JOIN (
            SELECT id, max(last_at) AS occurred_at, (max(last_at) - 631152000000) / $half_life_ms AS age FROM answered GROUP BY id
        ) AS l USING (id)
        JOIN customer AS c USING (id)
        JOIN models AS now ON now.name = 'satisfaction' AND now.active
        LEFT JOIN found_satisfaction AS f ON f.customer = c.customer
        LEFT JOIN models AS own ON own.label = f.model AND own.half_life_days = now.half_life_days
        LEFT JOIN touchpoint_mean AS usual ON usual.label = coalesce(own.label, now.label) AND usual.about = a.about
        GROUP BY c.id, c.customer
    )
)
JOIN exact USING (id)
WHERE customer NOT IN (SELECT customer FROM beyond);

CREATE TABLE there_churn_risk AS
SELECT f.*
FROM found_churn_risk AS f WHERE f.customer NOT IN (SELECT customer FROM beyond);

CREATE TABLE there_customer_evidence AS
SELECT f.* FROM found_customer_evidence AS f WHERE f.customer NOT IN (SELECT customer FROM beyond);
CREATE TABLE expected_customer_evidence AS
SELECT c.customer, n.partition, x.evidence
FROM exact_beyond AS x JOIN customer AS c USING (id)
JOIN (SELECT id, any_value(partition) AS partition FROM noted GROUP BY id) AS n USING (id)
WHERE x.evidence IS NOT NULL AND c.customer NOT IN (SELECT customer FROM beyond);

-- What is known of customers beyond visits, as floats as of the moment of the row.
CREATE TABLE known_beyond AS
SELECT e.customer, e.id, sum(n.help * pow(2, n.half_lives - e.age)) / 4294967296 AS help,
       sum(n.complaints * pow(2, n.half_lives - e.age)) / 4294967296 AS complaints,
       sum(n.failures * pow(2, n.half_lives - e.age)) / 4294967296 AS failures,
       sum(n.bad_answers * pow(2, n.half_lives - e.age)) / 4294967296 AS bad_answers,
       sum(n.answers * pow(2, n.half_lives - e.age)) / 4294967296 AS answers,
       sum(n.points * pow(2, n.half_lives - e.age)) / 4294967296 / 50000 AS points,
       sum(n.activity * pow(2, n.half_lives - e.age_of_last)) / 4294967296 AS recent,
       sum(n.activities)::BIGINT AS activities, any_value(e.spread) AS spread
FROM (
    SELECT e.customer, c.id,
           (greatest(f.as_of, e.last_active_at, e.last_seen_at) - 631152000000) / $churn_half_life_ms AS age,
           (e.last_active_at - 631152000000) / $churn_half_life_ms AS age_of_last,
           ln(2) * (e.last_active_at - e.first_active_at) / $churn_half_life_ms AS spread
    FROM churn_risk AS e JOIN customer AS c USING (customer) LEFT JOIN found_churn_risk AS f USING (customer)
) AS e JOIN noted AS n USING (id)
GROUP BY e.customer, e.id;
CREATE TABLE known_paid AS
SELECT id, string_agg(currency || '=' || payments, ',' ORDER BY currency) AS payments,
       string_agg(currency || '=' || paid, ',' ORDER BY currency) AS paid,
       arg_min(paid / payments, (-payments, currency)) AS purchase
FROM purchased GROUP BY id;

-- The probability is as of the row's own moment: its last touchpoint's, or when silence moved it to another band.
CREATE TABLE expected_churn_risk AS
SELECT * EXCLUDE (alive, active, odds),
       CASE WHEN closed THEN 1 ELSE (1 - alive * active) * odds / ((1 - alive * active) * odds + alive * active) END AS probability
FROM (
    SELECT e.customer, e.partition, e.visits, e.first_active_at, e.last_active_at, e.account_closed_at,
           e.last_seen_at, e.last_seen_at AS as_of, m.label AS model, m.horizon AS horizon_days,
           coalesce(e.account_closed_at >= e.last_active_at, false) AS closed,
           CASE WHEN f.probability >= m.high_from THEN 'high' WHEN f.probability >= m.medium_from THEN 'medium'
                ELSE 'low' END AS band,
           CASE WHEN e.visits + m.first_counts <= 1 THEN 1 ELSE 1 / (1 + exp(least(700,
               ln(m.a / (m.b + e.visits - 2 + m.first_counts))
               + (m.r + e.visits - 1) * ln(1 + e.silence / (m.alpha + e.history))))) END AS alive,
           1 - exp(-(m.r + e.visits - 1) * ln(1 + m.horizon / (m.alpha + e.history + e.silence))) AS active,
           exp(m.e_intercept + m.e_silence * ln(1 + (e.visits - 1) * e.silence / (m.alpha + e.history))
               + m.e_help * ln(1 + k.help) + m.e_complaints * ln(1 + k.complaints) + m.e_failures * ln(1 + k.failures)
               + m.e_bad_answers * ln(1 + k.bad_answers) + m.e_satisfaction * k.points / (1 + k.answers)
               + m.e_falling_use * (ln(1 + CASE WHEN k.spread > 0 THEN k.activities * (1 - exp(-k.spread)) / k.spread
                                                ELSE k.activities END) - ln(1 + k.recent))
               + m.e_money * ln(1 + coalesce(paid.purchase, 0))) AS odds,
           coalesce(x.evidence, '') AS evidence, k.activities, x.activity_weight,
           coalesce(paid.payments, '') AS payments, coalesce(paid.paid, '') AS paid
    FROM (
        SELECT e.*, (e.last_active_at - e.first_active_at) / 86400000 AS history,
               greatest(0, f.as_of - e.last_active_at) / 86400000 AS silence
        FROM churn_risk AS e LEFT JOIN found_churn_risk AS f USING (customer)
    ) AS e
    LEFT JOIN found_churn_risk AS f USING (customer)
    JOIN known_beyond AS k USING (customer)
    JOIN exact_beyond AS x ON x.id = k.id
    LEFT JOIN known_paid AS paid ON paid.id = k.id
    JOIN models AS now ON now.name = 'churn' AND now.active
    JOIN models AS m ON m.label = coalesce((SELECT label FROM models WHERE label = f.model), now.label)
)
WHERE customer NOT IN (SELECT customer FROM beyond);

CREATE TABLE there_touchpoint_count AS
SELECT f.*, read.since IS NULL AS whole
FROM found_touchpoint_count AS f LEFT JOIN stretch AS read USING (partition)
WHERE read.since IS NULL
   OR (f.partition, f.stage, f.channel, f.kind) IN (SELECT partition, stage, channel, kind FROM touchpoint_count);

CREATE TABLE there_feedback AS
SELECT f.* FROM found_feedback AS f LEFT JOIN stretch AS read USING (partition)
WHERE read.since IS NULL OR f."at" >= read.since;
CREATE TABLE there_feedback_verbatim AS
SELECT f.* FROM found_feedback_verbatim AS f LEFT JOIN stretch AS read USING (partition)
WHERE read.since IS NULL OR f."at" >= read.since;
CREATE TABLE expected_feedback_verbatim AS
SELECT partition, key, "at", touchpoint, verbatim FROM feedback WHERE verbatim IS NOT NULL;

CREATE TABLE there_quarantine AS
SELECT f.* FROM found_quarantine AS f LEFT JOIN stretch AS read USING (partition)
WHERE read.low IS NULL OR f."offset" >= read.low;

CREATE TABLE there_position AS
SELECT f.*, read.since IS NULL AS whole FROM found_position AS f LEFT JOIN stretch AS read USING (partition);
CREATE TABLE expected_position AS
SELECT p.*, reached.occurred_at AS watermark FROM position AS p LEFT JOIN reached USING (partition);

-- A case that has moved is empty; what is not empty must be expected.
CREATE TABLE there_customer_case AS
SELECT f.* EXCLUDE (steps), s.steps
FROM found_customer_case AS f
LEFT JOIN (
    SELECT customer, subject, bit_xor(hash(
               place, epoch_ms(try_cast(step."at" AS TIMESTAMP)), step.channel, step.kind, step.stage, step.outcome,
               step.wait_ms, step.duration_ms, step.score, step.amount_minor, step.currency, step.late_ms, step.begun_by,
               coalesce(step.sequence, 0), step.via, step.about, step.subject)) AS steps
    FROM (
        SELECT customer, subject, unnest(steps) AS step, generate_subscripts(steps, 1)::BIGINT AS place
        FROM (SELECT customer, subject, steps_of(steps) AS steps FROM found_customer_case)
    )
    GROUP BY customer, subject
) AS s USING (customer, subject)
WHERE f.customer NOT IN (SELECT customer FROM beyond)
  AND NOT (f.status = 'moved' AND f.touchpoints = 0 AND s.steps IS NULL AND f.channels = '');
CREATE TABLE expected_customer_case AS
SELECT *, 1 AS revision FROM customer_case WHERE customer NOT IN (SELECT customer FROM beyond);

-- Absorbed journeys: empty, and within what the rebuild has; each chain of absorptions leads to ever earlier journeys.
-- Where anything was said of who is who, touchpoints may since have left: then they began and ended with one at the least.
CREATE TABLE there_merged AS
SELECT m.journey_id, m.customer, m.started_at, m.ended_at, m.touchpoints, m.key_bytes, m.failures, m.abandoned,
       m.steps_omitted, m.channels, m.steps, m.outcome, m.begun_by_customer, m.is_visit, m.merged_into, t.journey_id AS target,
       t.customer AS target_customer, t.started_at AS target_started_at, read.since,
       m.customer IN (SELECT customer FROM joined) AS is_joined
FROM found_journey AS m
LEFT JOIN found_journey AS t ON t.journey_id = m.merged_into
LEFT JOIN stretch AS read ON read.partition = m.partition
WHERE m.merged_into IS NOT NULL;

-- Journeys whose touchpoints belong to another key now are empty.
CREATE TABLE there_moved AS
SELECT journey_id, customer, touchpoints, key_bytes, steps_omitted, channels, steps FROM found_journey
WHERE moved_to IS NOT NULL;
