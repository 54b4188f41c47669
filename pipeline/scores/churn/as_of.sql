-- Churn risk as of a moment: the formula of pipeline/scores/churn/model.py, where its derivation and source stand. A test
-- compares the two, to 1e-9. parameters is the column of that name in the table model.
--
-- Postgres has neither log1p nor expm1. Hence ln(1 + y/z) as 2·atanh(y/(y + 2z)), which keeps its digits when y is far
-- smaller than z.

-- Whether one may leave after the first visit (MBG/NBD), or only after a repeat visit (BG/NBD).
create or replace function leaves_after_first(parameters jsonb) returns boolean
    language sql immutable parallel safe
    return coalesce((parameters ->> 'leaves_after_first')::boolean, false);

-- The chance that the customer has not left for good, going by visits alone.
create or replace function p_alive(
    visits int, first_at timestamptz, last_at timestamptz, as_of timestamptz, parameters jsonb
) returns double precision
    language sql immutable parallel safe
    return case when visits <= 1 and not leaves_after_first(parameters) then 1 else 1 / (1 + clamped_exp(
        ln((parameters ->> 'a')::float8
           / ((parameters ->> 'b')::float8 + visits - 2 + leaves_after_first(parameters)::int))
        + ((parameters ->> 'r')::float8 + visits - 1) * 2 * atanh(
            days_between(last_at, as_of) / (
                days_between(last_at, as_of)
                + 2 * ((parameters ->> 'alpha_days')::float8 + days_between(first_at, last_at))
            )
        )
    )) end;

-- The chance that a customer who is alive comes within the horizon after as_of.
create or replace function p_active(
    visits int, first_at timestamptz, last_at timestamptz, as_of timestamptz, parameters jsonb
) returns double precision
    language sql immutable parallel safe
    return 1 - clamped_exp(
        -((parameters ->> 'r')::float8 + visits - 1) * 2 * atanh(
            (parameters ->> 'horizon_days')::float8 / (
                (parameters ->> 'horizon_days')::float8
                + 2 * ((parameters ->> 'alpha_days')::float8 + days_between(first_at, greatest(as_of, last_at)))
            )
        )
    );

-- By how much what is learned beyond visits moves the logit (pipeline/scores/churn/covariates.py).
create or replace function covariates_shift(
    visits int, first_at timestamptz, last_at timestamptz, as_of timestamptz, parameters jsonb
) returns double precision
    language sql immutable parallel safe
    return greatest(-150, least(150, coalesce((parameters ->> 'covariate_intercept')::float8, 0)
        + coalesce((parameters ->> 'covariate_silence')::float8, 0) * ln(
            1 + (visits - 1) * days_between(last_at, as_of)
                / ((parameters ->> 'alpha_days')::float8 + days_between(first_at, last_at))
        )));

-- The probability with the logit of 1 - stays, moved.
create or replace function moved_risk(stays double precision, shift double precision) returns double precision
    language sql immutable parallel safe
    return 1 - 1 / (1 + (1 / greatest(stays, 1e-150) - 1) * exp(shift));

-- The chance that the customer shows no activity within the horizon after as_of.
create or replace function churn_probability(
    visits int, first_at timestamptz, last_at timestamptz, closed_at timestamptz, as_of timestamptz, parameters jsonb
) returns double precision
    language sql immutable parallel safe
    return case when closed_at >= last_at then 1 else
        moved_risk(
            p_alive(visits, first_at, last_at, as_of, parameters)
                * p_active(visits, first_at, last_at, as_of, parameters),
            covariates_shift(visits, first_at, last_at, as_of, parameters)
        )
    end;

create or replace function churn_band(probability double precision, parameters jsonb) returns text
    language sql immutable parallel safe
    return case
        when probability >= (parameters ->> 'high_from')::float8 then 'high'
        when probability >= (parameters ->> 'medium_from')::float8 then 'medium'
        when probability is not null then 'low'
    end;
