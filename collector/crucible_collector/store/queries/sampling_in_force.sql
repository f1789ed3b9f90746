-- How strictly were spans sampled that were received in a period, whatever was kept of them?
-- Leans on the primary key of sampling_ledger. No row where no rule saw anything.
select
    min(probability_min) as probability_min,
    min(error_probability_min) filter (where error_seen_count > 0) as error_probability_min,
    coalesce(sum(error_seen_count), 0)::bigint as error_seen_count,
    coalesce(sum(kept_count), 0)::bigint as kept_count
from crucible.sampling_ledger
where signal = 'spans'
  and (
      %(from_time)s::timestamptz is null
      -- What is old is told by the hour, then by the day: the one that the period begins in is looked at
      -- whole, a day before that happens.
      or time >= date_trunc(
          case
              when %(from_time)s < now() - interval '89 days' then 'day'
              when %(from_time)s < now() - interval '6 days' then 'hour'
              else 'minute'
          end,
          %(from_time)s::timestamptz,
          'UTC'
      )
  )
  and (%(to_time)s::timestamptz is null or time < %(to_time)s::timestamptz + %(late)s::interval)
having count(*) > 0
