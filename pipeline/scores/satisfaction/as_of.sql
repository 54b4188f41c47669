-- Satisfaction as of a moment: the formula of pipeline/scores/satisfaction/estimate.py, where its derivation and source
-- stand. A test compares the two, to 1e-9. parameters is the column of that name in the table model.

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

-- What the touchpoints usually get that answers are about: weights by touchpoint, of which weight is the sum.
create or replace function usual_satisfaction(about jsonb, weight numeric, parameters jsonb) returns double precision
    language sql immutable parallel safe
    return coalesce((
        select sum(round(part.value::numeric / nullif(weight, 0), 20)::float8
                   * coalesce(parameters ->> ('prior_mean:' || part.key), parameters ->> 'prior_mean')::float8)
        from jsonb_each_text(about) as part
    ), (parameters ->> 'prior_mean')::float8);

-- Satisfaction as of a moment, 0 to 100 with its interval of 95 in 100, and the effective number of answers. No row without an
-- answer. To be called as: from satisfaction s cross join lateral satisfaction_score(…).
create or replace function satisfaction_score(
    answered int, weight numeric, weighted numeric, about jsonb, last_at timestamptz, as_of timestamptz,
    parameters jsonb
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
                   usual_satisfaction(about, weight, parameters),
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
