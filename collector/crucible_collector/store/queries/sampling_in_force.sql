-- How strictly did each rule sample the spans that were received in a period, and what was it about?
-- Leans on the primary key of sampling_ledger; versions of the settings are few. No row of a rule that saw
-- nothing. What a rule was about is null where no version of that time has it.
with versions as (
    select settings, changed_at, lead(changed_at) over (order by version) as changed_again_at
    from crucible.sampling_settings
),
rules as (
    select
        rule ->> 'name' as rule,
        jsonb_agg(distinct jsonb_build_object(
            'events', rule -> 'events', 'experiments', rule -> 'experiments', 'models', rule -> 'models'
        )) as about
    from versions
    cross join lateral jsonb_array_elements(settings -> 'rules') rule
    -- Collectors take up a version some time after it is made.
    where (%(from_time)s::timestamptz is null or changed_again_at is null
            or changed_again_at > %(from_time)s::timestamptz - %(taken_up_within)s::interval)
      and (%(to_time)s::timestamptz is null or changed_at < %(to_time)s::timestamptz + %(late)s::interval)
    group by 1
)
select
    (select about from rules where rules.rule = sampling_ledger.rule) as about,
    min(probability_min) as probability_min,
    min(error_probability_min) filter (where error_seen_count > 0) as error_probability_min,
    coalesce(sum(error_seen_count), 0)::bigint as error_seen_count,
    coalesce(sum(kept_count), 0)::bigint as kept_count,
    max(trace_count_max) as trace_count_max
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
group by rule
