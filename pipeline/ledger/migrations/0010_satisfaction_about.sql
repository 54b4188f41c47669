-- Steps of answers say what they judge, where that is another touchpoint: as far as the table feedback knows.
CREATE FUNCTION pg_temp.judging(steps jsonb, keys bytea, owner text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_agg(
        CASE WHEN said.key IS NULL THEN told.step
             ELSE told.step || jsonb_build_object('about', said.channel || '/' || said.kind) END
        ORDER BY told.n
    )
    FROM jsonb_array_elements(steps) WITH ORDINALITY AS told (step, n)
    LEFT JOIN feedback AS said
        ON told.step ? 'score' AND said.key = coalesce(told.step ->> 'via', owner)
       AND said.at = (told.step ->> 'at')::timestamptz
       AND said.touchpoint = substr(keys, (8 * told.n - 7)::integer, 8)
       AND (said.channel, said.kind) <> (told.step ->> 'channel', told.step ->> 'kind')
$$;
UPDATE journey SET steps = pg_temp.judging(steps, keys, customer) WHERE steps @? '$[*].score';
UPDATE identity_touchpoint SET steps = pg_temp.judging(steps, keys, key) WHERE steps @? '$[*].score';

-- Weights by what answers are about, where the steps tell all of them; else it is not known, until the tables are rebuilt.
ALTER TABLE satisfaction ADD COLUMN about JSONB;
UPDATE satisfaction SET about = jsonb_build_object('', trim_scale(weight));
UPDATE satisfaction SET about = known.about
FROM (
    SELECT customer, sum(weight) AS weight, jsonb_object_agg(about, trim_scale(weight)) AS about
    FROM (
        SELECT customer, coalesce(step ->> 'about', (step ->> 'channel') || '/' || (step ->> 'kind')) AS about,
               sum(round(power(2::float8, mod(ms, half_life)::float8 / half_life::float8) * 4294967296)::numeric
                   * power(2::numeric, div(ms, half_life))) AS weight
        FROM journey
        JOIN satisfaction AS scored USING (customer)
        JOIN model ON model.name || ' ' || model.version = scored.model
        CROSS JOIN LATERAL jsonb_array_elements(steps) AS step
        CROSS JOIN LATERAL (
            SELECT round(extract(epoch FROM (step ->> 'at')::timestamptz) * 1000 - 631152000000),
                   round((parameters ->> 'half_life_days')::float8 * 86400000)::numeric
        ) AS since (ms, half_life)
        WHERE merged_into IS NULL AND moved_to IS NULL AND steps @? '$[*].score' AND step ? 'score'
        GROUP BY 1, 2
    ) AS part
    GROUP BY customer
) AS known
WHERE known.customer = satisfaction.customer AND known.weight = satisfaction.weight;
ALTER TABLE satisfaction ALTER COLUMN about SET NOT NULL;
COMMENT ON COLUMN satisfaction.about IS 'weight by the touchpoint (CHANNEL/KIND) that the answers are about; empty: not known';
DROP FUNCTION pg_temp.judging(jsonb, bytea, text);

-- It takes what the answers are about, too.
DROP FUNCTION IF EXISTS satisfaction_score(INTEGER, NUMERIC, NUMERIC, TIMESTAMPTZ, TIMESTAMPTZ, JSONB);
