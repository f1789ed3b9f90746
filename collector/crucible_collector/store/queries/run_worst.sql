-- How severe is the worst period of anomalies of a run (r) that is active?
-- Leans on anomaly_periods_unresolved, or on anomaly_periods_run where one run is asked for; included in the
-- queries of runs. A look-up for each run of a list reads what has been resolved, too, and there may be
-- thousands; what is not, is little.
left join (
    select run_id, max(array_position(array['info', 'warning', 'critical'], severity)) as severity_number
    from crucible.anomaly_periods
    where state = 'active' and label = '' and run_id is not null
    group by run_id
) worst on worst.run_id = r.run_id
