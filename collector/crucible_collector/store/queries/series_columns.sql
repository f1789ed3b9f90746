-- How is a series (s), with its resource (r), given to a reader?
-- No index: included in the queries of series.
    lpad(to_hex(s.series_id), 16, '0') as series_id,
    s.source,
    s.metric,
    s.kind,
    s.number_kind,
    s.temporality,
    s.is_monotonic,
    s.unit,
    s.description,
    s.experiment_id,
    s.run_id,
    s.event_name,
    s.rank,
    coalesce(s.attributes, '{}') as attributes,
    r.service_name,
    crucible.rfc3339(s.first_seen, 0::smallint) as first_seen,
    crucible.rfc3339(s.last_seen, 0::smallint) as last_seen
