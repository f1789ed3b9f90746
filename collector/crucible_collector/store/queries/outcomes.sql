-- How many of the events that have an outcome succeeded, by time and by what is grouped by?
-- Leans on the roll-ups of spans; raw rows answer less than a minute at either end of the period. An outcome is a
-- status that was set, or the end of something that was begun: those have an error or none. A condition is that of
-- the run. `terms` as event_sums has it. Of a group sum of 1/p² is its variance and its count together.
with known as (
    select
        pieces.*,
        u.condition,
        case %(terms)s::text when 'event' then count_variance else count_trace_variance end as variance,
        case %(terms)s::text when 'event' then uncertain_event_traces else uncertain_traces end as traces
    from (
-- each sums: span_sums
    ) pieces
    left join crucible.runs u on u.run_id = pieces.run_id
    where %(count_unset)s::bool
       or status_code <> 0
       or right(event_name, 5) = '.stop'
       or right(event_name, 10) = '.exception'
),
sums as (
    select
        array[
            crucible.rfc3339(
                date_bin(%(width)s::interval, time, timestamptz '2000-01-01 00:00:00+00'), 0::smallint
            ),
-- include outcome_group
        ] collate "C" as key,
        sum(row_count)::bigint as stored_count,
        sum(count) as count,
        coalesce(sum(row_count) filter (where status_code = 2), 0)::bigint as stored_failed_count,
        coalesce(sum(count) filter (where status_code = 2), 0) as failed_count,
        coalesce(sum(variance), 0) as variance,
        coalesce(sum(variance) filter (where status_code = 2), 0) as failed_variance,
        coalesce(sum(variance) filter (where status_code <> 2), 0) as succeeded_variance,
        coalesce(sum(traces), 0)::bigint as trace_count,
        min(probability_min) as probability_min,
        max(duration_max_ns) as duration_max_ns
    from known
    group by 1
    having sum(row_count) > 0
)
select *
from (select *, count(*) over () as group_count from sums) counted
where %(last_key)s::text[] is null or key >= %(last_key)s::text[]
order by key
limit %(limit)s offset %(skip)s
