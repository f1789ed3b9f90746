-- What of a computed number means anything?
-- No index. Sums of float8 depend on the order of their terms in the last digits: rows in another order,
-- or roll-ups of another kind, would answer 0.30000000000000004 for 0.3. Whole numbers below 1e15 are
-- counts and the like, which are exact.
create or replace function crucible.significant(value float8)
    returns float8 language sql immutable parallel safe
    return case
        when value in ('nan', 'infinity', '-infinity') then value
        when value = trunc(value) and abs(value) < 1e15 then value
        else round(value::numeric, 11 - floor(log(abs(value)))::int)::float8
    end;

comment on function crucible.significant(float8) is
    'A computed number to twelve significant digits; whole numbers below 1e15 as they are';
