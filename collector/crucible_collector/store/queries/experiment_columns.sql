-- How is an experiment (e) given to a reader?
-- Leans on runs_experiment_id for the number of its runs.
    e.experiment_id,
    e.name,
    e.hypothesis,
    e.status,
    coalesce(e.tags, '{}') as tags,
    coalesce(e.metadata, '{}') as metadata,
    crucible.rfc3339(e.first_seen, 0::smallint) as first_seen,
    crucible.rfc3339(e.last_seen, 0::smallint) as last_seen,
    (select count(*) from crucible.runs where runs.experiment_id = e.experiment_id) as run_count
