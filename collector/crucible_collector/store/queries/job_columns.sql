-- How is a job given to a reader? One that says nothing for five minutes has nobody who runs it any more.
-- No index: included in the queries of jobs.
    job_id,
    crucible.rfc3339(created_at, 0::smallint) as created_at,
    crucible.rfc3339(updated_at, 0::smallint) as updated_at,
    crucible.rfc3339(finished_at, 0::smallint) as finished_at,
    case when is_orphaned then 'failed' else state end as state,
    progress,
    collector,
    request,
    report,
    case when is_orphaned then 'the collector that ran it has gone' else error end as error
