-- What has each transaction of ingest touched? Comments, for who looks at it in SQL.

comment on table crucible.live_windows is
    'One transaction that wrote spans, points or runs, and what it touched; kept for fifteen minutes';
comment on column crucible.live_windows.window_xid is
    'Id of the transaction: its rows have it as xmin, and pg_visible_in_snapshot tells who has seen it';
comment on column crucible.live_windows.written_at is 'Shortly before it was committed, UTC';
comment on column crucible.live_windows.row_count is 'Spans and points that it wrote';
comment on column crucible.live_windows.is_exact is
    'Whether its rows have its id as xmin; false where savepoints gave them others';
comment on column crucible.live_windows.times is 'Within these its spans and points lie, both ends included';
comment on column crucible.live_windows.spans_of is 'Runs that its spans are of; null: very many';
comment on column crucible.live_windows.spans_of_experiments is
    'Experiments of its spans that are of no run';
comment on column crucible.live_windows.points_of is 'Series of its points, see crucible.series; null: very many';
comment on column crucible.live_windows.changed is
    'Further runs of which it changed what crucible.runs has; null: very many';
