-- Which conditions has an experiment, and how are the runs under each?
-- Leans on runs_experiment_id.
select
    r.condition,
    count(*) as run_count,
    count(*) filter (where r.status = 'running') as running_count,
    count(*) filter (where r.status = 'completed') as completed_count,
    count(*) filter (where r.status in ('failed', 'cancelled', 'stalled')) as failed_count,
    crucible.rfc3339(min(r.first_seen), 0::smallint) as first_seen,
    crucible.rfc3339(max(r.last_seen), 0::smallint) as last_seen
from crucible.runs r
where r.experiment_id = %(experiment)s
group by r.condition
order by r.condition nulls first
limit %(limit)s
