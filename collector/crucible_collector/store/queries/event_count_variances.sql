-- How far off may the counts of these sampled events be?
-- Leans on spans_run where a run is given, else on spans_event, unless it is batches that were sampled.
-- The variance is that of Horvitz and Thompson over whole traces, since spans of one trace are kept or
-- dropped together; no roll-up knows traces.
with traces as (
    select event_name, trace_id, sample_probability as p, count(*) as stored_count
    from crucible.spans
    where event_name = any (%(names)s::text[])
      and sample_probability < 1
      and (%(from_time)s::timestamptz is null or time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or time < %(to_time)s)
-- include span_run_filters
    group by 1, 2, 3
)
select
    a.event_name,
    crucible.significant(sqrt(
        sum((a.stored_count / a.p) * (b.stored_count / b.p) * (1 - greatest(a.p, b.p)))
    )) as standard_error
from traces a
join traces b on b.event_name = a.event_name and b.trace_id = a.trace_id
group by a.event_name
