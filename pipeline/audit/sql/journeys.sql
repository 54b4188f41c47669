-- Owners' touchpoints to journeys and scores.
-- Gaps and islands: a journey begins where a touchpoint lies after the reach of all that came before it.
CREATE TABLE placed AS
SELECT *, row_number() OVER journey AS n, count(*) OVER (PARTITION BY id, started_at) AS total
FROM (
    SELECT *, max(CASE WHEN reach IS NULL OR occurred_at > reach THEN occurred_at END)
                  OVER (PARTITION BY id ORDER BY occurred_at, sequence, key ROWS UNBOUNDED PRECEDING) AS started_at
    FROM (
        SELECT id, partition, "offset", key, sequence, occurred_at, until,
               max(until) OVER (PARTITION BY id ORDER BY occurred_at, sequence, key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                   AS reach
        FROM touchpoint
    )
)
WINDOW journey AS (PARTITION BY id, started_at ORDER BY occurred_at, sequence, key);

-- The first and last hundred of a journey's touchpoints are told; place is where among those that are.
CREATE TABLE step AS
SELECT p.id, p.started_at, p.n <= 100 OR p.n > p.total - 100 AS told,
       CASE WHEN p.n <= 100 THEN p.n ELSE p.n - greatest(p.total - 200, 0) END AS place,
       p.until, t.home AS partition, t.key, t.occurred_at, t.begun, t.active, t.channel, t.kind, t.stage, t.outcome, t.wait_ms, t.duration_ms,
       (t.millipoints / 1000)::DOUBLE AS score, t.amount_minor, t.currency, t.late_ms, t.begun_by, t.sequence, t.via,
       CASE WHEN t.about_kind IS NOT NULL AND (t.about_channel, t.about_kind) IS DISTINCT FROM (t.channel, t.kind)
            THEN t.about_channel || '/' || t.about_kind END AS about, t.case_subject AS subject,
       t.concern, t.contact, t.millipoints
FROM placed AS p JOIN touchpoint AS t USING (partition, "offset");
DROP TABLE placed;

CREATE TABLE journey AS
SELECT c.customer, j.*, ch.channels
FROM (
    SELECT id, started_at, any_value(partition) AS partition, max(occurred_at) AS ended_at, max(until) AS covers_until,
           count(*) AS touchpoints,
           coalesce(arg_max(outcome, place) FILTER (told AND outcome <> 'none'), 'none') AS outcome,
           count(*) FILTER (outcome = 'failed') AS failures, count(*) FILTER (outcome = 'abandoned') AS abandoned,
           bool_or(begun) AS begun_by_customer, bool_or(active) AS is_visit, count(*) FILTER (NOT told) AS steps_omitted, 8 * count(*) AS key_bytes,
           sha256(string_agg(format('{:016x}', key), '' ORDER BY told DESC, CASE WHEN told THEN place END, key)) AS keys,
           bit_xor(hash(place, occurred_at, channel, kind, stage, outcome, wait_ms, duration_ms, score, amount_minor, currency,
               late_ms, begun_by, sequence, via, about, subject)) FILTER (told) AS steps
    FROM step GROUP BY id, started_at
) AS j
JOIN (
    SELECT id, started_at, list_sort(list({'key': channel, 'value': n}))::VARCHAR AS channels
    FROM (SELECT id, started_at, channel, count(*) AS n FROM step GROUP BY ALL) GROUP BY ALL
) AS ch USING (id, started_at)
JOIN customer AS c USING (id);

CREATE TABLE churn_risk AS
SELECT c.customer, v.visits, a.*
FROM (
    SELECT id, any_value(home) AS partition, min(occurred_at) FILTER (active) AS first_active_at,
           max(occurred_at) FILTER (active) AS last_active_at,
           max(occurred_at) FILTER (active AND kind = 'account_closed') AS account_closed_at, max(occurred_at) AS last_seen_at
    FROM touchpoint GROUP BY id
) AS a
JOIN (SELECT id, count(*) AS visits FROM journey WHERE is_visit GROUP BY id) AS v USING (id)
JOIN customer AS c USING (id);

-- What churn risk knows beyond visits, by the half-life in which it happened. An answer is bad below the middle of its scale.
CREATE TABLE noted AS
SELECT id, any_value(home) AS partition, churn_half_lives AS half_lives,
       coalesce(sum(churn_weight::HUGEINT) FILTER (concern = 'help'), 0) AS help,
       coalesce(sum(churn_weight::HUGEINT) FILTER (concern = 'complain'), 0) AS complaints,
       coalesce(sum(churn_weight::HUGEINT) FILTER (begun AND outcome IN ('failed', 'abandoned')), 0) AS failures,
       coalesce(sum(churn_weight::HUGEINT) FILTER (millipoints < 50000), 0) AS bad_answers,
       coalesce(sum(churn_weight::HUGEINT) FILTER (millipoints IS NOT NULL), 0) AS answers,
       coalesce(sum(churn_weight::HUGEINT * (millipoints - 50000)) FILTER (millipoints IS NOT NULL), 0) AS points,
       coalesce(sum(churn_weight::HUGEINT) FILTER (active), 0) AS activity, count(*) FILTER (active) AS activities
FROM touchpoint GROUP BY id, churn_half_lives;

CREATE TABLE purchased AS
SELECT id, currency, count(*) AS payments, sum(amount_minor::HUGEINT) AS paid
FROM touchpoint
WHERE active AND kind = 'purchase' AND amount_minor > 0 AND outcome NOT IN ('failed', 'abandoned')
GROUP BY id, currency;

-- Answers by the half-life in which they were given, within which the sums fit into 128 bits, and by what they judge.
CREATE TABLE answered AS
SELECT id, any_value(home) AS partition, half_lives,
       coalesce(about_channel, channel) || '/' || coalesce(about_kind, kind) AS about, count(*) AS n, max(occurred_at) AS last_at,
       sum(weight::HUGEINT) AS weight, sum(weight::HUGEINT * millipoints) AS weighted
FROM touchpoint WHERE millipoints IS NOT NULL GROUP BY ALL;

-- In a partition whose beginning has expired, only what is younger than that can be compared.
CREATE TABLE touchpoint_count AS
WITH counted AS (
    SELECT t.* FROM own_touchpoint AS t JOIN stretch AS s USING (partition) WHERE s.since IS NULL OR t.occurred_at >= s.since
),
judged AS (
    SELECT partition, coalesce(about_channel, t.channel) AS channel, coalesce(about_kind, t.kind) AS kind,
           CASE WHEN about_kind IS NULL THEN t.stage ELSE coalesce(k.stage, 'unknown') END AS stage, satisfied, neutral,
           millipoints
    FROM counted AS t LEFT JOIN known_kind AS k ON k.kind = t.about_kind
    WHERE millipoints IS NOT NULL
),
happened AS (
    SELECT partition, stage, channel, kind, count(*) AS events, count(*) FILTER (outcome = 'failed') AS failures,
           count(*) FILTER (outcome = 'abandoned') AS abandoned, count(wait_ms) AS waits, sum(wait_ms) AS wait_ms_sum,
           count(duration_ms) AS durations, sum(duration_ms) AS duration_ms_sum
    FROM counted GROUP BY ALL
),
said AS (
    SELECT partition, stage, channel, kind, count(*) AS answers, count(*) FILTER (satisfied) AS satisfied,
           count(*) FILTER (neutral) AS neutral,
           sum(millipoints) AS score_sum
    FROM judged GROUP BY ALL
)
SELECT partition, stage, channel, kind, kind IN (SELECT kind FROM known_kind) AS catalogued,
       coalesce(events, 0)::BIGINT AS events, coalesce(answers, 0)::BIGINT AS answers,
       coalesce(satisfied, 0)::BIGINT AS satisfied, coalesce(score_sum, 0)::BIGINT AS score_sum,
       coalesce(failures, 0)::BIGINT AS failures, coalesce(abandoned, 0)::BIGINT AS abandoned,
       coalesce(waits, 0)::BIGINT AS waits, coalesce(wait_ms_sum, 0)::BIGINT AS wait_ms_sum,
       coalesce(durations, 0)::BIGINT AS durations, coalesce(duration_ms_sum, 0)::BIGINT AS duration_ms_sum,
       coalesce(neutral, 0)::BIGINT AS neutral
FROM happened FULL JOIN said USING (partition, stage, channel, kind);

CREATE TABLE feedback AS
SELECT t.partition, t.own_key AS key, t.occurred_at AS "at", format('{:016x}', t.key) AS touchpoint, t.instrument, t.score,
       CASE WHEN t.about_kind IS NULL THEN t.stage ELSE coalesce(k.stage, 'unknown') END AS stage,
       coalesce(t.about_channel, t.channel) AS channel, coalesce(t.about_kind, t.kind) AS kind, t.subject, t.verbatim
FROM own_touchpoint AS t
JOIN stretch AS s USING (partition)
LEFT JOIN known_kind AS k ON k.kind = t.about_kind
WHERE t.instrument IS NOT NULL AND (s.since IS NULL OR t.occurred_at >= s.since);

CREATE TABLE position AS
SELECT s.partition, coalesce(t.processed, 0) AS processed, coalesce(r.arrived, 0) - coalesce(t.processed, 0) AS duplicates,
       coalesce(r.quarantined, 0) AS quarantined, coalesce(r.forwarded, 0) AS forwarded
FROM stretch AS s
LEFT JOIN read_of AS r USING (partition)
LEFT JOIN (SELECT partition, count(*) AS processed FROM own_touchpoint GROUP BY partition) AS t USING (partition);
