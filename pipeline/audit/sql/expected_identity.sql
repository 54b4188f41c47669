-- Who holds a key. The tables tell from which stretch; that of one holder after another of the same is one row here.
CREATE TABLE there_identity_owner AS
SELECT key, min(since) AS since, max(until) AS until, any_value(owner) AS owner, any_value(why) AS why
FROM (
    SELECT *, sum(is_new) OVER (PARTITION BY key ORDER BY since ROWS UNBOUNDED PRECEDING) AS number
    FROM (
        SELECT *, (owner IS DISTINCT FROM lag(owner) OVER before OR why IS DISTINCT FROM lag(why) OVER before)::INT AS is_new
        FROM found_identity_owner
        WINDOW before AS (PARTITION BY key ORDER BY since)
    )
)
WHERE key NOT IN (SELECT customer FROM unsettled)
GROUP BY key, number
HAVING NOT (min(since) = $beginning AND max(until) = $end AND any_value(why) = 'nobody');
CREATE TABLE expected_identity_owner AS
SELECT key, since, until, coalesce(holder, key) AS owner, why FROM segment
WHERE NOT (since = $beginning AND until = $end AND why = 'nobody') AND key NOT IN (SELECT customer FROM unsettled);

CREATE TABLE there_identity_naming AS
SELECT * FROM found_identity_naming WHERE key NOT IN (SELECT customer FROM unsettled);
CREATE TABLE expected_identity_naming AS
SELECT DISTINCT key, target, any_value(trust) AS trust, "at", source, event_id FROM link
WHERE key NOT IN (SELECT customer FROM unsettled)
  AND key NOT IN (SELECT key FROM link GROUP BY key HAVING count(DISTINCT target) > 1000)
GROUP BY key, target, "at", source, event_id;
