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
        risk.visits, risk.first_active_at, risk.last_active_at, risk.account_closed_at, at, m.parameters,
        beyond_shift(
            risk.first_active_at, risk.last_active_at, risk.last_seen_at, risk.evidence, risk.activities,
            risk.activity_weight, risk.payments, risk.paid, at, m.parameters
        )
    ) AS p
$$;

CREATE OR REPLACE VIEW churn_risk_now AS SELECT * FROM churn_risk_at(now());
