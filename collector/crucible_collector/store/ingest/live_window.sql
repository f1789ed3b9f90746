-- What has this transaction touched? Once a transaction, under its id.
-- Leans on the primary key.
insert into crucible.live_windows
    (row_count, is_exact, times, spans_of, spans_of_experiments, points_of, changed)
values (
    %(row_count)s, %(is_exact)s, %(times)s::tstzmultirange, %(spans_of)s::text[],
    %(spans_of_experiments)s::text[], %(points_of)s::bigint[], %(changed)s::text[]
)
