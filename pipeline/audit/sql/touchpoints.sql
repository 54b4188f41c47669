-- Records to touchpoints, each with its own key. All of it follows from the set of records, seen at once.

-- The verdict on each record. Whether a schema was known, or a time too far ahead, depended on the moment of processing:
-- there the ledger's verdict holds. (Only what could not be looked up at all is refused before its schema is asked for.)
CREATE TABLE verdict AS
SELECT r.partition, r."offset", r.sent_on,
       CASE WHEN q.reason = 'unknown_schema'
                 AND (r.reason IS NULL OR r.reason NOT IN ('null_value', 'empty', 'oversized', 'bad_magic'))
            THEN 'unknown_schema'
            WHEN q.reason = 'time_out_of_range' AND r.depends THEN 'time_out_of_range'
            WHEN q.reason = 'unprocessable' AND r.reason IS NULL THEN 'unprocessable'
            ELSE r.reason END AS reason,
       r.reason IS NULL AS accepted, r.raw, r.record_key, r.appended_at
FROM record AS r
LEFT JOIN found_quarantine AS q ON q.partition = r.partition AND q."offset" = r."offset";

CREATE TABLE customer AS
SELECT row_number() OVER ()::INTEGER AS id, customer
FROM (SELECT DISTINCT customer FROM record WHERE reason IS NULL AND NOT sent_on);

-- Each touchpoint once: the first that came holds.
CREATE TABLE own_touchpoint AS
SELECT c.id, c.customer AS own_key, r.partition, r."offset", r.key, r.occurred_at, r.occurred_at + coalesce(by_kind.ms, by_channel.ms, all_others.ms) AS until,
       r.channel, r.kind, coalesce(r.stage, k.stage, 'unknown') AS stage, k.kind IS NOT NULL AS catalogued,
       coalesce(r.begun_by, k.begun_by, ch.begun_by) = 'customer' AS begun,
       begun AND CASE
           WHEN r.kind = 'account_closed' THEN true
           WHEN as_kind.counts IS NOT NULL THEN as_kind.counts AND coalesce(k.role IN ('browse', 'buy', 'use', 'answer'), true)
           ELSE coalesce(as_channel.counts, as_role.counts, false)
                AND coalesce(k.role IN ('browse', 'buy', 'use', 'answer'), false)
       END AS active, r.outcome, r.wait_ms, r.duration_ms, r.amount_minor, r.currency,
       r.late_ms, r.begun_by, r.sequence,
       round_even((r.score - s.worst) / (s.best - s.worst) * 100000, 0)::BIGINT AS millipoints,
       r.score >= s.satisfied AS satisfied,
       coalesce(r.score < s.satisfied AND r.score > s.dissatisfied, false) AS neutral, r.about_channel, r.about_kind, r.weight, r.half_lives,
       r.instrument, r.score, r.subject, r.verbatim, r.case_subject, r.churn_weight, r.churn_half_lives,
       CASE WHEN begun AND k.role IN ('help', 'complain') THEN k.role END AS concern,
       begun AND k.role IS DISTINCT FROM 'answer' AS contact
FROM record AS r
JOIN verdict AS v ON v.partition = r.partition AND v."offset" = r."offset" AND v.reason IS NULL AND NOT v.sent_on
JOIN customer AS c ON c.customer = r.customer
JOIN known_channel AS ch ON ch.channel = r.channel
LEFT JOIN known_kind AS k ON k.kind = r.kind
LEFT JOIN gap AS by_kind ON by_kind.scope = 'kind' AND by_kind.name = r.kind
LEFT JOIN gap AS by_channel ON by_channel.scope = 'channel' AND by_channel.name = r.channel
JOIN gap AS all_others ON all_others.scope = 'all'
LEFT JOIN activity AS as_kind ON as_kind.scope = 'kind' AND as_kind.name = r.kind
LEFT JOIN activity AS as_channel ON as_channel.scope = 'channel' AND as_channel.name = r.channel
LEFT JOIN activity AS as_role ON as_role.scope = 'role' AND as_role.name = k.role
LEFT JOIN scale AS s ON s.instrument = r.instrument
LEFT JOIN (
    SELECT customer, key, min("offset") AS first
    FROM record JOIN verdict USING (partition, "offset")
    WHERE verdict.reason IS NULL AND NOT verdict.sent_on
    GROUP BY customer, key HAVING count(*) > 1
) AS repeated ON repeated.customer = r.customer AND repeated.key = r.key
WHERE repeated.first IS NULL OR r."offset" = repeated.first;

CREATE TABLE read_of AS
SELECT partition, count(*) AS records, count(*) FILTER (reason IS NOT NULL) AS quarantined,
       count(*) FILTER (reason IS NULL AND sent_on) AS forwarded,
       count(*) FILTER (reason IS NULL AND NOT sent_on) AS arrived
FROM verdict GROUP BY partition;
CREATE TABLE refused AS
SELECT partition, "offset", reason, raw, record_key AS key, appended_at, NOT accepted AS digested
FROM verdict WHERE reason IS NOT NULL;
-- What event time has reached at least: a touchpoint moves it to its own time, or the clock, which was past its append.
CREATE TABLE reached AS
SELECT t.partition, max(least(t.occurred_at, r.appended_at)) AS occurred_at
FROM own_touchpoint AS t JOIN record AS r USING (partition, "offset") GROUP BY t.partition;
-- Which key was named with which, by the records that hold.
CREATE TABLE link AS
SELECT n.* EXCLUDE (partition, "offset")
FROM naming AS n JOIN verdict AS v USING (partition, "offset") WHERE v.reason IS NULL AND NOT v.sent_on;
DROP TABLE naming;
DROP TABLE verdict;
DROP TABLE record;

