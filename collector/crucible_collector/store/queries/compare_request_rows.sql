-- Which spans are the requests of these sides?
-- Leans on spans_event or spans_run for those of runs, on spans_experiment for those without one; included
-- in the questions about requests.
requests as (
    select w.place, s.*
    from unnest(%(runs)s::text[], %(places)s::int[]) as w (run_id, place)
    join crucible.spans s on s.run_id = w.run_id
    where s.event_name = any(%(events)s::text[])
      and (%(from_time)s::timestamptz is null or s.time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or s.time < %(to_time)s)
    union all
    select w.place, s.*
    from unnest(%(experiments)s::text[], %(conditions)s::text[], %(experiment_places)s::int[])
        as w (experiment_id, condition, place)
    join crucible.spans s
        on s.run_id is null
        and s.experiment_id = w.experiment_id
        and (w.condition is null or s.condition = w.condition)
    where s.event_name = any(%(events)s::text[])
      and (%(from_time)s::timestamptz is null or s.time >= %(from_time)s)
      and (%(to_time)s::timestamptz is null or s.time < %(to_time)s)
)
