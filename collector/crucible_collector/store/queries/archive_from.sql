-- Which rows tell of an archive?
-- No index: included in the queries of archives. The primary keys of its files and of its job.
from crucible.archives
cross join lateral (
    select
        count(*) as file_count,
        coalesce(sum(row_count), 0)::bigint as row_count,
        coalesce(sum(byte_count), 0)::bigint as byte_count,
        sum(dropped_count)::bigint as dropped_count,
        sum(restored_count)::bigint as restored_count
    from crucible.archive_files
    where archive_files.archive_id = archives.archive_id
) files
cross join lateral (
    select coalesce(json_object_agg(relation, rows order by relation), '{}') as row_counts
    from (
        select relation, coalesce(sum(row_count), 0)::bigint as rows
        from crucible.archive_files
        where archive_files.archive_id = archives.archive_id
        group by relation
    ) by_relation
) counts
left join lateral (
    select json_build_object(
        'job_id', job_id, 'kind', kind, 'progress', progress, 'error',
        case when is_orphaned then 'the collector that ran it has gone' else jobs.error end,
        'state', case when is_orphaned then 'failed' else jobs.state end
    ) as job
    from crucible.jobs
    cross join lateral (
        select jobs.state = 'running' and jobs.updated_at < now() - interval '5 minutes'
    ) told (is_orphaned)
    where jobs.job_id = archives.job_id
) last_job on true
