-- Numbers: one row a value (points) and one row a distribution (histograms).

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
