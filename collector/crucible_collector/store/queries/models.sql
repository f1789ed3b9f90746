-- How many calls of each model are there, and how many failed?
-- Leans on the roll-ups of spans; raw rows answer less than a minute at either end of the period. An interval is
-- written here where it has no width, as event_counts has it.
select
    model,
    told.count,
    crucible.significant(sqrt(variance)) as count_standard_error,
    case when told.is_exact then json_build_array(told.count, told.count) end as count_interval,
    told.error_count,
    crucible.significant(sqrt(error_variance)) as error_count_standard_error,
    case when told.is_exact then json_build_array(told.error_count, told.error_count) end
        as error_count_interval,
    stored_count,
    crucible.rfc3339(last_time, 0::smallint) as last_time,
    case when told.is_exact and not told.may_be_thinned then to_json(false) else json_build_object(
        'probability_min', probability_min,
        'traces', uncertain_traces,
        'count', json_build_array(stored_count, page.count - stored_count, variance, 1),
        'error_count', json_build_array(
            error_row_count, page.error_count - error_row_count, error_variance, 1)
    ) end as estimated,
    told.is_exact as interval_reliable
from (
    select
        model,
        sum(row_count)::bigint as stored_count,
        sum(count) as count,
        coalesce(sum(count_trace_variance), 0) as variance,
        coalesce(sum(error_count), 0) as error_count,
        coalesce(sum(row_count) filter (where status_code = 2), 0) as error_row_count,
        coalesce(sum(error_variance), 0) as error_variance,
        coalesce(sum(uncertain_traces), 0) as uncertain_traces,
        min(probability_min) as probability_min,
        max(last_time) as last_time
    from (
-- each sums: span_sums
    ) pieces
    where model is not null
      and (%(last_name)s::text is null or model >= %(last_name)s)
    group by model
    having sum(row_count) > 0
    order by model
    limit %(limit)s offset %(skip)s
) page
cross join lateral (
    select
        probability_min >= 1 as is_exact,
        -- As event_sums_told has it.
        variance > 0 or exists (select from crucible.sampling_settings) as may_be_thinned,
        crucible.significant(page.count) as count,
        crucible.significant(page.error_count) as error_count
    offset 0
) told
order by model
