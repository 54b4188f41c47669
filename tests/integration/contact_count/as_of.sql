create or replace function contacts_a_day(contacts int, days double precision) returns double precision
    language sql immutable parallel safe
    return contacts / nullif(days, 0);
