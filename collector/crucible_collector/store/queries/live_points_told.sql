-- How are points (found) told to those who follow, each series' together and oldest first?
-- No index: included behind what they are found by.
    ) p
    where s.kind in ('measurement', 'gauge', 'sum')
      and (%(events)s::text[] is null or s.event_name = any(%(events)s))
      and (
          %(runs)s::text[] is null
          or s.run_id = any(%(runs)s)
          or u.experiment_id = any(%(experiments)s::text[])
      )
)
select
    run_id,
    experiment_id,
    experiment_of_run,
    event_name,
    json_build_object(
        'run_id', run_id,
        'experiment_id', coalesce(experiment_id, experiment_of_run),
        'metric', metric,
        'event_name', event_name,
        'rank', rank,
        'series_id', lpad(to_hex(series_id), 16, '0'),
        'points', json_agg(
            json_build_object(
                'step', step, 'time', crucible.rfc3339(time, time_ns_rest), 'value', value)
            order by time, time_ns_rest, step, value)
    )::text as body
from found
group by series_id, run_id, experiment_id, experiment_of_run, event_name, metric, rank
order by run_id, metric, series_id
