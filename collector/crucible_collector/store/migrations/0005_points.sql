-- Numbers: one row a value (points) and one row a distribution (histograms).
--
-- Every question about points is about some series, so (series_id, time) is the only index: no index on
-- time alone. Measured for two points a span as in 0004: the rows 1.3–2.0 µs, this index 2.4–3.2 more
-- where rows come sorted by series within a window, 4.8–5.0 where not. Values in the index (include)
-- cost 0.4–1.0 more and double it; BRIN costs 0.1–0.7 but finds nothing where many series write slowly.

create table crucible.points (
    series_id bigint not null,
    time timestamptz not null,
    step bigint,
    value float8,
    value_int bigint,
    start_time timestamptz,
    flags bigint,
    time_ns_rest smallint not null default 0,
    exemplars jsonb
) /* partitioned by time */;

select crucible.store_by_time('points');

-- Two points of one series at one time are rare: deduplication would be tried in vain.
create index points_series on crucible.points (series_id, time) with (deduplicate_items = off);

create table crucible.histograms (
    series_id bigint not null,
    time timestamptz not null,
    start_time timestamptz,
    count bigint not null,
    sum float8,
    min float8,
    max float8,
    zero_count bigint,
    zero_threshold float8,
    flags bigint,
    scale int,
    positive_offset int,
    negative_offset int,
    time_ns_rest smallint not null default 0,
    bounds float8[],
    counts bigint[],
    negative_counts bigint[],
    quantile_values float8[],
    exemplars jsonb
) /* partitioned by time */;

select crucible.store_by_time('histograms');

create index histograms_series on crucible.histograms (series_id, time)
    with (deduplicate_items = off);
