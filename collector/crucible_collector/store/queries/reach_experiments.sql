-- Are these runs, series, periods of anomalies, scans and jobs all of experiments that a key is for?
-- Leans on the primary keys. What is not there is not what a key is for.
select
    coalesce((
        select bool_and(coalesce(starts_with(r.experiment_id, %(prefix)s), false))
        from unnest(%(run_ids)s::text[]) asked (run_id)
        left join crucible.runs r using (run_id)
    ), true)
    and coalesce((
        select bool_and(coalesce(starts_with(coalesce(s.experiment_id, r.experiment_id), %(prefix)s), false))
        from unnest(%(series_ids)s::bigint[]) asked (series_id)
        left join crucible.series s using (series_id)
        left join crucible.runs r on r.run_id = s.run_id
    ), true)
    and coalesce((
        select bool_and(coalesce(starts_with(p.experiment_id, %(prefix)s), false))
        from unnest(%(period_ids)s::uuid[]) asked (period_id)
        left join crucible.anomaly_periods p using (period_id)
    ), true)
    and coalesce((
        select bool_and(coalesce(
            starts_with(coalesce(a.request ->> 'experiment', r.experiment_id), %(prefix)s), false))
        from unnest(%(scan_ids)s::uuid[]) asked (scan_id)
        left join crucible.anomaly_scans a using (scan_id)
        left join crucible.runs r on r.run_id = a.request ->> 'run'
    ), true)
    and coalesce((
        -- A name goes to another key once the one that had it is revoked.
        select bool_and(coalesce(
            j.asked_by = %(who)s
            and starts_with(coalesce(j.request ->> 'experiment', r.experiment_id), %(prefix)s), false))
        from unnest(%(job_ids)s::uuid[]) asked (job_id)
        left join crucible.jobs j using (job_id)
        left join crucible.runs r on r.run_id = j.request ->> 'run'
    ), true) as is_within
