-- What went wrong for customers as of a moment: each counts 1 when it happens, and half of that a half-life later.
CREATE OR REPLACE FUNCTION customer_evidence_at(at timestamptz)
RETURNS TABLE (
    customer text, help double precision, complaints double precision, failures double precision,
    bad_answers double precision, answers double precision
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT e.customer, evidence_amount(e.evidence, 'help', age), evidence_amount(e.evidence, 'complaints', age),
           evidence_amount(e.evidence, 'failures', age), evidence_amount(e.evidence, 'bad_answers', age),
           evidence_amount(e.evidence, 'answers', age)
    FROM customer_evidence AS e
    JOIN model AS m ON m.name || ' ' || m.version = e.model
    CROSS JOIN LATERAL half_lives(at, '{"half_life_days": 30}'::jsonb || m.parameters) AS age
$$;
