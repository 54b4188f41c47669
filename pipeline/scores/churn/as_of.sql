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

-- The currency of most purchases, of equals the first by name (pipeline/scores/churn/beyond.py).
create or replace function main_currency(payments jsonb) returns text
    language sql immutable parallel safe
    return (select key from jsonb_each_text(payments) as each (key, value) where value::numeric > 0
            order by value::numeric desc, key collate "C" limit 1);

-- What a coefficient is, 0 where a model has none of that name.
create or replace function coefficient(parameters jsonb, name text) returns double precision
    language sql immutable parallel safe
    return coalesce((parameters ->> ('covariate_' || name))::float8, 0);

-- How many activities lately would be there if all had been spread evenly over so many half-lives. 1 - e^-u is written
-- with tanh, which keeps its digits when u is small.
create or replace function spread_evenly(activities int, half_lives double precision) returns double precision
    language sql immutable parallel safe
    return case
        when activities <= 0 then 0
        when half_lives <= 0 then activities
        else activities / (ln(2::float8) * half_lives)
            * 2 * tanh(ln(2::float8) * half_lives / 2) / (1 + tanh(ln(2::float8) * half_lives / 2))
    end;

-- What is known beyond visits adds to the logit (pipeline/scores/churn/beyond.py); 0 unless a coefficient was fitted.
create or replace function beyond_shift(
    first_at timestamptz, last_at timestamptz, seen_at timestamptz, evidence jsonb, activities int,
    activity_weight numeric, payments jsonb, paid jsonb, as_of timestamptz, parameters jsonb
) returns double precision
    language sql immutable parallel safe
    return case when not parameters ?| array[
        'covariate_help', 'covariate_complaints', 'covariate_failures', 'covariate_bad_answers',
        'covariate_satisfaction', 'covariate_falling_use', 'covariate_money'
    ] then 0 else (
        select coefficient(parameters, 'help') * ln(1 + greatest(0, evidence_amount(evidence, 'help', age)))
            + coefficient(parameters, 'complaints') * ln(1 + greatest(0, evidence_amount(evidence, 'complaints', age)))
            + coefficient(parameters, 'failures') * ln(1 + greatest(0, evidence_amount(evidence, 'failures', age)))
            + coefficient(parameters, 'bad_answers')
                * ln(1 + greatest(0, evidence_amount(evidence, 'bad_answers', age)))
            + coefficient(parameters, 'satisfaction') * evidence_amount(evidence, 'points', age) / 50000
                / (1 + greatest(0, evidence_amount(evidence, 'answers', age)))
            + coefficient(parameters, 'falling_use') * (
                ln(1 + spread_evenly(activities, days_between(first_at, last_at) / half_life))
                - ln(1 + decayed(greatest(0, activity_weight), age_of_last))
            )
            + coefficient(parameters, 'money') * ln(1 + greatest(0, coalesce(
                (paid ->> main_currency(payments))::numeric / (payments ->> main_currency(payments))::numeric, 0
            ))::float8)
        from (
            select half_lives(greatest(as_of, last_at, seen_at), given), half_lives(last_at, given),
                   (given ->> 'half_life_days')::float8
            from (select '{"half_life_days": 30}'::jsonb || parameters offset 0) as known (given)
            offset 0
        ) as aged (age, age_of_last, half_life)
    ) end;

-- By how much what is learned beyond visits moves the logit (pipeline/scores/churn/covariates.py). beyond is what
-- beyond_shift says.
create or replace function covariates_shift(
    visits int, first_at timestamptz, last_at timestamptz, as_of timestamptz, parameters jsonb, beyond double precision
) returns double precision
    language sql immutable parallel safe
    return greatest(-150, least(150, beyond + coalesce((parameters ->> 'covariate_intercept')::float8, 0)
        + coalesce((parameters ->> 'covariate_silence')::float8, 0) * ln(
            1 + (visits - 1) * days_between(last_at, as_of)
                / ((parameters ->> 'alpha_days')::float8 + days_between(first_at, last_at))
        )));

-- The probability with the logit of 1 - stays, moved.
create or replace function moved_risk(stays double precision, shift double precision) returns double precision
    language sql immutable parallel safe
    return 1 - 1 / (1 + (1 / greatest(stays, 1e-150) - 1) * exp(shift));

-- The chance that the customer shows no activity within the horizon after as_of. beyond is what beyond_shift says.
create or replace function churn_probability(
    visits int, first_at timestamptz, last_at timestamptz, closed_at timestamptz, as_of timestamptz, parameters jsonb,
    beyond double precision
) returns double precision
    language sql immutable parallel safe
    return case when closed_at >= last_at then 1 else
        moved_risk(
            p_alive(visits, first_at, last_at, as_of, parameters)
                * p_active(visits, first_at, last_at, as_of, parameters),
            covariates_shift(visits, first_at, last_at, as_of, parameters, beyond)
        )
    end;

-- The same of a customer of whom nothing is known beyond visits.
create or replace function churn_probability(
    visits int, first_at timestamptz, last_at timestamptz, closed_at timestamptz, as_of timestamptz, parameters jsonb
) returns double precision
    language sql immutable parallel safe
    return churn_probability(visits, first_at, last_at, closed_at, as_of, parameters, 0);

-- The currency in which it was fitted what customers spend; null where it was not.
create or replace function spend_currency(parameters jsonb) returns text
    language sql immutable parallel safe
    return (select substr(name, 13) from jsonb_object_keys(parameters) as name where starts_with(name, 'spend_gamma:'));

-- What a customer who stays is expected to spend within the horizon after as_of (pipeline/scores/churn/value.py); null
-- where it was not fitted what customers spend.
create or replace function value_if_stays(
    visits int, first_at timestamptz, last_at timestamptz, as_of timestamptz, payments jsonb, paid jsonb,
    parameters jsonb
) returns double precision
    language sql immutable parallel safe
    return (
        select (parameters ->> 'horizon_days')::float8 * ((parameters ->> 'r')::float8 + visits - 1)
            / ((parameters ->> 'alpha_days')::float8 + days_between(first_at, greatest(as_of, last_at)))
            * purchases / visits
            * (parameters ->> 'spend_p')::float8 * ((parameters ->> ('spend_gamma:' || currency))::float8 + amount)
            / ((parameters ->> 'spend_p')::float8 * purchases + (parameters ->> 'spend_q')::float8 - 1)
        from (
            select currency, greatest(0, coalesce((payments ->> currency)::numeric, 0))::float8,
                   greatest(0, coalesce((paid ->> currency)::numeric, 0))::float8
            from spend_currency(parameters) as known (currency)
        ) as spent (currency, purchases, amount)
        where currency is not null
    );

create or replace function churn_band(probability double precision, parameters jsonb) returns text
    language sql immutable parallel safe
    return case
        when probability >= (parameters ->> 'high_from')::float8 then 'high'
        when probability >= (parameters ->> 'medium_from')::float8 then 'medium'
        when probability is not null then 'low'
    end;
