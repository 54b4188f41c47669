-- A fading sum among those of a customer as of a moment, which is so many half-lives after 1990
-- (pipeline/scores/evidence/sums.py, pipeline/scores/decay.py). The sums are as of `base` half-lives after 1990.
create or replace function evidence_amount(evidence jsonb, name text, half_lives double precision)
    returns double precision
    language sql immutable parallel safe
    return case when evidence ? name then decayed(
        (evidence ->> name)::numeric, half_lives - coalesce((evidence ->> 'base')::int, 0)
    ) else 0 end;
