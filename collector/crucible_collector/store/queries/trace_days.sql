-- In which days may a trace, or a correlation id, have rows? Those before the horizon that its hints
-- name; later days are to be looked into whatever is said here. No row: nothing is known.
-- Reads all rows of trace_filters, some hundred a year, and four bytes of each that has the hash's range;
-- leans on late_traces_hash. One statement, so that what is being folded is seen once at least.
with asked as materialized (
    select crucible.trace_hash(trace_id) as hash from unnest(%(traces)s::uuid[]) as trace_id
    union all
    select crucible.correlation_hash(%(correlation)s::text) where %(correlation)s::text is not null
),
found as (
    select day
    from asked
    join crucible.trace_filters on hash between first_hash and last_hash
    where crucible.filter_has(filter, hash)
    union
    select day from asked join crucible.late_traces using (hash)
)
select
    covered_until,
    array(select day from found where day < covered_until order by day) as days
from crucible.trace_horizon
where covered_until is not null and hash_check = crucible.hash_check()
