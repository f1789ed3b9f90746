-- How many events of each name are there, sampled ones weighted by their inclusion probability?
-- Leans on spans_run where a run is given, on that and spans_experiment where an experiment is, else on
-- spans_time. The variance is that of Horvitz and Thompson over whole traces, since spans of one trace
-- are kept or dropped together.
with traces as (
    select
        coalesce(event_name, name) as event_name,
        trace_id,
        sample_probability as p,
        count(*) as stored_count,
        count(*) filter (where status_code = 2) as error_count,
        max(time) as last_time
    from crucible.spans
    where (%(run)s::text is null or run_id = %(run)s)
      and (
          %(experiment)s::text is null
          or run_id = any (array(select run_id from crucible.runs where experiment_id = %(experiment)s))
          or (run_id is null and experiment_id = %(experiment)s)
      )
      and (%(from_time)s::timestamptz is null or time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or time < %(to_time)s)
    group by 1, 2, 3
),
variances as (
    select
        a.event_name,
        sum((a.stored_count / a.p) * (b.stored_count / b.p) * (1 - greatest(a.p, b.p))) as variance
    from traces a
    join traces b on b.event_name = a.event_name and b.trace_id = a.trace_id
    where a.p < 1 and b.p < 1
    group by a.event_name
),
counts as (
    select
        event_name,
        sum(stored_count / p) as count,
        sum(error_count / p) as error_count,
        sum(stored_count)::bigint as stored_count,
        max(last_time) as last_time
    from traces
    group by event_name
)
select
    event_name,
    count,
    sqrt(coalesce(variance, 0)) as count_standard_error,
    error_count,
    stored_count,
    crucible.rfc3339(last_time, 0::smallint) as last_time
from counts
left join variances using (event_name)
where %(last_name)s::text is null or event_name >= %(last_name)s
order by event_name
limit %(limit)s offset %(skip)s
