-- How is an experiment (e) given to a reader?
-- Leans on runs_experiment_id for the number of its runs, and on the primary key of its pauses.
    e.experiment_id,
    e.name,
    e.hypothesis,
    e.status,
    coalesce(e.tags, '{}') as tags,
    e.owner,
    e.experiment_type,
    coalesce(e.metadata, '{}') as metadata,
    e.sample_size,
    crucible.rfc3339(e.status_at, 0::smallint) as status_at,
    coalesce(e.pause_count, 0) + (
        select count(*) from crucible.experiment_pauses p where p.experiment_id = e.experiment_id
    ) as pause_count,
    case when e.status = 'paused' then e.pause_reason end as pause_reason,
    e.active_duration_ns / 1e6::float8 as active_duration_ms,
    e.paused_duration_ns / 1e6::float8 as paused_duration_ms,
    coalesce(e.is_aborted, false) as is_aborted,
    case when e.is_aborted then e.abort_reason end as abort_reason,
    crucible.rfc3339(e.first_seen, 0::smallint) as first_seen,
    crucible.rfc3339(e.last_seen, 0::smallint) as last_seen,
    (select count(*) from crucible.runs where runs.experiment_id = e.experiment_id) as run_count
