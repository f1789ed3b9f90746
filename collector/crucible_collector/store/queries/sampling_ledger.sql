-- What did each sampling rule see and keep, by stratum, over all collectors?
-- Leans on the primary key for the period. A minute belongs where it begins.
select
    case when %(width)s::interval is not null then crucible.rfc3339(begin_time, 0::smallint) end
        as time,
    rule,
    signal,
    stratum,
    seen_count,
    kept_count,
    crucible.significant(kept_count::float8 / nullif(seen_count, 0)) as kept_share,
    crucible.significant(weight_sum) as weight_sum,
    crucible.significant(weight_sum / nullif(kept_count, 0)) as weight_mean,
    probability_min,
    error_seen_count,
    error_kept_count,
    error_probability_min
from (
    select
        coalesce(date_bin(%(width)s::interval, time, 'epoch'), 'epoch') as begin_time,
        rule,
        signal,
        stratum,
        sum(seen_count)::bigint as seen_count,
        sum(kept_count)::bigint as kept_count,
        sum(weight_sum) as weight_sum,
        min(probability_min) as probability_min,
        sum(error_seen_count)::bigint as error_seen_count,
        sum(error_kept_count)::bigint as error_kept_count,
        min(error_probability_min) as error_probability_min
    from crucible.sampling_ledger
    where (%(from_time)s::timestamptz is null or time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or time < %(to_time)s)
      and (%(rule)s::text is null or rule = %(rule)s)
      and (%(signal)s::text is null or signal = %(signal)s)
    group by 1, 2, 3, 4
) sums
where %(last_rule)s::text is null
   or (begin_time, rule, signal, stratum)
       >= (%(last_time)s, %(last_rule)s, %(last_signal)s, %(last_stratum)s)
order by begin_time, rule, signal, stratum
limit %(limit)s offset %(skip)s
