-- Scores as of a moment, computed where they are read: the formulas of pipeline/satisfaction/estimate.py,
-- pipeline/satisfaction/share.py and pipeline/churn/model.py, where their derivations and sources stand. A test holds
-- the two to each other, to 1e-9.
--
-- All are functions of their arguments alone; parameters is the column of that name in the table model. They hold no
-- semicolon but the one that ends each, and no percent sign. Statements can be run again.
--
-- Postgres raises an error where C's exp underflows, and has neither log1p nor expm1. Hence clamped_exp, and
-- ln(1 + y/z) as 2·atanh(y/(y + 2z)), which keeps its digits when y is far smaller than z.

create or replace function clamped_exp(exponent double precision) returns double precision
    language sql immutable parallel safe
    return exp(greatest(-700, least(700, exponent)));

create or replace function days_between(earlier timestamptz, later timestamptz) returns double precision
    language sql immutable parallel safe
    return greatest(0, date_part('epoch', later - earlier) / 86400);

-- The chance that the customer has not left for good, going by visits alone.
create or replace function p_alive(
    visits int, first_at timestamptz, last_at timestamptz, as_of timestamptz, parameters jsonb
) returns double precision
    language sql immutable parallel safe
    return case when visits <= 1 then 1 else 1 / (1 + clamped_exp(
        ln((parameters ->> 'a')::float8 / ((parameters ->> 'b')::float8 + visits - 2))
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

-- The chance that the customer begins no touchpoint within the horizon after as_of.
create or replace function churn_probability(
    visits int, first_at timestamptz, last_at timestamptz, closed_at timestamptz, as_of timestamptz, parameters jsonb
) returns double precision
    language sql immutable parallel safe
    return case when closed_at >= last_at then 1 else
        1 - p_alive(visits, first_at, last_at, as_of, parameters)
          * p_active(visits, first_at, last_at, as_of, parameters)
    end;

create or replace function churn_band(probability double precision, parameters jsonb) returns text
    language sql immutable parallel safe
    return case
        when probability >= (parameters ->> 'high_from')::float8 then 'high'
        when probability >= (parameters ->> 'medium_from')::float8 then 'medium'
        when probability is not null then 'low'
    end;

-- How many half-lives lie between 1990 and a moment.
create or replace function half_lives(moment timestamptz, parameters jsonb) returns double precision
    language sql immutable parallel safe
    return date_part('epoch', moment - '1990-01-01 00:00:00+00'::timestamptz) * 1000
        / round((parameters ->> 'half_life_days')::float8 * 86400000);

-- A sum of weights as of 1990, in 2^-32, as of so many half-lives later: divided as numeric, since it can be beyond the
-- largest float; rounded, since the quotient can be below the smallest.
create or replace function decayed(total numeric, half_lives double precision) returns double precision
    language sql immutable parallel safe
    return round(total / power(2::numeric, 32 + floor(half_lives)::numeric), 40)::float8
        / power(2::float8, half_lives - floor(half_lives));

-- Satisfaction as of a moment, 0 to 100 with its interval of 95 in 100, and the effective number of answers. No row without an
-- answer. To be called as: from satisfaction s cross join lateral satisfaction_score(…).
create or replace function satisfaction_score(
    answered int, weight numeric, weighted numeric, last_at timestamptz, as_of timestamptz, parameters jsonb
) returns table (score double precision, low double precision, high double precision, answers double precision)
    language sql immutable parallel safe rows 1
as $$
    select estimated.score,
           greatest(0, estimated.score - estimated.half),
           least(100, estimated.score + estimated.half),
           estimated.answers
    from (
        select least(100, (given.k * given.mean + decayed(weighted, given.age) / 1000) / (given.k + given.answers)),
               1.959963984540054 * given.sd / sqrt(given.k + given.answers),
               given.answers
        from (
            select (parameters ->> 'prior_weight')::float8,
                   (parameters ->> 'prior_mean')::float8,
                   (parameters ->> 'answer_sd')::float8,
                   aged.age,
                   decayed(weight, aged.age)
            from (select half_lives(greatest(as_of, last_at), parameters) offset 0) as aged (age)
            offset 0
        ) as given (k, mean, sd, age, answers)
        offset 0
    ) as estimated (score, half, answers)
    where answered > 0
$$;

-- The ends of Wilson's interval of 95 in 100 of a share, 0 to 1; null without answers.
create or replace function wilson_middle(share double precision, answers double precision) returns double precision
    language sql immutable parallel safe
    return (share + 1.959963984540054 ^ 2 / answers / 2) / (1 + 1.959963984540054 ^ 2 / answers);

create or replace function wilson_half(share double precision, answers double precision) returns double precision
    language sql immutable parallel safe
    return sqrt((share * (1 - share) + 1.959963984540054 ^ 2 / answers / 4) * (1.959963984540054 ^ 2 / answers))
        / (1 + 1.959963984540054 ^ 2 / answers);

create or replace function wilson_low(satisfied bigint, answers bigint) returns double precision
    language sql immutable parallel safe
    return case when answers > 0 then least(satisfied::float8 / answers, greatest(0,
        wilson_middle(satisfied::float8 / answers, answers) - wilson_half(satisfied::float8 / answers, answers)
    )) end;

create or replace function wilson_high(satisfied bigint, answers bigint) returns double precision
    language sql immutable parallel safe
    return case when answers > 0 then greatest(satisfied::float8 / answers, least(1,
        wilson_middle(satisfied::float8 / answers, answers) + wilson_half(satisfied::float8 / answers, answers)
    )) end;
