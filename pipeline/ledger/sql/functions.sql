-- Functions that the SQL of the scores and the views share. `pipeline init` runs them anew after the migrations.
--
-- All are functions of their arguments alone. They hold no semicolon but the one that ends each, and no percent sign.
-- Statements can be run again.
--
-- Postgres raises an error where C's exp underflows. Hence clamped_exp.

create or replace function clamped_exp(exponent double precision) returns double precision
    language sql immutable parallel safe
    return exp(greatest(-700, least(700, exponent)));

create or replace function days_between(earlier timestamptz, later timestamptz) returns double precision
    language sql immutable parallel safe
    return greatest(0, date_part('epoch', later - earlier) / 86400);

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
