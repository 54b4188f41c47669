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
    CROSS JOIN LATERAL satisfaction_score(s.answered, s.weight, s.weighted, s.about, s.as_of, at, m.parameters) AS e
$$;
