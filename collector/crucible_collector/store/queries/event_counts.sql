-- How many events of each name are there, sampled ones weighted by their inclusion probability?
-- Leans on the roll-ups of spans; raw rows answer less than a minute at either end of the period. The
-- standard error is a lower bound: event_count_variances has it in full, as long as the rows are kept.
select
    event_name,
    crucible.significant(count) as count,
    crucible.significant(sqrt(variance)) as count_standard_error,
    crucible.significant(error_count) as error_count,
    stored_count,
    crucible.rfc3339(last_time, 0::smallint) as last_time,
    probability_min < 1 as estimated
from (
    select
        event_name,
        sum(row_count)::bigint as stored_count,
        sum(count) as count,
        coalesce(sum(count_variance), 0) as variance,
        coalesce(sum(error_count), 0) as error_count,
        min(probability_min) as probability_min,
        max(last_time) as last_time
    from (
-- each sums: span_sums
    ) pieces
    where %(last_name)s::text is null or event_name >= %(last_name)s
    group by event_name
    order by event_name
    limit %(limit)s offset %(skip)s
) page
order by event_name
