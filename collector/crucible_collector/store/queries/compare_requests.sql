-- What came of the requests of these sides, each unit (a trace, a sample, a run) by itself?
-- Leans on what compare_request_rows says. A unit is there with the largest probability of its rows, and
-- its numbers are sums over rows weighted by what is left of theirs; a run is there for certain.
with
-- include compare_request_rows
, measured as (
    select
        place,
        run_id,
        case %(unit)s::text
            when 'trace' then replace(trace_id::text, '-', '')
            when 'run' then run_id
            else attributes ->> 'crucible.sample.id'
        end as unit_id,
        sample_probability as p,
        status_code = 2 as is_error,
        case %(what)s::text
            when 'latency' then duration_ns / 1e6::float8
            when 'cost_per_request' then case when cost_usd between -1e100 and 1e100 then cost_usd end
            when 'tokens' then (coalesce(input_tokens, 0) + coalesce(output_tokens, 0)
                + case when coalesce(input_tokens, output_tokens) is null then null else 0 end)::float8
            when 'request_success' then case when status_code = 2 then 0 else 1 end
            else case when status_code = 2 then 1 else 0 end
        end as value
    from requests
),
units as (
    select
        place,
        unit_id,
        min(run_id) as run_id,
        case when %(unit)s::text = 'run' then 1 else 1 / max(p) end as weight,
        case
            when %(unit)s::text <> 'run' and %(what)s::text = 'request_success' then min(value)
            when %(unit)s::text <> 'run' and %(what)s::text = 'error_rate' then max(value)
            when %(unit)s::text <> 'run' and %(what)s::text in ('cost_per_request', 'tokens')
                then sum(value / p) * max(p)
            else sum(value / p) / sum(1 / p)
        end as value,
        count(*) as row_count,
        bool_or(p < 1) as is_sampled
    from measured
    where unit_id is not null and value is not null
    group by place, unit_id
)
select
    place,
    array_agg(unit_id order by unit_id) as unit_ids,
    array_agg(crucible.significant(value) order by unit_id) as values,
    array_agg(weight order by unit_id) as weights,
    array_agg(run_id order by unit_id) as run_ids,
    sum(row_count)::bigint as row_count,
    bool_or(is_sampled) as is_sampled
from units
group by place
order by place
