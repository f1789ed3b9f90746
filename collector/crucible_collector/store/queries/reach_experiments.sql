-- Are these runs, series, periods of anomalies and jobs all of experiments that a key is for?
-- Leans on the primary keys. What is not there is not what a key is for.
select
    coalesce((
        select bool_and(coalesce(starts_with(r.experiment_id, %(prefix)s), false))
        from unnest(%(runs)s::text[]) asked (run_id)
        left join crucible.runs r using (run_id)
    ), true)
    and coalesce((
        select bool_and(coalesce(starts_with(coalesce(s.experiment_id, r.experiment_id), %(prefix)s), false))
        from unnest(%(series)s::bigint[]) asked (series_id)
        left join crucible.series s using (series_id)
        left join crucible.runs r on r.run_id = s.run_id
    ), true)
    and coalesce((
        select bool_and(coalesce(starts_with(p.experiment_id, %(prefix)s), false))
        from unnest(%(periods)s::uuid[]) asked (period_id)
        left join crucible.anomaly_periods p using (period_id)
    ), true)
    and coalesce((
        select bool_and(coalesce(j.asked_by = %(who)s, false))
        from unnest(%(jobs)s::uuid[]) asked (job_id)
        left join crucible.jobs j using (job_id)
    ), true) as is_within
